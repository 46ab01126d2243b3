"""Every name that fencewatch uses in Redis, in one place: a key that is not made here is a mistake."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_PREFIX = "fencewatch:"
REPLAY_PREFIX = "fencewatch:replay:"
"""A replay writes beside the live names, so that a test never reaches a duty screen."""
CLUSTER_PREFIX = "{fencewatch}:"
"""In Redis Cluster the braces keep all names in one slot: one atomic step needs them together."""


@dataclass(frozen=True, slots=True)
class RedisNames:
    """The names under one prefix. A stream and the channel of the same name are told together, so they share a name here.

    Regions, lanes and deployments may be any text of the contract's form; they stand last, so no two names can meet.
    """

    prefix: str = DEFAULT_PREFIX

    @property
    def alerts(self) -> str:
        """Stream and channel of all alerts."""
        return f"{self.prefix}alerts"

    def alerts_of(self, region: str) -> str:
        """Stream and channel of the alerts that go to one region."""
        return f"{self.prefix}alerts:{region}"

    @property
    def open(self) -> str:
        """Hash of all open episodes: episode -> JSON of its newest alert."""
        return f"{self.prefix}open"

    def open_of(self, region: str) -> str:
        """Hash of the open episodes that one region was told of."""
        return f"{self.prefix}open:{region}"

    def lane(self, lane: str) -> str:
        """A lane's sign of life."""
        return f"{self.prefix}lane:{lane}"

    @property
    def every_lane(self) -> str:
        """Pattern for SCAN over the lanes' signs of life (a prefix may hold characters that mean something to a pattern)."""
        return "".join(f"\\{c}" if c in "*?[]\\^-" else c for c in self.prefix) + "lane:*"

    def lane_of(self, key: str) -> str:
        """The lane whose sign of life is at this key."""
        return key.removeprefix(f"{self.prefix}lane:")

    @property
    def dead(self) -> str:
        """Stream of dead letters."""
        return f"{self.prefix}dead"

    def known(self, part: str) -> str:
        """Sorted set of the alert ids that one part has told: the memory that keeps an id from being told twice."""
        return f"{self.prefix}known:{part}"
