"""Options that several commands take, and what is made of their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fences.times import fault_of, to_ms

Files = Annotated[
    list[str], typer.Argument(help="Files or folders, read one after another; - is standard input.", metavar="FILES...")
]
Form = Annotated[str, typer.Option("--format", help="auto, jsonl, csv, parquet, gpx, plt or traccar.")]
Columns = Annotated[str, typer.Option(help="Foreign names of our fields: subject=user,time=ts.", metavar="OURS=THEIRS,...")]
Subject = Annotated[str | None, typer.Option(help="Whose track a GPX or PLT file is.", metavar="ID")]


def columns_option(text: str) -> dict[str, str]:
    """Our field names to theirs, of an option. Raises typer.BadParameter."""
    out: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        ours, equals, theirs = part.partition("=")
        if not (ours and equals and theirs):
            raise typer.BadParameter(f"{part!r}: write our name, =, their name: subject=user,time=ts", param_hint="--columns")
        out[ours] = theirs
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
