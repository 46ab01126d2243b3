"""`policy.toml`: shipped values, the sections for one effect, and which value is nearest to a rule.

The six keys that may stand on a rule are looked for on the rule, then in `[policy.<effect>]` (where what is shipped stays, key by
key, until the file says otherwise), then in `[policy]`, then among what is shipped.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fences.findings import Findings, Place, meant, shown
from fences.jsonl import Records, read_file
from fences.records import RuleRecord
from fences.registry import EFFECTS, Policy, RulePolicy

LEVELS = ("red", "yellow", "info")
"""The gravest first, as `operators.alert.LEVELS`; columns hold the index."""

SHIPPED: Mapping[str, Any] = {
    "confirm_fixes": 2,
    "confirm_s": 0,
    "clear_fixes": 2,
    "tolerance_m": 30.0,
    "accuracy_factor": 1.0,
    "level": "red",
}
SHIPPED_SECTIONS: Mapping[str, Mapping[str, Any]] = {
    "allow": {},
    "forbid": {"confirm_fixes": 1, "accuracy_factor": 0.0},
    "require": {},
}
RANGES: Mapping[str, tuple[float, float]] = {
    "confirm_fixes": (1, 20),
    "confirm_s": (0, 86_400),
    "clear_fixes": (1, 20),
    "tolerance_m": (0, 10_000),
    "accuracy_factor": (0, 10),
}
WHOLE = ("confirm_fixes", "clear_fixes")
AS_GOOD_AS_NEVER = 1e12
"""Larger seconds and metres are cut to this (31,000 years): milliseconds of it still fit in 64 bits."""

_POLICY_KEYS = tuple(item.name for item in fields(Policy))
_KEYS = (*SHIPPED, *_POLICY_KEYS)
_header = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$").match
_assignment = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=").match


def load_policy(path: Path, findings: Findings) -> tuple[Policy, RulePolicy]:
    """The policy and what its sections say for allow, forbid and require; no file is the shipped policy."""
    source = read_file(path, findings, "") if path.exists() else b""
    text, document = _parse(source or b"", path, findings)
    lines = _key_lines(text)
    _refuse_other_tables(document, path, lines, findings)
    table = document.get("policy", {})
    if not isinstance(table, dict):
        findings.add("wrong value", Place(str(path), lines.get("policy"), "policy"), "this is no section", "write [policy]")
        table = {}
    given = _section(table, "policy", path, lines, findings)
    values: dict[str, Any] = {key: [] for key in SHIPPED}
    for effect in EFFECTS:
        section = table.get(effect, {})
        if not isinstance(section, dict):
            place = Place(str(path), lines.get(f"policy.{effect}"), f"policy.{effect}")
            findings.add("wrong value", place, "this is no section", f"write [policy.{effect}] with the keys below it")
            section = {}
        nearest = {
            **SHIPPED,
            **given,
            **SHIPPED_SECTIONS[effect],
            **_section(section, f"policy.{effect}", path, lines, findings),
        }
        for key, column in values.items():
            column.append(nearest[key])
    policy = Policy(**{key: float(min(given[key], AS_GOOD_AS_NEVER)) for key in _POLICY_KEYS if key in given})
    levels = np.array([LEVELS.index(word) for word in values.pop("level")], np.uint8)
    return policy, _columns({key: np.array(column) for key, column in values.items()}, levels)


def resolve(rules: Records[RuleRecord], effect: NDArray[np.uint8], sections: RulePolicy, findings: Findings) -> RulePolicy:
    """The six keys of every rule, its own value or that of its effect's section. Values out of range go to `findings`."""
    records = rules.records
    own: dict[str, Sequence[float | None]] = {
        "confirm_fixes": [r.confirm_fixes for r in records],
        "confirm_s": [r.confirm_s for r in records],
        "clear_fixes": [r.clear_fixes for r in records],
        "tolerance_m": [r.tolerance_m for r in records],
        "accuracy_factor": [r.accuracy_factor for r in records],
    }
    level = [r.level for r in records]
    own = {key: _in_range(key, values, rules, findings) for key, values in own.items()}
    near: dict[str, NDArray[Any]] = {
        "confirm_fixes": sections.confirm_fixes[effect],
        "confirm_s": sections.confirm_ms[effect] / 1000,
        "clear_fixes": sections.clear_fixes[effect],
        "tolerance_m": sections.tolerance_m[effect],
        "accuracy_factor": sections.accuracy_factor[effect],
    }
    levels = sections.level[effect].copy()
    for row in [row for row, word in enumerate(level) if word is not None]:
        levels[row] = LEVELS.index(level[row] or "")
    return _columns({key: _nearest(own[key], near[key]) for key in own}, levels)


def fault_of(key: str, value: object) -> str | None:
    """What is wrong with the value of a policy key, as advice what to write; None where nothing is."""
    if key == "level":
        return None if value in LEVELS else 'write one of "red", "yellow", "info"'
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if key in RANGES:
        low, high = RANGES[key]
        whole = key in WHOLE
        good = low <= number <= high and (not whole or isinstance(value, int))
        return None if good else f"write a {'whole ' if whole else ''}number from {low:g} to {high:g}"
    return None if 0 < number < math.inf else "write a number above 0"


def _in_range(key: str, values: Sequence[float | None], rules: Records[RuleRecord], findings: Findings) -> Sequence[float | None]:
    """The values that may be; one that is out of range goes to `findings` and counts as none."""
    low, high = RANGES[key]
    if values.count(None) == len(values):
        return values
    wrong = [row for row, value in enumerate(values) if value is not None and not low <= value <= high]
    findings.add_each(
        "out of range",
        wrong,
        lambda row: (rules.place(row, key), f"{shown(values[row])} is out of range", fault_of(key, values[row]) or ""),
    )
    if not wrong:
        return values
    refused = set(wrong)
    return [None if row in refused else value for row, value in enumerate(values)]


def _nearest(own: Sequence[float | None], near: NDArray[Any]) -> NDArray[np.float64]:
    """The rule's own value, or the one of its section."""
    if own.count(None) == len(own):
        return near.astype(np.float64)
    values = np.array(own, np.float64)  # None becomes NaN.
    return np.where(np.isnan(values), near, values)


def _columns(values: Mapping[str, NDArray[Any]], level: NDArray[np.uint8]) -> RulePolicy:
    return RulePolicy(
        confirm_fixes=values["confirm_fixes"].astype(np.int32),
        confirm_ms=np.rint(values["confirm_s"] * 1000).astype(np.int64),
        clear_fixes=values["clear_fixes"].astype(np.int32),
        tolerance_m=values["tolerance_m"].astype(np.float64),
        accuracy_factor=values["accuracy_factor"].astype(np.float64),
        level=level,
    )


def _section(table: Mapping[str, Any], name: str, path: Path, lines: Mapping[str, int], findings: Findings) -> dict[str, Any]:
    """The good values of a section; what is wrong in it goes to `findings`."""
    good: dict[str, Any] = {}
    allowed = _KEYS if name == "policy" else tuple(SHIPPED)
    for key, value in table.items():
        place = Place(str(path), lines.get(f"{name}.{key}", lines.get(name)), f"{name}.{key}")
        if name == "policy" and key in EFFECTS:
            continue
        if key not in allowed:
            what = f"[{name}] has no key {shown(key)}{meant(key, allowed)}"
            elsewhere = "move it to [policy]" if key in _KEYS else f"leave it out or write one of {', '.join(allowed)}"
            findings.add("unknown key", place, what, elsewhere)
            continue
        advice = fault_of(key, value)
        if advice is None:
            good[key] = value
        else:
            findings.add("wrong value", place, f"{shown(value)} does not belong here", advice)
    return good


def _parse(source: bytes, path: Path, findings: Findings) -> tuple[str, dict[str, Any]]:
    """The text of the file and what TOML makes of it; nothing, and a problem, where it is no TOML."""
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        place = Place(str(path), source.count(b"\n", 0, error.start) + 1)
        findings.add("no TOML", place, "a byte that is not UTF-8", "save the file as UTF-8")
        return "", {}
    try:
        return text, tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; so is what a number of 5,000 digits raises.
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        findings.add("no TOML", Place(str(path), line), f"no TOML: {error}", "write `key = value` below [policy], text in quotes")
        return "", {}


def _refuse_other_tables(document: Mapping[str, Any], path: Path, lines: Mapping[str, int], findings: Findings) -> None:
    for key in document:
        if key != "policy":
            what = f"the file has no section {shown(key)}{meant(key, ('policy',))}"
            advice = (
                "write it below [policy]" if key in _KEYS else "the sections are [policy] and [policy.allow | forbid | require]"
            )
            findings.add("unknown key", Place(str(path), lines.get(key), key), what, advice)


def _key_lines(text: str) -> dict[str, int]:
    """The line of each section and of each key in it, as far as each stands on a line of its own: `tomllib` tells no lines."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        header, assignment = _header(line), _assignment(line)
        if header:
            section = re.sub(r"[\s\"']", "", header[1])
            lines.setdefault(section, number)
        elif assignment:
            key = re.sub(r"[\"']", "", assignment[1])
            lines.setdefault(f"{section}.{key}" if section else key, number)
    return lines
