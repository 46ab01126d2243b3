"""`fencewatch alerts`: what is open now, and what comes.

In a terminal red alerts are red and the table of `open --watch` stays live; without one there are plain lines. Both say when no
lane is alive, for then no news is no good news.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer
from redis.exceptions import RedisError
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pipeline.alert_lines import Event, alert_line, change_of, gravest_first, open_table, terminal_line
from pipeline.alert_reader import AlertReader
from pipeline.exit_codes import DONE, FAILED
from sinks.lane_sign import LaneWatch
from sinks.redis_connection import connect, place_of
from sinks.redis_names import DEFAULT_PREFIX, RedisNames

app = typer.Typer(name="alerts", help="What is open now, and what comes.", no_args_is_help=True)

DEFAULT_URL = "redis://127.0.0.1:6379/0"
WAIT_S = 1.0
LOOK_AT_LANES_AFTER_S = 3.0
NOBODY_WATCHES = "no lane is alive: nobody is watching, and no news is no good news"

RedisUrl = Annotated[
    str,
    typer.Option("--redis", envvar="FENCEWATCH_REDIS", metavar="URL", help="Where the alerts are: redis://, rediss:// or unix://."),
]
Prefix = Annotated[str, typer.Option(metavar="P", help="In front of every name in Redis; a replay's is fencewatch:replay:")]
Region = Annotated[str | None, typer.Option(metavar="R", help="Only what this region is told.")]
PasswordFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Holds the password alone.")]
AsJson = Annotated[bool, typer.Option("--json", help="The events themselves, one JSON object a line.")]


@app.command("open", epilog="Example: fencewatch alerts open --region jiading --redis redis://127.0.0.1:6379/0")
def show_open(
    *,
    redis: RedisUrl = DEFAULT_URL,
    prefix: Prefix = DEFAULT_PREFIX,
    region: Region = None,
    password_file: PasswordFile = None,
    json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show each change at once; Ctrl-C ends.")] = False,
) -> None:
    """List the episodes that are open, the gravest and oldest first."""
    console = Console()
    with _connected(redis, prefix, region, password_file) as (reader, lanes):
        since = reader.last_id()
        is_open = {event["data"]["episode"]: event for event in map(orjson.loads, reader.open_events())}
        lanes.look()
        if watch and console.is_terminal and not json:
            _watch(console, reader, lanes, is_open, since=since, region=region)
        events = gravest_first(list(is_open.values()))
        if console.is_terminal and not json:
            console.print(open_table(events, region))
        else:
            _print_lines(orjson.dumps(event).decode() if json else alert_line(event) for event in events)
        if watch:
            _follow(reader, lanes, since, _Printer(console, {event["id"] for event in events}, as_json=json), None)


@app.command("tail", epilog="Example: fencewatch alerts tail --region jiading --json --resume-file seen | my-dispatcher")
def tail(
    *,
    redis: RedisUrl = DEFAULT_URL,
    prefix: Prefix = DEFAULT_PREFIX,
    region: Region = None,
    password_file: PasswordFile = None,
    json: AsJson = False,
    from_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Begin behind this stream id instead of with what is open; 0-0: from the start."),
    ] = None,
    resume_file: Annotated[
        Path | None, typer.Option(dir_okay=False, metavar="FILE", help="Remember here how far it was shown, and go on there.")
    ] = None,
) -> None:
    """Show what is open, then each alert as it comes, until Ctrl-C.

    It reads the stream: it goes on where it was after a lost connection, with --resume-file after a restart too.
    """
    since = from_id or (_read_resume_file(resume_file) if resume_file is not None else None)
    if since is not None and not re.fullmatch(r"[0-9]{1,20}(-[0-9]{1,20})?", since):
        where = "--from-id" if from_id else f"in {resume_file}"
        raise typer.BadParameter(f"{since[:40]!r} is no stream id; write one such as 1700000000000-0", param_hint=where)
    console = Console()
    with _connected(redis, prefix, region, password_file) as (reader, lanes):
        lanes.look()
        was_open: list[bytes] = []
        if since is None:
            since = reader.last_id()
            was_open = reader.open_events()
        printer = _Printer(console, set(), as_json=json)
        printer.was_open(was_open)
        _follow(reader, lanes, since, printer, resume_file)


class _Printer:
    """Prints alerts as they come. `shown`: ids of those already shown from the hash, which the stream may bring once more."""

    def __init__(self, console: Console, shown: set[str], *, as_json: bool) -> None:
        self._console = console
        self._shown = shown
        self._as_json = as_json

    def was_open(self, events: list[bytes]) -> None:
        """What was open when we came, oldest first."""
        self.came(sorted(events, key=lambda event: str(orjson.loads(event)["time"])))
        self._shown |= {orjson.loads(event)["id"] for event in events}

    def came(self, events: Iterable[bytes]) -> None:
        """What the stream brought."""
        for raw in events:
            event = orjson.loads(raw)
            if event["id"] in self._shown:
                # Once is all it can come again: the stream holds no id twice.
                self._shown.discard(event["id"])
            elif self._as_json:
                _print_lines([raw.decode()])
            elif self._console.is_terminal:
                self._console.print(terminal_line(event), soft_wrap=True)
            else:
                _print_lines([alert_line(event)])


class _Lanes:
    """Says on standard error when no lane is alive, and when one is again."""

    def __init__(self, watch: LaneWatch) -> None:
        self._watch = watch
        self._were_alive: bool | None = None
        self._looked_at = 0.0

    def look(self) -> None:
        """Ask, and say what changed."""
        self._looked_at = time.monotonic()
        lanes = self._watch.alive()
        if not lanes and self._were_alive is not False:
            _say(NOBODY_WATCHES)
        elif lanes and self._were_alive is False:
            _say(f"alive again: lane {', '.join(lane.lane for lane in lanes)}")
        self._were_alive = bool(lanes)

    def look_now_and_then(self) -> str:
        """`look`, where the last time was long enough ago; the warning that holds now, or nothing."""
        if time.monotonic() - self._looked_at >= LOOK_AT_LANES_AFTER_S:
            try:
                self.look()
            except RedisError:
                # The reader says so when Redis is away; a lane may well be alive then.
                return ""
        return "" if self._were_alive else NOBODY_WATCHES


def _follow(reader: AlertReader, lanes: _Lanes, since: str, printer: _Printer, resume_file: Path | None) -> None:
    """Print what comes behind `since`, for ever."""
    while True:
        entries = reader.after(since, WAIT_S)
        printer.came(entry.event for entry in entries)
        if entries:
            since = entries[-1].stream_id
            if resume_file is not None:
                # Only what was printed counts as seen: after a crash in between it is printed once more rather than never.
                _write_resume_file(resume_file, since)
        lanes.look_now_and_then()


def _watch(
    console: Console, reader: AlertReader, lanes: _Lanes, is_open: dict[str, Event], *, since: str, region: str | None
) -> None:
    """The table of what is open, kept up to date for ever."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            warning = lanes.look_now_and_then()
            live.update(Group(open_table(list(is_open.values()), region), Text(warning, "bold red")), refresh=True)
            for entry in reader.after(since, WAIT_S):
                since = entry.stream_id
                event = orjson.loads(entry.event)
                if change_of(event) == "cleared":
                    is_open.pop(event["data"]["episode"], None)
                else:
                    is_open[event["data"]["episode"]] = event


@contextmanager
def _connected(url: str, prefix: str, region: str | None, password_file: Path | None) -> Iterator[tuple[AlertReader, _Lanes]]:
    """A reader and the lanes; Ctrl-C and a closed pipe end quietly with 0, a Redis that cannot be read with a sentence and 1."""
    names = RedisNames(prefix)
    try:
        client = connect(url, password_file=password_file)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--redis") from error
    place = place_of(client)
    try:
        with closing(client), closing(AlertReader(client, names, region, _say_state)) as reader:
            yield reader, _Lanes(LaneWatch(client, names))
    except KeyboardInterrupt:
        raise typer.Exit(DONE) from None
    except BrokenPipeError:
        # Whoever read us has enough; what Python would still flush at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(DONE) from None
    except RedisError as error:
        _say(f"Redis at {place} cannot be read: {error}. `fencewatch run` prints where its Redis is; name it with --redis URL.")
        raise typer.Exit(FAILED) from None


def _say_state(up: bool, why: str) -> None:  # noqa: FBT001 - the form of AlertReader's callback
    _say(f"Redis is back {why}".strip() if up else f"Redis is away, alerts will be shown when it is back: {why}")


def _say(text: str) -> None:
    """To the person, beside the alerts."""
    Console(stderr=True).print(Text(text, "bold red"), soft_wrap=True)


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _read_resume_file(file: Path) -> str | None:
    return file.read_text(encoding="utf-8", errors="replace").strip() or None if file.exists() else None


def _write_resume_file(file: Path, stream_id: str) -> None:
    beside = file.with_name(file.name + ".new")
    beside.write_text(stream_id + "\n", encoding="ascii")
    beside.replace(file)
