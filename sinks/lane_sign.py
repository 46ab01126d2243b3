"""A lane's sign of life: where it is missing, nobody is watching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from redis.exceptions import RedisError

from sinks.alert_json import rfc3339
from sinks.redis_names import RedisNames

log = structlog.get_logger()

GONE_AFTER_S = 30
RENEW_AFTER_S = 1.0


class LaneSign:
    """Renews the key of one lane. It never raises for Redis: a sign that cannot be given is missing, and that is what it says.

    `client`: one of its own with a short timeout (a second), so that a Redis that is away does not hold up the caller.
    """

    def __init__(self, client: Any, names: RedisNames, lane: str) -> None:  # noqa: ANN401 - a cluster's client, too
        self._client = client
        self._key = names.lane(lane)
        self._given = True

    def renew(self, at_ms: int, clock_ms: int | None, lag_s: float | None, rules_version: str) -> bool:
        """Say that the lane lives; whether Redis took it.

        `at_ms`: the wall clock; `clock_ms`: the lane's own clock (the least mark), None before the first; `lag_s`: how far the
        lane is behind its source.
        """
        sign = {
            "at": rfc3339(at_ms),
            "clock": None if clock_ms is None else rfc3339(clock_ms),
            "lag_s": lag_s,
            "rules_version": rules_version,
        }
        return self._try("set", self._key, orjson.dumps(sign, option=orjson.OPT_SERIALIZE_NUMPY), ex=GONE_AFTER_S)

    def end(self) -> bool:
        """Take the sign away at an orderly end: from now on nobody is watching."""
        return self._try("delete", self._key)

    def _try(self, command: str, *arguments: Any, **options: Any) -> bool:  # noqa: ANN401 - handed through
        try:
            getattr(self._client, command)(*arguments, **options)
        except RedisError as error:
            if self._given:
                log.warning("sign of life not given", key=self._key, error=str(error))
            self._given = False
            return False
        self._given = True
        return True


@dataclass(frozen=True, slots=True)
class LivingLane:
    """What a lane last said of itself: times as RFC 3339, `clock` and `lag_s` None where it has none yet."""

    lane: str
    at: str
    clock: str | None
    lag_s: float | None
    rules_version: str


class LaneWatch:
    """Asks which lanes are alive. The key space is scanned only when a known lane is missing or on `look_for_new`."""

    def __init__(self, client: Any, names: RedisNames) -> None:  # noqa: ANN401 - a cluster's client, too
        self._client = client
        self._names = names
        self._keys: list[str] = []

    def alive(self, *, look_for_new: bool = False) -> list[LivingLane]:
        """The lanes with a sign of life, by name. Raises RedisError where Redis cannot be asked."""
        lanes = self._read()
        if look_for_new or not lanes or len(lanes) < len(self._keys):
            found = self._client.scan_iter(match=self._names.every_lane, count=1000)
            self._keys = sorted(key.decode() if isinstance(key, bytes) else key for key in found)
            lanes = self._read()
        return lanes

    def _read(self) -> list[LivingLane]:
        lanes = []
        for key in self._keys:
            value = self._client.get(key)
            if value is not None:
                lanes.append(LivingLane(self._names.lane_of(key), **orjson.loads(value)))
        return lanes
