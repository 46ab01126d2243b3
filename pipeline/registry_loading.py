"""Loading and compiling a registry for a command: problems are listed and end it with 78."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import typer

from fences.fence_set import FenceSet
from fences.load import load_registry
from fences.problems import WrongRegistryError, describe
from pipeline.exit_codes import WRONG_REGISTRY
from pipeline.progress import loading


def load_fence_set(directory: Path, *, warn: bool = True) -> FenceSet:
    """The compiled registry; warnings, if wanted, go to standard error. Raises SystemExit(78) after listing every problem."""
    try:
        with loading() as progress:
            registry, warnings = load_registry(directory, progress)
            fence_set = FenceSet(registry, progress)
    except WrongRegistryError as error:
        tell_and_exit(error)
    for line in describe(warnings if warn else []):
        typer.echo(line, err=True)
    return fence_set


def tell_and_exit(error: WrongRegistryError) -> NoReturn:
    """List every problem on standard error and end with 78."""
    for line in describe(error.problems):
        typer.echo(line, err=True)
    count = sum(problem.count for problem in error.problems if not problem.warning)
    typer.echo(f"fencewatch: {count:,} problem{'' if count == 1 else 's'}; nothing was started.", err=True)
    raise SystemExit(WRONG_REGISTRY)
