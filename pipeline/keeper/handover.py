"""Objects with large arrays from one process to another, without copying the arrays or making a Python object for each element.

Large buffers go into memory files (pickle protocol 5, out of band), one each, which the other process maps into its memory; what is
small is pickled as usual. A buffer that the object handed over before had too is named, not sent again: a changed version shares
what did not change. What was handed over is never written to again, on either side.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import socket
import struct
import tempfile
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LARGE = 1 << 16
"""Bytes from which on a buffer gets a memory file of its own."""
_HEADER = struct.Struct("<QI")
_MOST_FILES = 250
"""The kernel takes at most 253 descriptors with a message."""


class HandoverEndError(Exception):
    """The other side has closed the channel."""


@dataclass(slots=True)
class _Sent:
    """A buffer out of band: its number, whether it may be written to, and its file where it is new (None: it was sent before)."""

    number: int
    read_only: bool
    file: int | None


@dataclass(slots=True)
class Giver:
    """The side that gives. `kept`: the buffers of the object given last by (address, size), so that they are known again."""

    channel: socket.socket
    kept: dict[tuple[int, int], tuple[int, Any]] = field(default_factory=dict)
    numbers: int = 0

    def give(self, thing: object) -> None:
        """Hand an object over; its arrays must not be written to any more."""
        sent: list[_Sent] = []
        kept: dict[tuple[int, int], tuple[int, Any]] = {}

        def out_of_band(buffer: pickle.PickleBuffer) -> bool:
            view = buffer.raw()
            if view.nbytes < LARGE or len(sent) == _MOST_FILES:
                return True
            key = (np.frombuffer(view, np.uint8).ctypes.data, view.nbytes)
            known = kept.get(key) or self.kept.get(key)
            if known is None:
                self.numbers += 1
                sent.append(_Sent(self.numbers, view.readonly, _file_of(view)))
                # The view holds the memory: its address is nobody else's as long as it may be asked for.
                known = (self.numbers, view)
            else:
                sent.append(_Sent(known[0], view.readonly, None))
            kept[key] = known
            return False

        body = pickle.dumps(thing, protocol=5, buffer_callback=out_of_band)
        head = pickle.dumps([(s.number, s.read_only, s.file is not None) for s in sent])
        files = [s.file for s in sent if s.file is not None]
        try:
            socket.send_fds(self.channel, [_HEADER.pack(len(head) + len(body), len(head))], files)
            self.channel.sendall(head)
            self.channel.sendall(body)
        finally:
            for file in files:
                os.close(file)
        self.kept = kept


@dataclass(slots=True)
class Taker:
    """The side that takes. `kept`: the buffers of the object taken last; `old`: those of earlier ones, perhaps in use still."""

    channel: socket.socket
    kept: dict[int, mmap.mmap] = field(default_factory=dict)
    old: deque[mmap.mmap] = field(default_factory=deque)

    def take(self) -> Any:  # noqa: ANN401 - whatever was given
        """The next object; waits for it. Raises HandoverEndError where none comes any more."""
        header, files, _, _ = socket.recv_fds(self.channel, _HEADER.size, _MOST_FILES)
        if not header:
            raise HandoverEndError
        header += _exactly(self.channel, _HEADER.size - len(header))
        size, head_size = _HEADER.unpack(header)
        head, body = _exactly(self.channel, head_size), _exactly(self.channel, size - head_size)
        buffers: list[memoryview] = []
        kept: dict[int, mmap.mmap] = {}
        for number, read_only, is_new in pickle.loads(head):  # noqa: S301 - from our own child
            mapped = _mapped(files.pop(0)) if is_new else kept.get(number) or self.kept[number]
            kept[number] = mapped
            view = memoryview(mapped)
            buffers.append(view.toreadonly() if read_only else view)
        self.old.extend(mapped for number, mapped in self.kept.items() if number not in kept)
        self.kept = kept
        return pickle.loads(body, buffers=buffers)  # noqa: S301 - from our own child

    def let_go(self) -> None:
        """Give memory back that nobody uses any more.

        To give back a hundred megabytes takes as long as to judge some batches. So whoever drops the last array of an object does
        not do it, but who calls this; and others may run meanwhile.
        """
        for _ in range(len(self.old)):
            mapped = self.old.popleft()
            try:
                mapped.close()
            except BufferError:  # in use still
                self.old.append(mapped)


def _file_of(view: memoryview) -> int:
    """A memory file that holds some bytes; where the system has none, a file without a name."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("fencewatch", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as made:
            file = os.dup(made.fileno())
    with io.FileIO(file, "w", closefd=False) as out:
        at = 0
        while at < view.nbytes:
            at += out.write(view[at : at + (1 << 30)])
    return file


def _mapped(file: int) -> mmap.mmap:
    """The file in memory. Private: who writes to it by mistake harms himself alone."""
    try:
        return mmap.mmap(file, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    finally:
        os.close(file)


def _exactly(channel: socket.socket, size: int) -> bytearray:
    """So many bytes. Raises HandoverEndError where they do not come."""
    out = bytearray(size)
    view, at = memoryview(out), 0
    while at < size:
        got = channel.recv_into(view[at:], size - at)
        if not got:
            raise HandoverEndError
        at += got
    return out
