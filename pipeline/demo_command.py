"""`fencewatch demo`: see it work, within a minute, with nothing prepared."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

EPILOG = "Examples: fencewatch demo; fencewatch demo --seed 7 --serve"
SEEDS = 1_000_000


def demo(
    *,
    seed: Annotated[int | None, typer.Option(min=0, help="Another world; by default one is drawn, and its seed printed.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Keep Redis and the daemon running at the end, until Ctrl-C.")] = False,
) -> None:
    """Watch simulated people move through three regions, and red alerts arrive from Redis.

    A Redis of its own, the real daemon on a clock that runs faster, tracks fed through a real stream; all of it is gone afterwards.
    Exit: 0 every scripted breach was told, nothing else, and what was shown is what stands in Redis; 1 not so, or it could not run.
    """
    from rich.console import Console

    from pipeline.demo.show import run_demo

    run_demo(secrets.randbelow(SEEDS) if seed is None else seed, Console(), serve=serve)
