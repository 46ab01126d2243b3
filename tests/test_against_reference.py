"""The whole path held to the reference: random registries and tracks through the real dataflow make the alerts of plain Python.

Each example also draws how the records are cut into files and batches, how many workers take them, and where the run is stopped and
continued. FENCEWATCH_EXAMPLES=n draws that many examples.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fences.fence_set import FenceSet
from fences.load import load_registry
from tests.pipeline.world_folder import Outcome, replay
from tests.strategies import Judged, Scenario, scenarios, settle
from tests.strategies.shapes import RADII_M

EXAMPLES = int(os.environ.get("FENCEWATCH_EXAMPLES", "200"))
SLACK_M = 0.5 + 0.001 * max(RADII_M)
"""A circle is right to 0.1 % of its radius."""
COUNTS = ("fixes_read", "fixes_judged", "contacts", "late", "duplicates", "conflicts")


@dataclass(frozen=True)
class Cut:
    """How the same records are taken: places at which a new file begins, records a batch, workers, batches before each stop."""

    files: tuple[int, ...]
    batch: int
    workers: int
    stops: tuple[int, ...] = ()


files = st.lists(st.integers(0, 60), max_size=3).map(lambda places: tuple(sorted(places)))
whole_cuts = st.builds(Cut, files, batch=st.sampled_from([1, 2, 3, 7, 50, 16384]), workers=st.sampled_from([1, 1, 1, 2, 3]))
stopped_cuts = st.builds(
    Cut,
    files,
    batch=st.sampled_from([1, 2, 5]),
    workers=st.sampled_from([1, 1, 2]),
    stops=st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple),
)
CUTS = st.one_of(whole_cuts, whole_cuts, stopped_cuts)


def write(lines: list[bytes], cut: Cut, folder: Path) -> list[Path]:
    """The lines in one or several files; the last line of a file has no line feed."""
    files = []
    for number, (begin, end) in enumerate(pairwise([0, *cut.files, max(len(lines), *cut.files, 0)])):
        files.append(folder / f"{number}.jsonl")
        files[-1].write_bytes(b"\n".join(lines[begin:end]))
    return files


def run(judged: Judged, cut: Cut, folder: Path) -> Outcome:
    """The real dataflow over the records of an example."""
    fence_set = FenceSet(load_registry(judged.registry)[0])
    later = [(ms, FenceSet(load_registry(registry)[0])) for ms, registry in judged.registry_at]
    files, out = write(judged.lines, cut, folder), folder / "alerts.jsonl"
    state = folder / "state" if cut.stops else None
    for stop_after in (*cut.stops, None):
        outcome = replay(
            fence_set,
            files,
            out,
            batch=cut.batch,
            workers=cut.workers,
            state=state,
            stop_after=stop_after,
            until_ms=judged.until_ms,
            later=later,
        )
    return outcome


def comparable(alert: dict[str, Any]) -> dict[str, Any]:
    """What two right judges agree on to the letter. Of a clear by `rule_ended` the contract leaves open what brought it."""
    left_out = {"distance_m", "rules_version"} | ({"received"} if alert["data"]["reason"] == "rule_ended" else set())
    return {**alert, "source": None, "data": {key: value for key, value in alert["data"].items() if key not in left_out}}


def assert_same_alerts(got: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Equal as sets by id, distances within what the contract grants, alerts of one version of one version."""
    ours, theirs = ({alert["id"]: alert for alert in alerts} for alerts in (got, expected))
    assert len(theirs) == len(expected)
    assert {name: comparable(alert) for name, alert in ours.items()} == {name: comparable(alert) for name, alert in theirs.items()}
    pairs = [(ours[name]["data"], alert["data"]) for name, alert in theirs.items()]
    versions = {(our["rules_version"], their["rules_version"]) for our, their in pairs if their["reason"] != "rule_ended"}
    assert len({version for version, _ in versions}) == len({version for _, version in versions}) == len(versions)
    for our, their in pairs:
        told_m, true_m = our["distance_m"], their["distance_m"]
        assert (told_m is None) == (true_m is None)
        assert true_m is None or abs(told_m - true_m) <= SLACK_M + 0.005 * true_m


def assert_same_report(got: dict[str, Any], expected: dict[str, Any]) -> None:
    """The counts, those of alerts without noughts, and the percentiles of gaps."""
    assert [got[name] for name in COUNTS] == [expected[name] for name in COUNTS]
    assert got["rejected"] == expected["rejected"]
    assert got["fields_ignored"] == expected["fields_ignored"]
    assert counted(got) == counted(expected)
    for name, gap in expected["gaps_s"].items():
        assert got["gaps_s"][name] == (gap if gap is None else pytest.approx(gap, rel=0.01, abs=0.001))


def counted(report: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Alerts by kind and change."""
    return {(kind, what): n for kind, changes in report["alerts"].items() for what, n in changes.items() if n}


LEVELS = st.one_of(scenarios("basic"), scenarios("full"), scenarios("full"))
"""What issue 4 covers and nothing else, so that it is met often; and everything of section 5 that a replay has."""


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(scenario=LEVELS, cut=CUTS)
def test_random_replays(scenario: Scenario, cut: Cut) -> None:
    """Alerts and counts of the reference.

    Areas with holes and parts, overlapping, circles; zones of groups and of everyone; points on borders and one unit beside them;
    late, doubled, contradictory and broken records; schedules, edges, late evidence, contact, flags, other registries in line.
    Where the run is told to stop after some batches, once or several times, the same alerts, each once.
    """
    with TemporaryDirectory() as folder:
        judged = settle(scenario, Path(folder))
        event(f"{min(len(judged.alerts), 10)} alerts")
        outcome = run(judged, cut, Path(folder))
        assert_same_alerts(outcome.alerts, judged.alerts)
        if not cut.stops:  # The report of a run that goes on is that of its part.
            assert_same_report(outcome.report, judged.report)
