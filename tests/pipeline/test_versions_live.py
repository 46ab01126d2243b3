"""Registry versions as the daemon has them: numbers that stay, and changes that take effect in parts, held to the reference.

As in `test_live_against_reference`; here each version keeps the numbers of the one before, and those whom it concerns get their
part one by one, with records, marks and saves in between.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import orjson
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fences.change_of_files import NotAloneError, change_of_files
from fences.difference import Difference
from fences.fence_set import FenceSet
from fences.known import Change, Known, change_of_all, known_of
from fences.numbering import ids_of
from operators.alert import Alert
from pipeline.episodes import Shard
from pipeline.items import ClockMark, RegistryMark, RegistryPart
from pipeline.judging import Judging, RuleSet, rule_set_of
from pipeline.keeper.registry_files import look_at
from pipeline.totals import Totals
from sinks.alert_json import encode_alert
from tests.strategies import Scenario, at_rest, scenarios
from tests.test_against_reference import assert_same_alerts
from tests.test_live_against_reference import CUTS, EXAMPLES, Course, Cut, course_of, items_of


def changed(known: Known, before: Path, after: Path) -> Change:
    """As the keeper does it: the files that changed alone where that can be, else everything."""
    old, new = ({name: (folder / name).read_bytes() for name in look_at(folder).files} for folder in (before, after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if all(name.startswith(("subjects", "rules")) for name in names):
        try:
            change = change_of_files(known, after, names)
        except NotAloneError:
            event("not alone")
        else:
            event("files alone")
            return change
    return change_of_all(known, after)


class Versions:
    """Registry versions to come, made one from the other as a keeper makes them."""

    def __init__(self, registry: Path, registry_at: list[tuple[int, Path]]) -> None:
        known, _ = known_of(registry)
        self.first = rule_set_of(known.fence_set.to_hand_over(), 1)
        self.later: list[tuple[int, RuleSet]] = []
        self._differs: dict[int, Difference] = {}
        for instant_ms, folder in registry_at:
            change = changed(known, registry, folder)
            known, registry = change.known, folder
            fence_set = known.fence_set.to_hand_over()
            fence_set.name_numbering("kept")
            rules = rule_set_of(pickle.loads(pickle.dumps(fence_set)), 1)  # noqa: S301 - as it comes from another process
            self._differs[id(rules.fence_set)] = change.differs
            self.later.append((instant_ms, rules))

    def difference(self, _old: FenceSet, new: FenceSet) -> Difference:
        """What was found out when a version was made."""
        return self._differs[id(new)]


def run(registry: Path, registry_at: list[tuple[int, Path]], course: Course, cut: Cut, every: int) -> list[dict[str, Any]]:
    """The alerts of judging and one shard, which is saved and taken up again before some items; as a deployment, each id once."""
    versions = Versions(registry, registry_at)
    judging, shard = Judging(versions.first, 1, versions=versions.later), Shard(versions.first.fence_set, Totals())
    alerts: list[Alert] = []
    with mock.patch("pipeline.judging.difference", versions.difference):
        for number, item in enumerate(items_of(course, cut.batch)):
            if number in cut.restarts:
                shard = taken_up(shard, judging.rules.fence_set)
            parts: list[Any] = [("", RegistryPart())] if number % every == 0 else []
            while isinstance(item, ClockMark) and judging.versions and judging.versions[0][0] <= item.time_ms:
                parts += judging._change_version()
            for _, part in (*parts, *judging(item)):
                alerts += shard.take(replace(part, in_parts=True) if isinstance(part, RegistryMark) else part).alerts
    alerts += shard._go_on(None)
    once = {alert.id: alert for alert in reversed(alerts)}
    return [orjson.loads(encode_alert(alert, "test")) for alert in once.values()]


def taken_up(shard: Shard, fence_set: FenceSet) -> Shard:
    """The shard saved, and opened again."""
    saved = pickle.loads(pickle.dumps(shard.snapshot()))  # noqa: S301 - our own
    known = ids_of(fence_set.registry)
    return Shard(fence_set, Totals(), saved, lambda _numbering: known)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(scenario=scenarios("full"), cut=CUTS, every=st.sampled_from([1, 2, 5]))
def test_random_courses(scenario: Scenario, cut: Cut, every: int) -> None:
    """Alerts of the reference, which knows nothing of numbers and parts."""
    with TemporaryDirectory() as folder, mock.patch("pipeline.episodes.SUBJECTS_A_PART", 1):
        registry, registry_at = scenario.write(Path(folder))
        expected, _, course = at_rest(registry, course_of(scenario, cut), None, registry_at)
        event(f"{len(registry_at)} versions")
        assert_same_alerts(run(registry, registry_at, course, cut, every), expected)
