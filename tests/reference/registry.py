"""Section 4, the registry: one directory read into plain records. It is taken to be right; finding faults is not done here."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests.reference.areas import Area, read_areas
from tests.reference.moments import read_time
from tests.reference.records import Position

LEVELS = ("red", "yellow", "info")
RULE_KEYS: dict[str, Any] = {
    "confirm_fixes": 2,
    "confirm_s": 0,
    "clear_fixes": 2,
    "tolerance_m": 30.0,
    "accuracy_factor": 1.0,
    "level": "red",
}
"""The six keys that may stand in a section and on a rule too, with what is shipped."""
SHIPPED_IN_SECTION: dict[str, dict[str, Any]] = {"allow": {}, "forbid": {"confirm_fixes": 1, "accuracy_factor": 0.0}, "require": {}}
GENERAL_KEYS = {
    "max_position_age_s": 900,
    "max_accuracy_m": 1000,
    "edge_grace_s": 60,
    "silent_after_s": 900,
    "silent_long_after_s": 2700,
    "feed_silent_after_s": 300,
    "feed_min_subjects": 10,
    "no_position_after_s": 900,
    "max_speed_mps": 100.0,
    "min_jump_m": 300.0,
    "battery_low_pct": 20,
    "battery_critical_pct": 5,
    "future_tolerance_s": 300,
}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Terms:
    """The six policy keys as they hold for one rule (or for slot `area`)."""

    confirm_fixes: int
    confirm_ms: int
    clear_fixes: int
    tolerance_m: float
    accuracy_factor: float
    level: str


@dataclass(frozen=True)
class Span:
    """One entry of a schedule: weekdays (0 = Monday) on which it starts, minutes of the local day."""

    days: frozenset[int]
    from_min: int
    to_min: int


@dataclass(frozen=True)
class Rule:
    """One rule. `from_ms` and `until_ms` None: no limit. `spans` None: at all times."""

    id: str
    effect: str
    subjects: frozenset[str]
    groups: frozenset[str]
    everyone: bool
    areas: tuple[Area, ...]
    from_ms: int | None
    until_ms: int | None
    spans: tuple[Span, ...] | None
    excepted: frozenset[date]
    timezone: str | None
    terms: Terms


@dataclass(frozen=True)
class Subject:
    """One subject. `timezone` is that of his home region."""

    id: str
    home_region: str | None
    timezone: str | None
    groups: frozenset[str]
    silent_after_ms: int


@dataclass
class Registry:
    """One version of the registry."""

    regions: dict[str, Area]
    subjects: dict[str, Subject]
    rules: tuple[Rule, ...]
    general: dict[str, float]
    section_terms: dict[str, Terms]
    version: str
    bound: dict[str, tuple[Rule, ...]] = field(default_factory=dict)

    def rules_of(self, subject_id: str) -> tuple[Rule, ...]:
        """J1: the rules that name him, one of his groups, or everyone."""
        if subject_id not in self.bound:
            groups = self.subjects[subject_id].groups
            self.bound[subject_id] = tuple(r for r in self.rules if r.everyone or subject_id in r.subjects or groups & r.groups)
        return self.bound[subject_id]

    def region_at(self, position: Position | None) -> str | None:
        """The region that covers a position; of several the least id."""
        if position is None:
            return None
        return min((r.id for r in self.regions.values() if r.covers(position.lon, position.lat)), default=None)

    def ms(self, key: str) -> int:
        """A policy key in seconds, as milliseconds."""
        return milliseconds(self.general[key])


def read_registry(directory: Path) -> Registry:
    """The registry of a directory."""
    regions, areas = read_areas(directory / "regions.geojson"), read_areas(directory / "areas.geojson")
    policy = tomllib.loads((directory / "policy.toml").read_text(encoding="utf-8")) if (directory / "policy.toml").exists() else {}
    stated = policy.get("policy", {})
    general = {key: stated.get(key, shipped) for key, shipped in GENERAL_KEYS.items()}
    subject_lines, rule_lines = list(lines_of(directory, "subjects")), list(lines_of(directory, "rules"))
    subjects = [read_subject(line, regions, general) for line in subject_lines]
    rules = [read_rule(line, regions | areas, stated) for line in rule_lines]
    return Registry(
        regions=regions,
        subjects={subject.id: subject for subject in subjects},
        rules=tuple(rules),
        general=general,
        section_terms={effect: read_terms({}, effect, stated) for effect in SHIPPED_IN_SECTION},
        version=version_of(directory, subject_lines, rule_lines, general, stated),
    )


def lines_of(directory: Path, name: str) -> Iterator[dict[str, Any]]:
    """The records of `name.jsonl` and of `name.d/*.jsonl`."""
    for path in [directory / f"{name}.jsonl", *sorted((directory / f"{name}.d").glob("*.jsonl"))]:
        for line in path.read_bytes().split(b"\n") if path.exists() else []:
            if line.strip():
                yield json.loads(line)


def read_subject(line: dict[str, Any], regions: dict[str, Area], general: dict[str, float]) -> Subject:
    """A line of subjects.jsonl."""
    home = line.get("home_region")
    own_silence = line.get("silent_after_s")
    return Subject(
        id=str(line["id"]),
        home_region=home,
        timezone=regions[home].timezone if home is not None else None,
        groups=frozenset(line.get("groups") or ()),
        silent_after_ms=milliseconds(general["silent_after_s"] if own_silence is None else own_silence),
    )


def read_rule(line: dict[str, Any], areas: dict[str, Area], stated: dict[str, Any]) -> Rule:
    """A line of rules.jsonl."""
    schedule = line.get("schedule")
    return Rule(
        id=str(line["id"]),
        effect=line["effect"],
        subjects=frozenset(map(str, line.get("subjects") or ())),
        groups=frozenset(line.get("groups") or ()),
        everyone=bool(line.get("everyone")),
        areas=tuple(areas[area_id] for area_id in line["areas"]),
        from_ms=read_time(line.get("from")),
        until_ms=read_time(line.get("until")),
        spans=None if schedule is None else tuple(read_span(span) for span in schedule),
        excepted=frozenset(date.fromisoformat(day) for day in line.get("except") or ()),
        timezone=line.get("timezone"),
        terms=read_terms(line, line["effect"], stated),
    )


def read_terms(rule: dict[str, Any], effect: str, stated: dict[str, Any]) -> Terms:
    """The six keys, the nearest wins: the rule, the section as written, the section as shipped, `[policy]`, what is shipped."""
    places = (rule, stated.get(effect, {}), SHIPPED_IN_SECTION[effect], stated, RULE_KEYS)
    value: dict[str, Any] = {key: next(place[key] for place in places if place.get(key) is not None) for key in RULE_KEYS}
    return Terms(
        confirm_fixes=value["confirm_fixes"],
        confirm_ms=milliseconds(value["confirm_s"]),
        clear_fixes=value["clear_fixes"],
        tolerance_m=float(value["tolerance_m"]),
        accuracy_factor=float(value["accuracy_factor"]),
        level=value["level"],
    )


def read_span(span: dict[str, str]) -> Span:
    """A span of a schedule; without `days` every day."""
    days = span.get("days")
    return Span(frozenset(range(7)) if days is None else read_days(days), minutes(span["from"]), minutes(span["to"]))


def read_days(text: str) -> frozenset[int]:
    """`mon-fri,sun`; `fri-mon` wraps."""
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        start = WEEKDAYS.index(first.strip())
        length = (WEEKDAYS.index(last.strip()) - start) % 7 if last else 0
        days |= {(start + i) % 7 for i in range(length + 1)}
    return frozenset(days)


def minutes(clock: str) -> int:
    """Minutes of the day; `24:00` is its end."""
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


def milliseconds(seconds: float) -> int:
    """Seconds as a whole number of milliseconds."""
    return round(seconds * 1000)


def version_of(
    directory: Path, subjects: list[dict[str, Any]], rules: list[dict[str, Any]], general: dict[str, float], stated: dict[str, Any]
) -> str:
    """12 hex digits, equal for equal records and policy whatever their order or file."""
    features: list[Any] = []
    for name in ("regions.geojson", "areas.geojson"):
        collection = json.loads((directory / name).read_text(encoding="utf-8"))
        features += [(name, collection.get("datum"), feature) for feature in collection["features"]]
    said = [*features, *(what_it_says(record) for part in (subjects, rules) for record in part)]
    records = sorted(json.dumps(record, sort_keys=True) for record in said)
    policy = json.dumps([general, {key: stated.get(key) for key in (*RULE_KEYS, *SHIPPED_IN_SECTION)}], sort_keys=True)
    return hashlib.sha256("\n".join([*records, policy]).encode()).hexdigest()[:12]


def what_it_says(record: dict[str, Any]) -> dict[str, Any]:
    """A subject or rule without what makes no difference: nulls, the order within its lists, the spelling of days."""
    said = {key: value for key, value in record.items() if value is not None}
    for key in said.keys() & {"groups", "subjects", "areas", "except"}:
        said[key] = sorted(set(map(str, said[key])))
    if "schedule" in said:
        spans = {read_span(span) for span in said["schedule"]}
        said["schedule"] = sorted([sorted(span.days), span.from_min, span.to_min] for span in spans)
    return said
