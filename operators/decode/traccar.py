"""Positions as Traccar forwards them: one JSON object a line, with a `position` and the `device` it is of.

Traccar's speed is in knots. An accuracy of 0 is what it writes where a device reports none. A position that is not `valid`, or
`outdated` (a copy of the last known one), is no position now: the record is a contact at the device's time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.decode.columns import (
    ACCURACY,
    BATTERY,
    HEADING,
    LARGEST_RECORD,
    LAT,
    LON,
    RECEIVED,
    SPEED,
    SUBJECT,
    TAMPER,
    TIME,
)
from operators.decode.json_slow import object_of
from operators.decode.one_record import NumberText
from operators.decode.plain_records import Record, batch_of_records
from operators.decode.words import as_bytes
from operators.fix_batch import Fault, FixBatch

METRES_A_SECOND_A_KNOT = 1852 / 3600
TAMPERING = "tampering"
WHITE_SPACE = b" \t\r\v\f"


def decode_traccar_lines(
    data: bytes | memoryview | NDArray[np.uint8], *, base_offset: int = 0, subject: str | None = None
) -> FixBatch:
    """The records of some whole lines; a record's place is `{"offset": byte}`, counted from `base_offset`.

    The subject is the device's `uniqueId`, or `subject` where given.
    """
    lines: list[bytes] = []
    places: list[int] = []
    at = base_offset
    for line in as_bytes(data).tobytes().split(b"\n"):
        if line.strip(WHITE_SPACE):
            lines.append(line.removesuffix(b"\r"))
            places.append(at)
        at += len(line) + 1
    records = [_record(line, subject) for line in lines]
    return batch_of_records(records, texts=False, raw=lambda i: lines[i], place=lambda i: {"offset": places[i]})


def _record(line: bytes, subject: str | None) -> Record:
    """What a line says."""
    if len(line) > LARGEST_RECORD:
        return Fault.TOO_LARGE
    message = object_of(line)
    if message is None:
        return Fault.UNDECODABLE
    position, device = message.get("position"), message.get("device")
    position = position if isinstance(position, dict) else {}
    device = device if isinstance(device, dict) else {}
    attributes = position.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    record: dict[int, object] = {
        SUBJECT: device.get("uniqueId") if subject is None else subject,
        TIME: position.get("fixTime"),
        RECEIVED: position.get("serverTime"),
        BATTERY: attributes.get("batteryLevel"),
    }
    alarm = attributes.get("alarm")
    if isinstance(alarm, str) and TAMPERING in alarm.split(","):
        record[TAMPER] = True
    if position.get("outdated") is True or position.get("valid") is False:
        record[TIME] = position.get("deviceTime") or position.get("fixTime")
        return record
    accuracy = position.get("accuracy")
    return record | {
        LON: position.get("longitude"),
        LAT: position.get("latitude"),
        ACCURACY: None if isinstance(accuracy, NumberText) and float(accuracy) == 0.0 else accuracy,
        SPEED: _metres_a_second(position.get("speed")),
        HEADING: position.get("course"),
    }


def _metres_a_second(knots: object) -> object:
    """A speed in knots as m/s; what is no number stays what it is."""
    return NumberText(repr(float(knots) * METRES_A_SECOND_A_KNOT)) if isinstance(knots, NumberText) else knots
