"""Fixes into files: JSON lines, CSV and Parquet, plain or compressed, whole or part by part.

    write_jsonl(world.fixes(), path)
    write_parquet(world.parts("subject"), path, "zstd")

The columns of the table become keys and headers as they are called; what is null or NaN is absent.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.worlds.track_text import csv_lines, csv_text, json_lines

Compression = Literal["none", "gzip", "zstd"]
SUFFIX = {"none": "", "gzip": ".gz", "zstd": ".zst"}
GZIP_LEVEL = 4
ByteSink = IO[bytes] | gzip.GzipFile | pa.NativeFile
Tables = pa.Table | Iterable[pa.Table]
WriteTable = Callable[[pa.Table], None]


def write_jsonl(tables: Tables, path: Path, compression: Compression = "none") -> None:
    """JSON lines."""
    _write(tables, jsonl_file(path, compression))


def write_csv(tables: Tables, path: Path, compression: Compression = "none") -> None:
    """CSV with a header line; times are RFC 3339, null is empty."""
    _write(tables, csv_file(path, compression))


def write_parquet(tables: Tables, path: Path, compression: Compression = "zstd") -> None:
    """Parquet, compressed inside; subjects are text, times UTC milliseconds, null is null."""
    _write(tables, parquet_file(path, compression))


@contextmanager
def jsonl_file(path: Path, compression: Compression = "none") -> Iterator[WriteTable]:
    """A JSON-lines file to write tables to, one after another."""
    with _byte_sink(path, compression) as sink:

        def write(table: pa.Table) -> None:
            for text in json_lines(table):
                sink.write(text)

        yield write


@contextmanager
def csv_file(path: Path, compression: Compression = "none") -> Iterator[WriteTable]:
    """A CSV file to write tables to, one after another; all have the columns of the first."""
    with _byte_sink(path, compression) as sink:
        header = True

        def write(table: pa.Table) -> None:
            nonlocal header
            if header:
                sink.write(",".join(csv_text(name) for name in table.column_names).encode() + b"\n")
                header = False
            for text in csv_lines(table):
                sink.write(text)

        yield write


@contextmanager
def parquet_file(path: Path, compression: Compression = "zstd") -> Iterator[WriteTable]:
    """A Parquet file to write tables to, one after another; all have the columns of the first."""
    writer: pq.ParquetWriter | None = None

    def write(table: pa.Table) -> None:
        nonlocal writer
        if writer is None:
            # Without Arrow's own schema a reader sees what any other program's file shows: plain text columns.
            writer = pq.ParquetWriter(path, table.schema, compression=compression, store_schema=False)
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _byte_sink(path: Path, compression: Compression) -> Iterator[ByteSink]:
    with path.open("wb") as file:
        if compression == "none":
            yield file
        elif compression == "gzip":
            # No time and no name in the header: the same world is the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=GZIP_LEVEL, mtime=0) as stream:
                yield stream
        else:
            with pa.CompressedOutputStream(file, compression) as stream:
                yield stream


def _write(tables: Tables, file: AbstractContextManager[WriteTable]) -> None:
    with file as write:
        for table in [tables] if isinstance(tables, pa.Table) else tables:
            write(table)
