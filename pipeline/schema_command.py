"""`fencewatch schema`: the contract of what fencewatch tells others, for a machine."""

from __future__ import annotations

import sys

import orjson
import typer

from sinks.alert_schema import ALERT_SCHEMA

app = typer.Typer(name="schema", help="The JSON Schema of what fencewatch tells others.", no_args_is_help=True)


@app.callback()
def schema() -> None:
    """The JSON Schema of what fencewatch tells others."""


@app.command("alert", epilog="Example: fencewatch schema alert > alert.schema.json")
def alert() -> None:
    """Print the JSON Schema (2020-12) of an alert."""
    sys.stdout.write(orjson.dumps(ALERT_SCHEMA, option=orjson.OPT_INDENT_2).decode() + "\n")
