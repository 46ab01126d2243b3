"""J9, late evidence: a late fix is judged in the lane of each slot whose rule was active at its time."""

from __future__ import annotations

from tests.reference.alerts import Docket, Episode, Occasion
from tests.reference.judging import KINDS, living
from tests.reference.lanes import Past, is_known
from tests.reference.records import Fix, Position
from tests.reference.standing import Standing
from tests.reference.verdicts import AREA, Judged, Verdict


def take_late_fix(docket: Docket, s: Standing, fix: Fix, position: Position) -> None:
    """Judged by the rules of the current registry active at its time; moves no slot."""
    for slot_id, question in living(docket, s, fix.time).items():
        verdict = question.verdict(position)
        docket.doubt(doubtful=verdict.doubtful)
        evidence = s.lanes[slot_id].take(verdict.word, fix.time, question.terms, docket.registry.ms("max_position_age_s"))
        if evidence is not None:
            raise_evidence(docket, s, question, verdict, evidence, Occasion(evidence[1], position, fix.arrival))


def raise_evidence(
    docket: Docket, s: Standing, question: Judged, verdict: Verdict, evidence: tuple[int, int], occasion: Occasion
) -> None:
    """Opened and cleared at once, unless an episode that is known covers the onset: such evidence is nothing at all."""
    onset, time = evidence
    slot = s.slots.get(question.slot)
    if is_known(onset, s.past[question.slot], slot.pending_since if slot else None):
        return
    s.past[question.slot].append(Past(onset, time))
    kind = "left_area" if question.slot == AREA else KINDS[question.effect]
    episode = Episode(question.slot, kind, question.terms.level, question.rule_id, onset)
    docket.opened(s.subject_id, episode, occasion, verdict.distance_m, late=True)
    docket.cleared(s.subject_id, episode, occasion, late=True)
