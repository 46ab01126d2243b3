"""Section 4, the alert: one CloudEvent, its ids, and the regions it goes to."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.reference.moments import write_time
from tests.reference.records import Position
from tests.reference.registry import Registry

TYPE = "fencewatch.alert."


@dataclass
class Episode:
    """An open episode: what its moves and its clear repeat, and the regions told so far."""

    slot: str
    kind: str
    level: str
    rule: str | None
    onset: int
    told: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Occasion:
    """What brought an alert: the time of the judgement, the position it gives, and the arrival of the record (None: no record)."""

    time: int
    position: Position | None
    received: int | None


def blake(*parts: str) -> str:
    """Hex of BLAKE2b-128 over the parts, joined by U+001F."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


class Docket:
    """What all subjects share: the version in force, the alerts written so far (each id once), and the records in doubt.

    `doubts`: the records (by index; `index` is the one at hand) in whose judging a distance was so near a threshold that rounding
    may decide.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.alerts: list[dict[str, Any]] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.ids: set[str] = set()
        self.index = -1
        self.doubts: set[int] = set()

    def opened(
        self, subject_id: str, episode: Episode, occasion: Occasion, distance_m: float | None = None, *, late: bool = False
    ) -> None:
        """An opening goes to the home region and the found region."""
        episode.told |= self.home(subject_id) | self.found(occasion)
        self.tell("opened", subject_id, episode, occasion, distance_m=distance_m, late=late)

    def moved(self, subject_id: str, episode: Episode, occasion: Occasion) -> None:
        """A found region that was not told yet: to all told so far and the new one. Nothing where there is none such."""
        new = self.found(occasion) - episode.told
        if new:
            episode.told |= new
            self.tell("moved", subject_id, episode, occasion, new_region=min(new))

    def cleared(
        self, subject_id: str, episode: Episode, occasion: Occasion, reason: str = "returned", *, late: bool = False
    ) -> None:
        """A clear goes to every region its episode has told, and home."""
        episode.told |= self.home(subject_id)
        self.tell("cleared", subject_id, episode, occasion, reason=reason, late=late)

    def doubt(self, *, doubtful: bool) -> None:
        """Remember that rounding may decide the record at hand."""
        if doubtful:
            self.doubts.add(self.index)

    def home(self, subject_id: str) -> set[str]:
        """The home region of a subject, if he has one."""
        return {self.registry.subjects[subject_id].home_region} - {None}  # type: ignore[return-value]

    def found(self, occasion: Occasion) -> set[str]:
        """The region in which the occasion found him, if any."""
        return {self.registry.region_at(occasion.position)} - {None}  # type: ignore[return-value]

    def tell(
        self,
        change: str,
        subject_id: str,
        episode: Episode,
        occasion: Occasion,
        *,
        new_region: str | None = None,
        reason: str | None = None,
        distance_m: float | None = None,
        late: bool = False,
    ) -> None:
        """Write one alert to the regions the episode has told, unless its id was written before."""
        key = (subject_id, episode.slot, str(episode.onset))
        alert_id = blake(*key, TYPE + change, *([] if new_region is None else [new_region]))
        if alert_id in self.ids:
            return
        self.ids.add(alert_id)
        self.counts[episode.kind, change] += 1
        place = occasion.position
        self.alerts.append(
            {
                "specversion": "1.0",
                "id": alert_id,
                "source": "fencewatch/reference",
                "type": TYPE + change,
                "dataschema": "urn:fencewatch:alert:1",
                "time": write_time(occasion.time),
                "subject": subject_id,
                "data": {
                    "kind": episode.kind,
                    "level": episode.level,
                    "episode": blake(*key),
                    "rule": episode.rule,
                    "onset": write_time(episode.onset),
                    "reason": reason,
                    "lon": None if place is None else place.lon,
                    "lat": None if place is None else place.lat,
                    "accuracy_m": None if place is None else place.accuracy_m,
                    "distance_m": distance_m,
                    "home_region": self.registry.subjects[subject_id].home_region,
                    "found_region": self.registry.region_at(place),
                    "rules_version": self.registry.version,
                    "late": late,
                    "received": None if occasion.received is None else write_time(occasion.received),
                    "regions": sorted(episode.told),
                },
            }
        )
