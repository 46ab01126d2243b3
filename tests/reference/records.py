"""Section 4, the fix, and section 6, what a record that cannot be used gets: one JSON line in, a fix or a reason out."""

from __future__ import annotations

import json
import math
import unicodedata
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


class RejectedRecord(Exception):
    """A record that is not judged; its text is the reason."""


def read_record(line: bytes) -> Fix:
    """The fix a line holds. Raises RejectedRecord with the first of REASONS, up to `out_of_range`, that holds of it."""
    if len(line) > LARGEST_RECORD:
        raise RejectedRecord("too_large")
    record = decode(line)
    for name in ("subject", "time"):
        if record.get(name) is None:
            raise RejectedRecord("missing_field")
    lon, lat = record.get("lon"), record.get("lat")
    if (lon is None) != (lat is None):
        raise RejectedRecord("missing_field")
    subject, time = record["subject"], read_time(record["time"])
    if isinstance(subject, bool) or not isinstance(subject, str | int) or time is None:
        raise RejectedRecord("wrong_type")
    if lon is not None and not (is_number(lon) and is_number(lat)):
        raise RejectedRecord("wrong_type")
    if not is_good_id(str(subject)):
        raise RejectedRecord("bad_subject")
    if not in_range(time):
        raise RejectedRecord("out_of_range")
    if lon is not None and not (abs(lon) <= 180 and abs(lat) <= 90):
        raise RejectedRecord("out_of_range")
    optional, ignored = read_optional(record)
    position = None if lon is None else Position(float(lon), float(lat), optional.get("accuracy_m"))
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
        raise RejectedRecord("undecodable") from None
    if not isinstance(record, dict):
        raise RejectedRecord("undecodable")
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


def from_zero_to(limit: float) -> Any:
    """A reader of numbers from 0 to a limit, both included."""

    def read(value: object) -> float | None:
        if not (is_number(value) and 0 <= value <= limit):  # type: ignore[operator]
            return None
        number = float(value)  # type: ignore[arg-type]
        return number if math.isfinite(number) else None

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


OPTIONAL: dict[str, Any] = {
    "accuracy_m": from_zero_to(math.inf),
    "speed_mps": from_zero_to(math.inf),
    "heading_deg": from_zero_to(360),
    "battery_pct": from_zero_to(100),
    "positioning": positioning,
    "tamper": truth,
    "separated": truth,
    "device": device,
    "received": received,
}
