"""The lane's clock from the marks of its partitions, and the sign of life that carries it."""

from __future__ import annotations

import time

import structlog

from pipeline.health import Health
from pipeline.items import ClockMark
from pipeline.wall_clock import WallClock
from sinks.lane_sign import LaneSign
from sinks.metrics import Metrics

log = structlog.get_logger()

SIGN_EVERY_S = 1.0


class LaneClock:
    """Takes the marks that have come through the flow. `rules_version`: that of the registry in force."""

    def __init__(self, sign: LaneSign, clock: WallClock, rules_version: str, metrics: Metrics, health: Health) -> None:
        self._sign, self._clock, self._metrics, self._health = sign, clock, metrics, health
        self.rules_version = rules_version
        self._marks: dict[str, int] = {}
        self._least_ms = 0
        self._signed_at = 0.0
        self._wall = time.time()
        self._steady = time.monotonic()

    def marks(self, marks: list[ClockMark]) -> None:
        """Marks have come through the whole flow."""
        for mark in marks:
            if mark.partition is not None:
                self._marks[mark.partition] = max(mark.time_ms, self._marks.get(mark.partition, mark.time_ms))
            self._least_ms = mark.time_ms if mark.least_ms is None else mark.least_ms
        self._health.beat()
        if time.monotonic() - self._signed_at < SIGN_EVERY_S:
            return
        self._signed_at = time.monotonic()
        self._watch_wall()
        now, least = self._clock.now_ms(), self._least_ms
        for partition, at in self._marks.items():
            self._metrics.source_lag(partition, max(0.0, (now - at) / 1000))
        self._metrics.clock(least)
        self._sign.renew(now, least, max(0.0, round((now - least) / 1000, 3)), self.rules_version)

    def end(self) -> None:
        """Nobody is watching from now on."""
        self._sign.end()

    def _watch_wall(self) -> None:
        wall, steady = time.time(), time.monotonic()
        back = (steady - self._steady) - (wall - self._wall)
        if back > 1.0:
            log.error("the wall clock went backwards", seconds=round(back, 3))
            self._metrics.wall_clock_stepped_back(back)
        self._wall, self._steady = wall, steady
