"""`fencewatch replay`: recorded tracks through the whole pipeline, as fast as it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from fences.times import fault_of, to_ms
from pipeline.pace import SMALL_BATCH, Pace
from sinks.redis_names import REPLAY_PREFIX

EPILOG = (
    "Examples: fencewatch replay day.jsonl.gz --registry registry --alerts-out alerts.jsonl; "
    "fencewatch replay tracks/ --registry registry --redis redis://127.0.0.1:6379/0 --report report.json"
)


def replay(  # noqa: PLR0913 - the contract's options
    files: Annotated[list[str], typer.Argument(help="Files or folders, read one after another; - is standard input.", metavar="FILES...")],
    registry: Annotated[Path, typer.Option(help="The directory of the registry.", metavar="DIR")],
    form: Annotated[str, typer.Option("--format", help="auto, jsonl, csv, parquet, gpx, plt or traccar.")] = "auto",
    columns: Annotated[str, typer.Option(help="Foreign names of our fields: subject=user,time=ts.", metavar="OURS=THEIRS,...")] = "",
    subject: Annotated[str | None, typer.Option(help="Whose track a GPX or PLT file is.", metavar="ID")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Leave out records before this time.", metavar="TIME")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Leave out records at or after this time.", metavar="TIME")] = None,
    redis: Annotated[str, typer.Option(help="Deliver alerts there.", metavar="URL|embedded|none")] = "none",
    prefix: Annotated[str, typer.Option(help="Prefix of all names in Redis.")] = REPLAY_PREFIX,
    deployment: Annotated[str | None, typer.Option(help="Name of the deployment; without, the replay is one of its own.")] = None,
    alerts_out: Annotated[Path | None, typer.Option(help="Alerts as JSON lines, or .geojson.", metavar="FILE")] = None,
    dead_letters: Annotated[Path | None, typer.Option(help="Rejected records with their reasons, JSON lines.", metavar="FILE")] = None,
    report: Annotated[Path | None, typer.Option(help="What was counted, as JSON.", metavar="FILE")] = None,
    speed: Annotated[str, typer.Option(help="max, or how many times faster than recorded.")] = "max",
    batch: Annotated[int | None, typer.Option(help="Records a batch.", min=1, max=1_000_000)] = None,
    workers: Annotated[int, typer.Option(help="Worker threads.", min=1, max=64)] = 1,
    state: Annotated[Path | None, typer.Option(help="Keep position and state here, and go on from there.", metavar="DIR")] = None,
    until: Annotated[str | None, typer.Option(help="The clock at the end: what is due by then is brought.", metavar="TIME")] = None,
    registry_at: Annotated[list[str] | None, typer.Option(help="The registry becomes DIR at TIME; may be repeated.", metavar="TIME=DIR")] = None,
    give_up_after_s: Annotated[float, typer.Option(help="How long to wait for a Redis that is away.", min=0)] = 30.0,
) -> None:
    """Judge recorded tracks: alerts to Redis or files, a report of what was counted.

    Rejected records do not change the exit code: 0 done, 1 failed, 2 wrong usage, 78 wrong registry.
    """
    from pipeline.progress import closing_table  # noqa: PLC0415 - numba and Bytewax take a second; --help must not
    from pipeline.registry_loading import load_fence_set  # noqa: PLC0415
    from pipeline.replay import ReplayOptions, run_replay  # noqa: PLC0415
    from pipeline.sources.files import DEFAULT_BATCH, FileOptions  # noqa: PLC0415
    from pipeline.sources.formats import FORMATS, files_below  # noqa: PLC0415

    if form not in ("auto", *FORMATS):
        raise typer.BadParameter(f"write auto or one of {', '.join(FORMATS)}", param_hint="--format")
    pace = Pace.of(speed)
    reading = FileOptions(form, columns_option(columns), subject, batch or (SMALL_BATCH if pace else DEFAULT_BATCH))
    options = ReplayOptions(
        files_below(files, form), reading, time_option(start, "--from"), time_option(end, "--to"), redis, prefix, deployment, alerts_out,
        dead_letters, pace, workers, state, give_up_after_s, time_option(until, "--until"),
    )  # fmt: skip
    later = [(time_ms, load_fence_set(directory)) for time_ms, directory in map(_registry_at, registry_at or [])]
    replayed = run_replay(options, load_fence_set(registry), later)
    if report is not None:
        report.write_bytes(orjson.dumps(replayed.report, option=orjson.OPT_INDENT_2) + b"\n")
    closing_table(replayed.report, stopped=replayed.stopped)


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


def _registry_at(text: str) -> tuple[int, Path]:
    time, equals, directory = text.partition("=")
    if not equals or not directory:
        raise typer.BadParameter(f"{text!r}: write a time, =, a directory: 2026-03-02T08:00:00Z=registry-2", param_hint="--registry-at")
    time_ms = time_option(time, "--registry-at")
    assert time_ms is not None
    return time_ms, Path(directory)
