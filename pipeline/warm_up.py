"""Compiling the loops before the first fix: a daemon must not be slow just when the first alert is due.

One small batch goes through decode, acceptance, judge and step; numba keeps the machine code for the next start.
"""

from __future__ import annotations

import numpy as np

from operators.decode.json_lines import decode_json_lines
from operators.due import bring_due
from operators.state import State
from operators.step import step
from pipeline.items import Chunk, JudgedBatch
from pipeline.judging import Judging, RuleSet

LINE = b'{"subject":"\\u0000","time":"2026-03-02T08:15:27.123Z","lon":121.1,"lat":31.1,"accuracy_m":12.5}\n'


def warm_up(rules: RuleSet) -> None:
    """Compile everything that runs for a fix, on a batch that changes nothing anywhere."""
    judging = Judging(rules, 1, keep_dead_letters=False)
    for _, item in judging(Chunk("warm-up", lambda: decode_json_lines(LINE), live=True)):
        if isinstance(item, JudgedBatch):
            registry = rules.fence_set.registry
            state = State(len(registry.subject_ids), registry.area_ids[: registry.region_count])
            step(item.verdicts.fences, state, item.verdicts, np.empty(0, np.int64), item.subject, item.fixes)
            bring_due(item.verdicts.fences, state, 0, 0)
