"""The first lines of a file as a Bytewax source, a line an item: what the per-fix flows read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

LINES_A_BATCH = 1_000


class _Lines(StatefulSourcePartition[bytes, None]):
    def __init__(self, path: Path, count: int, warm_up: int, on_warm: Callable[[], None]) -> None:
        self._file = path.open("rb")
        self._left, self._warm_up, self._on_warm = count, warm_up, on_warm

    def next_batch(self) -> list[bytes]:
        if self._warm_up == 0:
            self._on_warm()
        lines = list(islice(self._file, min(LINES_A_BATCH, self._left, max(self._warm_up, 0) or LINES_A_BATCH)))
        if not lines:
            raise StopIteration
        self._left -= len(lines)
        self._warm_up -= len(lines)
        return lines

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        self._file.close()


class SampleLines(FixedPartitionedSource[bytes, None]):
    """The first `count` lines of a file; `on_warm` is called when `warm_up` of them were given."""

    def __init__(self, path: Path, count: int, warm_up: int, on_warm: Callable[[], None]) -> None:
        self._arguments = (path, count, warm_up, on_warm)

    def list_parts(self) -> list[str]:
        """The one file."""
        return ["file"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Lines:  # noqa: ARG002
        """Open it."""
        return _Lines(*self._arguments)
