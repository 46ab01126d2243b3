"""What the compiled loops leave over: one record after another to the plain reader."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from operators.decode.columns import SLOW, Columns
from operators.decode.words import as_bytes


def read_left_over(
    text: NDArray[np.uint8], columns: Columns, count: int, put: Callable[[int, bytes], bytes], behind: bytes = b""
) -> NDArray[np.uint8]:
    """Let `put(i, bytes of the record)` fill each row that is marked `SLOW`; it answers the subject's bytes.

    Answers the bytes that all ids are in: the text itself, where every id stands in it as it is; else a copy, and behind it what
    the loop has already put `behind` it, and the ids that were written otherwise (with escapes, with doubled quotes).
    """
    tail = [behind] if behind else []
    size = text.size + len(behind)
    for i in np.flatnonzero(columns.fault[:count] == SLOW).tolist():
        begin, end = columns.places[:2, i].tolist()
        record = text[begin:end].tobytes()
        subject = put(i, record)
        found = record.find(subject)
        columns.places[2, i] = begin + found if found >= 0 else size
        columns.id_len[i] = len(subject)
        if found < 0:
            tail.append(subject)
            size += len(subject)
    return as_bytes(np.concatenate([text, np.frombuffer(b"".join(tail), dtype=np.uint8)])) if tail else text
