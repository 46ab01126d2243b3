"""Reading files ahead: while a chunk is judged, the next ones are read and decoded by a thread of their own.

Both run without the interpreter's lock most of the time, so that they take place side by side. The position that is saved is that
of the chunks given, never of those read ahead.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from functools import partial
from queue import Full, Queue
from typing import Any

from operators.fix_batch import FixBatch
from pipeline.items import Chunk, Mark
from pipeline.sources.files import FileStream
from pipeline.sources.patient import Stopped

AHEAD = 3
LOOK_EVERY_S = 0.1


class ReadAhead:
    """A reader of files for the engine; the thread begins at once and ends with the stream, its first error, or `close`."""

    def __init__(self, stream: FileStream, last: Mark | None = None) -> None:
        """`last`: a mark behind the last record."""
        self._stream = stream
        self._last = last
        self._position = stream.position
        self._ready: Queue[tuple[Chunk | Mark | BaseException | None, Any]] = Queue(AHEAD)
        self._closed = threading.Event()
        threading.Thread(target=self._read, name="reading", daemon=True).start()

    def next_items(self) -> list[Chunk | Mark]:
        """The next chunk; StopIteration at the end, and where it is told to stop while it waits. Raises what the stream raised."""
        item, self._position = self._ready.get()
        if item is None or isinstance(item, Stopped):
            raise StopIteration
        if isinstance(item, BaseException):
            raise item
        return [item]

    def next_awake(self) -> datetime | None:
        """At once."""
        return None

    def position(self) -> Any:  # noqa: ANN401 - the form of the engine
        """Where the last chunk given ended."""
        return self._position

    def close(self) -> None:
        """What was read ahead is dropped: a later run reads it again."""
        self._closed.set()

    def _read(self) -> None:
        try:
            for chunk in self._stream:
                if not self._give(replace(chunk, decode=partial(_given, chunk.decode()))):
                    return
            if self._last is not None:
                self._give(self._last)
            self._give(None)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._give(error)

    def _give(self, item: Chunk | Mark | BaseException | None) -> bool:
        """Whether somebody still takes it."""
        while not self._closed.is_set():
            try:
                self._ready.put((item, self._stream.position), timeout=LOOK_EVERY_S)
            except Full:
                continue
            return True
        return False


def _given(batch: FixBatch) -> FixBatch:
    return batch
