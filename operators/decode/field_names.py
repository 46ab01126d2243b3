"""Under which names the fields of a record stand in the input, and a look-up of these names for the compiled loops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled
from fences.problems import FencewatchError
from operators.decode.columns import FIELDS, LAT, LON, SUBJECT, TIME
from operators.decode.machine_words import load1
from operators.decode.words import as_bytes

UNKNOWN = len(FIELDS)
"""The number of every key that is no field's."""


class WrongColumnsError(FencewatchError):
    """Names of columns that cannot be: a field that does not exist, one name for two fields, a column that the input lacks."""


class NameTable(NamedTuple):
    """Field k's name is `text[start[k]:start[k + 1]]`; `start` has one element more than there are fields."""

    text: NDArray[np.uint8]
    start: NDArray[np.int64]


def names_of_fields(names: Mapping[str, str] | None) -> tuple[str, ...]:
    """The name of each field in the input, by the field's number; `names` maps ours to theirs, what it leaves out keeps ours.

    Raises `WrongColumnsError`.
    """
    given = dict(names or {})
    strange = sorted(set(given) - set(FIELDS))
    if strange:
        raise WrongColumnsError(f"There is no field {strange[0]!r}; the fields are {', '.join(sorted(FIELDS))}.")
    theirs = tuple(given.get(field, field) for field in FIELDS)
    taken = set(given.values())
    # Their `time` may hold our `received`; our own `time` then stands nowhere unless mapped too.
    theirs = tuple(name if field in given or name not in taken else "" for field, name in zip(FIELDS, theirs, strict=True))
    doubled = sorted(name for name in taken if theirs.count(name) > 1)
    if doubled:
        raise WrongColumnsError(f"The column {doubled[0]!r} cannot be two fields at once; map each field to a column of its own.")
    return theirs


def missing_columns(given: Iterable[str], names: Mapping[str, str] | None = None) -> list[str]:
    """Which columns (by their names) a table lacks so that none of its records can be accepted; `given` are those it has.

    Such a table is read all the same, each record has its reason; but who started the command wants to hear of it at once.
    """
    wanted, given = names_of_fields(names), set(given)
    lacking = [wanted[field] for field in (SUBJECT, TIME) if wanted[field] not in given]
    position = [wanted[field] for field in (LON, LAT)]
    if sum(name in given for name in position) == 1:
        lacking += [name for name in position if name not in given]
    return lacking


def table_of(names: Mapping[str, str] | None) -> NameTable:
    """`names_of_fields` as a table for the compiled loops. Raises `WrongColumnsError`."""
    texts = [name.encode() for name in names_of_fields(names)]
    start = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=start[1:])
    return NameTable(as_bytes(b"".join(texts) or b"\0"), start)


@compiled
def field_named(data: NDArray[np.uint8], at: int, end: int, text: NDArray[np.uint8], start: NDArray[np.int64]) -> int:
    """The field whose name is the bytes from `at` to `end`, else `UNKNOWN`."""
    length = end - at
    for field in range(start.size - 1):
        begin = start[field]
        if length == start[field + 1] - begin and length > 0:
            k = 0
            while k < length and load1(data, at + k) == load1(text, begin + k):
                k += 1
            if k == length:
                return field
    return UNKNOWN
