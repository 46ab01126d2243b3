"""Which records are accepted, and what of an accepted one counts: the one place for all formats.

Sections 4 and 6 of the contract. A decoder says what it could not read; here stand ranges, the subject's form, who is known, and
the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined
from operators.decode.machine_words import load1, signed
from operators.decode.text import sequence_length
from operators.decode.words import read_only
from operators.fix_batch import ABSENT_MS, OPTIONAL_FIELDS, Fault, FixBatch
from operators.subject_directory import LONGEST_ID, SubjectDirectory

REASONS = ("too_large", "undecodable", "missing_field", "wrong_type", "bad_subject", "out_of_range", "unknown_subject", "future")
"""Why a record is rejected, the first that holds; `Accepted.reason` is 1 + the index."""

TOO_LARGE, UNDECODABLE, MISSING_FIELD, WRONG_TYPE, BAD_SUBJECT, OUT_OF_RANGE, UNKNOWN_SUBJECT, FUTURE = range(1, len(REASONS) + 1)

EARLIEST_MS = 631_152_000_000
"""1990-01-01T00:00:00Z."""
BEFORE_MS = 4_102_444_800_000
"""2100-01-01T00:00:00Z."""

MOST_LON, MOST_LAT, MOST_HEADING, MOST_BATTERY = 180.0, 90.0, 360.0, 100.0

_FIELDS = len(OPTIONAL_FIELDS)
_ACCURACY, _SPEED, _HEADING, _BATTERY, _RECEIVED = (
    OPTIONAL_FIELDS.index(name) for name in ("accuracy_m", "speed_mps", "heading_deg", "battery_pct", "received")
)
_FIRST_OPTIONAL = 8
_REJECTING = int(Fault.TOO_LARGE | Fault.UNDECODABLE | Fault.MISSING_FIELD | Fault.WRONG_TYPE | Fault.BAD_SUBJECT)
_VAGUE = 1 << _FIELDS
"""Beside the bits of `OPTIONAL_FIELDS` in what was found to clean: a position too vague to count."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What acceptance made of a batch; one element a record, rejected ones included (whose other columns mean nothing).

    `reason` uint8: 0 accepted, else 1 + index into `REASONS`. `subject` int32: row in the directory, -1 unknown. `lon`, `lat`
    (WGS-84 degrees) and `accuracy_m` are NaN where the record has no position or too vague a one: it is a contact. Optional columns
    hold only values of use, as in `FixBatch` else absent. `arrival_ms` int64: when the record was received. `ignored` int64[9]:
    how many accepted records gave an optional field that is of no use, by `OPTIONAL_FIELDS`. All columns are read-only.
    """

    reason: NDArray[np.uint8]
    subject: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    speed_mps: NDArray[np.float64]
    heading_deg: NDArray[np.float64]
    battery_pct: NDArray[np.float64]
    positioning: NDArray[np.int8]
    tamper: NDArray[np.int8]
    separated: NDArray[np.int8]
    arrival_ms: NDArray[np.int64]
    ignored: NDArray[np.int64]


class _Given(NamedTuple):
    """The columns that the loop reads."""

    ids: NDArray[np.uint8]
    id_start: NDArray[np.int64]
    id_len: NDArray[np.int32]
    fault: NDArray[np.uint32]
    time_ms: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    speed_mps: NDArray[np.float64]
    heading_deg: NDArray[np.float64]
    battery_pct: NDArray[np.float64]
    received_ms: NDArray[np.int64]
    stamp_ms: NDArray[np.int64]


class _Made(NamedTuple):
    """The columns that the loop fills."""

    reason: NDArray[np.uint8]
    arrival_ms: NDArray[np.int64]
    ignored: NDArray[np.int64]


def accept(
    batch: FixBatch, directory: SubjectDirectory, *, future_tolerance_ms: int, max_accuracy_m: float, live: bool
) -> Accepted:
    """Judge every record of a batch by the contract's list of reasons, and clean what is optional.

    `live`: the batch's `stamp_ms` is the source's own time of each record, which bounds `received` and decides what is `future`.
    A column in which nothing has to change is the batch's own, not a copy.
    """
    count = len(batch)
    subject = directory.rows(batch.ids, batch.id_start, batch.id_len)
    made = _Made(np.empty(count, np.uint8), np.empty(count, np.int64), np.zeros(_FIELDS, np.int64))
    given = _Given(*(read_only(getattr(batch, name)) for name in _Given._fields))
    found = _accept_loop(given, subject, made, int(future_tolerance_ms), float(max_accuracy_m), bool(live))
    lon, lat, accuracy_m, speed_mps, heading_deg, battery_pct = (given.lon, given.lat, given.accuracy_m, *given[8:11])
    with np.errstate(invalid="ignore"):
        if found & 1 << _ACCURACY:
            accuracy_m = np.where(accuracy_m < 0.0, np.nan, accuracy_m)
        if found & _VAGUE:
            vague = accuracy_m > max_accuracy_m
            lon, lat, accuracy_m = (np.where(vague, np.nan, column) for column in (lon, lat, accuracy_m))
        if found & 1 << _SPEED:
            speed_mps = np.where(speed_mps < 0.0, np.nan, speed_mps)
        if found & 1 << _HEADING:
            heading_deg = np.where((heading_deg < 0.0) | (heading_deg > MOST_HEADING), np.nan, heading_deg)
        if found & 1 << _BATTERY:
            battery_pct = np.where((battery_pct < 0.0) | (battery_pct > MOST_BATTERY), np.nan, battery_pct)
    columns = (lon, lat, accuracy_m, speed_mps, heading_deg, battery_pct, batch.positioning, batch.tamper, batch.separated)
    made_columns: list[NDArray[Any]] = [made.reason, subject, batch.time_ms, *columns, made.arrival_ms, made.ignored]
    return Accepted(*[read_only(column) for column in made_columns])


@inlined
def is_subject(ids: NDArray[np.uint8], at: int, length: int) -> bool:
    """Whether the bytes can be a subject's id: 1-64 of them, UTF-8, no control character (Unicode's Cc)."""
    if length < 1 or length > LONGEST_ID:
        return False
    end = at + length
    while at < end:
        byte = load1(ids, at)
        if byte < 0x20 or byte == 0x7F:
            return False
        step = 1 if byte < 0x80 else sequence_length(ids, at, end)
        if step == 0 or (byte == 0xC2 and load1(ids, at + 1) < 0xA0):
            return False
        at += step
    return True


@inlined
def _fault_reason(fault: int) -> int:
    """The first reason among what the decoder found; 0 of none."""
    if fault & 1:
        return TOO_LARGE
    if fault & 2:
        return UNDECODABLE
    if fault & 4:
        return MISSING_FIELD
    if fault & 8:
        return WRONG_TYPE
    return BAD_SUBJECT if fault & 16 else 0


@inlined
def _in_time(time_ms: int) -> bool:
    """Whether a time is from 1990 on and before 2100."""
    return EARLIEST_MS <= time_ms < BEFORE_MS


@compiled
def _accept_loop(
    given: _Given,
    subject: NDArray[np.int32],
    made: _Made,
    future_tolerance_ms: int,
    max_accuracy_m: float,
    live: bool,  # noqa: FBT001 - a compiled loop has no keywords
) -> int:
    """Fill `made`; answers bits of the columns in which some value has to be cleaned."""
    ids, id_start, id_len, fault, times, lons, lats, accuracies, speeds, headings, batteries, receiveds, stamps = given
    reason, arrival, ignored = made
    found = 0
    for i in range(reason.size):
        time, received = times[i], receiveds[i]
        useless = signed(fault[i]) >> _FIRST_OPTIONAL
        if received != ABSENT_MS and not _in_time(received):
            useless |= 1 << _RECEIVED
            received = ABSENT_MS
        heard = received if received != ABSENT_MS else time
        if live:
            heard = min(received, stamps[i]) if received != ABSENT_MS else stamps[i]
        arrival[i] = heard
        dirty = 0
        if accuracies[i] < 0.0:
            dirty |= 1 << _ACCURACY
        if speeds[i] < 0.0:
            dirty |= 1 << _SPEED
        if headings[i] < 0.0 or headings[i] > MOST_HEADING:
            dirty |= 1 << _HEADING
        if batteries[i] < 0.0 or batteries[i] > MOST_BATTERY:
            dirty |= 1 << _BATTERY
        useless |= dirty
        found |= dirty
        if accuracies[i] > max_accuracy_m:
            found |= _VAGUE

        why = 0
        if fault[i] & _REJECTING:
            why = _fault_reason(signed(fault[i]))
        elif subject[i] < 0 and not is_subject(ids, id_start[i], int(id_len[i])):
            why = BAD_SUBJECT
        elif not _in_time(time) or abs(lons[i]) > MOST_LON or abs(lats[i]) > MOST_LAT:
            why = OUT_OF_RANGE
        elif subject[i] < 0:
            why = UNKNOWN_SUBJECT
        elif time - future_tolerance_ms > (stamps[i] if live else heard):
            why = FUTURE
        reason[i] = why
        if why == 0:
            for k in range(_FIELDS):
                ignored[k] += (useless >> k) & 1
    return found
