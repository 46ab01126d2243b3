"""The clock of the scenario as the daemon runs it, known from the lane's sign of life."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fences.times import to_ms
from pipeline.demo.problems import DemoError
from sinks.lane_sign import LaneWatch, LivingLane


@dataclass(frozen=True, slots=True)
class ScenarioClock:
    """Shows `at_ms` (UTC ms of the scenario) at the real instant `real_s` (of `time.time`) and runs `speed` times as fast."""

    at_ms: int
    real_s: float
    speed: float

    def now_ms(self) -> int:
        """What it shows now. It is behind the daemon's own by the age of the sign, never before it."""
        return self.at(time.time())

    def at(self, real_s: float) -> int:
        """What it shows at a real instant."""
        return int(self.at_ms + (real_s - self.real_s) * 1000 * self.speed)


class Lane:
    """The one lane of the demo."""

    def __init__(self, watch: LaneWatch, speed: float) -> None:
        self._watch, self._speed = watch, speed

    def sign(self) -> LivingLane | None:
        """Its sign of life; None while there is none. Raises RedisError."""
        lanes = self._watch.alive()
        return lanes[0] if lanes else None

    def clock(self) -> ScenarioClock | None:
        """The scenario's clock, once the lane lives. Raises RedisError."""
        sign = self.sign()
        if sign is None:
            return None
        return ScenarioClock(told_ms(sign.at), time.time(), self._speed)

    def judged_until_ms(self) -> int | None:
        """Up to when, in the scenario, everything is judged and told. Raises RedisError."""
        sign = self.sign()
        return None if sign is None or sign.clock is None else told_ms(sign.clock)

    def behind_s(self) -> float | None:
        """Real seconds that the lane is behind its source. Raises RedisError."""
        sign = self.sign()
        return None if sign is None or sign.lag_s is None else sign.lag_s / self._speed


def told_ms(text: str) -> int:
    """UTC milliseconds of a time that the daemon wrote."""
    ms = to_ms(text)
    if ms is None:
        raise DemoError(f"the daemon told a time that is none: {text!r}.")
    return ms
