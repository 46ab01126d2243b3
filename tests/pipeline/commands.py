"""The commands as a user calls them: within this process where it is only about what they say, else as processes of their own."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import orjson

from pipeline.cli import main

COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()"]
ROOT = Path(__file__).parents[2]
LATEST_S = 300
"""A wait that is longer has failed; the first command of a fresh clone compiles for a minute on a busy machine."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()


def _end(code: int) -> NoReturn:
    raise SystemExit(code)


def fencewatch(*arguments: object, stdin: bytes = b"") -> Outcome:
    """Run a command in this process. What Python would print as a traceback stands in `err`, with the code 1.

    Not for what ends with alerts undelivered: the thread that holds them would stay with us.
    """
    out, err = io.StringIO(), io.StringIO()
    given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin)))
    code = 0
    with (
        mock.patch.object(sys, "argv", ["fencewatch", *map(str, arguments)]),
        mock.patch.object(sys, "stdin", given),
        mock.patch.object(os, "_exit", _end),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        except BaseException:  # noqa: BLE001 - whatever a user would see
            traceback.print_exc()
            code = 1
    return Outcome(code, out.getvalue(), err.getvalue())


def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 - those of Popen
    """A command as a process of its own."""
    environment = {**os.environ, "COLUMNS": "200"}
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=ROOT, env=environment, **options)
    # What a failing test leaves running is ended with the session.
    atexit.register(process.kill)
    return process


def alerts_in(file: Path) -> list[dict[str, Any]]:
    """The alerts of a file of JSON lines."""
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def told(alerts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Alerts without what differs between two replays of the same records, in an order of their own."""
    kept = [{**alert, "source": None} for alert in alerts]
    return sorted(kept, key=lambda alert: (alert["time"], alert["id"]))
