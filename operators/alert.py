"""The alert: what an episode tells when it opens, moves or clears, and the ids that make it known twice as one.

Section 4 of the contract. Ids are hashes of content, never of a place in a batch, so that a record judged again after a restart
makes the same alert.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

Change = Literal["opened", "moved", "cleared"]
TYPE = "fencewatch.alert."
LEVELS = ("red", "yellow", "info")
"""Alert levels, the gravest first; columns hold the index."""


def blake(*parts: str) -> str:
    """Hex of BLAKE2b-128 over the parts, joined by U+001F."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def episode_id(subject: str, slot: str, onset_ms: int) -> str:
    """The id of an episode: the same for its opening, its moves and its clear."""
    return blake(subject, slot, str(onset_ms))


def alert_id(subject: str, slot: str, onset_ms: int, change: Change, new_region: str | None = None) -> str:
    """The id of one alert; `new_region` only of a `moved`."""
    parts = (subject, slot, str(onset_ms), TYPE + change)
    return blake(*parts) if new_region is None else blake(*parts, new_region)


class Alert(msgspec.Struct, frozen=True, gc=False):
    """One alert before it is encoded. Times in UTC milliseconds, position in WGS-84 degrees, NaN-free: None is null."""

    id: str
    change: Change
    time_ms: int
    subject: str
    slot: str
    kind: str
    level: str
    episode: str
    rule: str | None
    onset_ms: int
    reason: str | None
    lon: float | None
    lat: float | None
    accuracy_m: float | None
    distance_m: float | None
    home_region: str | None
    found_region: str | None
    rules_version: str
    late: bool
    received_ms: int | None
    regions: tuple[str, ...]
