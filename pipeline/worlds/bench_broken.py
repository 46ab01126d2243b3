"""Benchmark fixes as JSON lines of which a few are no fixes: what a real feed sends, and what must not slow the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.worlds.track_text import json_lines

BREAKS: dict[str, Callable[[bytes], bytes]] = {
    "undecodable": lambda line: line[: len(line) // 2] + b"\n",
    "missing_field": lambda line: line.replace(b'"lat":', b'"latitude":'),
    "wrong_type": lambda line: line.replace(b'"lon":', b'"lon":"east of ').replace(b',"lat"', b'","lat"'),
    "bad_subject": lambda line: line.replace(b'"subject":"s', b'"subject":"\\u0007s'),
    "out_of_range": lambda line: line.replace(b'"lat":', b'"lat":9'),
    "unknown_subject": lambda line: line.replace(b'"subject":"s', b'"subject":"x'),
}
"""How a line is broken, by the reason for which it is then refused."""


def write_jsonl_broken(tables: Iterable[pa.Table], path: Path, share: float = 0.01, seed: int = 1) -> dict[str, int]:
    """JSON lines of which `share` are broken in one of the ways of `BREAKS`; how many for each reason of the contract."""
    rng = np.random.default_rng((seed, 10))
    reasons = list(BREAKS)
    counts = dict.fromkeys(reasons, 0)
    with path.open("wb") as file:
        for table in tables:
            for text in json_lines(table):
                lines = bytes(text).splitlines(keepends=True)
                for i in np.flatnonzero(rng.random(len(lines)) < share).tolist():
                    reason = reasons[int(rng.integers(0, len(reasons)))]
                    lines[i] = BREAKS[reason](lines[i])
                    counts[reason] += 1
                file.writelines(lines)
    return counts
