"""The command line: one file a command, put together here."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from fences.problems import FencewatchError
from pipeline import check_command
from pipeline.replay_command import EPILOG as REPLAY_EPILOG
from pipeline.replay_command import replay

app = typer.Typer(
    name="fencewatch", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Watches where people and things may be: GPS streams in, geofence alerts out.",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def _version(value: bool) -> None:  # noqa: FBT001 - typer's form
    if value:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"fencewatch {version('fencewatch')}")
        raise typer.Exit


@app.callback()
def fencewatch(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,  # noqa: ARG001, FBT002
) -> None:
    """Watches where people and things may be: GPS streams in, geofence alerts out."""


app.command(epilog=check_command.EPILOG)(check_command.check)
app.command(epilog=REPLAY_EPILOG)(replay)


def main() -> None:
    """Run a command; an error of ours is one sentence on standard error and exit code 1."""
    try:
        app()
    except FencewatchError as error:
        print(f"fencewatch: {error}", file=sys.stderr)
        sys.exit(1)
