"""How an alert looks to a person: a plain line, a coloured line, a row of the table of what is open."""

from __future__ import annotations

from typing import Any

import orjson
from rich.table import Table
from rich.text import Text

from operators.alert import LEVELS, TYPE

Event = dict[str, Any]
"""An alert as the stream carries it, parsed."""

STYLE_OF_LEVEL = {"red": "bold red", "yellow": "yellow", "info": "cyan"}
STYLE_OF_CLEAR = "green"


def change_of(event: Event) -> str:
    """`opened`, `moved` or `cleared`."""
    return str(event["type"]).removeprefix(TYPE)


def alert_line(event: Event) -> str:
    """One line: time, level, change and kind, then what is known as `name=value`; a value with spaces or quotes stands as JSON."""
    data = event["data"]
    told = {
        "subject": event["subject"],
        "rule": data["rule"],
        "distance_m": None if data["distance_m"] is None else round(data["distance_m"]),
        "reason": data["reason"],
        "home": data["home_region"],
        "found": data["found_region"],
        "regions": ",".join(data["regions"]) or None,
        "lon": None if data["lon"] is None else round(data["lon"], 6),
        "lat": None if data["lat"] is None else round(data["lat"], 6),
        "onset": data["onset"],
        "late": "yes" if data["late"] else None,
        "episode": data["episode"],
        "id": event["id"],
    }
    words = [f"{name}={_word(value)}" for name, value in told.items() if value is not None]
    return " ".join([event["time"], data["level"], change_of(event), data["kind"], *words])


def terminal_line(event: Event) -> Text:
    """The same for a terminal, shorter and coloured: red ones red, the end of one green."""
    data = event["data"]
    change = change_of(event)
    style = STYLE_OF_CLEAR if change == "cleared" else STYLE_OF_LEVEL[data["level"]]
    # Built of parts, not of markup: a subject named [red] is no command.
    line = Text(f"{event['time'][:19].replace('T', ' ')}  ")
    line.append(f"{data['level']:<6} {change:<7} {data['kind']:<17} ", style)
    line.append(f"{event['subject']}  ", f"bold {style}" if style == STYLE_OF_CLEAR else style)
    line.append("  ".join(_details(event)))
    return line


def open_lines(events: list[Event]) -> list[str]:
    """The open episodes as plain lines, the gravest and oldest first."""
    return [alert_line(event) for event in gravest_first(events)]


def open_table(events: list[Event], region: str | None) -> Table:
    """The open episodes as a table for a terminal, the gravest and oldest first."""
    where = "" if region is None else f" in {region}"
    table = Table(title=Text(f"open{where}: {len(events)}"), title_justify="left", caption="times in UTC", caption_justify="left")
    for heading in ("level", "since", "kind", "subject", "home", "last found in", "rule", "distance"):
        table.add_column(heading, justify="right" if heading == "distance" else "left")
    for event in gravest_first(events):
        data = event["data"]
        table.add_row(
            Text(data["level"]),
            Text(data["onset"][:19].replace("T", " ")),
            Text(data["kind"]),
            Text(event["subject"]),
            Text(data["home_region"] or "-"),
            Text(data["found_region"] or "-"),
            Text(data["rule"] or "-"),
            Text("-" if data["distance_m"] is None else _metres(data["distance_m"])),
            style=STYLE_OF_LEVEL[data["level"]],
        )
    return table


def gravest_first(events: list[Event]) -> list[Event]:
    """By level, then by onset, then by id."""
    return sorted(events, key=lambda event: (LEVELS.index(event["data"]["level"]), event["data"]["onset"], event["id"]))


def _details(event: Event) -> list[str]:
    data = event["data"]
    told = []
    if data["distance_m"] is not None:
        told.append(_metres(data["distance_m"]))
    if data["found_region"] is not None and data["found_region"] != data["home_region"]:
        told.append(f"{data['home_region'] or 'no home region'} -> {data['found_region']}")
    elif data["home_region"] is not None:
        told.append(data["home_region"])
    if data["rule"] is not None:
        told.append(f"rule {data['rule']}")
    if data["reason"] == "rule_ended":
        told.append("its rule ended")
    if data["late"]:
        told.append("reported late")
    return told


def _metres(distance_m: float) -> str:
    return f"{distance_m:.0f} m" if distance_m < 10_000 else f"{distance_m / 1000:.0f} km"


def _word(value: object) -> str:
    text = str(value)
    return orjson.dumps(text).decode() if not text or any(c in ' "\\=' for c in text) else text
