"""What a view of the demo is told, several times a second."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from pipeline.alert_lines import Event, change_of

SHANGHAI = timezone(timedelta(hours=8))
"""The time of the simulated districts; it has had no summer time since 1991."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What happens in the registry at an instant (UTC ms): nobody's alert, told beside them. `what` of whom, then the details."""

    at_ms: int
    subject: str
    what: str
    details: str


@dataclass(slots=True)
class Moment:
    """The demo as it is now: clock of the scenario (UTC ms), counts, rates, and where everybody is.

    `place` (subjects, 2) in degrees, NaN where not seen yet; `counted_fed` were fed when `judged` was asked for; `behind_s` real
    seconds; `events` all alerts so far, oldest first, `shown` the same with the notices; `is_open` the newest alert of each open
    episode.
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
    shown: list[Event | Notice] = field(default_factory=list)
    is_open: dict[str, Event] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """One more alert."""
        self.events.append(event)
        self.shown.append(event)
        if change_of(event) == "cleared":
            self.is_open.pop(event["data"]["episode"], None)
        else:
            self.is_open[event["data"]["episode"]] = event

    def note(self, notice: Notice) -> None:
        """One more notice."""
        self.shown.append(notice)

    def red_subjects(self) -> set[str]:
        """Who has an open red alert."""
        return {event["subject"] for event in self.is_open.values() if event["data"]["level"] == "red"}

    def count(self, change: str) -> int:
        """How many alerts `opened`, `moved` or `cleared`."""
        return sum(change_of(event) == change for event in self.events)
