"""A new registry version that ends a rule and gives its subject another home region."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import orjson
import pytest

from fences.fence_set import FenceSet
from fences.load import load_registry
from operators.alert import Alert
from operators.decode.json_lines import decode_json_lines
from pipeline.episodes import Shard
from pipeline.items import Chunk, RegistryMark
from pipeline.judging import Judging, rule_set_of
from pipeline.totals import Totals

START_MS = 1_780_322_400_000
FIX = orjson.dumps({"subject": "p", "time": START_MS, "lon": 119.5, "lat": 31.5}) + b"\n"
MINUTE_MS = 60_000


def registry(directory: Path, home: str | None, effect: str | None) -> FenceSet:
    """Two regions side by side, one person, and a rule about the western one."""
    directory.mkdir()
    regions = [
        {
            "type": "Feature",
            "properties": {"id": name, "timezone": "UTC"},
            "geometry": {"type": "Polygon", "coordinates": [[[x, 31], [x + 1, 31], [x + 1, 32], [x, 32], [x, 31]]]},
        }
        for name, x in (("west", 119), ("east", 120))
    ]
    (directory / "regions.geojson").write_bytes(orjson.dumps({"type": "FeatureCollection", "features": regions}))
    (directory / "areas.geojson").write_bytes(orjson.dumps({"type": "FeatureCollection", "features": []}))
    (directory / "subjects.jsonl").write_bytes(orjson.dumps({"id": "p", "home_region": home}) + b"\n")
    rule = orjson.dumps({"id": "r", "effect": effect, "subjects": ["p"], "areas": ["west"]}) + b"\n" if effect else b""
    (directory / "rules.jsonl").write_bytes(rule)
    (directory / "policy.toml").write_text("[policy]\n", encoding="utf-8")
    return FenceSet(load_registry(directory)[0])


@pytest.mark.parametrize(("home", "told"), [("east", ("east", "west")), ("west", ("west",)), (None, ("west",))])
@pytest.mark.parametrize("effect", [None, "require"], ids=["gone", "another effect"])
def test_the_end_of_a_rule_is_told_to_the_home_of_now(
    tmp_path: Path, home: str | None, told: tuple[str, ...], effect: str | None
) -> None:
    """The clear goes to whom the episode was told and to the home region that the subject has in the new version."""
    old, new = registry(tmp_path / "old", None, "forbid"), registry(tmp_path / "new", home, effect)
    judging, shard, alerts = Judging(rule_set_of(old, 1), 1), Shard(old, Totals()), list[Alert]()
    for item in (Chunk("fixes", partial(decode_json_lines, FIX)), RegistryMark(new, START_MS + MINUTE_MS)):
        for _, part in judging(item):
            alerts += shard.take(part).alerts
    opened, cleared = alerts[:2]
    assert (opened.kind, opened.change, opened.home_region, opened.regions) == ("entered_forbidden", "opened", None, ("west",))
    assert (cleared.change, cleared.reason, cleared.episode) == ("cleared", "rule_ended", opened.episode)
    assert (cleared.home_region, cleared.regions) == (home, told)
