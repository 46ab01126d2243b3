"""The picture that fills a terminal: map on the left, alerts on the right, clock above, figures below."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from pipeline.alert_lines import STYLE_OF_CLEAR, STYLE_OF_LEVEL, Event, change_of
from pipeline.demo.map_picture import Look, MapPicture
from pipeline.demo.moment import SHANGHAI, Moment, Notice
from pipeline.demo.scenario_clock import told_ms

WORDS = {
    "left_area": "left his area",
    "overstay": "overstays his permit",
    "entered_forbidden": "in a forbidden place",
    "absent": "is not where he must be",
    "silent": "is not heard",
    "silent_long": "is not heard for long",
    "no_position": "has no position",
    "stale": "sends nothing new",
    "tamper": "device tampered with",
    "separated": "is not with his device",
    "battery_low": "battery low",
    "battery_critical": "battery almost empty",
    "implausible": "cannot move so fast",
}
WORDS_OF_CLEAR = {
    "left_area": "is back",
    "overstay": "is back",
    "entered_forbidden": "is out again",
    "absent": "is where he must be",
    "silent": "is heard again",
    "silent_long": "is heard again",
    "no_position": "has a position again",
    "stale": "sends something new",
    "tamper": "device is whole again",
    "separated": "is with his device",
    "battery_low": "battery charged",
    "battery_critical": "battery charged",
    "implausible": "moves as one can",
}
STYLE_OF_NOTICE = "bold blue"
HEADER_LINES, FOOTER_LINES = 2, 3
NARROWEST_MAP, NARROWEST_ALERTS, GAP = 30, 37, 2
ONE_LINE_FROM = 76
"""An alert takes one line where there are so many columns for it, else two."""
WAY = ("simulated people", "Redis stream", "fencewatch run", "Redis channel", "this screen")
BAR_COLUMNS = 16
STRETCH = 1.3
"""The map may be so much too wide: room is scarce in height only."""


class Screen:
    """A renderable of exactly the terminal's size; `moment` and `note` are changed from outside."""

    def __init__(self, picture: MapPicture, look: Look, subject_ids: tuple[str, ...], seed: int, speed: float) -> None:
        self._map, self.look, self._seed, self._speed = picture, look, seed, speed
        self._row_of = {subject: i for i, subject in enumerate(subject_ids)}
        self.moment: Moment | None = None
        self.note = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Its lines, cut to the terminal."""
        if self.moment is None:
            return
        width, height = options.max_width, options.height or console.height
        lines = self._lines(self.moment, width, height)[:height]
        for line in lines:
            line.truncate(width)
        yield Text("\n", no_wrap=True, overflow="crop", end="").join(lines)

    def _lines(self, moment: Moment, width: int, height: int) -> list[Text]:
        inner = max(1, height - HEADER_LINES - FOOTER_LINES)
        map_width = min(round(self._map.columns_for(inner) * STRETCH), width - NARROWEST_ALERTS - GAP)
        if map_width < NARROWEST_MAP:
            map_width = 0
        alerts_width = width - map_width - GAP if map_width else width
        middle = self._alerts(moment, alerts_width, inner)
        if map_width:
            in_breach = np.zeros(len(moment.place), bool)
            in_breach[[self._row_of[subject] for subject in moment.red_subjects() if subject in self._row_of]] = True
            left = self._map.lines(map_width, inner, moment.place, in_breach)
            middle = [Text.assemble(a, " " * GAP, b) for a, b in zip(left, middle, strict=True)]
        return [*self._header(moment, width), *middle, *self._footer(moment)]

    def _header(self, moment: Moment, width: int) -> list[Text]:
        now = datetime.fromtimestamp(moment.now_ms / 1000, SHANGHAI)
        share = moment.fed / max(1, moment.fixes)
        done = round(share * BAR_COLUMNS)
        full, empty = ("━", "╌") if self.look.unicode else ("=", "-")
        line = Text.assemble(
            ("fencewatch demo  ", "bold"),
            (f"{now:%a %d %b %H:%M}", "bold bright_white"),
            f"  {self._speed:g} times as fast  ",
            (full * done, "bright_green"),
            (empty * (BAR_COLUMNS - done), "dim"),
            f" {share:4.0%}",
        )
        seed = f"seed {self._seed}"
        if width - len(line) > len(seed) + 2:
            line.append(" " * (width - len(line) - len(seed)) + seed, "dim")
        arrow = "→" if self.look.unicode else "->"
        return [line, Text(f" {arrow} ".join(WAY), "dim")]

    def _footer(self, moment: Moment) -> list[Text]:
        behind = "" if moment.behind_s is None else f", {moment.behind_s:.2f} s behind"
        counts = f"{moment.counted_fed:,} fixes fed, {moment.judged:,} judged by the daemon, {moment.judged_rate:,.0f}/s{behind}"
        people = np.count_nonzero(~np.isnan(moment.place[:, 0]))
        legend = Text.assemble(
            f"{people} people ",
            (self.look.person, "bright_white"),
            "  open red alert ",
            (self.look.breach, "bold bright_red"),
            f" {len(moment.red_subjects())}",
            "  forbidden place ",
            (self.look.forbidden, "yellow"),
            f"  {moment.count('opened')} opened, {moment.count('cleared')} cleared",
        )
        return [Text(""), legend, Text(self.note or counts)]

    def _alerts(self, moment: Moment, width: int, height: int) -> list[Text]:
        """The newest on top."""
        lines = [Text("alerts from Redis, the newest first", "dim italic")]
        for one in reversed(moment.shown):
            if len(lines) >= height:
                break
            lines += _lines_of(one, one_line=width >= ONE_LINE_FROM)
        if not moment.shown:
            lines.append(Text("none yet", "dim"))
        return (lines + [Text("")] * height)[:height]


def _lines_of(one: Event | Notice, *, one_line: bool) -> list[Text]:
    """An alert or a notice as one line or two."""
    if isinstance(one, Notice):
        at_ms, subject, what, style, details = one.at_ms, one.subject, one.what, STYLE_OF_NOTICE, one.details
    else:
        data = one["data"]
        at_ms, subject, what, style = told_ms(one["time"]), one["subject"], _what(one), STYLE_OF_LEVEL[data["level"]]
        if change_of(one) == "cleared":
            style = STYLE_OF_CLEAR
        details = f"in {data['found_region'] or 'no region'}, told {'+'.join(data['regions'])}"
    first = Text.assemble(f"{datetime.fromtimestamp(at_ms / 1000, SHANGHAI):%H:%M} ", (f"{subject} {what}", style))
    if one_line:
        return [Text.assemble(first, " " * max(1, 40 - len(first)), (details, "dim"))]
    return [first, Text(f"  {details}", "dim")]


def _what(event: Event) -> str:
    data, change = event["data"], change_of(event)
    if change == "moved":
        return f"moved on to {data['found_region'] or 'no region'}"
    if change == "cleared":
        return "hours are over" if data["reason"] == "rule_ended" else WORDS_OF_CLEAR.get(data["kind"], "is well again")
    return WORDS.get(data["kind"], str(data["kind"]).replace("_", " "))
