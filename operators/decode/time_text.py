"""A time given as text, read plainly: what the compiled loops leave over."""

from __future__ import annotations

import re
from datetime import date

from operators.decode.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

BEYOND = 1 << 62
"""Stands for a number of milliseconds too large for the column: out of any range."""

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_DIGITS = re.compile(r"\d+", re.ASCII)
_EPOCH = date(1970, 1, 1).toordinal()
_LAST_SECOND = 60


def milliseconds_of_number(text: str) -> int:
    """Epoch milliseconds of a number's text (JSON's grammar), its fraction cut off digit by digit."""
    digits, _, power = text.lower().partition("e")
    whole, _, fraction = digits.partition(".")
    shift = int(power[:1].strip("0123456789") + (power.lstrip("+-").lstrip("0")[:8] or "0"))
    if shift > 0:
        fraction = fraction.ljust(min(shift, 20), "0")
        whole, fraction = whole + fraction[:shift], fraction[shift:]
    elif shift < 0:
        whole = whole[: max(len(whole) + shift, len(whole) - len(whole.lstrip("+-")))]
    amount = whole.lstrip("+-").lstrip("0")
    value = BEYOND if len(amount) > 18 else int(amount or 0)
    return -value if whole.startswith("-") else value


def milliseconds_of(text: str) -> int | None:
    """UTC milliseconds of an RFC 3339 time or of digits of epoch milliseconds; None where the text is no time.

    A leap second is the first instant of the next minute, and only where one can be: at the end of a month in UTC.
    """
    if _DIGITS.fullmatch(text):
        return milliseconds_of_number(text)
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, ahead_hours, ahead_minutes = match.groups()[6:]
    try:
        days = date(year or 400, month, day).toordinal() - _EPOCH  # Year 0 is a leap year like 400, and as far out of range.
    except ValueError:
        return None
    ahead = HOUR_MS * int(ahead_hours or 0) + MINUTE_MS * int(ahead_minutes or 0)
    if hour > 23 or minute > 59 or second > _LAST_SECOND or int(ahead_hours or 0) > 23 or int(ahead_minutes or 0) > 59:
        return None
    whole = days * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + (ahead if sign == "-" else -ahead)
    if second == _LAST_SECOND and (whole % DAY_MS or date.fromordinal(max(whole // DAY_MS + _EPOCH, 1)).day != 1):
        return None
    return whole + int((fraction or "0")[:3].ljust(3, "0"))
