"""Time texts in the bytes they came in: RFC 3339 with an offset, by digits; UTC milliseconds out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined
from operators.decode.machine_words import signed, trailing_zeros
from operators.decode.numbers import MINUS, PLUS, POINT, WHOLE_TENS, other_bytes, read_digits
from operators.decode.words import NO_BITS, U64, byte_at, low_bytes, word_at

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
LONGEST_DIGITS = 18
"""So many digits always fit an int64."""

LARGE_Z, SMALL_Z = 90, 122
_SIX = U64(0x0606060606060606)
_TENS_BITS = U64(0xF0F0F0F0F0F0F0F0)
_CASE = U64(0x0000000000200000)
_LAYOUT_DATE = U64(int.from_bytes(b"0000-00-", "little"))
_LAYOUT_CLOCK = U64(int.from_bytes(b"00t00:00", "little"))
_LAYOUT_REST = U64(int.from_bytes(b":00.000Z", "little"))
_LAYOUT_OFFSET = U64(int.from_bytes(b"\x0000:00\0\0", "little"))
_SIGNS_DATE = U64(0xFF0000FF00000000)
_SIGNS_CLOCK = U64(0x0000FF0000FF0000)
_SIGNS_REST = U64(0xFF000000FF0000FF)
_SIGNS_OFFSET = U64(0x00000000FF000000)
_BYTE = U64(0xFF)

FIRST_YEAR, YEARS = 1970, 141
"""Years whose dates the loop knows; the contract accepts 1990-2099."""

DAYS_BEFORE = np.zeros((YEARS, 16), dtype=np.int64)
"""Days from 1970-01-01 to the first of a month (1-13), by year since 1970."""
for _year in range(YEARS):
    DAYS_BEFORE[_year, 1:14] = (
        np.arange(f"{_year + FIRST_YEAR}-01", f"{_year + FIRST_YEAR + 1}-02", dtype="M8[M]").astype("M8[D]").astype(np.int64)
    )


@inlined
def _laid_out(difference: np.uint64, signs: np.uint64) -> bool:
    """Whether a text differs from its layout (digits 0, separators as they are) only in digits; given is text xor layout."""
    return bool((((difference + _SIX) | difference) & _TENS_BITS) | (difference & signs) == NO_BITS)


@inlined
def _pairs(digits: np.uint64) -> np.uint64:
    """Byte k is the value of the two digits k and k + 1."""
    return digits * U64(10) + (digits >> U64(8))


@inlined
def _pair(pairs: np.uint64, k: int) -> int:
    """Byte k of `_pairs`."""
    return signed((pairs >> U64(8 * k)) & _BYTE)


@inlined
def _read_fraction(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Milliseconds of the fraction whose digits begin at `at`, finer ones cut off, and where it ends (-1: no digit)."""
    word = word_at(data, at)
    count = trailing_zeros(other_bytes(word)) >> 3
    if count == 0:
        return 0, -1
    digits = low_bytes(word, min(count, 3)) & U64(0x0F0F0F)
    milliseconds = signed((digits & _BYTE) * U64(100) + ((digits >> U64(8)) & _BYTE) * U64(10) + (digits >> U64(16)))
    end = at + count
    if count == 8:
        end = read_digits(data, end, U64(0))[1]
    return milliseconds, end


@inlined
def _read_offset(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Milliseconds that the offset at `at` is ahead of UTC, and where it ends (-1: none stands there)."""
    sign = byte_at(data, at)
    if sign in (LARGE_Z, SMALL_Z):
        return 0, at + 1
    digits = low_bytes(word_at(data, at), 6) ^ low_bytes(_LAYOUT_OFFSET, 6)
    digits &= ~_BYTE
    if sign not in (MINUS, PLUS) or not _laid_out(digits, _SIGNS_OFFSET):
        return 0, -1
    pairs = _pairs(digits)
    hours, minutes = _pair(pairs, 1), _pair(pairs, 4)
    if hours > 23 or minutes > 59:
        return 0, -1
    ahead = hours * HOUR_MS + minutes * MINUTE_MS
    return (-ahead if sign == MINUS else ahead), at + 6


@compiled
def _read_rest(data: NDArray[np.uint8], at: int, milliseconds: int) -> tuple[int, int]:
    """The time whose whole seconds are known, with the fraction and offset at `at`, and where it ends (or -1)."""
    fraction = 0
    if byte_at(data, at) == POINT:
        fraction, at = _read_fraction(data, at + 1)
        if at < 0:
            return 0, -1
    ahead, end = _read_offset(data, at)
    return milliseconds + fraction - ahead, end


@compiled
def _read_epoch(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Up to 18 digits at `at` as a number, and where they end (-1: none, or more)."""
    digits, end = read_digits(data, at, U64(0))
    if end == at or end > at + LONGEST_DIGITS:
        return 0, -1
    return signed(digits), end


@inlined
def read_timestamp(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The RFC 3339 time at `at` in UTC milliseconds, and where it ends (-1: none stands there that this loop knows).

    `T` and `Z` may be small letters, and a blank may stand for the `T`, as the RFC's section 5.6 allows. Leap seconds and years
    before 1970 or after 2110 are left to the plain reader.
    """
    date = word_at(data, at) ^ _LAYOUT_DATE
    clock = word_at(data, at + 8)
    if (clock >> U64(16)) & _BYTE == U64(32):  # A blank.
        clock ^= U64(0x540000)
    clock = (clock | _CASE) ^ _LAYOUT_CLOCK
    rest = word_at(data, at + 16) ^ _LAYOUT_REST
    usual = _laid_out(rest, _SIGNS_REST)
    if not (_laid_out(date, _SIGNS_DATE) and _laid_out(clock, _SIGNS_CLOCK)) or not (usual or _laid_out(low_bytes(rest, 3), _BYTE)):
        return 0, -1
    pairs, clock_pairs, rest_pairs = _pairs(date), _pairs(clock), _pairs(rest)
    year, month = 100 * _pair(pairs, 0) + _pair(pairs, 2) - FIRST_YEAR, _pair(pairs, 5)
    day, hour, minute, second = _pair(clock_pairs, 0), _pair(clock_pairs, 3), _pair(clock_pairs, 6), _pair(rest_pairs, 1)
    if year < 0 or year >= YEARS or month < 1 or month > 12 or hour > 23 or minute > 59 or second > 59:
        return 0, -1
    before = DAYS_BEFORE[year, month]
    if day < 1 or day > DAYS_BEFORE[year, month + 1] - before:
        return 0, -1
    milliseconds = (before + day - 1) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS
    if usual:
        return milliseconds + 10 * _pair(rest_pairs, 4) + signed((rest >> U64(48)) & _BYTE), at + 24
    return _read_rest(data, at + 19, milliseconds)


@inlined
def read_time_text(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The time at `at`, RFC 3339 or up to 18 digits of epoch milliseconds, and where it ends (-1: neither stands there)."""
    milliseconds, end = read_timestamp(data, at)
    return (milliseconds, end) if end >= 0 else _read_epoch(data, at)


@inlined
def as_milliseconds(mantissa: np.uint64, exponent: int, negative: bool) -> tuple[int, bool]:  # noqa: FBT001 - a compiled loop has no keywords
    """A number of epoch milliseconds, its fraction cut off, and whether it could be told (positive exponents are left over)."""
    if mantissa > U64(10**LONGEST_DIGITS) or exponent > 0:
        return 0, False
    whole = signed(mantissa // WHOLE_TENS[-exponent]) if exponent > -LONGEST_DIGITS else 0
    return (-whole if negative else whole), True
