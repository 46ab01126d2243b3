"""What is wrong with a registry or a configuration: every problem with its place, what is wrong and what to write."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. `file` as given, `line` from 1 (None where a file has no lines that help), `path` inside the record."""

    file: str
    line: int | None
    path: str
    what: str
    write: str
    warning: bool = False


class FencewatchError(Exception):
    """Base of the errors fencewatch raises on purpose; its text is one sentence for a tired reader."""


class WrongRegistryError(FencewatchError):
    """A registry (or configuration) that must not be used. Carries every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} problems")
