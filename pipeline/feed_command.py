"""`fencewatch feed`: recorded tracks into a live stream, to load-test the daemon."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from fences.problems import FencewatchError
from pipeline.options import Columns, Files, Form, Subject, columns_option, format_option, redis_option

EPILOG = (
    "Examples: fencewatch feed day.parquet --to redis://127.0.0.1:6379/0 --stream gps:0 --rate 5000; "
    "fencewatch feed day.jsonl --to redis://127.0.0.1:6379/0 --stream gps:0 --speed 60 --packed 1000 --shift-to-now"
)


class FeedError(FencewatchError):
    """The stream could not be fed."""


def feed(
    files: Files,
    *,
    to: Annotated[str, typer.Option(help="The Redis server.", metavar="redis://...")],
    stream: Annotated[str, typer.Option(help="The stream to add to.")],
    rate: Annotated[float | None, typer.Option(help="Records a second; default: as fast as it goes.", min=0.001)] = None,
    speed: Annotated[float | None, typer.Option(help="How many times faster than recorded.", min=0.001)] = None,
    packed: Annotated[int, typer.Option(help="Records an entry, packed; 0: one an entry, as fields.", min=0, max=100_000)] = 0,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="Shift all times so that the first record comes now.")
    ] = False,
    form: Form = "auto",
    columns: Columns = "",
    subject: Subject = None,
    maxlen: Annotated[int | None, typer.Option(help="Keep about so many entries in the stream; default: all.", min=1)] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="A file with the server's password alone in it.", metavar="FILE")
    ] = None,
) -> None:
    """Add recorded fixes to a Redis stream that a daemon reads, and say the rate reached.

    Records that cannot be read are left out and counted. Exit: 0 done, 1 failed, 2 wrong usage.
    """
    # Imported here: numba and redis take a second, and --help need not wait for them.
    from redis.exceptions import RedisError

    from pipeline.feeding import Fed, Feeding
    from pipeline.progress import bar
    from pipeline.sources.files import FileOptions, FileStream
    from pipeline.sources.formats import files_below
    from sinks.redis_connection import connect, place_of

    if rate is not None and speed is not None:
        raise typer.BadParameter("write --rate or --speed, not both")
    redis_option(to, "--to")
    stop = threading.Event()
    reading = FileStream(files_below(files, form), FileOptions(format_option(form), columns_option(columns), subject), stop=stop)
    try:
        client = connect(to, password_file=password_file)
    except OSError as error:
        raise FeedError(f"{password_file}: the password cannot be read: {error.strerror}.") from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with bar() as shown:
        task = shown.add_task("feed", total=reading.progress.total_bytes or None, what="")

        def tell(fed: Fed) -> None:
            shown.update(task, completed=reading.progress.done_bytes, what=f"{fed.records:,} fixes, {fed.rate:,.0f}/s")

        try:
            fed = Feeding(stream, rate, speed, packed, shift_to_now, maxlen).feed(reading, client, tell, stop)
        except RedisError as error:
            raise FeedError(f"{place_of(client)}: the stream {stream} cannot be fed: {str(error).rstrip('.')}.") from error
    typer.echo(
        f"{fed.records:,} fixes in {fed.entries:,} entries to {stream} in {fed.seconds:.1f} s: {fed.rate:,.0f} a second"
        + (f", at worst {fed.behind_s:.2f} s behind the pace" if rate or speed else "")
        + (f"; {fed.left_out:,} records that cannot be read left out" if fed.left_out else "")
    )
