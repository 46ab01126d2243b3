"""J7: the edges of a subject, brought by his next record, by the clock, or by a new registry version."""

from __future__ import annotations

from tests.reference.activity import edges
from tests.reference.alerts import Docket, Occasion
from tests.reference.judging import end_slots, judge, living
from tests.reference.standing import Standing


def bring_edges(docket: Docket, s: Standing, upto: int) -> None:
    """The edges after those already brought, up to and including an instant, in order."""
    if s.edges_done is None or upto <= s.edges_done:
        return
    for edge in edges(docket.registry, s.subject_id, s.edges_done, upto):
        bring_edge(docket, s, edge)
    s.edges_done = upto


def bring_edge(docket: Docket, s: Standing, edge: int) -> None:
    """Judge at an edge, where the last position is young enough; slots whose rule ended end whatever its age."""
    occasion = Occasion(edge, s.placed, None)
    young = s.placed_time is not None and edge - s.placed_time <= docket.registry.ms("max_position_age_s")
    if young and s.placed is not None:
        judge(docket, s, occasion, s.placed, at_edge=True)
        s.judged_edge = edge
    else:
        end_slots(docket, s, living(docket, s, edge), occasion)
