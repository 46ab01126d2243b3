"""Collects problems while a registry is read: of one kind the first 200 in full, then only their number."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from fences.problems import Problem

LISTED_PER_KIND = 200
_SUGGEST_AMONG = 1_000
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is wrong: a file as given, a line from 1 (None where it does not help) and a path inside the record."""

    file: str
    line: int | None = None
    path: str = ""

    def at(self, path: str) -> Place:
        """The same record, another path in it."""
        return Place(self.file, self.line, path)

    def __str__(self) -> str:
        """As it is named in a sentence: `rules.jsonl:3`."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem whose file is not known yet: what the check of a single record or a single value says."""

    kind: str
    path: str
    what: str
    write: str


class Findings:
    """Every problem found so far. Counts all, keeps the first `LISTED_PER_KIND` of a kind."""

    def __init__(self) -> None:
        self.errors = 0
        self._listed: list[Problem] = []
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._last_file: dict[tuple[str, bool], str] = {}

    def add(self, kind: str, place: Place, what: str, write: str, *, warning: bool = False) -> None:
        """Notes one problem."""
        self._count(kind, 1, warning=warning)
        self._last_file[kind, warning] = place.file
        if self._counts[kind, warning] <= LISTED_PER_KIND:
            self._listed.append(Problem(place.file, place.line, place.path, what, write, warning, kind))

    def add_fault(self, fault: Fault, place: Place) -> None:
        """Notes what a check said of the record at `place`."""
        self.add(fault.kind, place.at(place.path + fault.path), fault.what, fault.write)

    def add_each(
        self, kind: str, rows: Sequence[int], tell: Callable[[int], tuple[Place, str, str]], *, warning: bool = False
    ) -> None:
        """Notes one problem a row; `tell(row)` gives place, what and write, and is asked only for those that are listed."""
        room = max(0, LISTED_PER_KIND - self._counts[kind, warning])
        for row in rows[:room]:
            self.add(kind, *tell(row), warning=warning)
        self._count(kind, max(0, len(rows) - room), warning=warning)

    def listed(self) -> list[Problem]:
        """The problems by file and line; after them, a line for each kind of which there are more than are listed."""
        problems = sorted(self._listed, key=lambda problem: (problem.file, problem.line or 0))
        for (kind, warning), count in self._counts.items():
            rest = count - LISTED_PER_KIND
            if rest > 0:
                what, write = f"{rest} more like the {LISTED_PER_KIND} listed ({kind})", "mend those listed and check again"
                problems.append(Problem(self._last_file[kind, warning], None, "", what, write, warning, kind, rest))
        return problems

    def _count(self, kind: str, number: int, *, warning: bool) -> None:
        self._counts[kind, warning] += number
        if not warning:
            self.errors += number


def shown(value: object) -> str:
    """A value as a reader finds it in the file, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def meant(word: str, known: Collection[str]) -> str:
    """` (did you mean "until"?)` where a known word is near, else nothing. Not asked of long lists: it would take seconds."""
    near = difflib.get_close_matches(word, known, n=1) if len(known) <= _SUGGEST_AMONG else []
    return f" (did you mean {shown(near[0])}?)" if near else ""
