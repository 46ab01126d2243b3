"""Finding out the facts of a subject at an instant, to explain why there was an alert or none.

Verdicts are those of `operators.judge`, states those of the step; nothing is judged here a second time. Rare, so plain Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fences.activity import NEVER, next_change
from fences.compiled import Record
from fences.fence_set import Fences, FenceSet
from fences.registry import ALLOW, EFFECTS, FOR_EVER, FORBID, FROM_EVER
from operators.alert import LEVELS
from operators.contact import deadline
from operators.distance import inside_m, outside_m
from operators.edges import area_policy, is_edge, next_edge
from operators.facts import Facts, Position, RuleFacts, SlotFacts
from operators.fix_batch import ABSENT_MS
from operators.judge import BREACH, FINE, NOT_JUDGED, UNCERTAIN, judge_position, region_at
from operators.raise_alerts import slot_name
from operators.standing import rule_is_active
from operators.state import AREA_RULE, CALM, FIRST_FLAG, KINDS, NO_VERDICT, OPEN, PENDING, State

WORD_OF_VERDICT = {FINE: "fine", UNCERTAIN: "uncertain", BREACH: "breach"}
WORD_OF_STATE = {CALM: "fine", PENDING: "pending", OPEN: "open"}
_LOOKS_AHEAD = 500
"""So often a next change is sought for again where there is none within nine days: for some twelve years."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A subject's memory, copied: his row, his slot `area`, his other slots by the number that stands for each (`SLOT.rule`)."""

    row: Record
    area: Record
    slots: dict[int, Record]
    silent_due_ms: int
    held_from_ms: int


def standing_of(state: State, subject: int, silent_long_after_ms: int) -> Standing:
    """A copy of what is remembered of a subject; nothing may change the state meanwhile."""
    memory = state.memory
    row = memory.row[subject]
    slots = {}
    for first in (int(row["first_slot"]), int(row["first_flag"])):
        at = first
        while at >= 0:
            slots[int(memory.pool.slot[at]["rule"])] = memory.pool.slot[at].copy()
            at = int(memory.pool.slot[at]["next"])
    due_ms = int(deadline(memory.feed, memory.pool, row, silent_long_after_ms))
    held_from_ms = int(memory.feed[int(row["heard_through"])]["held_from_ms"])
    return Standing(row.copy(), memory.area[subject].copy(), slots, due_ms, held_from_ms)


def explain(fence_set: FenceSet, subject: int, standing: Standing, at_ms: int) -> Facts:
    """The facts of a subject (his row) at an instant; the cell of his last position must be known to the fence set."""
    fences, registry, row = fence_set.fences, fence_set.registry, standing.row
    home = int(registry.subject_home[subject])
    position = None
    if row["pos_ms"] != ABSENT_MS:
        lon, lat = float(row["pos_lon"]), float(row["pos_lat"])
        region = fence_set.region_id(int(region_at(fences.shapes, fences.cells, fences.region_rank, lon, lat)))
        position = Position(int(row["pos_ms"]), lon, lat, _number(row["pos_accuracy_m"]), region)
    fine_ms = _instant(row["fine_ms"])
    heard = row["arrival_ms"] != ABSENT_MS
    return Facts(
        subject=registry.subject_ids[subject],
        at_ms=at_ms,
        rules_version=fence_set.version,
        registered=True,
        home_region=fence_set.region_id(home),
        timezone=registry.region_timezones[home] if home >= 0 else "UTC",
        groups=[registry.group_ids[group] for group in registry.subject_groups.of(subject).tolist()],
        first_ms=_instant(row["first_ms"]),
        last_ms=_instant(row["last_ms"]),
        arrival_ms=_instant(row["arrival_ms"]),
        position=position,
        max_position_age_s=registry.policy.max_position_age_s,
        edge_grace_s=registry.policy.edge_grace_s,
        last_fine_ms=fine_ms,
        next_edge_ms=next_edge_of(fences, subject, at_ms),
        silent_after_s=float(fences.silent_after_ms[subject]) / 1000,
        silent_due_ms=standing.silent_due_ms if heard and standing.silent_due_ms != NEVER else None,
        source_silent_ms=standing.held_from_ms if heard and standing.held_from_ms != NEVER else None,
        rules=[
            _rule(fence_set, subject, rule, through, at_ms, position, fine_ms) for rule, through in rules_of(fence_set, subject)
        ],
        slots=list(_slots(fence_set, subject, standing, at_ms, position)),
    )


def rules_of(fence_set: FenceSet, subject: int) -> list[tuple[int, str]]:
    """J1: the numbers of the rules that bind a subject, in their order, and through what each does."""
    registry = fence_set.registry
    n, found = len(registry.rule_ids), dict[int, str]()
    for rule in np.nonzero(registry.rule_everyone)[0].tolist():
        found[rule] = "everyone"
    groups = registry.subject_groups.of(subject)
    owner = np.repeat(np.arange(n), np.diff(registry.rule_groups.start))
    for i in np.nonzero(np.isin(registry.rule_groups.item, groups))[0].tolist():
        found[int(owner[i])] = f"group {registry.group_ids[registry.rule_groups.item[i]]}"
    owner = np.repeat(np.arange(n), np.diff(registry.rule_subjects.start))
    for rule in owner[registry.rule_subjects.item == subject].tolist():
        found[rule] = "name"
    return sorted(found.items())


def next_edge_of(fences: Fences, subject: int, after_ms: int) -> int | None:
    """The next instant at which his active rules differ from just before; None where none is known."""
    f = fences
    tables = (f.subject, f.profile, f.binding, f.rule, f.timed_start, f.timed_rule, f.calendar, subject)
    at_ms = after_ms
    for _ in range(_LOOKS_AHEAD):
        at_ms = int(next_edge(*tables, at_ms))
        if at_ms == NEVER:
            return None
        if is_edge(*tables, at_ms):
            return at_ms
    return None


def _changes_at(fences: Fences, rule: int, zone: int, after_ms: int) -> int | None:
    """When a rule begins or ceases to be active next, for somebody in a time zone."""
    r, at_ms = fences.rule[rule], after_ms
    active = rule_is_active(fences.calendar, fences.rule, rule, zone, after_ms)
    for _ in range(_LOOKS_AHEAD):
        at_ms = int(next_change(fences.calendar, r["from_ms"], r["until_ms"], r["schedule"], zone, at_ms))
        if at_ms == NEVER:
            return None
        if rule_is_active(fences.calendar, fences.rule, rule, zone, at_ms) != active:
            return at_ms
    return None


def _rule(
    fence_set: FenceSet, subject: int, rule: int, through: str, at_ms: int, position: Position | None, fine_ms: int | None
) -> RuleFacts:
    fences, registry = fence_set.fences, fence_set.registry
    zone = fences.subject[subject]["zone"]
    areas = registry.rule_areas.of(rule).tolist()
    nearest, outside, inside = _distances(fences, areas, position)
    r, policy = fences.rule[rule], fences.policy[fences.rule[rule]["policy"]]
    return RuleFacts(
        id=registry.rule_ids[rule],
        effect=EFFECTS[int(r["effect"])],
        through=through,
        active=bool(rule_is_active(fences.calendar, fences.rule, rule, zone, at_ms)),
        changes_at_ms=_changes_at(fences, rule, zone, at_ms),
        from_ms=None if r["from_ms"] == FROM_EVER else int(r["from_ms"]),
        until_ms=None if r["until_ms"] == FOR_EVER else int(r["until_ms"]),
        scheduled=int(r["schedule"]) >= 0,
        areas=[registry.area_ids[area] for area in areas],
        nearest_area=None if nearest is None else registry.area_ids[nearest],
        outside_m=outside,
        inside_m=inside,
        tolerance_m=float(policy["tolerance_m"]),
        accuracy_factor=float(policy["accuracy_factor"]),
        was_active_when_fine=fine_ms is not None and bool(rule_is_active(fences.calendar, fences.rule, rule, zone, fine_ms)),
    )


def _distances(fences: Fences, areas: list[int], position: Position | None) -> tuple[int | None, float | None, float | None]:
    """The nearest of some areas (of several that cover the position the one in which it lies deepest), outside and inside it."""
    if position is None:
        return None, None, None
    best: tuple[float, float, int] | None = None
    for area in areas:
        outside = outside_m(fences, [area], position.lon, position.lat) or 0.0
        inside = (inside_m(fences, [area], position.lon, position.lat) or 0.0) if outside == 0.0 else 0.0
        if best is None or (outside, -inside) < best[:2]:
            best = outside, -inside, area
    if best is None:
        return None, None, None
    outside, depth, area = best
    return area, outside, -depth if outside == 0.0 else None


def _slots(fence_set: FenceSet, subject: int, standing: Standing, at_ms: int, position: Position | None) -> Iterator[SlotFacts]:
    fences = fence_set.fences
    verdicts: dict[int, int] = {}
    if position is not None:
        rules, found = np.zeros(len(fences.rule) + 1, np.int32), np.zeros(len(fences.rule) + 1, np.int8)
        accuracy_m = math.nan if position.accuracy_m is None else position.accuracy_m
        area, hits = judge_position(fences, subject, at_ms, position.lon, position.lat, accuracy_m, rules, found)
        verdicts = dict(zip(rules[: int(hits)].tolist(), found[: int(hits)].tolist(), strict=True))
        verdicts[AREA_RULE] = int(area)
    if fences.subject[subject]["has_allow"]:
        terms = area_policy(
            fences.subject, fences.profile, fences.binding, fences.policy, fences.calendar, subject, at_ms
        )  # fmt: skip
        last = int(standing.row["area_last"])
        yield _slot(fence_set, AREA_RULE, standing.area, verdicts.get(AREA_RULE, NOT_JUDGED), last, [int(term) for term in terms])
    zone = fences.subject[subject]["zone"]
    for rule, _ in rules_of(fence_set, subject):
        active = rule_is_active(fences.calendar, fences.rule, rule, zone, at_ms)
        if fences.rule[rule]["effect"] != ALLOW and (active or rule in standing.slots):
            policy = fences.policy[fences.rule[rule]["policy"]]
            numbers = [int(policy[name]) for name in ("confirm_fixes", "confirm_ms", "clear_fixes", "level")]
            verdict = verdicts.get(rule, FINE) if active and position is not None else NOT_JUDGED
            slot = standing.slots.get(rule)
            yield _slot(fence_set, rule, slot, verdict, NO_VERDICT if slot is None else int(slot["last"]), numbers)
    for kind in range(FIRST_FLAG, len(KINDS)):
        slot = standing.slots.get(-kind)
        if slot is None:
            yield SlotFacts(KINDS[kind], WORD_OF_STATE[CALM])
        else:
            yield SlotFacts(
                KINDS[kind], WORD_OF_STATE[OPEN], kind=KINDS[kind], level=LEVELS[int(slot["level"])], onset_ms=int(slot["onset_ms"])
            )


def _slot(fence_set: FenceSet, rule: int, slot: Record, verdict: int, last: int, terms: Sequence[int]) -> SlotFacts:
    """The slot of a rule, or slot `area`; `slot` is its record, None where it has none and is calm.

    `terms`: `confirm_fixes`, `confirm_ms`, `clear_fixes` and `level` in force.
    """
    confirm_fixes, confirm_ms, clear_fixes, level = terms
    state = CALM if slot is None else int(slot["state"])
    busy = slot is not None and state != CALM
    return SlotFacts(
        slot=slot_name(fence_set, rule),
        state=WORD_OF_STATE[state],
        rule=fence_set.registry.rule_ids[rule] if rule >= 0 else None,
        verdict=WORD_OF_VERDICT.get(verdict),
        last_verdict=None if last == NO_VERDICT else WORD_OF_VERDICT.get(last),
        kind=_kind(fence_set, rule, slot) if busy else None,
        level=LEVELS[int(slot["level"]) if state == OPEN else level] if busy else None,
        onset_ms=int(slot["onset_ms"]) if busy else None,
        count=int(slot["count"]) if busy else 0,
        confirm_fixes=confirm_fixes,
        confirm_s=confirm_ms / 1000,
        clear_count=int(slot["clear_count"]) if state == OPEN else 0,
        clear_fixes=clear_fixes,
    )


def _kind(fence_set: FenceSet, rule: int, slot: Record) -> str:
    if rule == AREA_RULE:
        return KINDS[int(slot["kind"])]
    return "entered_forbidden" if fence_set.fences.rule[rule]["effect"] == FORBID else "absent"


def _instant(value: Record) -> int | None:
    return None if value == ABSENT_MS else int(value)


def _number(value: Record) -> float | None:
    return None if math.isnan(value) else float(value)
