"""The rows of an example's records: what is fed in, and what has to happen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.rules_page.example import Clock, Example, NotationError
from tests.rules_page.world import ONLY

COUNTED = {"late": "late", "duplicate": "duplicates", "conflict": "conflicts"}
NO_RECORD = ("(the clock)", "(edge)", "(deadline)", "(new registry)")
FLAGS = {"yes": True, "no": False}
ALERT = re.compile(
    r"(?P<late>late )?(?:(?P<level>red|yellow|info) )?(?P<kind>[a-z_]+)(?: \((?P<rule>[\w ]+)\))? "
    r"(?P<change>opens|clears|moves to (?P<found>\w+))(?P<more>(?:, [^,;]+)*)"
)
CHANGES = {"opens": "opened", "clears": "cleared"}


@dataclass(frozen=True)
class Told:
    """An alert as a page tells it. `distance_m` is rounded; `level` is of openings, `regions` only where the page names them."""

    subject: str
    change: str
    kind: str
    rule: str | None
    level: str | None
    time_ms: int
    onset_ms: int | None
    received_ms: int | None
    late: bool
    reason: str | None
    distance_m: int | None
    found: str | None
    regions: str | None


@dataclass(frozen=True)
class Row:
    """One row. `record` is None where none comes: the clock, or a line that says what an edge, a deadline or a registry brings.

    `judged`: columns and what they say; `counted`: what the report counts of it.
    """

    time_ms: int
    arrives_ms: int
    who: str
    what: str
    record: dict[str, Any] | None
    place: tuple[float, float] | None
    judged: tuple[tuple[str, str], ...]
    alerts: tuple[Told, ...]
    counted: tuple[str, ...]


def rows_of(example: Example) -> Iterator[Row]:
    """The rows of an example, in the order of the page."""
    names = [name.removeprefix("person ") for name, _ in example.world if name.startswith("person ")]
    only = ONLY if not names else names[0] if len(names) == 1 else None
    for cells in example.records.rows:
        said = dict(zip(example.records.columns, cells, strict=True))
        who = said.pop("who", "") or only
        if who is None:
            raise NotationError(f"{example.title}: whose row is {cells}")
        yield row_of(example.clock, who, said)


def row_of(clock: Clock, who: str, said: dict[str, str]) -> Row:
    """A row from its cells by column."""
    time_ms = clock.ms(said.pop("time"))
    arrives_ms = clock.ms(said["arrives"]) if said.get("arrives") else time_ms
    where, happens = said.pop("where"), said.pop("what happens")
    place, record = None, None
    if where not in NO_RECORD:
        record = {"subject": who, "time": time_ms}
        if arrives_ms != time_ms:
            record["received"] = arrives_ms
        if where != "none":
            place = read_place(where)
    if record is not None and (accuracy := said.pop("accuracy", "")):
        record["accuracy_m"] = float(accuracy)
    for part in filter(None, said.pop("says", "").split("; ")):
        record = (record or {}) | says(part)
    judged = tuple((column, text) for column, text in said.items() if column.startswith("judged") and text)
    unknown = {column for column in said if column not in ("arrives", "accuracy") and not column.startswith("judged")}
    if unknown:
        raise NotationError(f"columns {unknown}")
    alerts, counted = [], []
    for part in happens.split("; ") if happens != "nothing" else ():
        if part in COUNTED:
            counted.append(COUNTED[part])
        elif part.startswith("rejected as "):
            counted.append(part.removeprefix("rejected as "))
        else:
            alerts.append(read_alert(clock, part, who, time_ms, None if record is None else arrives_ms))
    return Row(time_ms, arrives_ms, who, where, record, place, judged, tuple(alerts), tuple(counted))


def read_place(text: str) -> tuple[float, float]:
    """`700, 0`: metres east and north."""
    found = re.fullmatch(r"(-?[\d.]+), (-?[\d.]+)", text)
    if found is None:
        raise NotationError(f"{text!r} is no place")
    return float(found[1]), float(found[2])


def says(text: str) -> dict[str, Any]:
    """`tamper yes`, `separated no`, `battery 19 %`."""
    if found := re.fullmatch(r"battery ([\d.]+) %", text):
        return {"battery_pct": float(found[1])}
    found = re.fullmatch(r"(tamper|separated) (yes|no)", text)
    if found is None:
        raise NotationError(f"{text!r} is nothing that a device says")
    return {found[1]: FLAGS[found[2]]}


def read_alert(clock: Clock, text: str, who: str, time_ms: int, received_ms: int | None) -> Told:
    """`red left_area opens, since 08:01:00, 200 m`; also `, at TIME` (not the row's), `, rule ended`, `, told East and West`."""
    found = ALERT.fullmatch(text)
    if found is None:
        raise NotationError(f"{text!r} is nothing that happens")
    change = CHANGES.get(found["change"], "moved")
    reason = "returned" if change == "cleared" else None
    onset_ms = distance_m = regions = None
    for part in found["more"].split(", ")[1:]:
        word, _, rest = part.partition(" ")
        if word == "at":
            time_ms = clock.ms(rest)
        elif word == "since":
            onset_ms = clock.ms(rest)
        elif word == "told":
            regions = rest
        elif part == "rule ended":
            reason = "rule_ended"
        elif metres := re.fullmatch(r"(\d+) m", part):
            distance_m = int(metres[1])
        else:
            raise NotationError(f"{part!r} is nothing that an alert says")
    if change == "opened":
        onset_ms = time_ms if onset_ms is None else onset_ms
    return Told(
        subject="gps" if found["kind"] == "feed_silent" else who,
        change=change,
        kind=found["kind"],
        rule=found["rule"],
        level=found["level"],
        time_ms=time_ms,
        onset_ms=onset_ms,
        received_ms=None if reason == "rule_ended" else received_ms,
        late=found["late"] is not None,
        reason=reason,
        distance_m=distance_m,
        found=found["found"],
        regions=regions,
    )
