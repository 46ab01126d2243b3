"""What is wrong with a registry or a configuration: every problem with its place, what is wrong and what to write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. `file` as given, `line` from 1 (None where a file has no lines that help), `path` inside the record.

    `kind` groups problems that are the same mistake made often; of one kind only the first 200 are listed. A last one stands for
    the rest of its kind: `count` says how many these are.
    """

    file: str
    line: int | None
    path: str
    what: str
    write: str
    warning: bool = False
    kind: str = ""
    count: int = 1


class FencewatchError(Exception):
    """Base of the errors fencewatch raises on purpose; its text is one sentence for a tired reader."""


class WrongRegistryError(FencewatchError):
    """A registry (or configuration) that must not be used. Carries every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(f"{sum(problem.count for problem in problems if not problem.warning)} problems")


def describe(problems: Iterable[Problem]) -> Iterator[str]:
    """A line a problem: `file:line: path: what; write ...`, warnings marked as such."""
    for problem in problems:
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        parts = [place, *(["warning"] if problem.warning else []), *([problem.path] if problem.path else [])]
        advice = f"; {problem.write}" if problem.write else ""
        yield f"{': '.join(parts)}: {problem.what}{advice}"
