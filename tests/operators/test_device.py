"""J12: movement that cannot be; a rule of the contract, then where it ends."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from operators.alert import Alert
from tests.operators.small_registry import Fix, fence_set, new_state, run

pytestmark = pytest.mark.jitless

EAST_M = 111_412.0 * math.cos(math.radians(31.003)) / 1024
"""Metres of a grid unit eastwards, within 0.1 %."""


def told(tmp_path: Path, *fixes: Fix) -> list[tuple[str, str]]:
    """Changes of slot `implausible`, and the level."""
    fences = fence_set(tmp_path, policy={"max_speed_mps": 100.0, "min_jump_m": 300.0, "silent_after_s": 1e6})
    alerts: list[Alert] = run(fences, new_state(fences), list(fixes))
    return [(alert.change, alert.level) for alert in alerts if alert.kind == "implausible"]


def jump(metres: float, seconds: float, accuracy_m: float = math.nan) -> tuple[Fix, Fix]:
    """Two fixes, so far and so long apart."""
    return Fix("p", 0, (2, 3), accuracy_m), Fix("p", seconds, (2 + metres / EAST_M, 3), accuracy_m)


@pytest.mark.parametrize(
    ("metres", "seconds", "accuracy_m", "jumps"),  # how often it is told
    [
        (400, 1, math.nan, 1),
        (365, 1, math.nan, 1),
        (355, 1, math.nan, 0),
        (320, 1, 0, 1),
        (298, 1, 0, 0),
        (900, 1, 310, 0),
        (1100, 10, 0, 1),
        (980, 10, 0, 0),
        (5000, 60, 0, 0),
        (6100, 60, 0, 1),
    ],
)
def test_a_jump_is_too_fast_and_far_beyond_the_accuracies(
    tmp_path: Path, metres: float, seconds: float, accuracy_m: float, jumps: int
) -> None:
    """Less both accuracies (30 m where missing) more than 100 m/s and at least 300 m."""
    assert told(tmp_path, *jump(metres, seconds, accuracy_m)) == [("opened", "yellow")] * jumps


def test_the_next_plausible_fix_clears(tmp_path: Path) -> None:
    """A second jump opens nothing more; a late fix and a contact clear nothing."""
    far = (2 + 2000 / EAST_M, 3.0)
    first = [*jump(2000, 1), Fix("p", 2, (2, 3))]
    assert told(tmp_path, *first) == [("opened", "yellow")]
    assert told(tmp_path / "late", *first, Fix("p", 0.5, (2, 3)), Fix("p", 3, None)) == [("opened", "yellow")]
    assert told(tmp_path / "clear", *first, Fix("p", 4, (2, 3)), Fix("p", 5, far)) == [
        ("opened", "yellow"),
        ("cleared", "yellow"),
        ("opened", "yellow"),
    ]
