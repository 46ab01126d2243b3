"""Recorded files as one stream of chunks, read one after another, with a position from which a later run goes on."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from operators.decode.arrow_columns import decode_record_batch
from operators.decode.csv_lines import decode_csv_lines, read_header
from operators.decode.field_names import missing_columns
from operators.decode.gpx import decode_gpx
from operators.decode.joined import part
from operators.decode.json_lines import decode_json_lines
from operators.decode.plt import decode_plt
from operators.decode.traccar import decode_traccar_lines
from operators.fix_batch import FixBatch
from pipeline.items import Chunk
from pipeline.sources.formats import STANDARD_INPUT, UnreadableError, compression_of, format_of, open_bytes
from pipeline.sources.lines import pieces
from pipeline.sources.patient import reader_of

log = structlog.get_logger()

DEFAULT_BATCH = 16_384
LONGEST_HEADER = 64 * 1024
PARQUET_ROWS = 65_536
"""So many rows of Parquet are decoded at a time: a column's dictionary stays in the processor's cache meanwhile."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream of files was read: number of the file, and in it the next byte (of lines) or row (of other forms).

    `begun`: the files read so far, the one in hand the last of them; by these a later run sees whether it is the same stream.
    `ended`: it was read to its end. A later run looks there again all the same: the file may have grown.
    """

    file: int = 0
    at: int = 0
    row: int = 0
    begun: tuple[str, ...] = ()
    ended: bool = False


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

    def __init__(
        self, files: list[str], options: FileOptions, start: Position | None = None, stop: threading.Event | None = None
    ) -> None:
        """`start`: where an earlier run ended; `stop` ends the waiting for a pipe.

        Raises UnreadableError where these are other files than the earlier run's.
        """
        self.files = files
        self.options = options
        self._same = [_same_always(name) for name in files]
        self._stop = stop
        self.position = self._go_on(start) if start is not None else Position()
        sizes = [Path(name).stat().st_size if _is_file(name) else 0 for name in files]
        self._before = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
        self.progress = Progress(self._before[self.position.file], sum(sizes))

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks from the position on.

        Raises UnreadableError for a file that is not what its name says, and Stopped where a pipe has nothing more to give.
        """
        first = self.position
        for number in range(first.file, len(self.files)):
            name = self.files[number]
            self.progress.file = name
            start = first if number == first.file else Position(number)
            here = replace(start, begun=tuple(self._same[: number + 1]), ended=False)
            try:
                for chunk, at, row in self._chunks(name, number, start):
                    self.position = here = replace(here, at=at, row=row)
                    yield chunk
            except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
                raise UnreadableError(f"{name}: cannot be read: {str(error).rstrip('.')}.") from error
            self.position = replace(here, ended=True)
            self.progress.done_bytes = self._before[number + 1]

    def _go_on(self, start: Position) -> Position:
        """Where to go on, by where an earlier run ended."""
        begun = list(start.begun)
        if self._same[: len(begun)] == begun:
            return start
        if start.ended and not set(begun) & set(self._same):
            # All that was begun is read to its end, and these are others: the stream goes on with them.
            return Position()
        raise UnreadableError(
            f"the state was saved in or behind {begun[-1]}, and the files named now do not begin with the {len(begun):,} read "
            "till then; name those first, in the same order, or other files alone once these are read to the end."
        )

    def _chunks(self, name: str, number: int, start: Position) -> Iterator[tuple[Chunk, int, int]]:
        """Each chunk, and behind it the next byte and row."""
        form = format_of(name, self.options.form)
        if form == "parquet":
            return self._parquet(name, number, start)
        if form in ("gpx", "plt"):
            return self._whole(name, form, start)
        return self._lines(name, form, number, start)

    def _lines(self, name: str, form: str, number: int, start: Position) -> Iterator[tuple[Chunk, int, int]]:
        names = self.options.columns or None
        row, begin, header = start.row, start.at, None
        with open_bytes(name) as stream:
            read = reader_of(stream, self._stop)
            if form == "csv":
                # The header stands at the head of the file, also where an earlier run had read on.
                first_line = _read_line(read)
                header = read_header(first_line, names=names)
                self._tell_missing(name, header.columns)
                begin = max(begin, len(first_line))
                _skip(read, begin - len(first_line))
            else:
                _skip(read, begin)
            for at, data in pieces(read, self.options.batch, quotes=form == "csv"):
                end = begin + at + len(data)
                if header is not None:
                    batch = decode_csv_lines(data, header, base_row=row)
                    decode: Callable[[], FixBatch] = partial(_given, batch)
                    row += len(batch)
                elif form == "traccar":
                    decode = partial(decode_traccar_lines, data, base_offset=begin + at, subject=self.options.subject)
                else:
                    decode = partial(decode_json_lines, data, base_offset=begin + at, names=names)
                self._seen(stream, number)
                yield Chunk(name, decode), end, row

    def _parquet(self, name: str, number: int, start: Position) -> Iterator[tuple[Chunk, int, int]]:
        file = pq.ParquetFile(name if _is_file(name) and compression_of(name) is None else pa.BufferReader(_whole_bytes(name)))
        self._tell_missing(name, file.schema_arrow.names)
        row = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row + rows <= start.row:
                row += rows
                continue
            for piece in self._row_group(file, group):
                table = piece.slice(max(0, start.row - row)) if row < start.row else piece
                row += len(piece)
                if len(table):
                    decode = partial(decode_record_batch, table, base_row=row - len(table), names=self.options.columns or None)
                    share = row / max(1, file.metadata.num_rows)
                    self.progress.done_bytes = self._before[number] + int(share * (self._before[number + 1] - self._before[number]))
                    yield Chunk(name, decode), 0, row

    def _row_group(self, file: pq.ParquetFile, group: int) -> Iterator[pa.RecordBatch]:
        """The rows of a row group in batches, decoded many at a time by the thread that asks for them."""
        for rows in file.iter_batches(batch_size=max(self.options.batch, PARQUET_ROWS), row_groups=[group], use_threads=False):
            for first in range(0, len(rows), self.options.batch):
                yield rows.slice(first, self.options.batch)

    def _whole(self, name: str, form: str, start: Position) -> Iterator[tuple[Chunk, int, int]]:
        decode = decode_gpx if form == "gpx" else decode_plt
        with open_bytes(name) as stream:
            batch = decode(bytes(stream.read()), path=name, subject=self.options.subject)
        for row in range(start.row, len(batch), self.options.batch):
            end = min(row + self.options.batch, len(batch))
            yield Chunk(name, partial(_given, part(batch, row, end))), 0, end

    def _tell_missing(self, name: str, columns: Sequence[str]) -> None:
        """Each of its records will be rejected with a reason; who started the command wants to hear of it at once."""
        missing = missing_columns(columns, self.options.columns or None)
        if columns and missing:
            log.warning("columns are missing and no record can be judged; --columns names them", file=name, missing=missing)

    def _seen(self, stream: Any, number: int) -> None:  # noqa: ANN401 - a file or an Arrow stream
        if _is_file(self.files[number]) and compression_of(self.files[number]) is None:
            self.progress.done_bytes = self._before[number] + stream.tell()


def _given(batch: FixBatch) -> FixBatch:
    return batch


def _is_file(name: str) -> bool:
    return name != STANDARD_INPUT and Path(name).is_file()


def _same_always(name: str) -> str:
    """A file by a name that it has whatever the working directory is; a pipe by the name given."""
    return str(Path(name).resolve()) if _is_file(name) else name


def _skip(read: Callable[[int], bytes], length: int) -> None:
    """Read past what was read before, and past the rest of a line that was cut off there because it is too long."""
    last = b"\n"
    while length > 0 and (data := read(min(length, 1 << 22))):
        length -= len(data)
        last = data[-1:]
    if last != b"\n":
        while read(1) not in (b"\n", b""):
            pass


def _read_line(read: Callable[[int], bytes]) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n") and (byte := read(1)):
        line += byte
        if len(line) > LONGEST_HEADER:
            raise OSError(f"its first line, which should be the header, is longer than {LONGEST_HEADER:,} bytes")
    return bytes(line)


def _whole_bytes(name: str) -> bytes:
    if compression_of(name) == "gzip":
        return gzip.decompress(Path(name).read_bytes())
    with open_bytes(name) as stream:
        return bytes(stream.read())
