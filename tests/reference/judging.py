"""J6 and J8 applied: every living slot of a subject takes the verdict of one position at one time."""

from __future__ import annotations

from tests.reference.activity import active_rules
from tests.reference.alerts import Docket, Episode, Occasion
from tests.reference.lanes import Past
from tests.reference.records import Position
from tests.reference.slots import Slot
from tests.reference.standing import Standing
from tests.reference.verdicts import AREA, Judged, allow, judged_slots

KINDS = {"forbid": "entered_forbidden", "require": "absent"}


def judge(docket: Docket, s: Standing, occasion: Occasion, position: Position, *, at_edge: bool) -> None:
    """A fix, or an edge as if one had come: slots whose rule is no longer active end, all others are judged."""
    judged = living(docket, s, occasion.time)
    end_slots(docket, s, judged, occasion)
    for slot_id, question in judged.items():
        slot = s.slots.setdefault(slot_id, Slot(question.effect))
        judge_slot(docket, s, slot, question, occasion, position, at_edge=at_edge)


def living(docket: Docket, s: Standing, t: int) -> dict[str, Judged]:
    """The slots of a subject that live at t."""
    return judged_slots(docket.registry, s.subject_id, active_rules(docket.registry, s.subject_id, t))


def judge_slot(
    docket: Docket, s: Standing, slot: Slot, question: Judged, occasion: Occasion, position: Position, *, at_edge: bool
) -> None:
    """One slot. At an edge a verdict that the last judgement already had changes nothing: one position counts once."""
    verdict = question.verdict(position)
    docket.doubt(doubtful=verdict.doubtful)
    if at_edge and verdict.word == slot.last_word:
        return
    if verdict.word == "breach" and slot.is_fine:
        slot.becomes_pending(occasion.time, kind_of_onset(docket, s, question, position))
    change = slot.take(verdict.word, occasion.time, question.terms)
    if question.slot == AREA and verdict.word == "fine" and not at_edge:
        s.last_fine_time = occasion.time
    if change == "opens":
        slot.episode = Episode(question.slot, slot.pending_kind, question.terms.level, question.rule_id, slot.onset)
        s.past[question.slot].append(Past(slot.onset, None))
        docket.opened(s.subject_id, slot.episode, occasion, verdict.distance_m)
    elif change == "clears":
        close(docket, s, slot, occasion, "returned")
    elif slot.episode is not None and not at_edge:
        docket.moved(s.subject_id, slot.episode, occasion)


def kind_of_onset(docket: Docket, s: Standing, question: Judged, position: Position) -> str:
    """J8: `overstay` where the allow rules that were active at his last fine fix would have made this judgement fine."""
    if question.slot != AREA:
        return KINDS[question.effect]
    if s.last_fine_time is None:
        return "left_area"
    then = active_rules(docket.registry, s.subject_id, s.last_fine_time)
    verdict = allow([rule for rule in then if rule.effect == "allow"], position)
    docket.doubt(doubtful=verdict.doubtful)
    return "overstay" if verdict.word == "fine" else "left_area"


def end_slots(docket: Docket, s: Standing, judged: dict[str, Judged], occasion: Occasion) -> None:
    """J7: a slot whose rule is no longer active becomes fine; so does one whose rule has another effect now."""
    for slot_id, slot in list(s.slots.items()):
        if slot_id not in judged or judged[slot_id].effect != slot.effect:
            close(docket, s, slot, occasion, "rule_ended")
            del s.slots[slot_id]


def close(docket: Docket, s: Standing, slot: Slot, occasion: Occasion, reason: str) -> None:
    """End an open episode, if there is one."""
    if slot.episode is None:
        return
    docket.cleared(s.subject_id, slot.episode, occasion, reason)
    next(past for past in s.past[slot.episode.slot] if past.end is None).end = occasion.time
    slot.episode = None
