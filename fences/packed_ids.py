"""Many ids as two arrays instead of a Python object each: handed from process to process at once, read one by one when needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray


class PackedIds(Sequence[str]):
    """A sequence of ids: id i is `text[start[i]:start[i + 1]]` in UTF-8 (`text` uint8, `start` int64[n + 1])."""

    __slots__ = ("start", "text")

    def __init__(self, text: NDArray[np.uint8], start: NDArray[np.int64]) -> None:
        self.text, self.start = text, start

    @classmethod
    def of(cls, ids: Sequence[str]) -> PackedIds:
        """Some ids, packed."""
        if isinstance(ids, PackedIds):
            return ids
        joined = "".join(ids)
        text = joined.encode()
        # Of plain ids characters are bytes.
        lengths = map(len, ids) if len(text) == len(joined) else (len(id_.encode()) for id_ in ids)
        start = np.zeros(len(ids) + 1, np.int64)
        np.cumsum(np.fromiter(lengths, np.int64, len(ids)), out=start[1:])
        return cls(np.frombuffer(text, np.uint8), start)

    def and_more(self, ids: Sequence[str]) -> PackedIds:
        """These ids, and some more behind them."""
        if not ids:
            return self
        more = PackedIds.of(ids)
        return PackedIds(np.concatenate([self.text, more.text]), np.concatenate([self.start, more.start[1:] + self.start[-1]]))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.start) - 1

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[str]: ...
    def __getitem__(self, i: int | slice) -> str | Sequence[str]:
        """Id i, or a few of them."""
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        k = range(len(self))[i]
        return self.text[self.start[k] : self.start[k + 1]].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        """All of them, one by one."""
        text, ends = self.text.tobytes(), self.start.tolist()
        return (text[begin:end].decode() for begin, end in pairwise(ends))

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds the same ids in the same order."""
        return isinstance(other, Sequence) and not isinstance(other, str) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # like a list's
