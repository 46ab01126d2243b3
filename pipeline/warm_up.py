"""Compiling the loops before the first fix: a daemon must not be slow just when the first alert is due.

A fix of nobody goes through decode (in each form that Redis brings), acceptance, judge and step; the metres of an opening and an
explanation are asked for once; numba keeps the machine code for the next start.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from fences.difference import Difference
from fences.fence_set import Fences, FenceSet
from fences.load import load_registry
from fences.registry import FORBID
from operators.decode.entries import decode_entries
from operators.decode.payload import decode_payloads
from operators.distance import opening_m
from operators.due import bring_due, bring_mark
from operators.explanation import explain, standing_of
from operators.fix_batch import FixBatch
from operators.state import State
from operators.step import step
from operators.versions import VersionChange
from pipeline.items import Chunk, JudgedBatch
from pipeline.judging import Judging, RuleSet, rule_set_of
from pipeline.worlds.world import make_world

LINE = b'{"subject":"\\u0000","time":"2026-03-02T08:15:27.123Z","lon":121.1,"lat":31.1,"accuracy_m":12.5,"positioning":"gnss"}\n'
"""No subject has such an id."""
FIELDS = [b"subject", b"\0", b"time", b"1772410527123", b"lon", b"121.1", b"lat", b"31.1", b"positioning", b"gnss"]
TIME_MS, LON, LAT = 1_772_410_527_123, 121.1, 31.1
ID = b"1772410527123-0"
TEXTS: tuple[Callable[[], FixBatch], ...] = (
    lambda: decode_payloads([ID], [LINE]),
    lambda: decode_entries([ID], [FIELDS]),
)


def warm_up(rules: RuleSet) -> None:
    """Compile everything that runs for a fix or an alert, on a fix that changes nothing anywhere."""
    judging = Judging(rules, 1, keep_dead_letters=False)
    # Arrow needs next to no compiling: judge and step come first, so that `warm_up_texts` beside us has the time for the rest.
    forms: tuple[Callable[[], FixBatch], ...] = (lambda: decode_payloads([ID], [_arrow()]), *TEXTS)
    for form in forms:
        for _, item in judging(Chunk("warm-up", form, live=True)):
            if isinstance(item, JudgedBatch):
                _step(rules, item)
                _measure(item.verdicts.fences)


def warm_up_texts() -> None:
    """Compile the decoders of texts alone: a third of all, for a second process at a first start."""
    for form in TEXTS:
        form()


def _arrow() -> bytes:
    batch = pa.RecordBatch.from_pydict(
        {
            "subject": pa.array(["\0"]),
            "time": pa.array([TIME_MS], pa.timestamp("ms", "UTC")),
            "lon": pa.array([LON]),
            "lat": pa.array([LAT]),
            "positioning": pa.array(["gnss"]),
        }
    )
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, batch.schema) as writer:
        writer.write_batch(batch)
    return out.getvalue().to_pybytes()


def _step(rules: RuleSet, item: JudgedBatch) -> None:
    registry = rules.fence_set.registry
    state = State(len(registry.subject_ids), registry.area_ids[: registry.region_count])
    step(item.verdicts.fences, state, item.verdicts, np.empty(0, np.int64), item.subject, item.fixes)
    bring_due(item.verdicts.fences, state, 0, 0)
    bring_mark(item.verdicts.fences, state, 1)
    nothing = np.zeros(0, np.bool_)
    change = VersionChange(state, rules.fence_set, rules.fence_set, 0, Difference(None, None, nothing, nothing))
    for _ in (*change.begin(), *change.mark(1), *change.take_some(0)):
        raise AssertionError("a change that concerns nobody tells nothing")
    for subject in range(min(1, len(registry.subject_ids))):
        # As of somebody of whom a record came: the state is thrown away, the point is that of the fix, whose cell is known.
        row = state.memory.row[subject]
        row["arrival_ms"], row["pos_ms"], row["pos_lon"], row["pos_lat"] = TIME_MS, TIME_MS, LON, LAT
        explain(rules.fence_set, subject, standing_of(state, subject, 1), TIME_MS)


def _measure(fences: Fences) -> None:
    """The metres of an opening, of somebody who has areas and of a forbid rule, where there are any."""
    for subject in np.nonzero(fences.subject["allow"])[0][:1].tolist():
        opening_m(fences, subject, -1, TIME_MS, LON, LAT)
        for rule in np.nonzero(fences.rule["effect"] == FORBID)[0][:1].tolist():
            opening_m(fences, subject, rule, TIME_MS, LON, LAT)


def main() -> None:
    """Compile before there is a registry: what an installation does once, so that the first command does not."""
    with TemporaryDirectory() as folder:
        make_world(seed=1, subjects=24, hours=0.2).write_registry(Path(folder))
        registry, _ = load_registry(Path(folder))
        warm_up(rule_set_of(FenceSet(registry), 1))


if __name__ == "__main__":
    main()
