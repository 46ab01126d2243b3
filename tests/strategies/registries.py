"""Random small registries: `basic` holds what issue 4 covers, `full` everything of section 5 that a replay has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from hypothesis import strategies as st

from tests.strategies.shapes import feature, geometries, rectangle

Level = Literal["basic", "full"]

NIGHTS: dict[int, tuple[str, ...]] = {
    # 2026-03-29: clocks in London go forward at 01:00Z.
    1774744200: ("00:40", "01:00", "01:10", "01:30", "01:50", "02:00", "02:10", "03:00"),
    # 2026-10-25: they go back at 01:00Z.
    1792886400: ("01:00", "01:10", "01:30", "01:50", "02:00", "02:10", "08:30", "09:00"),
    # 1990-04-15: clocks in Shanghai go forward at 2 in the morning, 18:00Z of the day before.
    640114200: ("01:40", "02:00", "02:10", "02:30", "02:50", "03:00", "03:10", "19:00"),
    # 1991-09-15: they go back at 2 in the morning, 17:00Z.
    684864000: ("01:00", "01:10", "01:30", "01:50", "02:00", "02:10", "03:00", "17:30"),
    # 2026-06-01: a day, from 08:00Z; and an evening in Shanghai, from 14:00Z.
    1780300800: ("09:00", "09:10", "09:30", "10:00", "16:00", "16:10", "16:40", "17:30"),
    1780322400: ("15:10", "15:40", "16:20", "22:00", "22:10", "23:30", "00:00", "00:10"),
}
"""Starts of tracks, UTC seconds, with local times in London and Shanghai that come soon after."""
ZONES = ("Europe/London", "Asia/Shanghai")
DAYS = (None, None, "mon-sun", "sun,mon", "sat,sun", "mon-fri", "fri-mon", "mon,wed-thu")
GROUPS = ("youth", "drink")
HOMES = st.sampled_from([None, "west", "east", "north"])
SUBJECTS = ("p-1", "社区矫正-甲", "a b.c:d", "0086000123")


@dataclass(frozen=True)
class Plan:
    """A registry as plain data. `start_s`: where tracks begin, UTC seconds; `from` and `until` lie on its grid of ten seconds."""

    start_s: int
    regions: tuple[dict[str, Any], ...]
    areas: tuple[dict[str, Any], ...]
    subjects: tuple[dict[str, Any], ...]
    rules: tuple[dict[str, Any], ...]
    policy: dict[str, Any]

    @property
    def least_confirm_fixes(self) -> int:
        """The least `confirm_fixes` that can be in force: where it is 1, a single late fix may be evidence."""
        sections = [self.policy.get(effect, {}).get("confirm_fixes") for effect in ("allow", "forbid", "require")]
        given = [*(s for s in sections if s is not None), *(r["confirm_fixes"] for r in self.rules if "confirm_fixes" in r)]
        shipped = [] if sections[1] is not None else [1]
        return int(min([*given, *shipped, self.policy.get("confirm_fixes", 2)]))

    def write(self, directory: Path) -> Path:
        """Write the registry into a folder, which is made; the last subject and rule go to the folders beside the files."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, features in (("regions", self.regions), ("areas", self.areas)):
            collection = {"type": "FeatureCollection", "features": features}
            (directory / f"{name}.geojson").write_text(json.dumps(collection), encoding="utf-8")
        for name, records in (("subjects", self.subjects), ("rules", self.rules)):
            first, later = (records[:-1], records[-1:]) if len(records) > 1 else (records, ())
            (directory / f"{name}.jsonl").write_text(as_lines(first), encoding="utf-8")
            if later:
                (directory / f"{name}.d").mkdir(exist_ok=True)
                (directory / f"{name}.d" / "later.jsonl").write_text(as_lines(later), encoding="utf-8")
        (directory / "policy.toml").write_text(as_toml(self.policy), encoding="utf-8")
        return directory


def as_lines(records: tuple[dict[str, Any], ...]) -> str:
    """JSON lines."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def as_toml(policy: dict[str, Any]) -> str:
    """`[policy]` and its sections; json writes numbers and words as TOML does."""
    plain = {key: value for key, value in policy.items() if not isinstance(value, dict)}
    tables = [("policy", plain), *((f"policy.{key}", value) for key, value in policy.items() if isinstance(value, dict))]
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items()) for name, table in tables
    )


def terms(least_confirm: int) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the six keys that may stand in a section and on a rule."""
    return st.fixed_dictionaries(
        {},
        optional={
            "confirm_fixes": st.integers(least_confirm, 3),
            "confirm_s": st.sampled_from([0, 0, 60, 90]),
            "clear_fixes": st.integers(1, 3),
            "tolerance_m": st.sampled_from([0, 10.0, 30, 60.5, 150]),
            "accuracy_factor": st.sampled_from([0, 0.5, 1, 1.5, 2.0]),
            "level": st.sampled_from(["red", "yellow", "info"]),
        },
    )


@st.composite
def policies(draw: st.DrawFn, level: Level, least_confirm: int) -> dict[str, Any]:
    """A policy; in `basic` one that keeps every kind away but those of areas and forbidden areas."""
    policy: dict[str, Any] = dict(draw(terms(least_confirm)))
    for section in ("allow", "forbid", "require") if level == "full" else ("allow", "forbid"):
        if least_confirm > 1 and section == "forbid":
            policy[section] = {"confirm_fixes": least_confirm} | draw(terms(least_confirm))
        elif draw(st.booleans()):
            policy[section] = draw(terms(least_confirm))
    if level == "basic":
        quiet = {"silent_after_s": 100_000_000, "no_position_after_s": 100_000_000, "max_speed_mps": 100_000_000.0}
        return policy | quiet | {"max_position_age_s": 0.5, "future_tolerance_s": 60}
    loud: dict[str, list[float]] = {
        "max_position_age_s": [900, 60, 3600],
        "max_accuracy_m": [300, 1000],
        "silent_after_s": [120, 900, 3600],
        "silent_long_after_s": [60, 600],
        "no_position_after_s": [60, 600],
        "max_speed_mps": [10, 50.0],
        "min_jump_m": [300.0, 2000],
        "battery_low_pct": [20, 30],
        "battery_critical_pct": [5, 8],
        "future_tolerance_s": [60, 300],
    }
    return policy | {key: draw(st.sampled_from(values)) for key, values in loud.items() if draw(st.booleans())}


def instants(start_s: int) -> st.SearchStrategy[int]:
    """Times (UTC ms) at which rules begin and end and registries change: full ten minutes, which tracks meet, and others."""
    tens = st.integers(0, 9).map(lambda n: 60 * n) | st.integers(0, 9).map(lambda n: 60 * n) | st.integers(0, 540)
    return tens.map(lambda n: (start_s + 10 * n) * 1000)


def dates_around(start_s: int) -> list[str]:
    """The date of a start in UTC, the day before and the day after."""
    start = datetime.fromtimestamp(start_s, UTC).date()
    return [str(start + timedelta(days=days)) for days in (-1, 0, 1)]


@st.composite
def schedules(draw: st.DrawFn, start_s: int) -> dict[str, Any]:
    """`schedule`, and perhaps `except` and `timezone`, of a rule: short spans, overnight spans, spans around a change of clocks."""
    spans = []
    for _ in range(draw(st.integers(1, 3))):
        days = draw(st.sampled_from(DAYS))
        span = {"from": draw(st.sampled_from(NIGHTS[start_s])), "to": draw(st.sampled_from([*NIGHTS[start_s], "24:00"]))}
        spans.append(span if days is None else {"days": days, **span})
    rule: dict[str, Any] = {"schedule": spans}
    if draw(st.booleans()):
        rule["except"] = draw(st.lists(st.sampled_from(dates_around(start_s)), max_size=2, unique=True))
    if draw(st.booleans()):
        rule["timezone"] = draw(st.sampled_from(ZONES))
    return rule


@st.composite
def bound(draw: st.DrawFn, subject_ids: list[str]) -> dict[str, Any]:
    """Whom a rule binds: everyone, subjects by name, groups, or the two together."""
    how = draw(st.sampled_from(["everyone", "subjects", "groups", "both"]))
    binding: dict[str, Any] = {"everyone": True} if how == "everyone" else {}
    if how in ("subjects", "both"):
        binding["subjects"] = draw(st.lists(st.sampled_from(subject_ids), min_size=1, max_size=2, unique=True))
    if how in ("groups", "both"):
        binding["groups"] = draw(st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2, unique=True))
    return binding


@st.composite
def rules(
    draw: st.DrawFn, rule_id: str, level: Level, area_ids: list[str], subject_ids: list[str], start_s: int, least_confirm: int
) -> dict[str, Any]:
    """One rule."""
    rule: dict[str, Any] = {"id": rule_id}
    effects = ["allow", "allow", "forbid"] if level == "basic" else ["allow", "allow", "forbid", "require"]
    rule["effect"] = draw(st.sampled_from(effects))
    rule |= draw(bound(subject_ids))
    rule["areas"] = draw(st.lists(st.sampled_from(area_ids), min_size=1, max_size=3, unique=True))
    limits = sorted(draw(st.lists(instants(start_s), min_size=2, max_size=2, unique=True)))
    rule |= {key: limit for key, limit in zip(("from", "until"), limits, strict=True) if draw(st.integers(0, 2)) == 0}
    if level == "full" and draw(st.integers(0, 4)) < 3:
        rule |= draw(schedules(start_s))
    if draw(st.booleans()):
        rule |= draw(terms(least_confirm))
    return rule


@st.composite
def plans(draw: st.DrawFn, level: Level = "basic") -> Plan:
    """A registry: three regions that share borders (perhaps a fourth over them), a handful of areas, subjects and rules."""
    least_confirm = draw(st.sampled_from([1, 2]))
    start_s = draw(st.sampled_from(list(NIGHTS)))
    borders = {"west": (-8, -8, 28, 32), "east": (20, -8, 36, 32), "north": (-8, 24, 64, 24), "centre": (12, 12, 16, 16)}
    names = ["west", "east", "north", *(["centre"] if draw(st.booleans()) else [])]
    regions = tuple(feature(name, rectangle(*borders[name]), timezone=draw(st.sampled_from(ZONES))) for name in names)
    areas = []
    for i in range(draw(st.integers(2, 6))):
        geometry, radius_m = draw(geometries())
        areas.append(feature(f"area-{i}", geometry, radius_m=radius_m, region=draw(st.sampled_from([None, "west"]))))
    subjects = []
    for subject_id in SUBJECTS[: draw(st.sampled_from([2, 1, 1, 2, 3, 4]))]:
        groups = draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True))
        home = draw(HOMES)
        subject = {"id": subject_id, "home_region": home, "groups": groups}
        subjects.append(subject | ({"silent_after_s": 300} if level == "full" and draw(st.booleans()) else {}))
    ids = [f["properties"]["id"] for f in areas] + (["west", "north"] if draw(st.booleans()) else [])
    subject_ids = [str(s["id"]) for s in subjects]
    count = draw(st.integers(1, 7))
    made = tuple(draw(rules(f"rule-{i}", level, ids, subject_ids, start_s, least_confirm)) for i in range(count))
    return Plan(start_s, regions, tuple(areas), tuple(subjects), made, draw(policies(level, least_confirm)))
