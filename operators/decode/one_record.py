"""One record from plain Python values to its row of the columns: for the records that no compiled loop reads.

Here stands, field by field, what may be given and what is a fault; the compiled loops do the same for the usual forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from operators.decode.columns import (
    BATTERY,
    DEVICE,
    LAT,
    LON,
    POSITIONING,
    RECEIVED,
    SEPARATED,
    SUBJECT,
    TAMPER,
    TIME,
    Columns,
    clear,
)
from operators.decode.time_text import milliseconds_of, milliseconds_of_number
from operators.fix_batch import CELL, GNSS, WIFI, Fault

POSITIONINGS: Final = {"gnss": GNSS, "cell": CELL, "wifi": WIFI}
TEXT_FLAGS: Final = {"true": 1, "1": 1, "false": 0, "0": 0}
_TEXT_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST_INTEGER = 64

FAULT_OF: Final = (
    Fault.WRONG_TYPE,
    Fault.WRONG_TYPE,
    Fault.RECEIVED,
    Fault.WRONG_TYPE,
    Fault.WRONG_TYPE,
    Fault.ACCURACY_M,
    Fault.SPEED_MPS,
    Fault.HEADING_DEG,
    Fault.BATTERY_PCT,
    Fault.POSITIONING,
    Fault.TAMPER,
    Fault.SEPARATED,
    Fault.DEVICE,
)
"""What a value of no use is, by its field."""


class NumberText(str):
    """The text of a number as it stood in JSON: not yet rounded, so that every reader may take from it what it needs."""

    __slots__ = ()


class IntegerText(NumberText):
    """The text of a number without fraction and exponent."""

    __slots__ = ()


def put_record(columns: Columns, i: int, record: Mapping[int, object], *, texts: bool) -> bytes:
    """Fill row i with the values by field, faults included; answers the subject's bytes (empty: none).

    With `texts` every value is a text (CSV, Redis entry) and an empty one is absent; else values are JSON's: `str`, `NumberText`,
    `bool`, None (absent), lists and dicts. Sets `fault`, leaves the record's place alone.
    """
    clear(columns, i)
    if texts:  # Blanks around a text are nothing, but an id is taken as it stands.
        record = {k: v if k == SUBJECT or not isinstance(v, str) else v.strip(" \t") for k, v in record.items()}
    given = {field: value for field, value in record.items() if value is not None and not (texts and value == "")}
    fault = Fault(0)
    if SUBJECT not in given or TIME not in given or (LON in given) != (LAT in given):
        fault |= Fault.MISSING_FIELD
    subject = b""
    for field, value in given.items():
        if field == SUBJECT:
            known = isinstance(value, IntegerText) or (isinstance(value, str) and not isinstance(value, NumberText))
            subject = _subject(str(value), integer=isinstance(value, IntegerText)) if known else b""
        else:
            known = _put(columns, i, field, value, texts=texts)
        if not known:
            fault |= FAULT_OF[field]
    columns.fault[i] = fault
    return subject


def _subject(text: str, *, integer: bool) -> bytes:
    """The bytes of an id; an integer's are its decimal text (JSON's `-0` is 0)."""
    return str(int(text)).encode() if integer and len(text) <= _LONGEST_INTEGER else text.encode()


def _put(columns: Columns, i: int, field: int, text: object, *, texts: bool) -> bool:
    """Put one value into its column; False where it is of no use."""
    if field in (TIME, RECEIVED):
        milliseconds = _milliseconds(text, texts=texts)
        if milliseconds is not None:
            columns.times[field - TIME, i] = milliseconds
        return milliseconds is not None
    if LON <= field <= BATTERY:
        if not isinstance(text, str) or not (isinstance(text, NumberText) or (texts and _TEXT_NUMBER.fullmatch(text))):
            return False
        columns.numbers[field - LON, i] = float(text)
        return True
    if field == DEVICE:
        return isinstance(text, str) and (texts or not isinstance(text, NumberText) or isinstance(text, IntegerText))
    flag = _flag(field, text, texts=texts)
    columns.flags[field - POSITIONING, i] = flag
    return flag >= 0


def _milliseconds(value: object, *, texts: bool) -> int | None:
    """Milliseconds of a time in any of its forms, None of no time."""
    if isinstance(value, NumberText):
        return milliseconds_of_number(value)
    if not isinstance(value, str):
        return None
    if texts and _TEXT_NUMBER.fullmatch(value):
        return milliseconds_of_number(value)
    return milliseconds_of(value)


def _flag(field: int, value: object, *, texts: bool) -> int:
    """The column's value of `positioning`, `tamper` or `separated`; -1 of none."""
    if field in (TAMPER, SEPARATED):
        if isinstance(value, bool):
            return int(value)
        return TEXT_FLAGS.get(value, -1) if texts and isinstance(value, str) else -1
    return POSITIONINGS.get(value, -1) if isinstance(value, str) and not isinstance(value, NumberText) else -1
