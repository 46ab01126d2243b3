"""What a person sees of long work: a bar on a terminal, a table at the end, nothing in between where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.sources.files import Progress as FilesProgress
from pipeline.totals import Totals

COUNTED = {
    "fixes_read": "records read",
    "fixes_judged": "judged",
    "contacts": "without position",
    "late": "late",
    "duplicates": "duplicates",
    "conflicts": "conflicts",
}
"""What the closing table calls the counters of the report."""

_console = Console(stderr=True)


def bar(unit: str = "{task.fields[what]}") -> Progress:
    """A bar on standard error that is gone when it is done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=_console,
        transient=True,
        disable=not _console.is_terminal,
    )


@contextmanager
def loading() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for the loading and compiling of a registry: call what it gives with (what, done, total)."""
    with bar() as shown:
        task = shown.add_task("loading", total=None, what="")

        def update(what: str, done: int, total: int) -> None:
            shown.update(task, description=what, completed=done, total=total, what=f"{done:,} of {total:,}")

        yield update


class ReplayProgress:
    """The bar of a replay."""

    def __init__(self, files: Callable[[], FilesProgress | None], totals: Totals) -> None:
        self._files = files
        self._totals = totals
        self._bar = bar()
        self._task = self._bar.add_task("replay", total=None, what="")

    def __enter__(self) -> Self:
        """Show it."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self._bar.stop()

    def update(self) -> None:
        """Show how far it is."""
        files = self._files()
        if files is not None:
            alerts = sum(sum(changes.values()) for changes in list(self._totals.alerts.values()))
            what = f"{self._totals.fixes_read:,} fixes, {alerts:,} alerts  {files.file}"
            self._bar.update(self._task, completed=files.done_bytes, total=files.total_bytes or None, what=what)


def closing_table(report: dict[str, Any], *, stopped: bool) -> None:
    """The report as a table, on standard error."""
    table = Table(title="stopped before the end" if stopped else None, show_header=False, box=None, title_justify="left")
    table.add_column(justify="left")
    table.add_column(justify="right")
    for key, name in COUNTED.items():
        table.add_row(name, f"{report[key]:,}")
    for reason, n in report["rejected"].items():
        table.add_row(f"rejected: {reason}", f"{n:,}")
    for field, n in report["fields_ignored"].items():
        table.add_row(f"field ignored: {field}", f"{n:,}")
    for kind, changes in report["alerts"].items():
        table.add_row(f"alerts: {kind}", ", ".join(f"{n:,} {change}" for change, n in changes.items() if n))
    table.add_row("seconds", f"{report['seconds']:,.1f}")
    table.add_row("fixes a second", f"{report['fixes_per_second']:,.0f}")
    _console.print(table)
