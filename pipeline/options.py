"""Options that several commands take; each is understood, or refused with a sentence, before anything is loaded or written."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from fences.problems import FencewatchError
from fences.times import fault_of, to_ms

Files = Annotated[
    list[str], typer.Argument(help="Files or folders, read one after another; - is standard input.", metavar="FILES...")
]
Form = Annotated[str, typer.Option("--format", help="auto, jsonl, csv, parquet, gpx, plt or traccar.")]
Columns = Annotated[str, typer.Option(help="Foreign names of our fields: subject=user,time=ts.", metavar="OURS=THEIRS,...")]
Subject = Annotated[str | None, typer.Option(help="Whose track a GPX or PLT file is.", metavar="ID")]


class UnwritableError(FencewatchError):
    """A file that cannot be written; the text says which and why."""


def columns_option(text: str) -> dict[str, str]:
    """Our field names to theirs, of `--columns`. Raises typer.BadParameter."""
    from operators.decode.field_names import WrongColumnsError, names_of_fields  # noqa: PLC0415 - takes a second

    out: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        ours, equals, theirs = part.partition("=")
        if not (ours and equals and theirs):
            raise typer.BadParameter(f"{part!r}: write our name, =, their name: subject=user,time=ts", param_hint="--columns")
        if ours in out:
            raise typer.BadParameter(f"{ours!r} is named twice; it can be in one column only", param_hint="--columns")
        out[ours] = theirs
    try:
        names_of_fields(out)
    except WrongColumnsError as error:
        raise typer.BadParameter(str(error), param_hint="--columns") from error
    return out


def time_option(text: str | None, option: str) -> int | None:
    """UTC milliseconds of an option's time, None where it was not given. Raises typer.BadParameter."""
    if text is None:
        return None
    fault = fault_of(text)
    if fault is not None:
        raise typer.BadParameter(f"{fault}; write RFC 3339 with an offset or epoch milliseconds", param_hint=option)
    return to_ms(text)


def registry_at_option(text: str) -> tuple[int, Path]:
    """Instant (UTC milliseconds) and directory of a `TIME=DIR`. Raises typer.BadParameter."""
    time, equals, directory = text.partition("=")
    time_ms = time_option(time, "--registry-at") if equals and directory else None
    if time_ms is None:
        raise typer.BadParameter(
            f"{text!r}: write a time, =, a directory: 2026-03-02T08:00:00Z=registry-2", param_hint="--registry-at"
        )
    return time_ms, Path(directory)


def format_option(text: str) -> str:
    """`--format`. Raises typer.BadParameter."""
    from pipeline.sources.formats import FORMATS  # noqa: PLC0415 - likewise

    if text not in ("auto", *FORMATS):
        raise typer.BadParameter(f"write auto or one of {', '.join(FORMATS)}", param_hint="--format")
    return text


def redis_option(text: str, option: str, words: tuple[str, ...] = ()) -> str:
    """A Redis URL, or one of `words`. Raises typer.BadParameter."""
    from sinks.redis_connection import connect  # noqa: PLC0415 - likewise

    if text not in words:
        try:
            connect(text).close()
        except ValueError as error:
            allowed = " or ".join(("a URL such as redis://127.0.0.1:6379/0", *words))
            raise typer.BadParameter(f"{text!r} is no Redis URL ({error}); write {allowed}", param_hint=option) from error
    return text


def outputs_option(outputs: Mapping[str, Path | None], inputs: list[str]) -> None:
    """Files that a command will write (by option), checked before it begins: they can be written, and are not what it reads.

    Raises UnwritableError and typer.BadParameter.
    """
    taken = {_identity(Path(name)): f"the input {name}" for name in inputs if Path(name).is_file()}
    for option, path in outputs.items():
        if path is None:
            continue
        _try_to_write(path, option)
        if _is_special(path):
            continue
        other = taken.setdefault(_identity(path), option)
        if other != option:
            raise typer.BadParameter(f"{path} is {other} already; name another file", param_hint=option)


def _try_to_write(path: Path, option: str) -> None:
    if _is_special(path):
        return
    new = not path.exists()
    try:
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise UnwritableError(f"{path}: cannot be written for {option}: {error.strerror}.") from error


def _is_special(path: Path) -> bool:
    """Whether it is a pipe or a device: to open one may wait for its reader."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _identity(path: Path) -> str:
    return str(path.resolve())
