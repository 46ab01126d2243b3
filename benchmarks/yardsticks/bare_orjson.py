"""Yardstick (c): `orjson.loads` over the same lines, and nothing else: what parsing alone costs a Python program."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import orjson

from benchmarks.measured import Measured, Watch

LINES_AT_ONCE = 100_000


def parse(path: Path, count: int) -> Measured:
    """Parse the first `count` lines; reading them is not measured."""
    total = Measured()
    loads = orjson.loads
    with path.open("rb") as file:
        while total.fixes < count and (lines := list(islice(file, min(LINES_AT_ONCE, count - total.fixes)))):
            watch = Watch()
            for line in lines:
                loads(line)
            spent = watch.read(len(lines), 0)
            total.fixes += spent.fixes
            total.wall_s += spent.wall_s
            total.cpu_s += spent.cpu_s
    return total
