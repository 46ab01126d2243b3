"""Number texts in the bytes they came in: the grammar of JSON, the value of `float(text)` to the last bit.

A number is read as mantissa and power of ten. Up to 2^53 and 10^22 both are exact and so is their one rounded quotient or product;
beyond that the 128-bit product of Eisel and Lemire decides ("Number parsing at a gigabyte per second", Software: Practice and
Experience 51 (2021) 1700-1727), and where even that cannot (or the mantissa has more than 19 digits) the caller is told so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled, inlined
from operators.decode.machine_words import leading_zeros, product_high, signed, trailing_zeros
from operators.decode.words import EVERY_BYTE, HIGH_BITS, NO_BITS, U64, byte_at, word_at

EXACT_MANTISSA = U64(1 << 53)
EXACT_POWER = 22
MOST_DIGITS = 19
POWER_LIMIT = 40
"""Beyond 10^40 the table ends: no coordinate, speed or time comes near it."""

ZEROS = U64(0x3030303030303030)
ZERO, NINE, MINUS, PLUS, POINT = 48, 57, 45, 43, 46
SMALL_E, LARGE_E, CASE = 101, 69, 32

TENS = 10.0 ** np.arange(EXACT_POWER + 1)
WHOLE_TENS = U64(10) ** np.arange(MOST_DIGITS + 1, dtype=np.uint64)


def _powers() -> NDArray[np.uint64]:
    """The upper 128 bits of each 10^-40 .. 10^40, cut off, as (high, low) words."""
    table = np.zeros((2 * POWER_LIMIT + 1, 2), dtype=np.uint64)
    for exponent in range(-POWER_LIMIT, POWER_LIMIT + 1):
        if exponent >= 0:
            value = 10**exponent
            bits = value << 128 >> value.bit_length()
        else:
            value = 10**-exponent
            bits = (1 << 127 + value.bit_length()) // value
            bits >>= max(bits.bit_length() - 128, 0)
        table[exponent + POWER_LIMIT] = bits >> 64, bits & (1 << 64) - 1
    return table


POWERS = _powers()


@inlined
def other_bytes(word: np.uint64) -> np.uint64:
    """The high bit of each byte of a word that is no digit."""
    digits = word ^ ZEROS
    return (((digits & ~HIGH_BITS) + EVERY_BYTE * U64(0x76)) | digits) & HIGH_BITS


@inlined
def value_of(word: np.uint64, count: int) -> np.uint64:
    """The value of the first `count` (1-8) bytes of a word, which are digits."""
    digits = (word ^ ZEROS) << U64(64 - 8 * count)
    pairs = digits * U64(10) + (digits >> U64(8))
    fours = (pairs & U64(0x000000FF000000FF)) * U64(0x000F424000000064)
    return (fours + ((pairs >> U64(16)) & U64(0x000000FF000000FF)) * U64(0x0000271000000001)) >> U64(32)


@compiled
def read_digits(data: NDArray[np.uint8], at: int, mantissa: np.uint64) -> tuple[np.uint64, int]:
    """The digits from `at` on, put behind those of `mantissa` (which wraps beyond 19); and where they end."""
    while True:
        word = word_at(data, at)
        count = trailing_zeros(other_bytes(word)) >> 3
        if count == 0:
            return mantissa, at
        mantissa = mantissa * WHOLE_TENS[count] + value_of(word, count)
        at += count
        if count < 8:
            return mantissa, at


@compiled
def read_exponent(data: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The exponent whose `e` stands at `at`, and where it ends: -1 where none follows or it has more than three digits."""
    at += 1
    sign = byte_at(data, at)
    if sign in (MINUS, PLUS):
        at += 1
    value, end = read_digits(data, at, U64(0))
    if end == at or end > at + 3:
        return 0, -1
    return (-signed(value) if sign == MINUS else signed(value)), end


@compiled
def read_any_number(data: NDArray[np.uint8], at: int) -> tuple[np.uint64, int, int]:
    """`read_number` for every number; `at` is behind the sign."""
    mantissa, end = read_digits(data, at, U64(0))
    digits = end - at
    if digits == 0 or (digits > 1 and byte_at(data, at) == ZERO):
        return mantissa, 0, -1
    exponent = 0
    if byte_at(data, end) == POINT:
        at = end + 1
        mantissa, end = read_digits(data, at, mantissa)
        exponent = at - end
        digits -= exponent
        if exponent == 0:
            return mantissa, 0, -1
    if digits > MOST_DIGITS:
        return mantissa, 0, -1
    if byte_at(data, end) in (SMALL_E, LARGE_E):
        power, end = read_exponent(data, end)
        exponent += power
    return mantissa, exponent, end


@inlined
def read_number(data: NDArray[np.uint8], at: int) -> tuple[np.uint64, int, int]:
    """The number at `at`, its sign left out, as mantissa, power of ten, and where it ends.

    The end is -1 where no JSON number stands there or its digits are too many to hold.
    """
    if byte_at(data, at) == MINUS:
        at += 1
    # The usual number has a point within the first eight bytes, 1-8 digits behind it and ends within sixteen. Both words are
    # looked at together, for a number's end decides where the next may be read: each step saved here is waited for.
    first, second = word_at(data, at), word_at(data, at + 8)
    others = other_bytes(first)
    whole_digits = trailing_zeros(others) >> 3
    more = others & (others - U64(1))
    end = trailing_zeros(more) >> 3 if more != NO_BITS else 8 + (trailing_zeros(other_bytes(second)) >> 3)
    places = end - whole_digits - 1
    if (
        whole_digits == 0
        or whole_digits > 7
        or places < 1
        or end == 16
        or places > 8
        or byte_at(data, at + whole_digits) != POINT
        or (whole_digits > 1 and first & U64(0xFF) == U64(ZERO))
        or byte_at(data, at + end) | CASE == SMALL_E
    ):
        return read_any_number(data, at)
    whole = value_of(first, whole_digits)
    fraction = value_of(word_at(data, at + whole_digits + 1), places)
    return whole * WHOLE_TENS[places] + fraction, -places, at + end


@inlined
def as_float(mantissa: np.uint64, exponent: int, negative: bool) -> tuple[float, bool]:  # noqa: FBT001 - a compiled loop has no keywords
    """Mantissa * 10^exponent rounded once to the nearest float, and whether that could be told."""
    if mantissa <= EXACT_MANTISSA and -EXACT_POWER <= exponent <= EXACT_POWER:
        whole = float(signed(mantissa))
        value = whole / TENS[-exponent] if exponent < 0 else whole * TENS[exponent]
        return (-value if negative else value), True
    return _rounded_product(mantissa, exponent, negative)


@compiled
def _rounded_product(mantissa: np.uint64, exponent: int, negative: bool) -> tuple[float, bool]:  # noqa: FBT001 - as above
    """As `as_float`, by the 128-bit product; the steps and their names are those of the paper's section 5."""
    if mantissa == NO_BITS or exponent < -POWER_LIMIT or exponent > POWER_LIMIT:
        return 0.0, False
    shift = leading_zeros(mantissa)
    mantissa <<= U64(shift)
    binary = ((217706 * exponent) >> 16) + 64 + 1023 - shift
    power_high, power_low = POWERS[exponent + POWER_LIMIT, 0], POWERS[exponent + POWER_LIMIT, 1]
    high, low = product_high(mantissa, power_high), mantissa * power_high
    unsure = U64(0x1FF)
    if high & unsure == unsure and low + mantissa < mantissa:
        more = product_high(mantissa, power_low)
        merged = low + more
        if merged < low:
            high += U64(1)
        if high & unsure == unsure and merged + U64(1) == NO_BITS and mantissa * power_low + mantissa < mantissa:
            return 0.0, False
        low = merged
    top = signed(high >> U64(63))
    kept = high >> U64(top + 9)
    binary -= 1 ^ top
    if low == NO_BITS and high & unsure == NO_BITS and kept & U64(3) == U64(1):
        return 0.0, False  # Half-way between two floats as far as these bits tell.
    kept = (kept + (kept & U64(1))) >> U64(1)
    if kept >> U64(53) != NO_BITS:
        kept >>= U64(1)
        binary += 1
    bits = (U64(binary) << U64(52)) | (kept & U64(0x000FFFFFFFFFFFFF))
    value = np.uint64(bits).view(np.float64)
    return (-value if negative else value), True
