"""Which format a file has, and how its bytes are opened: by its name, through gzip or zstd where that is wrapped around it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, Literal

import pyarrow as pa

from fences.problems import FencewatchError

FORMATS = ("jsonl", "csv", "parquet", "gpx", "plt", "traccar")
_ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".gpx": "gpx",
    ".plt": "plt",
}
Compression = Literal["gzip", "zstd"]
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
STANDARD_INPUT = "-"


class UnreadableError(FencewatchError):
    """An input that cannot be read at all; the text is one sentence with the file's name."""


def compression_of(name: str) -> Compression | None:
    """`gzip`, `zstd` or None, by the name's last ending."""
    return _COMPRESSIONS.get(Path(name).suffix.lower())


def format_of(name: str, asked: str = "auto") -> str:
    """One of FORMATS for a file; standard input is JSON lines unless said otherwise. Raises UnreadableError."""
    if asked != "auto":
        return asked
    if name == STANDARD_INPUT:
        return "jsonl"
    path = Path(name)
    ending = (path.with_suffix("") if compression_of(name) else path).suffix.lower()
    if ending not in _ENDINGS:
        raise UnreadableError(f"{name}: cannot tell the format from the name; write --format with one of {', '.join(FORMATS)}.")
    return _ENDINGS[ending]


def files_below(names: list[str], asked: str = "auto") -> list[str]:
    """The files to read, in order: each as given, a folder replaced by all below it, sorted by path. Raises UnreadableError.

    Hidden files are left out, and in a folder those whose format the name does not tell.
    """
    out: list[str] = []
    for name in names:
        path = Path(name)
        if name == STANDARD_INPUT or path.is_file() or path.is_fifo():
            out.append(name)
        elif path.is_dir():
            below = sorted(p for p in path.rglob("*") if p.is_file() and not _is_hidden(p.relative_to(path)))
            found = [str(p) for p in below if asked != "auto" or _known(str(p))]
            if not found:
                raise UnreadableError(f"{name}: no file below this folder that can be read.")
            out += found
        else:
            raise UnreadableError(f"{name}: no such file or folder.")
    return out


def _is_hidden(below: Path) -> bool:
    return any(part.startswith(".") for part in below.parts)


def _known(name: str) -> bool:
    try:
        return bool(format_of(name))
    except UnreadableError:
        return False


def open_bytes(name: str) -> BinaryIO | pa.NativeFile:
    """The file's bytes after decompression, to be read from front to back. Raises UnreadableError."""
    if name == STANDARD_INPUT:
        return sys.stdin.buffer
    try:
        compression = compression_of(name)
        return Path(name).open("rb") if compression is None else pa.input_stream(name, compression=compression)
    except OSError as error:
        raise UnreadableError(f"{name}: {error.strerror or error}.") from error
