"""The version of a registry is that of its content: the same in any order, file and spelling, another for any change."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fences.load import load_registry
from tests.fences.good_registry import AREAS, POLICY, REGIONS, RULES, SUBJECTS, Texts, good_registry, write


def version_of(texts: Texts) -> str:
    """The version of a registry given as its files."""
    with tempfile.TemporaryDirectory() as directory:
        return load_registry(write(texts, Path(directory)))[0].version


GOOD = version_of(good_registry())


def shuffled_keys(record: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The same record, its keys and the members of its lists of names in another order."""
    items = [
        (key, rng.sample(value, len(value)) if key in {"groups", "areas", "subjects"} else value) for key, value in record.items()
    ]
    return dict(rng.sample(items, len(items)))


@given(st.integers(0, 2**32), st.floats(0, 1))
def test_order_and_file_make_no_difference(seed: int, share: float) -> None:
    """Records shuffled, their keys too, and any share of them moved to files beside."""
    rng = random.Random(seed)
    texts = good_registry()
    for kind in (SUBJECTS, RULES):
        stem = kind.removesuffix(".jsonl")
        lines = [json.loads(line) for name in (kind, f"{stem}.d/more.jsonl") for line in texts.pop(name, "").splitlines()]
        rng.shuffle(lines)
        parts: dict[str, list[str]] = {kind: []}
        for record in lines:
            part = f"{stem}.d/{rng.choice('abc')}.jsonl" if rng.random() < share else kind
            parts.setdefault(part, []).append(json.dumps(shuffled_keys(record, rng), ensure_ascii=rng.random() < 0.5))
        texts |= {name: "\n".join(part) for name, part in parts.items()}
    for kind in (AREAS, REGIONS):
        collection = json.loads(texts[kind])
        rng.shuffle(collection["features"])
        texts[kind] = json.dumps(collection, indent=rng.choice([None, 1]))
    assert version_of(texts) == GOOD


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (RULES, '"2026-01-01T00:00:00+08:00"', "1767196800000"),
        (RULES, '"2026-01-01T00:00:00+08:00"', '"1767196800000"'),
        (RULES, '"2026-01-01T00:00:00+08:00"', '"2025-12-31T16:00:00.0009Z"'),
        (RULES, '"sun-thu"', '"mon,tue,wed,thu,sun"'),
        (RULES, '"groups": ["youth"]', '"groups": ["youth", "youth"], "subjects": null, "permit": null, "everyone": false'),
        (SUBJECTS, '"groups": ["youth"]', '"groups": ["youth"], "name": null'),
        (POLICY, "confirm_s = 0", "confirm_s = 0.0\nmin_jump_m = 300"),
        (AREAS, '"id": "shop"', '"colour": "red", "datum": "wgs84", "id": "shop"'),
    ],
)
def test_spelling_makes_no_difference(file: str, old: str, new: str) -> None:
    """The same content written otherwise has the same version."""
    texts = good_registry()
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)
    assert version_of(texts) == GOOD


CHANGES: dict[str, Callable[[Texts], Any]] = {
    "a rule more": lambda t: t.update({RULES: t[RULES] + '{"id": "x", "effect": "allow", "everyone": true, "areas": ["shop"]}\n'}),
    "a subject more": lambda t: t.update({SUBJECTS: t[SUBJECTS] + '{"id": "x"}\n'}),
    "an end": lambda t: t.update({RULES: t[RULES].replace("1798761600000", "1798761600001")}),
    "an effect": lambda t: t.update({RULES: t[RULES].replace('"forbid"', '"require"')}),
    "a span": lambda t: t.update({RULES: t[RULES].replace('"22:00"', '"22:01"')}),
    "an excepted day": lambda t: t.update({RULES: t[RULES].replace("2026-10-01", "2026-10-02")}),
    "a vertex": lambda t: t.update({AREAS: t[AREAS].replace("120.5,", "120.5000001,")}),
    "a radius": lambda t: t.update({AREAS: t[AREAS].replace('"radius_m": 500', '"radius_m": 501')}),
    "a datum": lambda t: t.update({AREAS: t[AREAS].replace('"radius_m": 500', '"radius_m": 500, "datum": "gcj02"')}),
    "a time zone": lambda t: t.update({REGIONS: t[REGIONS].replace("Asia/Shanghai", "Asia/Tokyo", 1)}),
    "a policy": lambda t: t.update({POLICY: t[POLICY].replace("tolerance_m = 40", "tolerance_m = 41")}),
    "no policy": lambda t: t.pop(POLICY),
    "a home": lambda t: t.update({SUBJECTS: t[SUBJECTS].replace('"region-0"', '"region-1"', 1)}),
    "a name": lambda t: t.update({SUBJECTS: t[SUBJECTS].replace('"id": "p-00"', '"id": "p-00", "name": "N"')}),
}


def test_every_change_makes_another_version() -> None:
    """Whatever is judged by makes a difference, and no two changes the same one."""
    versions = {GOOD}
    for change in CHANGES.values():
        texts = good_registry()
        change(texts)
        versions.add(version_of(texts))
    assert len(versions) == len(CHANGES) + 1
