"""What a view of the demo is told, several times a second."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.alert_lines import Event, change_of


@dataclass(slots=True)
class Moment:
    """The demo as it is now: clock of the scenario (UTC ms), counts, rates, and where everybody is.

    `place` (subjects, 2) in degrees, NaN where not seen yet; `counted_fed` were fed when `judged` was asked for; `behind_s` real
    seconds; `events` all alerts shown so far, oldest first; `is_open` the newest alert of each open episode.
    """

    now_ms: int
    fixes: int
    place: NDArray[np.float64]
    fed: int = 0
    counted_fed: int = 0
    judged: int = 0
    judged_rate: float = 0.0
    behind_s: float | None = None
    events: list[Event] = field(default_factory=list)
    is_open: dict[str, Event] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """One more alert."""
        self.events.append(event)
        if change_of(event) == "cleared":
            self.is_open.pop(event["data"]["episode"], None)
        else:
            self.is_open[event["data"]["episode"]] = event

    def red_subjects(self) -> set[str]:
        """Who has an open red alert."""
        return {event["subject"] for event in self.is_open.values() if event["data"]["level"] == "red"}

    def count(self, change: str) -> int:
        """How many alerts `opened`, `moved` or `cleared`."""
        return sum(change_of(event) == change for event in self.events)
