"""The command line: one file a command, put together here."""

from __future__ import annotations

import os
import sys
import threading
from importlib.metadata import version as installed_version
from typing import Annotated, NoReturn

import typer

from fences.problems import FencewatchError
from pipeline import (
    alerts_command,
    check_command,
    demo_command,
    explain_command,
    feed_command,
    replay_command,
    run_command,
    schema_command,
    simulate_command,
    subjects_command,
)
from pipeline.exit_codes import FAILED

app = typer.Typer(
    name="fencewatch",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:  # noqa: FBT001 - typer's form
    if value:
        typer.echo(f"fencewatch {installed_version('fencewatch')}")
        raise typer.Exit


@app.callback()
def fencewatch(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Watches where people and things may be: GPS streams in, geofence alerts out."""


app.command(epilog=check_command.EPILOG)(check_command.check)
app.command(epilog=run_command.EPILOG)(run_command.run)
app.command(epilog=replay_command.EPILOG)(replay_command.replay)
app.command(epilog=feed_command.EPILOG)(feed_command.feed)
app.command(epilog=simulate_command.EPILOG)(simulate_command.simulate)
app.command(epilog=demo_command.EPILOG)(demo_command.demo)
app.add_typer(alerts_command.app)
app.command(epilog=subjects_command.EPILOG)(subjects_command.subjects)
app.command(epilog=explain_command.EPILOG)(explain_command.explain)
app.add_typer(schema_command.app)


def main() -> None:
    """Run a command; an error of ours is one sentence on standard error and exit code 1."""
    try:
        app(prog_name="fencewatch")
    except FencewatchError as error:
        typer.echo(f"fencewatch: {error}", err=True)
        _leave(FAILED)
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else int(end.code is not None))


def _leave(code: int) -> NoReturn:
    """End the process; at once where a dataflow still runs, for Python would be taken from under its threads and abort."""
    if any(thread.name == "dataflow" for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
