"""Random tracks over a registry: the JSON lines of a stream in arrival order.

Points are chosen where they matter: vertices, points of edges, mid-points of holes and areas, one unit in the last place beside
these, a few tens of metres and some kilometres off; and times where they matter: on the grid of ten seconds on which rules begin
and end, at times already used, before them, and after long gaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tests.strategies.registries import Level, Plan
from tests.strategies.shapes import PER_DEGREE

Point = tuple[float, float]
TEN_MINUTES_MS = 600_000
ULPS = {"exact": (0, 0), "east": (1, 0), "west": (-1, 0), "north": (0, 1), "south": (0, -1), "north-east": (1, 1)}
SHIFTS = {"near": (0.25, 0.25), "nearer": (0.0, -0.5), "beside": (0.0, 1.25), "off": (2.5, -1.75), "far": (90.0, 70.0)}
WRONG_FIELDS = (
    ("accuracy_m", -0.5),
    ("accuracy_m", "good"),
    ("speed_mps", -1),
    ("heading_deg", 360.5),
    ("battery_pct", 255),
    ("positioning", "guess"),
    ("separated", "maybe"),
    ("tamper", "yes"),
    ("received", "noon"),
)


@dataclass(frozen=True)
class Move:
    """One record before it is written.

    `point` and `subject` are taken modulo what the registry has; `stays`: at the last point;
    `meets`: at the next full ten minutes, when rules begin and end; `times`: so many such records one after another.
    """

    kind: str
    subject: int
    wait_s: int
    point: int
    stays: bool
    meets: bool
    times: int
    beside: str
    accuracy_m: float | None
    delay_ms: int | None
    form: str
    extra: tuple[tuple[str, Any], ...]


def moves(level: Level) -> st.SearchStrategy[Move]:
    """A record: mostly the next fix, sometimes one of the others."""
    kinds = ["fix"] * 12 + ["contact", "contact", "duplicate", "conflict", "late", "late on", "late on", "late again", "broken"]
    delays = [None, None, 0, 900, 4321] if level == "basic" else [None, None, None, 0, 900, 4321, 130_000, 1_000_000, -30_000]
    extras: list[tuple[tuple[str, Any], ...]] = [()] * 20
    extras += [(("battery_pct", 64.5), ("tamper", False)), (("note", {"unknown": ["key"]}), ("device", "d-1"))]
    extras += [(field,) for field in WRONG_FIELDS]
    if level == "full":
        extras += [(("battery_pct", pct),) for pct in (4, 7.5, 13, 20, 24.9, 25, 36)]
        extras += [((flag, value),) for flag in ("tamper", "separated") for value in (True, True, False)]
    return st.builds(
        Move,
        kind=st.sampled_from([*kinds, *kinds, "unknown", "future"]),
        subject=st.sampled_from([0, 0, 0, 1, 1, 2, 3]),
        wait_s=st.sampled_from([60, 10, 20, 60, 60, 120, 120, 240, 300, 600, 1800]),
        point=st.integers(0, 199),
        stays=st.booleans(),
        meets=st.sampled_from([False, False, False, True]),
        times=st.sampled_from([1, 1, 1, 2, 3]),
        beside=st.sampled_from(["exact"] * 4 + list(ULPS) + list(SHIFTS) * 2),
        accuracy_m=st.sampled_from([None, None, 0, 4.4, 40, 75.5, 120, 250, 250, 1500]),
        delay_ms=st.sampled_from(delays),
        form=st.sampled_from(["ms", "ms", "digits", "Z", "+08:00", "-05:00"]),
        extra=st.sampled_from(extras),
    )


def repeated(move: Move) -> list[Move]:
    """The move, and after it the same from the same place: a dwell, or more records of one late upload."""
    follows = replace(
        move, kind="late on" if move.kind == "late" else move.kind, stays=True, meets=False, wait_s=min(move.wait_s, 300)
    )
    return [move] + [follows] * ((move.times - 1) if move.kind in ("fix", "contact", "late", "late on") else 0)


def points_of(plans: Sequence[Plan]) -> list[Point]:
    """Where a boundary may go wrong: corners, points of edges, middles of rings; and the centre of each circle and beside it."""
    points: list[Point] = []
    shapes = {str(feature["geometry"]): feature for plan in plans for feature in (*plan.areas, *plan.regions)}
    for feature in shapes.values():
        geometry = feature["geometry"]
        if geometry["type"] == "Point":
            lon, lat = geometry["coordinates"]
            points += [(lon, lat), (lon + 2 / PER_DEGREE, lat), (lon, lat - 12 / PER_DEGREE)]
            continue
        polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        for ring in (ring for polygon in polygons for ring in polygon):
            corners = [(lon, lat) for lon, lat in ring[:-1]]
            points += corners
            points += [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(corners, [*corners[1:], corners[0]], strict=True)]
            points.append((sum(lon for lon, _ in corners) / len(corners), sum(lat for _, lat in corners) / len(corners)))
    return points


def beside(point: Point, how: str) -> Point:
    """The point itself, one unit in the last place beside it, or some grid steps off."""
    lon, lat = point
    if how in ULPS:
        x, y = ULPS[how]
        return (math.nextafter(lon, x * math.inf) if x else lon, math.nextafter(lat, y * math.inf) if y else lat)
    east, north = SHIFTS[how]
    return lon + east / PER_DEGREE, lat + north / PER_DEGREE


def write_time(ms: int, form: str) -> int | str:
    """One of the forms a time may have."""
    if form == "ms":
        return ms
    if form == "digits":
        return str(ms)
    hours = {"Z": 0, "+08:00": 8, "-05:00": -5}[form]
    moment = datetime.fromtimestamp(ms // 1000, UTC).astimezone(timezone(timedelta(hours=hours)))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}{form}"


def broken(subject: str, ms: int, which: int) -> bytes:
    """A line that is refused, for each reason that needs no registry."""
    lines = (
        b'{"subject": "p-1", "time": 17',
        b"[1, 2, 3]",
        b"\xff\xfe\x00junk",
        json.dumps({"subject": subject, "time": ms, "lon": math.nan, "lat": 31.0}).encode(),
        json.dumps({"subject": subject, "lon": 121.0, "lat": 31.0}).encode(),
        json.dumps({"time": ms, "lon": 121.0, "lat": 31.0}).encode(),
        json.dumps({"subject": subject, "time": ms, "lon": 121.0, "lat": None}).encode(),
        json.dumps({"subject": subject, "time": "yesterday", "lon": 121.0, "lat": 31.0}).encode(),
        json.dumps({"subject": subject, "time": "2026-03-29T01:00:00", "lon": 121.0, "lat": 31.0}).encode(),
        json.dumps({"subject": subject, "time": ms, "lon": "121.0", "lat": 31.0}).encode(),
        json.dumps({"subject": "", "time": ms, "lon": 121.0, "lat": 31.0}).encode(),
        json.dumps({"subject": "p\u0007", "time": ms, "lon": 121.0, "lat": 31.0}).encode(),
        json.dumps({"subject": "x" * 65, "time": ms, "lon": 121.0, "lat": 31.0}).encode(),
        json.dumps({"subject": subject, "time": ms, "lon": 180.5, "lat": 31.0}).encode(),
        json.dumps({"subject": subject, "time": 600_000_000_000, "lon": 121.0, "lat": 31.0}).encode(),
        json.dumps({"subject": subject, "time": ms, "note": "x" * 66_000}).encode(),
        b"   ",
        b"",
    )
    return lines[which % len(lines)]


class Writer:
    """Writes moves as lines; keeps each subject's times and places so that a record can come late, twice or in contradiction."""

    def __init__(self, plans: Sequence[Plan], level: Level) -> None:
        self.points = points_of(plans)
        self.subjects = list(dict.fromkeys(str(subject["id"]) for plan in plans for subject in plan.subjects))
        self.now_ms = plans[0].start_s * 1000
        self.past: dict[str, list[tuple[int, Point | None]]] = {subject: [] for subject in self.subjects}
        self.late: dict[str, tuple[int, Point | None]] = {}
        self.late_fixes = level == "full" or plans[0].least_confirm_fixes > 1

    def line(self, move: Move) -> bytes:
        """The line of a move, without its line feed."""
        subject = self.subjects[move.subject % len(self.subjects)]
        past = self.past[subject]
        place: Point | None = beside(self.points[move.point % len(self.points)], move.beside)
        stood = [before for _, before in past if before is not None]
        if move.stays and stood and not move.kind.startswith("late"):
            place = stood[-1]
        if move.kind == "broken":
            return broken(subject, self.now_ms, move.point)
        self.now_ms += move.wait_s * 1000
        if move.meets:
            self.now_ms = math.ceil(self.now_ms / TEN_MINUTES_MS) * TEN_MINUTES_MS
        ms = self.now_ms
        record: dict[str, Any] = {}
        if move.kind == "unknown":
            subject = "nobody"
        elif move.kind == "future":
            record["received"] = ms - 3_600_000
        elif move.kind in ("fix", "contact") or not past:
            place = None if move.kind == "contact" else place
            past.append((ms, place))
        elif move.kind in ("duplicate", "conflict"):
            ms, before = past[-1]
            place = before if move.kind == "duplicate" else place
        elif move.kind in ("late", "late on"):
            ms, place = self.late[subject] = self.late_record(subject, move, place)
        else:  # a time already used, once more
            ms, place = past[move.point % len(past)]
            place = place if self.late_fixes else None
        if move.delay_ms is not None:
            record.setdefault("received", write_time(ms + move.delay_ms, move.form))
        if place is not None:
            record |= {"lon": place[0], "lat": place[1]}
        if move.accuracy_m is not None:
            record["accuracy_m"] = move.accuracy_m
        known = {"subject": subject, "time": write_time(ms, move.form)}
        return json.dumps(known | record | dict(move.extra), ensure_ascii=False).encode()

    def late_record(self, subject: str, move: Move, place: Point | None) -> tuple[int, Point | None]:
        """Time and place of a record that comes late: some while before his last one, or going on from his last late one."""
        before_ms, before = self.late.get(subject, (0, None))
        if move.kind == "late on" and before_ms:
            return before_ms + move.wait_s * 500, (before if move.stays else place) if self.late_fixes else None
        return self.past[subject][-1][0] - move.wait_s * 2_000 - 10_000, place if self.late_fixes else None


def tracks(plans: Sequence[Plan], level: Level = "basic", *, most: int = 60) -> st.SearchStrategy[list[bytes]]:
    """The lines of a stream, in arrival order, without line feeds: of everybody whom any of the registries knows."""

    def written(chosen: list[Move]) -> list[bytes]:
        writer = Writer(plans, level)
        return [writer.line(again) for move in chosen for again in repeated(move)]

    least = st.sampled_from([2, most // 3, most // 2])
    return least.flatmap(lambda n: st.lists(moves(level), min_size=n, max_size=2 * most // 3)).map(written)
