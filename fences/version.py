"""The version of a registry: 12 hex digits, equal for equal records and policy, whatever their order and their files.

A record is taken as what it says, not as how it is written: an id 17 is "17", null is the same as nothing, a time is its
milliseconds, the members of a list have no order and count once. Names and permits count too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple

import msgspec
import numpy as np
import shapely

from fences.areas import Areas
from fences.datum import DATUMS
from fences.features import Features
from fences.names import as_text
from fences.records import Id, RuleRecord, SubjectRecord
from fences.registry import Policy, RulePolicy, Schedule
from fences.rings import radii_m
from fences.rules import Rules
from fences.subjects import Subjects

_DIGITS = 12
_encode_lines = msgspec.json.Encoder().encode_lines


def registry_version(
    policy: tuple[Policy, RulePolicy],
    areas: Areas,
    subjects: tuple[Sequence[SubjectRecord], Subjects],
    rules: tuple[Sequence[RuleRecord], Rules],
) -> str:
    """The version of a registry without faults."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (
        _policy_lines(*policy),
        _feature_lines(areas.regions, areas, is_region=True),
        _feature_lines(areas.areas, areas, is_region=False),
        _subject_lines(*subjects),
        _rule_lines(*rules),
    ):
        # The lengths come first, so that no two registries run together into one text.
        lines = sorted(part)
        digest.update(np.array([len(lines), *map(len, lines)], "<i8").tobytes())
        digest.update(b"".join(lines))
    return digest.hexdigest()[:_DIGITS]


def _policy_lines(policy: Policy, sections: RulePolicy) -> list[bytes]:
    columns = (
        sections.confirm_fixes,
        sections.confirm_ms,
        sections.clear_fixes,
        sections.tolerance_m,
        sections.accuracy_factor,
        sections.level,
    )
    return [msgspec.json.encode([[float(value) for value in astuple(policy)], [column.tolist() for column in columns]])]


def _feature_lines(features: Features, areas: Areas, *, is_region: bool) -> Iterable[bytes]:
    first = 0 if is_region else len(areas.regions)
    said = zip(
        features.ids,
        features.names,
        features.timezones if is_region else features.regions,
        [DATUMS[datum] for datum in features.datum.tolist()],
        radii_m(features).tolist(),
        strict=True,
    )
    shapes = shapely.to_wkb(areas.published[first : first + len(features)], byte_order=1)
    return [line + shape for line, shape in zip(_lines(said), shapes, strict=True)]


def _subject_lines(records: Sequence[SubjectRecord], subjects: Subjects) -> list[bytes]:
    said = zip(
        subjects.ids,
        [_text(record.home_region) for record in records],
        [_members(record.groups) for record in records],
        [record.name for record in records],
        [record.silent_after_s for record in records],
        strict=True,
    )
    return _lines(said)


def _rule_lines(records: Sequence[RuleRecord], rules: Rules) -> list[bytes]:
    said = zip(
        rules.ids,
        [record.effect for record in records],
        [_members(record.subjects) for record in records],
        [_members(record.groups) for record in records],
        rules.everyone.tolist(),
        [_members(record.areas) for record in records],
        rules.from_ms.tolist(),
        rules.until_ms.tolist(),
        _schedules(rules.schedules),
        rules.timezones,
        [_text(record.permit) for record in records],
        [record.confirm_fixes for record in records],
        [record.confirm_s for record in records],
        [record.clear_fixes for record in records],
        [record.tolerance_m for record in records],
        [record.accuracy_factor for record in records],
        [record.level for record in records],
        strict=True,
    )
    return _lines(said)


def _schedules(schedules: Sequence[Schedule | None]) -> list[object]:
    """What each schedule says; the same few objects come again and again."""
    said = {id(schedule): schedule for schedule in schedules}
    forms = {
        key: schedule and (sorted({(span.days, span.from_min, span.to_min) for span in schedule.spans}), schedule.except_days)
        for key, schedule in said.items()
    }
    return [forms[id(schedule)] for schedule in schedules]


def _lines(said: Iterable[tuple[object, ...]]) -> list[bytes]:
    """A line of JSON for each record."""
    lines = _encode_lines(said).split(b"\n")
    return lines[:-1]


def _members(ids: Sequence[Id] | None) -> Sequence[str]:
    if not ids:
        return ()
    if len(ids) == 1:
        return as_text(ids)
    return sorted(set(as_text(ids)))


def _text(id_: Id | None) -> str | None:
    return None if id_ is None else str(id_)
