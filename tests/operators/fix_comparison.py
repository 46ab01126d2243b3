"""Holds a batch that was decoded and accepted to what the oracle makes of the same records."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence

from operators.acceptance import REASONS, Accepted, accept
from operators.fix_batch import OPTIONAL_FIELDS, FixBatch
from operators.subject_directory import SubjectDirectory
from tests.operators.fix_oracle import Judged

KNOWN = ("s0000001", "7", "-12", "社区矫正-甲", 'k"1,2', "a b.c:d", "x" * 64, "0123456789abcdef", "s\\1", "12345678901234567890")
DIRECTORY = SubjectDirectory(KNOWN)
NUMBERS = ("lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct")
POSITIONING = {"gnss": 0, "cell": 1, "wifi": 2}


def accepted(batch: FixBatch, *, live: bool = False) -> Accepted:
    """The batch accepted with the tolerance and the vagueness that the oracle takes when told nothing else."""
    return accept(batch, DIRECTORY, future_tolerance_ms=300_000, max_accuracy_m=1000.0, live=live)


def bits(value: float) -> bytes:
    """The bytes of a float, so that equal means equal to the last bit, sign of zero included."""
    return struct.pack("<d", value)


def compare(batch: FixBatch, made: Accepted, expected: Sequence[Judged]) -> None:
    """Every record has the oracle's reason, and an accepted one its values; the counts of ignored fields are the same."""
    reasons = [None if reason == 0 else REASONS[reason - 1] for reason in made.reason.tolist()]
    assert reasons == [judged.reason for judged in expected], [batch.raw(i) for i in range(len(batch))]
    ignored: Counter[str] = Counter()
    for i, judged in enumerate(expected):
        if judged.reason is not None:
            continue
        line = batch.raw(i)
        assert KNOWN[made.subject[i]] == judged.subject, line
        assert made.time_ms[i] == judged.time, line
        assert made.arrival_ms[i] == judged.arrival, line
        for name in NUMBERS:
            value = judged.values.get(name)
            got = float(getattr(made, name)[i])
            assert bits(got) == bits(value) if isinstance(value, float) else got != got, (name, line)  # noqa: PLR0124 - NaN
        assert made.positioning[i] == POSITIONING.get(str(judged.values.get("positioning")), -1), line
        for name in ("tamper", "separated"):
            assert getattr(made, name)[i] == {True: 1, False: 0, None: -1}[judged.values.get(name)], (name, line)  # type: ignore[index]  # any other value is an error
        ignored.update(judged.ignored)
    assert dict(ignored) == {name: n for name, n in zip(OPTIONAL_FIELDS, made.ignored.tolist(), strict=True) if n}
