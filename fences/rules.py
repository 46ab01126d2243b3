"""The rules as columns: whom they bind, where, and when; what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fences import times
from fences.areas import Areas
from fences.findings import Findings, Place, meant, shown
from fences.jsonl import Records
from fences.names import as_text, each_once, index_ids, rows_of
from fences.policy import resolve
from fences.records import RuleRecord
from fences.registry import EFFECTS, FOR_EVER, FROM_EVER, Lists, RulePolicy, Schedule
from fences.schedules import Schedules
from fences.subjects import Named
from fences.timezones import ADVICE as TIMEZONE_ADVICE
from fences.timezones import timezone_fault


@dataclass(frozen=True, slots=True)
class Rules:
    """One element a rule, as in `registry.Registry`. `group_ids`: the groups known, and behind them those that only rules name."""

    ids: tuple[str, ...]
    effect: NDArray[np.uint8]
    everyone: NDArray[np.bool_]
    subjects: Lists
    groups: Lists
    group_ids: tuple[str, ...]
    areas: Lists
    from_ms: NDArray[np.int64]
    until_ms: NDArray[np.int64]
    schedules: tuple[Schedule | None, ...]
    timezones: tuple[str | None, ...]
    policy: RulePolicy


def check_rules(read: Records[RuleRecord], named: Named, areas: Areas, section_policy: RulePolicy, findings: Findings) -> Rules:
    """The rules; whatever is wrong with them goes to `findings`."""
    records = read.records
    ids = tuple(as_text(record.id for record in records))
    index_ids("rule", ids, partial(read.place, path="id"), partial(read.refused, key="id"), findings)
    effect = np.fromiter((EFFECTS.index(record.effect) for record in records), np.uint8, len(records))
    from_ms, until_ms = _times(read, findings)
    groups = {str(name) for list_ in {tuple(r.groups) for r in records if r.groups} for name in list_}
    group_ids = (*named.group_rows, *sorted(groups.difference(named.group_rows)))
    rules = Rules(
        ids=ids,
        effect=effect,
        everyone=np.array([record.everyone is True for record in records], np.bool_),
        subjects=_named(read, "subjects", named.rows, "subject" if named.complete else None, findings),
        groups=_named(read, "groups", {name: row for row, name in enumerate(group_ids)}, None, findings),
        group_ids=group_ids,
        areas=_named(read, "areas", areas.rows, "area or region" if areas.complete else None, findings),
        from_ms=from_ms,
        until_ms=until_ms,
        schedules=_schedules(read, findings),
        timezones=_timezones(read, findings),
        policy=resolve(read, effect, section_policy, findings),
    )
    without = [row for row, record in enumerate(records) if not record.areas and not read.refused(row, "areas")]
    findings.add_each(
        "no area", without, lambda row: (read.place(row, "areas"), "a rule needs an area", "name at least one area or region")
    )
    if named.complete:
        _warn_of_nobody(read, rules, named, findings)
    return rules


def _named(read: Records[RuleRecord], key: str, rows: Mapping[str, int], noun: str | None, findings: Findings) -> Lists:
    """The rows that each rule names below a key. Unknown names go to `findings`, unless `noun` is None."""
    written = [getattr(record, key) for record in read.records]
    lists, owner = rows_of(written, rows)
    if noun is not None:

        def tell(item: int) -> tuple[Place, str, str]:
            row = int(owner[item])
            index = item - int(lists.start[row])
            name = str(written[row][index])
            what = f"there is no {noun} {shown(name)}{meant(name, rows)}"
            return read.place(row, f"{key}[{index}]"), what, f"write the id of one that is in the registry, or add this {noun}"

        findings.add_each(f"unknown {noun}", np.flatnonzero(lists.item < 0).tolist(), tell)
    return each_once(lists, owner)


def _times(read: Records[RuleRecord], findings: Findings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`from` and `until` in UTC milliseconds."""
    columns: dict[str, NDArray[np.int64]] = {}
    for key, absent_ms in (("from", FROM_EVER), ("until", FOR_EVER)):
        written = [record.from_ if key == "from" else record.until for record in read.records]
        column, wrong = times.column(written, absent_ms)
        for row in wrong:
            value = written[row]
            what = times.fault_of(value) if value is not None else None
            leave = ", or leave it out for a rule without an end" if key == "until" else ""
            findings.add("time", read.place(row, key), f"{shown(value)}: {what}", times.HOW_TO_WRITE + leave)
        columns[key] = column
    from_ms, until_ms = columns["from"], columns["until"]
    findings.add_each(
        "from after until",
        np.flatnonzero(from_ms >= until_ms).tolist(),
        lambda row: (
            read.place(row, "until"),
            f"the rule ends ({shown(read.records[row].until)}) before it begins ({shown(read.records[row].from_)})",
            "write an until after its from",
        ),
    )
    return from_ms, until_ms


def _schedules(read: Records[RuleRecord], findings: Findings) -> tuple[Schedule | None, ...]:
    """The schedule of each rule, None where there is none or it is wrong."""
    parsed: list[Schedule | None] = [None] * len(read.records)
    known = Schedules()
    for row, record in enumerate(read.records):
        if record.schedule is None:
            if record.except_ and not read.refused(row, "schedule"):
                what = "there is no schedule to take dates from"
                findings.add("except without schedule", read.place(row, "except"), what, "add a schedule or leave except out")
            continue
        parsed[row], faults = known.parsed(record.schedule, record.except_ or ())
        for fault in faults:
            findings.add_fault(fault, read.place(row))
    return tuple(parsed)


def _timezones(read: Records[RuleRecord], findings: Findings) -> tuple[str | None, ...]:
    names = tuple(record.timezone for record in read.records)
    faults = {name: timezone_fault(name) for name in set(names) if name is not None}
    wrong = [row for row, name in enumerate(names) if name is not None and faults[name]] if any(faults.values()) else []
    findings.add_each(
        "time zone", wrong, lambda row: (read.place(row, "timezone"), faults[names[row] or ""] or "", f"{TIMEZONE_ADVICE}, or null")
    )
    return names


def _warn_of_nobody(read: Records[RuleRecord], rules: Rules, named: Named, findings: Findings) -> None:
    """Warns of rules that bind nobody, and of groups nobody is in (where that is why, in the same warning)."""
    inhabited = np.zeros(len(rules.group_ids), np.bool_)
    inhabited[: len(named.inhabited)] = named.inhabited
    owner = np.repeat(np.arange(len(rules.ids)), np.diff(rules.groups.start))
    grouped = np.bincount(owner[inhabited[rules.groups.item]], minlength=len(rules.ids)) > 0
    nobody = ~rules.everyone & (np.diff(rules.subjects.start) == 0) & ~grouped
    with_people = {name for name, lived_in in zip(rules.group_ids, inhabited.tolist(), strict=True) if lived_in}
    empty: dict[int, list[str]] = {}
    for row, record in enumerate(read.records):
        if record.groups:
            strangers = [name for name in as_text(record.groups) if name not in with_people]
            if strangers:
                empty[row] = strangers

    def tell_nobody(row: int) -> tuple[Place, str, str]:
        why = f": nobody is in the group {' or '.join(map(shown, empty[row]))}" if row in empty else ""
        return read.place(row), f"the rule binds nobody{why}", 'name subjects or groups, or write "everyone": true'

    def tell_empty(row: int) -> tuple[Place, str, str]:
        name = empty[row][0]
        place = read.place(row, f"groups[{as_text(read.records[row].groups or ()).index(name)}]")
        rest = f" (nor in {', '.join(map(shown, empty[row][1:]))})" if len(empty[row]) > 1 else ""
        what = f"nobody is in the group {shown(name)}{rest}{meant(name, with_people)}"
        return place, what, "put subjects into it, or mend its name"

    bound_otherwise = [row for row in empty if not nobody[row]]
    binds_nobody = [
        row
        for row in np.flatnonzero(nobody).tolist()
        if not (read.records[row].subjects or any(read.refused(row, key) for key in ("subjects", "groups", "everyone")))
    ]
    findings.add_each("rule that binds nobody", binds_nobody, tell_nobody, warning=True)
    findings.add_each("group that nobody is in", bound_otherwise, tell_empty, warning=True)
