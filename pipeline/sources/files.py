"""Recorded files as one stream of chunks, read one after another, with a position from which a later run goes on."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from operators.decode.arrow_columns import decode_record_batch
from operators.decode.csv_lines import decode_csv_lines, read_header
from operators.decode.gpx import decode_gpx
from operators.decode.joined import part
from operators.decode.json_lines import decode_json_lines
from operators.decode.plt import decode_plt
from operators.decode.traccar import decode_traccar_lines
from operators.fix_batch import FixBatch
from pipeline.items import Chunk
from pipeline.sources.formats import STANDARD_INPUT, UnreadableError, compression_of, format_of, open_bytes
from pipeline.sources.lines import pieces, reader_of

DEFAULT_BATCH = 16_384


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream of files was read: number of the file, and in it the next byte (of lines) or row (of other forms)."""

    file: int = 0
    at: int = 0
    row: int = 0


@dataclass(slots=True)
class Progress:
    """How much was read, for a progress bar: bytes on disk of the files done, of all files, and the file in hand."""

    done_bytes: int = 0
    total_bytes: int = 0
    file: str = ""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How the files are to be read: see `fencewatch replay --help`."""

    form: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    subject: str | None = None
    batch: int = DEFAULT_BATCH


class FileStream:
    """Chunks of some files in order. Iterate it once; `position` is where the last chunk given ended."""

    def __init__(self, files: list[str], options: FileOptions, start: Position | None = None) -> None:
        self.files = files
        self.options = options
        self.position = start or Position()
        sizes = [0 if name == STANDARD_INPUT else Path(name).stat().st_size for name in files]
        self._before = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
        self.progress = Progress(self._before[min(self.position.file, len(files))], sum(sizes))

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks from the position on. Raises UnreadableError for a file that is not what its name says."""
        first = self.position
        for number in range(first.file, len(self.files)):
            name = self.files[number]
            self.progress.file = name
            start = first if number == first.file else Position(number)
            try:
                for chunk, position in self._chunks(name, number, start):
                    self.position = position
                    yield chunk
            except (OSError, EOFError, zlib.error, pa.ArrowInvalid) as error:
                raise UnreadableError(f"{name}: cannot be read: {error}.") from error
            self.position = Position(number + 1)
            self.progress.done_bytes = self._before[number + 1]

    def _chunks(self, name: str, number: int, start: Position) -> Iterator[tuple[Chunk, Position]]:
        form = format_of(name, self.options.form)
        if form == "parquet":
            return self._parquet(name, number, start)
        if form in ("gpx", "plt"):
            return self._whole(name, form, number, start)
        return self._lines(name, form, number, start)

    def _lines(self, name: str, form: str, number: int, start: Position) -> Iterator[tuple[Chunk, Position]]:
        stream = open_bytes(name)
        read = reader_of(stream)
        _skip(read, start.at)
        names = self.options.columns or None
        row = start.row
        offset, header = start.at, None
        if form == "csv":
            # The header stands at the head of the file, also where an earlier run had read on.
            first_line = _head(name) if start.at else _read_line(read)
            header = read_header(first_line, names=names)
            offset = start.at or len(first_line)
        with stream:
            for at, data in pieces(read, self.options.batch, quotes=form == "csv"):
                end = offset + at + len(data)
                if header is not None:
                    batch = decode_csv_lines(data, header, base_row=row)
                    decode: Callable[[], FixBatch] = partial(_given, batch)
                    row += len(batch)
                elif form == "traccar":
                    decode = partial(decode_traccar_lines, data, base_offset=offset + at, subject=self.options.subject)
                else:
                    decode = partial(decode_json_lines, data, base_offset=offset + at, names=names)
                self._seen(stream, number)
                yield Chunk(name, decode), Position(number, end, row)

    def _parquet(self, name: str, number: int, start: Position) -> Iterator[tuple[Chunk, Position]]:
        file = pq.ParquetFile(name if compression_of(name) is None else pa.BufferReader(_decompressed(name)))
        row = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row + rows <= start.row:
                row += rows
                continue
            for piece in file.iter_batches(batch_size=self.options.batch, row_groups=[group]):
                table = piece.slice(max(0, start.row - row)) if row < start.row else piece
                row += len(piece)
                if len(table):
                    decode = partial(decode_record_batch, table, base_row=row - len(table), names=self.options.columns or None)
                    share = row / max(1, file.metadata.num_rows)
                    self.progress.done_bytes = self._before[number] + int(share * (self._before[number + 1] - self._before[number]))
                    yield Chunk(name, decode), Position(number, 0, row)

    def _whole(self, name: str, form: str, number: int, start: Position) -> Iterator[tuple[Chunk, Position]]:
        decode = decode_gpx if form == "gpx" else decode_plt
        with open_bytes(name) as stream:
            batch = decode(bytes(stream.read()), path=name, subject=self.options.subject)
        for row in range(start.row, len(batch), self.options.batch):
            end = min(row + self.options.batch, len(batch))
            yield Chunk(name, partial(_given, part(batch, row, end))), Position(number, 0, end)

    def _seen(self, stream: Any, number: int) -> None:  # noqa: ANN401 - a file or an Arrow stream
        if self.files[number] != STANDARD_INPUT and compression_of(self.files[number]) is None:
            self.progress.done_bytes = self._before[number] + stream.tell()


def _given(batch: FixBatch) -> FixBatch:
    return batch


def _skip(read: Callable[[int], bytes], length: int) -> None:
    while length > 0:
        data = read(min(length, 1 << 22))
        if not data:
            return
        length -= len(data)


def _read_line(read: Callable[[int], bytes]) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = read(1)
        if not byte:
            break
        line += byte
    return bytes(line)


def _head(name: str) -> bytes:
    with open_bytes(name) as stream:
        return _read_line(reader_of(stream))


def _decompressed(name: str) -> bytes:
    if compression_of(name) == "gzip":
        return gzip.decompress(Path(name).read_bytes())
    with open_bytes(name) as stream:
        return bytes(stream.read())
