"""The order of a Redis stream's entry ids, `<milliseconds>-<number>`."""

from __future__ import annotations


def order_of(entry_id: bytes | str) -> tuple[int, int]:
    """What to compare two ids by. Raises ValueError for what is none."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, number = text.partition("-")
    return int(milliseconds), int(number or 0)
