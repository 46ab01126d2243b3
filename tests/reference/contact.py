"""J10, contact: `silent`, `silent_long`, `stale` and `no_position`, as far as a replay has them."""

from __future__ import annotations

from tests.reference.alerts import Docket, Episode, Occasion
from tests.reference.records import Fix, Position
from tests.reference.standing import Standing


def bring_deadlines(docket: Docket, s: Standing, before: int) -> None:
    """Open what nothing arrived for: `silent` at D = last arrival + `silent_after_s`, `silent_long` at D + `silent_long_after_s`.

    Deadlines earlier than `before` are brought: nothing has arrived up to and including them.
    """
    silent = s.flags.get("silent")
    deadline = silent.onset if silent else not_before(s, s.last_arrival + docket.registry.subjects[s.subject_id].silent_after_ms)
    if silent is None and deadline < before:
        open_flag(docket, s, "silent", "yellow", Occasion(deadline, s.placed, None))
    if silent is None and deadline >= before:
        return
    long_deadline = not_before(s, deadline + docket.registry.ms("silent_long_after_s"))
    if "silent_long" not in s.flags and long_deadline < before:
        open_flag(docket, s, "silent_long", "red", Occasion(long_deadline, s.placed, None))


def not_before(s: Standing, deadline: int) -> int:
    """A deadline that a new registry version puts before its instant is that instant."""
    return deadline if s.deadline_floor is None else max(deadline, s.deadline_floor)


def hear(docket: Docket, s: Standing, arrival: int, position: Position | None) -> None:
    """Any accepted record is contact: it clears both silences; the last arrival never goes back."""
    for slot in ("silent", "silent_long"):
        clear_flag(docket, s, slot, Occasion(arrival, position, arrival))
    s.last_arrival = max(s.last_arrival, arrival)


def stale_opens(docket: Docket, s: Standing, arrival: int) -> None:
    """Heard, but nothing new comes: a late, conflicting or duplicate record long after the last in-order one arrived."""
    if s.last_in_order_arrival is None or "stale" in s.flags:
        return
    if arrival - s.last_in_order_arrival >= docket.registry.subjects[s.subject_id].silent_after_ms:
        open_flag(docket, s, "stale", "yellow", Occasion(arrival, s.placed, arrival))


def stale_clears(docket: Docket, s: Standing, arrival: int, position: Position | None) -> None:
    """The next in-order record."""
    clear_flag(docket, s, "stale", Occasion(arrival, position, arrival))


def no_position(docket: Docket, s: Standing, fix: Fix, position: Position | None) -> None:
    """An in-order record: long without a position opens, the next position clears."""
    occasion = Occasion(fix.time, position, fix.arrival)
    if fix.position is not None:
        clear_flag(docket, s, "no_position", occasion)
        return
    since = s.first_time if s.placed_time is None else s.placed_time
    if "no_position" not in s.flags and fix.time - since >= docket.registry.ms("no_position_after_s"):
        open_flag(docket, s, "no_position", "yellow", occasion)


def open_flag(docket: Docket, s: Standing, slot: str, level: str, occasion: Occasion) -> None:
    """Open an episode of a slot that is not a rule's: onset and time are one."""
    s.flags[slot] = Episode(slot=slot, kind=slot, level=level, rule=None, onset=occasion.time)
    docket.opened(s.subject_id, s.flags[slot], occasion)


def clear_flag(docket: Docket, s: Standing, slot: str, occasion: Occasion) -> None:
    """Clear the slot's episode, if one is open."""
    episode = s.flags.pop(slot, None)
    if episode is not None:
        docket.cleared(s.subject_id, episode, occasion)
