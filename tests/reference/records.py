"""Section 4, the fix, and section 6, what a record that cannot be used gets: one JSON line in, a fix or a reason out."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.reference.moments import in_range, read_time

LARGEST_RECORD = 64 * 1024
LONGEST_ID = 64
REASONS = ("too_large", "undecodable", "missing_field", "wrong_type", "bad_subject", "out_of_range", "unknown_subject", "future")
"""The first that holds is the record's reason."""


@dataclass(frozen=True)
class Position:
    """A place and how well it is known."""

    lon: float
    lat: float
    accuracy_m: float | None


@dataclass(frozen=True)
class Fix:
    """One record that could be read. `position` None: a contact. `ignored`: optional fields that were given but wrong."""

    subject: str
    time: int
    position: Position | None
    battery_pct: float | None
    tamper: bool | None
    separated: bool | None
    received: int | None
    ignored: tuple[str, ...]

    @property
    def arrival(self) -> int:
        """When the server got it: `received`, else (in a replay) its time."""
        return self.time if self.received is None else self.received


class RejectedRecordError(Exception):
    """A record that is not judged; its text is one of REASONS."""


def read_record(line: bytes) -> Fix:
    """The fix a line holds. Raises RejectedRecordError with the first of REASONS, up to `out_of_range`, that holds of it."""
    if len(line) > LARGEST_RECORD:
        raise RejectedRecordError("too_large")
    record = decode(line)
    for name in ("subject", "time"):
        if record.get(name) is None:
            raise RejectedRecordError("missing_field")
    place = [record.get("lon"), record.get("lat")]
    if place.count(None) == 1:
        raise RejectedRecordError("missing_field")
    subject, time = record["subject"], read_time(record["time"])
    if isinstance(subject, bool) or not isinstance(subject, str | int) or time is None:
        raise RejectedRecordError("wrong_type")
    if not all(degrees is None or is_number(degrees) for degrees in place):
        raise RejectedRecordError("wrong_type")
    if not is_good_id(str(subject)):
        raise RejectedRecordError("bad_subject")
    if not in_range(time):
        raise RejectedRecordError("out_of_range")
    if not all(degrees is None or abs(degrees) <= limit for degrees, limit in zip(place, (180, 90), strict=True)):
        raise RejectedRecordError("out_of_range")
    optional, ignored = read_optional(record)
    lon, lat = place
    position = None if lon is None or lat is None else Position(float(lon), float(lat), optional.get("accuracy_m"))
    return Fix(
        subject=str(subject),
        time=time,
        position=position,
        battery_pct=optional.get("battery_pct"),
        tamper=optional.get("tamper"),
        separated=optional.get("separated"),
        received=optional.get("received"),
        ignored=ignored,
    )


def decode(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; strict: UTF-8, no NaN, no Infinity."""
    try:
        record = json.loads(line.decode(), parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise RejectedRecordError("undecodable") from None
    if not isinstance(record, dict):
        raise RejectedRecordError("undecodable")
    return record


def refuse_constant(name: str) -> object:
    """NaN and the infinities are no JSON."""
    raise ValueError(name)


def is_number(value: object) -> bool:
    """A JSON number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_good_id(text: str) -> bool:
    """Text of 1-64 bytes UTF-8 without control characters."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return False
    return 1 <= length <= LONGEST_ID and not any(unicodedata.category(c) == "Cc" for c in text)


def read_optional(record: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The optional fields that are right, and the names of those that are given and wrong (these count as absent)."""
    right: dict[str, Any] = {}
    wrong = []
    for name, read in OPTIONAL.items():
        value = record.get(name)
        if value is None:
            continue
        taken = read(value)
        if taken is None:
            wrong.append(name)
        else:
            right[name] = taken
    return right, tuple(wrong)


def from_zero_to(limit: float) -> Callable[[object], float | None]:
    """A reader of numbers from 0 to a limit, both included."""

    def read(value: object) -> float | None:
        return float(value) if isinstance(value, int | float) and is_number(value) and 0 <= value <= limit else None

    return read


def truth(value: object) -> bool | None:
    """JSON's true and false only."""
    return value if isinstance(value, bool) else None


def positioning(value: object) -> str | None:
    """One of the three words."""
    return value if isinstance(value, str) and value in ("gnss", "cell", "wifi") else None


def device(value: object) -> str | None:
    """Text, or an integer as its decimal text."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def received(value: object) -> int | None:
    """The same form as `time`."""
    ms = read_time(value)
    return ms if ms is not None and in_range(ms) else None


OPTIONAL: dict[str, Callable[[object], Any]] = {
    "accuracy_m": from_zero_to(sys.float_info.max),
    "speed_mps": from_zero_to(sys.float_info.max),
    "heading_deg": from_zero_to(360),
    "battery_pct": from_zero_to(100),
    "positioning": positioning,
    "tamper": truth,
    "separated": truth,
    "device": device,
    "received": received,
}
