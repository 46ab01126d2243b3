"""A whole replay drawn at random: registry, stream, registry changes, closing clock; and what the reference makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import assume
from hypothesis import strategies as st

from tests.reference import judge_with_doubts
from tests.strategies.changes import changed
from tests.strategies.registries import Level, Plan, instants, plans
from tests.strategies.tracks import tracks

MOST_ROUNDS = 12
Line = TypeVar("Line", bytes, bytes | int)
"""A record; or one of a live run, or its clock mark in ms."""


@dataclass(frozen=True)
class Scenario:
    """A replay as plain data. `changes`: the pairs of `--registry-at`, times in UTC ms."""

    plan: Plan
    lines: list[bytes]
    until_ms: int | None = None
    changes: tuple[tuple[int, Plan], ...] = ()

    def write(self, directory: Path) -> tuple[Path, list[tuple[int, Path]]]:
        """Write the registries into a folder: the first one, and the pairs for `--registry-at`."""
        first = self.plan.write(directory / "registry")
        return first, [(ms, plan.write(directory / f"registry-{i}")) for i, (ms, plan) in enumerate(self.changes, 2)]


@dataclass(frozen=True)
class Judged:
    """What the reference makes of a scenario: compare another judge's alerts (as a set, by id) and report with these."""

    registry: Path
    registry_at: list[tuple[int, Path]]
    lines: list[bytes]
    until_ms: int | None
    alerts: list[dict[str, Any]]
    report: dict[str, Any]


def settle(scenario: Scenario, directory: Path) -> Judged:
    """Judge a scenario by the reference, leaving out the records on which rounding decides."""
    registry, registry_at = scenario.write(directory)
    alerts, report, lines = at_rest(registry, scenario.lines, scenario.until_ms, registry_at)
    return Judged(registry, registry_at, lines, scenario.until_ms, alerts, report)


def at_rest(
    registry: Path, lines: list[Line], until_ms: int | None, registry_at: list[tuple[int, Path]]
) -> tuple[list[dict[str, Any]], dict[str, Any], list[Line]]:
    """What the reference says of some records (and clock marks), alerts and report; and those of them that are in no doubt.

    Leaving one out changes what comes after it, so it is judged again until no record is in doubt; an example that does not come to
    rest is given up (hypothesis draws another).
    """
    for _ in range(MOST_ROUNDS):
        alerts, report, doubts = judge_with_doubts(registry, lines, until_ms, registry_at)
        if not doubts:
            return alerts, report, lines
        assume(len(lines) not in doubts)
        lines = [line for i, line in enumerate(lines) if i not in doubts]
    assume(condition=False)
    raise AssertionError


def is_basic(judged: Judged) -> bool:
    """Whether nothing later than issue 4 shows: no overstay, no end of a rule, no late evidence."""
    data = [alert["data"] for alert in judged.alerts]
    return all(d["kind"] in ("left_area", "entered_forbidden") and not d["late"] and d["reason"] != "rule_ended" for d in data)


@st.composite
def scenarios(draw: st.DrawFn, level: Level = "basic", *, most: int = 90) -> Scenario:
    """A replay. `basic`: no registry changes and no closing clock; filter what the reference makes of it by `is_basic`."""
    plan = draw(plans(level))
    if level == "basic":
        return Scenario(plan, draw(tracks([plan], level, most=most)))
    changes: list[tuple[int, Plan]] = []
    newest = plan
    for number, instant_ms in enumerate(sorted(draw(st.lists(instants(plan.start_s), max_size=3, unique=True)))):
        newest = draw(changed(newest, number))
        changes.append((instant_ms + draw(st.sampled_from([0, 0, 1])), newest))
    lines = draw(tracks([plan, *(version for _, version in changes)], level, most=most))
    until_ms = draw(st.none() | instants(plan.start_s) | st.just((plan.start_s + 40_000) * 1000))
    return Scenario(plan, lines, until_ms, tuple(changes))
