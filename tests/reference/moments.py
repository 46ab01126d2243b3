"""Section 4, times: how records and rules may write one, and how an alert writes it. Inside, a time is int UTC milliseconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
EARLIEST = (datetime(1990, 1, 1, tzinfo=UTC) - EPOCH) // MS
BEYOND = (datetime(2100, 1, 1, tzinfo=UTC) - EPOCH) // MS

RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
MOST_DIGITS = 100
DIGITS = re.compile(r"\d+", re.ASCII)


def read_time(value: object) -> int | None:
    """The time a value writes, in ms; None where it writes none. Whether it lies between 1990 and 2100 is asked elsewhere."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return math.floor(value) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    if DIGITS.fullmatch(value):
        return int(value) if len(value) <= MOST_DIGITS else BEYOND
    return read_rfc_3339(value)


def read_rfc_3339(text: str) -> int | None:
    """RFC 3339 with an offset; finer digits than milliseconds are cut off."""
    match = RFC_3339.fullmatch(text)
    if match is None:
        return None
    date, clock, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if offset in 'Zz' else offset}")
    except ValueError:
        return None
    try:
        whole = (moment - EPOCH) // MS
    except OverflowError:
        return None
    return whole + int((fraction or "0")[:3].ljust(3, "0"))


def in_range(ms: int) -> bool:
    """From 1990 on and before 2100, UTC."""
    return EARLIEST <= ms < BEYOND


def write_time(ms: int) -> str:
    """RFC 3339, UTC, with milliseconds."""
    moment = EPOCH + ms * MS
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
