"""Ids: their form, their uniqueness and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from fences.findings import Findings, Place, shown
from fences.registry import Lists

LONGEST_ID_BYTES = 64
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search  # Unicode's category Cc, whole.


def as_text(ids: Iterable[str | int]) -> list[str]:
    """Ids as text: an integer is its decimal text."""
    return [id_ if type(id_) is str else str(id_) for id_ in ids]


def is_good_id(text: str) -> bool:
    """Text of 1-64 bytes UTF-8 without control characters."""
    return 1 <= len(text.encode(errors="replace")) <= LONGEST_ID_BYTES and not _control(text)


def index_ids(
    noun: str, ids: Sequence[str], place: Callable[[int], Place], refused: Callable[[int], bool], findings: Findings
) -> dict[str, int]:
    """The row of each id. Ids of a wrong form and ids given twice go to `findings`; of these the first counts."""
    if not _all_good(ids):
        bad = [row for row, id_ in enumerate(ids) if not is_good_id(id_) and not refused(row)]
        findings.add_each(
            "form of an id",
            bad,
            lambda row: (
                place(row),
                f"{shown(ids[row])} is no id ({len(ids[row].encode(errors='replace'))} bytes)",
                "write text of 1-64 bytes UTF-8 without control characters",
            ),
        )
    rows = dict(zip(reversed(ids), range(len(ids) - 1, -1, -1), strict=True))
    if len(rows) != len(ids):
        again = [row for row, id_ in enumerate(ids) if rows[id_] != row and not refused(row)]
        findings.add_each(
            "id given twice",
            again,
            lambda row: (
                place(row),
                f"{noun} {shown(ids[row])} is given twice, first at {place(rows[ids[row]])}",
                "give every id once, over all files of a kind",
            ),
        )
    return rows


def rows_of(lists: Sequence[Sequence[str | int] | None], rows: Mapping[str, int]) -> tuple[Lists, NDArray[np.int64]]:
    """Lists of ids as lists of rows, -1 where an id is unknown, and the list each item belongs to."""
    if not any(lists):
        return Lists(np.zeros(len(lists) + 1, np.int64), np.empty(0, np.int32)), np.empty(0, np.int64)
    filled = [list_ or () for list_ in lists]
    length = np.fromiter(map(len, filled), np.int64, len(filled))
    start = np.concatenate([[0], np.cumsum(length)])
    flat = as_text(chain.from_iterable(filled))
    item = np.fromiter(map(rows.get, flat, repeat(-1)), np.int32, len(flat))
    return Lists(start, item), np.repeat(np.arange(len(filled)), length)


def each_once(lists: Lists, owner: NDArray[np.int64]) -> Lists:
    """The same lists without unknown ids, sorted, each item once."""
    known = lists.item >= 0
    width = int(lists.item.max(initial=0)) + 1
    pairs = np.sort(owner[known] * width + lists.item[known], kind="stable")  # Quick, as they are nearly sorted already.
    pairs = pairs[np.diff(pairs, prepend=-1) != 0]
    start = np.searchsorted(pairs, np.arange(len(lists.start)) * width)
    return Lists(start.astype(np.int64), (pairs % width).astype(np.int32))


def _all_good(ids: Sequence[str]) -> bool:
    """Whether all ids are of the right form, asked of all at once where they are short or plain."""
    if not ids:
        return True
    joined = "".join(ids)
    longest, shortest = max(map(len, ids)), min(map(len, ids))
    bytes_a_character = 1 if joined.isascii() else 4
    return shortest > 0 and longest * bytes_a_character <= LONGEST_ID_BYTES and not _control(joined)
