"""A page cut into its examples: a heading with the tables below it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

WORLD, CHANGED, RECORDS = "in this example", "the new registry from", "time"
BOLD = re.compile(r"\*\*([^*]+)\*\*")
TIME = re.compile(r"(?:(\d{4}-\d\d-\d\d) )?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{3}))?)?")
TODAY, ZONE = "2026-03-02", "Asia/Shanghai"


class NotationError(ValueError):
    """A page says something that its notation does not have."""


@dataclass(frozen=True)
class Clock:
    """The day and the time zone in which an example tells times."""

    day: str
    zone: str

    def ms(self, text: str) -> int:
        """The instant that a time writes, UTC milliseconds: `08:00`, `08:00:00`, `08:00:00.500`, `2026-03-03 08:00:00`."""
        found = TIME.fullmatch(text)
        if found is None:
            raise NotationError(f"{text!r} is no time")
        day, hours, minutes, seconds, fraction = found.groups()
        moment = datetime.fromisoformat(day or self.day).replace(tzinfo=ZoneInfo(self.zone))
        moment += timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0), milliseconds=int(fraction or 0))
        return round(moment.timestamp() * 1000)


@dataclass(frozen=True)
class Table:
    """The cells of a table by row; `columns` are those of its first line."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Example:
    """A heading and its tables: the world, its later versions with their times, the records. `text`: as it stands on the page."""

    title: str
    text: str
    world: tuple[tuple[str, str], ...]
    changes: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    records: Table

    @property
    def rule(self) -> str:
        """The rule it is of: `J7` of `J7.3 A position that is too old`."""
        return self.title.split(".", maxsplit=1)[0]

    @property
    def clock(self) -> Clock:
        """How its times are meant."""
        said = dict(self.world).get("clock", f"{TODAY}, {ZONE}")
        day, _, zone = said.partition(", ")
        return Clock(day, zone)

    @property
    def live(self) -> bool:
        """Whether it is of a live run, with marks of the clock, and no replay."""
        return dict(self.world).get("run") == "live"


def examples_in(page: str) -> list[Example]:
    """Every example of a page: each third-level heading below which there is a table of records."""
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)
    return [
        example_of(title, text)
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
        if re.search(rf"^\| {RECORDS} +\|", text, re.MULTILINE)
    ]


def example_of(title: str, text: str) -> Example:
    """The example of a piece of a page."""
    world: tuple[tuple[str, str], ...] | None = None
    changes = []
    records = None
    for table in tables_in(re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]):
        if table.columns[0] == WORLD:
            world = pairs(table)
        elif table.columns[0].startswith(CHANGED):
            changes.append((table.columns[0].removeprefix(CHANGED).strip(), pairs(table)))
        elif table.columns[0] == RECORDS:
            records = table
        else:
            raise NotationError(f"{title}: a table that begins with {table.columns[0]!r}")
    if world is None or records is None:
        raise NotationError(f"{title}: a world and records are needed")
    return Example(title, text, world, tuple(changes), records)


def pairs(table: Table) -> tuple[tuple[str, str], ...]:
    """The rows of a table of two columns."""
    return tuple((row[0], row[1]) for row in table.rows)


def tables_in(text: str) -> Iterator[Table]:
    """The tables of a text; emphasis in their cells is left out."""
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        lines = [[BOLD.sub(r"\1", cell.strip()) for cell in line.strip("|").split("|")] for line in block.splitlines()]
        if any(len(line) != len(lines[0]) for line in lines):
            raise NotationError(f"a row of another length in: {block}")
        yield Table(tuple(lines[0]), tuple(tuple(line) for line in lines[2:]))
