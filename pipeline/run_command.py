"""`fencewatch run`: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fences.problems import WrongRegistryError

EPILOG = (
    "Examples: fencewatch check --config /etc/fencewatch/fencewatch.toml; fencewatch run --config /etc/fencewatch/fencewatch.toml"
)


def run(config: Annotated[Path, typer.Option(help="The configuration of the daemon.", metavar="FILE")]) -> None:
    """Watch live streams until told to stop (SIGTERM or Ctrl-C): what was read is judged, position and state are saved, exit 0.

    Exit: 0 stopped, 1 failed, 2 wrong usage, 78 wrong registry or configuration.
    """
    # Imported here: pydantic, numba and Bytewax take a second, and --help need not wait for them.
    from pipeline.check_command import registry_problems
    from pipeline.configuration import load_configuration
    from pipeline.daemon import run_daemon
    from pipeline.logs import configure_logs
    from pipeline.registry_loading import tell_and_exit

    configure_logs()
    try:
        configuration = load_configuration(config)
    except WrongRegistryError as error:
        tell_and_exit(WrongRegistryError([*error.problems, *registry_problems(config)]))
    run_daemon(configuration)
