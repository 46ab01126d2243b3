"""What the contract says of a record, in plain Python and one record at a time: what decoders and acceptance are held to.

Nothing of the project is used here, and no JSON library: the grammar is RFC 8259's, read character by character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

REASONS = ("too_large", "undecodable", "missing_field", "wrong_type", "bad_subject", "out_of_range", "unknown_subject", "future")
RANGES = {"accuracy_m": (0, None), "speed_mps": (0, None), "heading_deg": (0, 360), "battery_pct": (0, 100)}
LARGEST = 65_536
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = (datetime(1990, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
BEFORE = (datetime(2100, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
TEXT_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(Z|z|[+-][0-9]{2}:[0-9]{2})"
)
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class NotJsonError(ValueError):
    """The text is no JSON value."""


@dataclass(frozen=True)
class Number:
    """A number of JSON, by its text."""

    text: str

    @property
    def integer(self) -> bool:
        """Whether it has neither fraction nor exponent."""
        return not set(self.text) & set(".eE")


class JsonText:
    """A reader of one JSON text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def value(self) -> object:
        """The whole text as one value. Raises `NotJsonError`."""
        value = self._value()
        self._space()
        if self.at != len(self.text):
            raise NotJsonError
        return value

    def _space(self) -> None:
        while self.text[self.at : self.at + 1] in (" ", "\t", "\r", "\n"):
            self.at += 1

    def _take(self, token: str) -> bool:
        self._space()
        taken = self.text.startswith(token, self.at)
        self.at += len(token) if taken else 0
        return taken

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise NotJsonError

    def _value(self) -> object:
        for token, value in (("true", True), ("false", False), ("null", None)):
            if self._take(token):
                return value
        if self._take("{"):
            return self._object()
        if self._take("["):
            return self._array()
        if self._take('"'):
            return self._string()
        match = NUMBER.match(self.text, self.at)
        if not match or abs(float(match[0])) == float("inf"):
            raise NotJsonError
        self.at = match.end()
        return Number(match[0])

    def _object(self) -> dict[str, object]:
        members: dict[str, object] = {}
        if self._take("}"):
            return members
        while True:
            self._need('"')
            key = self._string()
            self._need(":")
            members[key] = self._value()
            if self._take("}"):
                return members
            self._need(",")

    def _array(self) -> list[object]:
        items: list[object] = []
        if self._take("]"):
            return items
        while True:
            items.append(self._value())
            if self._take("]"):
                return items
            self._need(",")

    def _string(self) -> str:
        parts = []
        while True:
            if self.at >= len(self.text) or self.text[self.at] < " ":
                raise NotJsonError
            character = self.text[self.at]
            self.at += 1
            if character == '"':
                break
            parts.append(self._escape() if character == "\\" else character)
        try:
            return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise NotJsonError from None

    def _escape(self) -> str:
        letter = self.text[self.at : self.at + 1]
        self.at += 1
        if letter == "u" and re.fullmatch("[0-9a-fA-F]{4}", digits := self.text[self.at : self.at + 4]):
            self.at += 4
            return chr(int(digits, 16))
        if letter not in ESCAPES or not letter:
            raise NotJsonError
        return ESCAPES[letter]


def object_on(line: bytes) -> dict[str, object] | None:
    """The JSON object on a line, else None."""
    try:
        value = JsonText(line.decode()).value()
    except (NotJsonError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None


def milliseconds(value: object, *, texts: bool) -> int | None:
    """UTC milliseconds of a time in any form; None of none."""
    text = value.text if isinstance(value, Number) else value
    if not isinstance(text, str):
        return None
    if isinstance(value, Number) or (texts and TEXT_NUMBER.fullmatch(text)) or re.fullmatch("[0-9]+", text):
        return int(Decimal(text))
    match = TIME.fullmatch(text)
    if not match:
        return None
    *parts, fraction, zone = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    except ValueError:
        if year == 0 and 1 <= month <= 12 and 1 <= day <= 29 and max(hour, minute, second) < 24:
            return -(10**15)
        return None
    ahead = timedelta()
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            return None
        ahead = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    whole = (moment - EPOCH - ahead) // timedelta(milliseconds=1)
    if leap:
        whole += 1000
        if (EPOCH + timedelta(milliseconds=whole)).strftime("%d %H:%M:%S") != "01 00:00:00":
            return None
    return whole + int(((fraction or "") + "000")[:3])


def number(value: object, *, texts: bool) -> float | None:
    """The value as a float; None where it is no number."""
    if isinstance(value, Number):
        return float(value.text)
    return float(value) if texts and isinstance(value, str) and TEXT_NUMBER.fullmatch(value) else None


def flag(value: object, *, texts: bool) -> bool | None:
    """The value as a boolean; None where it is none."""
    if texts and isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value)
    return value if isinstance(value, bool) else None


@dataclass
class Judged:
    """What is made of a record: the first reason against it, or its values and the optional fields that are of no use."""

    reason: str | None
    subject: str | None = None
    time: int | None = None
    arrival: int | None = None
    values: dict[str, object] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)


def subject_of(value: object) -> str | None:
    """The subject's id as text; None where the value cannot be one at all."""
    if isinstance(value, Number):
        return str(int(value.text)) if value.integer else None
    return value if isinstance(value, str) else None


def is_subject(text: str) -> bool:
    """Whether a text has the form of a subject's id."""
    return 1 <= len(text.encode()) <= 64 and not any(unicodedata.category(c) == "Cc" for c in text)


def optional_fields(given: Mapping[str, object], judged: Judged, *, texts: bool) -> None:
    """Put the optional fields that are of use into `values`, the names of the others into `ignored`."""
    for name in given.keys() - {"subject", "time", "lon", "lat", "received"}:
        value = given[name]
        useful: object = None
        if name in RANGES:
            useful = number(value, texts=texts)
            least, most = RANGES[name]
            if useful is not None and not (useful >= least and (most is None or useful <= most)):
                useful = None
        elif name == "positioning":
            useful = value if value in ("gnss", "cell", "wifi") else None
        elif name in ("tamper", "separated"):
            useful = flag(value, texts=texts)
        elif name == "device":
            useful = subject_of(value)
        else:
            continue
        if useful is None:
            judged.ignored.add(name)
        else:
            judged.values[name] = useful


def judge(
    record: Mapping[str, object] | None,
    known: set[str],
    *,
    size: int = 0,
    texts: bool = False,
    tolerance: int = 300_000,
    vague: float = 1000.0,
    stamp: int | None = None,
) -> Judged:
    """What is made of a record (None: it could not be read) of `size` bytes; live where there is a `stamp`."""
    if size > LARGEST:
        return Judged("too_large")
    if record is None:
        return Judged("undecodable")
    given = {k: v.strip(" \t") if texts and k != "subject" and isinstance(v, str) else v for k, v in record.items()}
    given = {k: v for k, v in given.items() if v is not None and not (texts and v == "")}
    if "subject" not in given or "time" not in given or ("lon" in given) != ("lat" in given):
        return Judged("missing_field")
    subject, time = subject_of(given["subject"]), milliseconds(given["time"], texts=texts)
    position = [number(given[k], texts=texts) for k in ("lon", "lat") if k in given]
    if subject is None or time is None or None in position:
        return Judged("wrong_type")
    if not is_subject(subject):
        return Judged("bad_subject")
    judged = Judged(None, subject, time)
    received = milliseconds(given["received"], texts=texts) if "received" in given else None
    if received is not None and not EARLIEST <= received < BEFORE:
        received = None
    if "received" in given and received is None:
        judged.ignored.add("received")
    judged.arrival = time if received is None else received
    if stamp is not None:
        judged.arrival = stamp if received is None else min(received, stamp)
    lon, lat = position or (0.0, 0.0)
    if not EARLIEST <= time < BEFORE or abs(lon or 0) > 180 or abs(lat or 0) > 90:
        judged.reason = "out_of_range"
    elif subject not in known:
        judged.reason = "unknown_subject"
    elif time > (judged.arrival if stamp is None else stamp) + tolerance:
        judged.reason = "future"
    optional_fields(given, judged, texts=texts)
    accuracy = judged.values.get("accuracy_m")
    if isinstance(accuracy, float) and accuracy > vague:
        del judged.values["accuracy_m"]
    elif position:
        judged.values |= {"lon": lon, "lat": lat}
    return judged
