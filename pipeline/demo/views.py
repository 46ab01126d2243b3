"""The two views of a demo: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.status import Status

from pipeline.alert_lines import Event, alert_line
from pipeline.demo.moment import Moment, Notice
from pipeline.demo.problems import DemoError
from pipeline.demo.screen import Screen
from sinks.alert_json import rfc3339

PROGRESS_EVERY_S = 5.0


class View(Protocol):
    """Shows a demo while it runs."""

    def say(self, text: str) -> None:
        """A step is taken; it lasts until the next is named, or the demo is shown."""

    def show(self, moment: Moment, new: list[Event | Notice]) -> None:
        """How it stands; `new` are the alerts and notices that came since the last call, and are in `moment` already."""

    def close(self) -> None:
        """The terminal as it was before."""


class PlainView:
    """A line for each step, alert and notice, and now and then one about the rest."""

    def __init__(self) -> None:
        self._next_at = time.monotonic()

    def say(self, text: str) -> None:
        """A line."""
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # What Python would still flush at its end goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise DemoError("nobody reads any more what it says.") from None

    def show(self, moment: Moment, new: list[Event | Notice]) -> None:
        """A line for each."""
        for one in new:
            if isinstance(one, Notice):
                self.say(f"{rfc3339(one.at_ms)} registry: {one.subject} {one.what} {one.details}")
            else:
                self.say(alert_line(one))
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + PROGRESS_EVERY_S
            self.say(
                f"{rfc3339(moment.now_ms)} fed {moment.fed:,} of {moment.fixes:,} fixes, judged {moment.judged:,} "
                f"({moment.judged_rate:,.0f}/s), {len(moment.is_open)} alerts open"
            )

    def close(self) -> None:
        """Nothing is to be undone."""


class LiveView:
    """The steps, then the picture, which fills the terminal until it is closed."""

    def __init__(self, console: Console, screen: Screen) -> None:
        self._console, self._screen = console, screen
        self._status: Status | None = None
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Beside a spinner; in the picture once that is there."""
        if self._live is not None:
            self._screen.note = text
            return
        if self._status is None:
            # rich's own spinner is made of characters that not every terminal can be sent.
            self._status = self._console.status(text, spinner="dots" if self._screen.look.unicode else "line")
            self._status.start()
        self._status.update(text)

    def show(self, moment: Moment, new: list[Event | Notice]) -> None:  # noqa: ARG002 - they are in the moment
        """Draw it."""
        self._screen.moment = moment
        if self._live is None:
            self._end_status()
            self._live = Live(self._screen, console=self._console, screen=True, auto_refresh=False)
            self._live.start()
        self._live.refresh()

    def close(self) -> None:
        """Back to the lines that were there."""
        self._end_status()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
