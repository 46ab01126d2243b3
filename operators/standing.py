"""J6 applied: what one judgement, by a fix or at an edge, does to the slots of a subject; and how slots end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.activity import Calendar, is_active
from fences.compiled import Record, compiled
from fences.registry import FORBID
from operators.events import CLEARED, OPENED, RETURNED, RULE_ENDED, Events, Occasion, tell_cleared, tell_moved, tell_opened
from operators.judge import BREACH, FINE
from operators.slot_machine import advance, give_slot_back, take_slot
from operators.state import ABSENT_FROM, AREA_RULE, CALM, ENTERED_FORBIDDEN, NO_VERDICT, OPEN, OPEN_EPISODES, Pool


@compiled
def take_verdict(
    pool: Pool,
    events: Events,
    slot: Record,
    rule: int,
    kind: int,
    verdict: int,
    confirm_fixes: int,
    confirm_ms: int,
    clear_fixes: int,
    level: int,
    occasion: Occasion,
    at_edge: bool,
) -> None:
    """A slot takes a verdict, and what comes of it is told."""
    was_open = slot.state == OPEN
    what = advance(pool, slot, verdict, occasion.time_ms, kind, confirm_fixes, confirm_ms, clear_fixes, level)
    if what == OPENED:
        tell_opened(pool, events, slot, rule, occasion)
    elif what == CLEARED:
        tell_cleared(pool, events, RETURNED, slot, rule, occasion)
    elif was_open and not at_edge:
        tell_moved(pool, events, slot, rule, occasion)


@compiled
def step_area(
    pool: Pool,
    events: Events,
    row: Record,
    slot: Record,
    verdict: int,
    kind: int,
    confirm_fixes: int,
    confirm_ms: int,
    clear_fixes: int,
    level: int,
    occasion: Occasion,
    at_edge: bool,
) -> None:
    """Slot `area` takes a verdict under the policy given (J5)."""
    take_verdict(pool, events, slot, AREA_RULE, kind, verdict, confirm_fixes, confirm_ms, clear_fixes, level, occasion, at_edge)
    row.area_state = slot.state
    row.area_last = verdict
    row.area_clearing = slot.state == OPEN and slot.clear_count > 0
    row.area_found = occasion.found
    if verdict == FINE and not at_edge:
        row.fine_ms = occasion.time_ms


@compiled
def _step_rule(
    rules: NDArray[np.void],
    policies: NDArray[np.void],
    pool: Pool,
    events: Events,
    slot: Record,
    verdict: int,
    occasion: Occasion,
    at_edge: bool,
) -> None:
    """A rule's slot takes a verdict; at an edge one that its last judgement already had changes nothing (J7)."""
    if at_edge and verdict == slot.last:
        return
    policy = policies[rules[slot.rule].policy]
    kind = ENTERED_FORBIDDEN if rules[slot.rule].effect == FORBID else ABSENT_FROM
    take_verdict(
        pool, events, slot, np.int64(slot.rule), kind, verdict, policy.confirm_fixes, policy.confirm_ms, policy.clear_fixes,
        policy.level, occasion, at_edge,
    )  # fmt: skip


@compiled
def step_rules(
    rules: NDArray[np.void],
    policies: NDArray[np.void],
    pool: Pool,
    events: Events,
    row: Record,
    hit_rule: NDArray[np.int32],
    hit_verdict: NDArray[np.int8],
    h0: int,
    h1: int,
    occasion: Occasion,
    at_edge: bool,
) -> None:
    """The slots of rules take the verdicts `h0` to `h1` of two lists; a rule that is not in them is fine.

    First the slots that the subject holds, then the rules that are broken and had none; slots that are calm are given back.
    """
    before, at = np.int64(-1), np.int64(row.first_slot)
    while at >= 0:
        slot = pool.slot[at]
        verdict = FINE
        for h in range(h0, h1):
            if hit_rule[h] == slot.rule:
                verdict = hit_verdict[h]
        _step_rule(rules, policies, pool, events, slot, verdict, occasion, at_edge)
        following = np.int64(slot.next)
        if slot.state == CALM:
            unlink(pool, row, before, at)
        else:
            before = at
        at = following
    for h in range(h0, h1):
        if hit_verdict[h] == BREACH:
            at = np.int64(row.first_slot)
            while at >= 0 and pool.slot[at].rule != hit_rule[h]:
                at = np.int64(pool.slot[at].next)
            if at < 0:
                at = take_slot(pool, hit_rule[h])
                pool.slot[at].next = row.first_slot
                row.first_slot = at
                _step_rule(rules, policies, pool, events, pool.slot[at], BREACH, occasion, at_edge)


@compiled
def unlink(pool: Pool, row: Record, before: int, at: int) -> None:
    """Take a rule's slot out of its subject's list, where `before` stands in front of it (-1: nothing does), and give it back."""
    if before < 0:
        row.first_slot = pool.slot[at].next
    else:
        pool.slot[before].next = pool.slot[at].next
    give_slot_back(pool, at)


@compiled
def close(pool: Pool, events: Events, slot: Record, rule: int, occasion: Occasion) -> None:
    """End a slot whatever its state: an open episode is cleared with `rule_ended`."""
    if slot.state == OPEN:
        pool.head[OPEN_EPISODES] -= 1
        tell_cleared(pool, events, RULE_ENDED, slot, rule, occasion)
    slot.state = CALM
    slot.last = NO_VERDICT


@compiled
def rule_is_active(calendar: Calendar, rules: NDArray[np.void], rule: int, zone: int, time_ms: int) -> bool:
    """Whether a rule is active at an instant, for somebody in a time zone."""
    r = rules[rule]
    return is_active(calendar, r.from_ms, r.until_ms, r.schedule, zone, time_ms)


@compiled
def end_rules(
    calendar: Calendar, rules: NDArray[np.void], pool: Pool, events: Events, row: Record, zone: int, occasion: Occasion
) -> None:
    """J7: slots whose rule is no longer active become fine; open ones are cleared with `rule_ended`."""
    before, at = np.int64(-1), np.int64(row.first_slot)
    while at >= 0:
        slot = pool.slot[at]
        following = np.int64(slot.next)
        if rule_is_active(calendar, rules, slot.rule, zone, occasion.time_ms):
            before = at
        else:
            close(pool, events, slot, np.int64(slot.rule), occasion)
            unlink(pool, row, before, at)
        at = following


@compiled
def end_area(pool: Pool, events: Events, row: Record, slot: Record, occasion: Occasion) -> None:
    """J7: slot `area` ends with the last allow rule of the registry for the subject."""
    close(pool, events, slot, AREA_RULE, occasion)
    row.area_state = CALM
    row.area_last = NO_VERDICT
    row.area_clearing = 0
