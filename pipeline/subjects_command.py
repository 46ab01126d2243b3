"""`fencewatch subjects`: whom nobody is watching, read from the last saved state of a daemon or of a replay."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fences.problems import WrongRegistryError

EPILOG = (
    "Examples: fencewatch subjects --never-heard --config /etc/fencewatch/fencewatch.toml; "
    "fencewatch subjects --silent --state state --registry registry --at 2026-03-02T08:00:00+08:00"
)


def subjects(  # noqa: PLR0913 - options
    never_heard: Annotated[bool, typer.Option("--never-heard", help="Those of whom no record ever came.")] = False,  # noqa: FBT002
    silent: Annotated[bool, typer.Option("--silent", help="Those whose last record is older than their silent_after_s.")] = False,  # noqa: FBT002
    config: Annotated[Path | None, typer.Option(help="The configuration of the daemon.", metavar="FILE")] = None,
    state: Annotated[Path | None, typer.Option(help="The state folder of a replay.", metavar="DIR")] = None,
    registry: Annotated[Path | None, typer.Option(help="The registry, with --state.", metavar="DIR")] = None,
    at: Annotated[str | None, typer.Option(help="The instant to look at; default: now.", metavar="TIME")] = None,
) -> None:
    """List the subjects whom nobody is watching, one a line: id, home region, time of the last record.

    The state is that of the last save, at most ten seconds old under a running daemon.
    """
    from pipeline.registry_loading import tell_and_exit  # noqa: PLC0415 - numpy and shapely take a while
    from pipeline.replay_command import time_option  # noqa: PLC0415
    from pipeline.saved_state import last_arrivals  # noqa: PLC0415

    if never_heard == silent:
        raise typer.BadParameter("write --never-heard or --silent")
    if (config is None) == (state is None or registry is None):
        raise typer.BadParameter("write --config FILE, or --state DIR and --registry DIR")
    try:
        if config is not None:
            from pipeline.configuration import load_configuration  # noqa: PLC0415

            configuration = load_configuration(config)
            state, registry = configuration.state_dir, configuration.registry
        assert state is not None
        assert registry is not None
        arrivals = last_arrivals(state, registry)
    except WrongRegistryError as error:
        tell_and_exit(error)
    now_ms = time_option(at, "--at") or round(time.time() * 1000)
    lines = arrivals.never_heard() if never_heard else arrivals.silent(now_ms)
    for line in lines:
        typer.echo(line)
    what = "never heard of" if never_heard else "silent"
    typer.echo(f"{len(lines):,} of {arrivals.registered:,} subjects {what}; state saved {arrivals.saved_at}", err=True)

