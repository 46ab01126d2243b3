"""`fencewatch replay`: recorded tracks through the whole pipeline, as fast as it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from pipeline.options import (
    Columns,
    Files,
    Form,
    Subject,
    UnwritableError,
    columns_option,
    format_option,
    outputs_option,
    redis_option,
    registry_at_option,
    time_option,
)
from pipeline.pace import SMALL_BATCH, Pace
from sinks.redis_names import REPLAY_PREFIX

EPILOG = (
    "Examples: fencewatch replay day.jsonl.gz --registry registry --alerts-out alerts.jsonl; "
    "fencewatch replay tracks/ --registry registry --redis redis://127.0.0.1:6379/0 --report report.json"
)


def replay(
    files: Files,
    *,
    registry: Annotated[Path, typer.Option(help="The directory of the registry.", metavar="DIR")],
    form: Form = "auto",
    columns: Columns = "",
    subject: Subject = None,
    start: Annotated[str | None, typer.Option("--from", help="Leave out records before this time.", metavar="TIME")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Leave out records at or after this time.", metavar="TIME")] = None,
    redis: Annotated[str, typer.Option(help="Deliver alerts there.", metavar="URL|embedded|none")] = "none",
    prefix: Annotated[str, typer.Option(help="Prefix of all names in Redis.")] = REPLAY_PREFIX,
    deployment: Annotated[str | None, typer.Option(help="Name of the deployment; without, the replay is one of its own.")] = None,
    alerts_out: Annotated[Path | None, typer.Option(help="Alerts as JSON lines, or .geojson.", metavar="FILE")] = None,
    dead_letters: Annotated[
        Path | None, typer.Option(help="Rejected records with their reasons, JSON lines.", metavar="FILE")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="What was counted, as JSON.", metavar="FILE")] = None,
    speed: Annotated[str, typer.Option(help="max, or how many times faster than recorded.")] = "max",
    batch: Annotated[int | None, typer.Option(help="Records a batch.", min=1, max=1_000_000)] = None,
    workers: Annotated[int, typer.Option(help="Worker threads.", min=1, max=64)] = 1,
    state: Annotated[Path | None, typer.Option(help="Keep position and state here, and go on from there.", metavar="DIR")] = None,
    until: Annotated[str | None, typer.Option(help="The clock at the end: what is due by then is brought.", metavar="TIME")] = None,
    registry_at: Annotated[
        list[str] | None, typer.Option(help="The registry becomes DIR at TIME; may be repeated.", metavar="TIME=DIR")
    ] = None,
    give_up_after_s: Annotated[float, typer.Option(help="How long to wait for a Redis that is away.", min=0)] = 30.0,
) -> None:
    """Judge recorded tracks: alerts to Redis or files, a report of what was counted.

    Rejected records do not change the exit code: 0 done, 1 failed, 2 wrong usage, 78 wrong registry.
    """
    # Imported here: numba and Bytewax take a second, and --help need not wait for them.
    from pipeline.logs import configure_logs
    from pipeline.progress import closing_table
    from pipeline.registry_loading import load_fence_set
    from pipeline.replay import ReplayOptions, run_replay
    from pipeline.sources.files import DEFAULT_BATCH, FileOptions
    from pipeline.sources.formats import files_below

    configure_logs()
    pace = Pace.of(speed)
    reading = FileOptions(format_option(form), columns_option(columns), subject, batch or (SMALL_BATCH if pace else DEFAULT_BATCH))
    from_ms, to_ms = time_option(start, "--from"), time_option(end, "--to")
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise typer.BadParameter("no record is at or after --from and before --to; write a --to after --from", param_hint="--to")
    below = files_below(files, form)
    outputs_option({"--alerts-out": alerts_out, "--dead-letters": dead_letters, "--report": report}, below)
    options = ReplayOptions(
        below,
        reading,
        from_ms=from_ms,
        to_ms=to_ms,
        redis=redis_option(redis, "--redis", ("embedded", "none")),
        prefix=prefix,
        deployment=deployment,
        alerts_out=alerts_out,
        dead_letters=dead_letters,
        pace=pace,
        workers=workers,
        state=state,
        give_up_after_s=give_up_after_s,
        until_ms=time_option(until, "--until"),
    )
    later = [(time_ms, load_fence_set(directory)) for time_ms, directory in map(registry_at_option, registry_at or [])]
    replayed = run_replay(options, load_fence_set(registry), later)
    closing_table(replayed.report, stopped=replayed.stopped)
    if report is not None:
        try:
            report.write_bytes(orjson.dumps(replayed.report, option=orjson.OPT_INDENT_2) + b"\n")
        except OSError as error:
            raise UnwritableError(f"{report}: the report cannot be written: {error.strerror}.") from error
