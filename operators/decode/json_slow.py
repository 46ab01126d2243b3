"""The plain reader of JSON lines: one line at a time, for those that the compiled loop leaves over."""

from __future__ import annotations

import json

import orjson

from operators.decode.columns import Columns, clear
from operators.decode.field_names import UNKNOWN
from operators.decode.one_record import IntegerText, NumberText, put_record
from operators.fix_batch import Fault


def object_of(line: bytes) -> dict[str, object] | None:
    """The JSON object on a line, its numbers as text; None where the line is none.

    orjson decides (it is strict where the standard library is not: `NaN`, lone surrogates, numbers beyond a float); the standard
    library reads, for it hands out the texts of numbers: an id of twenty digits is no float.
    """
    try:
        value = orjson.loads(line)
        if isinstance(value, dict):
            value = json.loads(line.decode(), parse_int=IntegerText, parse_float=NumberText)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def put_line(columns: Columns, i: int, line: bytes, field_of: dict[str, int]) -> bytes:
    """Fill row i with what a line says; answers the subject's bytes (empty: none)."""
    record = object_of(line)
    if record is None:
        clear(columns, i)
        columns.fault[i] = Fault.UNDECODABLE
        return b""
    fields = {field_of.get(key, UNKNOWN): value for key, value in record.items()}
    fields.pop(UNKNOWN, None)
    return put_record(columns, i, fields, texts=False)
