"""Reading bytes from a stream: also from a pipe, which may have nothing to give for hours while the run is told to stop."""

from __future__ import annotations

import io
import os
import select
import stat
import threading
from collections.abc import Callable
from typing import Any

LOOK_EVERY_MS = 100
PIPE_BYTES = 1 << 20


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """The run was told to stop while the input had nothing to give."""


def reader_of(stream: Any, stop: threading.Event | None = None) -> Callable[[int], bytes]:  # noqa: ANN401 - a file or an Arrow stream
    """A plain `read(n)`; it raises OSError for what is not what its ending says (a broken gzip).

    From a pipe it gives what has come, at most n bytes, and waits only where nothing has; then it raises `Stopped` once
    `stop` is set.
    """
    number = _pipe(stream)
    return (lambda n: bytes(stream.read(n))) if number is None else _from_pipe(number, stop or threading.Event())


def _from_pipe(number: int, stop: threading.Event) -> Callable[[int], bytes]:
    waiting = select.poll()
    waiting.register(number, select.POLLIN)

    def read(n: int) -> bytes:
        parts: list[bytes] = []
        length = 0
        while length < n:
            if not waiting.poll(0 if parts else LOOK_EVERY_MS):
                if parts:
                    break
                if stop.is_set():
                    raise Stopped
                continue
            part = os.read(number, min(n - length, PIPE_BYTES))
            if not part:
                break
            parts.append(part)
            length += len(part)
        return b"".join(parts)

    return read


def _pipe(stream: Any) -> int | None:  # noqa: ANN401
    """The number of a stream that is a pipe, a socket or a terminal; None of a file."""
    try:
        number = int(stream.fileno())
    except (AttributeError, OSError, io.UnsupportedOperation):
        return None  # What Arrow opened, or bytes in memory.
    return None if stat.S_ISREG(os.fstat(number).st_mode) else number
