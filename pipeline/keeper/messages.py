"""What the keeper says to the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fences.difference import Difference
from fences.problems import Problem
from pipeline.judging import RuleSet


@dataclass(frozen=True, slots=True)
class Settings:
    """What a keeper is told at its start.

    `in_force`: the number of the kept registry under which the saved state is, None where there is no state yet. `max_drop_pct`:
    a change that drops a larger share of the subjects or of the rules is refused.
    """

    registry: Path
    state: Path
    max_drop_pct: float
    in_force: int | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A registry that may take effect: its number among the kept ones, what to judge by, and how it differs from the one before.

    `seconds`: how long loading and compiling took.
    """

    number: int
    rules: RuleSet
    differs: Difference | None
    warnings: list[Problem]
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A registry that must not take effect: what is wrong with it, warnings included."""

    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The registry was read, and it says what was handed over last."""


@dataclass(frozen=True, slots=True)
class Ready:
    """All that must take effect before anything is read has been handed over; from now on the registry is watched."""


Message = Loaded | Refused | Unchanged | Ready
LOOK = b"l"
"""What the daemon says to the keeper: read the registry now, whether it seems changed or not."""
