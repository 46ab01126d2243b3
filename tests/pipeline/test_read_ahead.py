"""Reading ahead: the position is that of what was given, an error comes in its turn, and who is closed reads no further."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pipeline.items import Chunk, Until
from pipeline.sources.files import FileOptions, FileStream
from pipeline.sources.formats import UnreadableError
from pipeline.sources.read_ahead import ReadAhead

LINE = b'{"subject": "p", "time": 1780322400000, "lon": 119.5, "lat": 31.5}\n'
LINES = 20


def stream(tmp_path: Path, *more: Path) -> FileStream:
    """A file of twenty lines, two a chunk, and others behind it."""
    path = tmp_path / "fixes.jsonl"
    path.write_bytes(LINE * LINES)
    return FileStream([str(path), *map(str, more)], FileOptions(batch=2))


def test_the_position_is_that_of_the_chunk_given(tmp_path: Path) -> None:
    """Though more was read by then; and behind the last mark the stream is at its end."""
    reader = ReadAhead(stream(tmp_path), Until(5))
    for number in range(LINES // 2):
        (chunk,) = reader.next_items()
        assert isinstance(chunk, Chunk)
        assert len(chunk.decode()) == 2
        assert reader.position().at == 2 * (number + 1) * len(LINE)
        assert not reader.position().ended
    assert reader.next_items() == [Until(5)]
    with pytest.raises(StopIteration):
        reader.next_items()
    assert reader.position().ended


def test_an_error_comes_behind_what_was_read_before_it(tmp_path: Path) -> None:
    """A file that cannot be read: all of the one before is given first, and its position stays."""
    broken = tmp_path / "more.parquet"
    broken.write_bytes(b"no parquet")
    reader = ReadAhead(stream(tmp_path, broken))
    for _ in range(LINES // 2):
        reader.next_items()
    with pytest.raises(UnreadableError, match=r"more\.parquet"):
        reader.next_items()


def test_closed_it_reads_no_further(tmp_path: Path) -> None:
    """Its thread ends, though nobody takes what it has read."""
    before = set(threading.enumerate())
    reader = ReadAhead(stream(tmp_path))
    (thread,) = set(threading.enumerate()) - before
    reader.close()
    until = time.monotonic() + 60
    while thread.is_alive():
        assert time.monotonic() < until, "it still reads"
        time.sleep(0.01)
