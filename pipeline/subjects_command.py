"""`fencewatch subjects`: whom nobody is watching, read from the last saved state of a daemon or of a replay."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fences.problems import WrongRegistryError
from pipeline.options import time_option

EPILOG = (
    "Examples: fencewatch subjects --never-heard --config /etc/fencewatch/fencewatch.toml; "
    "fencewatch subjects --silent --state state --registry registry --at 2026-03-02T08:00:00+08:00"
)


def subjects(
    *,
    never_heard: Annotated[bool, typer.Option("--never-heard", help="Those of whom no record ever came.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="Those whose last record is older than their silent_after_s.")] = False,
    config: Annotated[Path | None, typer.Option(help="The configuration of the daemon.", metavar="FILE")] = None,
    state: Annotated[Path | None, typer.Option(help="The state folder of a replay.", metavar="DIR")] = None,
    registry: Annotated[Path | None, typer.Option(help="The registry, with --state.", metavar="DIR")] = None,
    at: Annotated[str | None, typer.Option(help="The instant to look at; default: now.", metavar="TIME")] = None,
) -> None:
    """List the subjects whom nobody is watching, one a line: id, home region, time of the last record.

    The state is that of the last save, at most ten seconds old under a running daemon.
    """
    # Imported here: numba and shapely take a while, and --help need not wait for them.
    from pipeline.registry_loading import tell_and_exit
    from pipeline.saved_state import last_arrivals

    if never_heard == silent:
        raise typer.BadParameter("write --never-heard or --silent")
    asked_ms = time_option(at, "--at")
    try:
        arrivals = last_arrivals(*_state_and_registry(config, state, registry))
    except WrongRegistryError as error:
        tell_and_exit(error)
    now_ms = round(time.time() * 1000) if asked_ms is None else asked_ms
    lines = arrivals.never_heard() if never_heard else arrivals.silent(now_ms)
    for line in lines:
        typer.echo(line)
    what = "never heard of" if never_heard else "silent"
    typer.echo(f"{len(lines):,} of {arrivals.registered:,} subjects {what}; state saved {arrivals.saved_at}", err=True)


def _state_and_registry(config: Path | None, state: Path | None, registry: Path | None) -> tuple[Path, Path]:
    """The folders that the options name. Raises typer.BadParameter and WrongRegistryError."""
    if config is None and state is not None and registry is not None:
        return state, registry
    if config is None or (state is not None and registry is not None):
        raise typer.BadParameter("write --config FILE, or --state DIR and --registry DIR")
    # Imported here: pydantic takes 0.3 s, and only this option needs it.
    from pipeline.configuration import load_configuration

    configuration = load_configuration(config)
    return configuration.state_dir, configuration.registry
