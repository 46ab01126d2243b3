"""What is remembered of one subject between his records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tests.reference.alerts import Episode
from tests.reference.lanes import Lane, Past
from tests.reference.records import Position
from tests.reference.slots import Slot


@dataclass
class Standing:
    """One subject.

    `last_*`: his last in-order record (`last_position` None: it had none). `placed_*`: his last in-order record with a position.
    `edges_done`: every edge up to here has been brought. `judged_edge`: the latest edge at which he was judged.
    `deadline_floor`: the instant of the last registry version; a deadline that a version puts before it is moved to it.
    """

    subject_id: str
    first_time: int
    last_arrival: int
    last_time: int | None = None
    last_position: Position | None = None
    last_in_order_arrival: int | None = None
    placed_time: int | None = None
    placed: Position | None = None
    edges_done: int | None = None
    judged_edge: int | None = None
    deadline_floor: int | None = None
    last_fine_time: int | None = None
    slots: dict[str, Slot] = field(default_factory=dict)
    flags: dict[str, Episode] = field(default_factory=dict)
    lanes: defaultdict[str, Lane] = field(default_factory=lambda: defaultdict(Lane))
    past: defaultdict[str, list[Past]] = field(default_factory=lambda: defaultdict(list))
