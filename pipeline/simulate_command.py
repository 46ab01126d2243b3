"""`fencewatch simulate`: an invented world on disk, with its registry, its fixes and the breaches that were scripted."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.exit_codes import WRONG_USAGE
from pipeline.options import UnwritableError

if TYPE_CHECKING:
    from pipeline.worlds.track_files import WriteTable
    from pipeline.worlds.world import World

Format = Literal["jsonl", "csv", "parquet", "all"]
Compress = Literal["none", "gzip", "zstd"]
START = "2026-03-02T07:00:00+08:00"
EPILOG = (
    "Examples: fencewatch simulate --subjects 300 --hours 24 --seed 7 --out /tmp/world; "
    "fencewatch simulate --subjects 100000 --hours 1 --format parquet --out /tmp/big"
)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write to; made where missing.")],
    subjects: Annotated[int, typer.Option(min=1, help="How many people.")] = 1000,
    hours: Annotated[float, typer.Option(help="How long they are watched.")] = 24.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed (and options) gives the same bytes.")] = 1,
    start: Annotated[str, typer.Option(help="When it begins, RFC 3339 with offset.")] = START,
    step_s: Annotated[int, typer.Option(min=10, max=300, help="Seconds between two fixes of a person.")] = 60,
    output_format: Annotated[Format, typer.Option("--format", help="Form of the fixes.")] = "jsonl",
    sort: Annotated[Literal["time", "subject"], typer.Option(help="In the order of arrival, or by subject and then so.")] = "time",
    compress: Annotated[
        Compress, typer.Option(help="JSON lines and CSV: the whole file; Parquet: inside, and zstd where none is asked.")
    ] = "none",
    stories: Annotated[
        int | None, typer.Option(min=0, help="How often each story is played; by default once for 250 people, at most 40 times.")
    ] = None,
) -> None:
    """Write an invented world: three districts, people who go about their days, and a few who break a rule.

    OUT/registry is a registry directory, OUT/fixes.* the fixes, OUT/breaches.jsonl the breaches that must be found in them (and no
    others).
    """
    # Imported here: the other commands need not wait for shapely and pyarrow.
    from pipeline.worlds.world import make_world

    console = Console(stderr=True)
    began = time.monotonic()
    try:
        world = make_world(seed=seed, subjects=subjects, hours=hours, start=start, step_s=step_s, stories=stories)
    except ValueError as error:
        console.print(f"simulate: {error}.", markup=False, highlight=False)
        raise typer.Exit(WRONG_USAGE) from error
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableError(f"{out}: cannot be made: {error.strerror}.") from error
    world.write_registry(out / "registry")
    world.write_breaches(out / "breaches.jsonl")
    forms = ("jsonl", "csv", "parquet") if output_format == "all" else (output_format,)
    count, names = _write_fixes(world, out, forms, sort, compress, console)
    seconds = time.monotonic() - began
    of = f"{subjects:,} people, {len(world.breaches)} breaches, in {seconds:.1f} s"
    typer.echo(f"{count:,} fixes ({', '.join(names)}) of {of}: {out}")


def _write_fixes(
    world: World, out: Path, forms: tuple[str, ...], sort: Literal["time", "subject"], compress: Compress, console: Console
) -> tuple[int, list[str]]:
    """Each part of the world into all files; how many fixes, and the names of the files."""
    from pipeline.worlds.track_files import SUFFIX, csv_file, jsonl_file, parquet_file

    count, names = 0, []
    with ExitStack() as stack:
        writers: list[WriteTable] = []
        for form in forms:
            names.append("fixes.parquet" if form == "parquet" else f"fixes.{form}{SUFFIX[compress]}")
            path = out / names[-1]
            if form == "parquet":
                writers.append(stack.enter_context(parquet_file(path, "zstd" if compress == "none" else compress)))
            else:
                writers.append(stack.enter_context((jsonl_file if form == "jsonl" else csv_file)(path, compress)))
        columns = (TextColumn("fixes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        progress = stack.enter_context(Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()))
        task = progress.add_task("fixes", total=world.sample_count)
        for part in world.parts(sort):
            for write in writers:
                write(part)
            count += len(part)
            progress.update(task, completed=min(count, world.sample_count))
    return count, names
