"""The version of a registry: 12 hex digits, equal for equal records and policy, whatever their order and their files.

A record is taken as what it says, not as how it is written: an id 17 is "17", null is the same as nothing, a time is its
milliseconds, the members of a list have no order and count once. Names and permits count too. Each record has a print, and the
version is made of the sums of the prints: so it follows from a change without the records that stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from fences.areas import Areas
from fences.datum import DATUMS
from fences.features import Features
from fences.names import as_text
from fences.prints import prints_of, prints_of_lines
from fences.records import Id, RuleRecord, SubjectRecord
from fences.registry import Policy, RulePolicy, Schedule
from fences.rings import radii_m
from fences.rules import Rules
from fences.subjects import Subjects

_DIGITS = 12
_WRAP = 1 << 64
_encode_lines = msgspec.json.Encoder().encode_lines

Sums = tuple[int, tuple[int, int]]
"""How many records there are, and the sums of their prints."""


def registry_version(policy: bytes, *parts: Sums) -> str:
    """The version of a registry of this policy (`policy_text`) and these regions, areas, subjects and rules."""
    digest = hashlib.blake2b(policy, digest_size=16)
    for count, sums in parts:
        digest.update(np.array([count, *sums], "<u8").tobytes())
    return digest.hexdigest()[:_DIGITS]


def sums_of(prints: NDArray[np.uint64]) -> Sums:
    """Number and sums of some prints uint64[n, 2]; a sum wraps at 64 bits."""
    return len(prints), (int(prints[:, 0].sum(dtype=np.uint64)), int(prints[:, 1].sum(dtype=np.uint64)))


def changed_sums(sums: Sums, gone: NDArray[np.uint64], come: NDArray[np.uint64]) -> Sums:
    """The sums without some prints and with some others."""
    (less, lost), (more, gained) = sums_of(gone), sums_of(come)
    count, (first, second) = sums
    return count - less + more, ((first - lost[0] + gained[0]) % _WRAP, (second - lost[1] + gained[1]) % _WRAP)


def feature_prints(features: Features, areas: Areas, *, is_region: bool) -> NDArray[np.uint64]:
    """Prints uint64[n, 2] of regions or areas."""
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
    return prints_of([line + shape for line, shape in zip(_encode_lines(said).splitlines(), shapes, strict=True)])


def subject_prints(records: Sequence[SubjectRecord], subjects: Subjects) -> NDArray[np.uint64]:
    """Prints uint64[n, 2] of subjects."""
    said = zip(
        subjects.ids,
        [_text(record.home_region) for record in records],
        _members([record.groups for record in records]),
        [record.name for record in records],
        [record.silent_after_s for record in records],
        strict=True,
    )
    return prints_of_lines(_encode_lines(said))


def rule_prints(records: Sequence[RuleRecord], rules: Rules) -> NDArray[np.uint64]:
    """Prints uint64[n, 2] of rules."""
    said = zip(
        rules.ids,
        [record.effect for record in records],
        _members([record.subjects for record in records]),
        _members([record.groups for record in records]),
        rules.everyone.tolist(),
        _members([record.areas for record in records]),
        rules.from_ms.tolist(),
        rules.until_ms.tolist(),
        _schedules(rules.schedules),
        rules.timezones,
        [_text(record.permit) for record in records],
        [_own_policy(record) for record in records],
        strict=True,
    )
    return prints_of_lines(_encode_lines(said))


def policy_text(policy: Policy, sections: RulePolicy) -> bytes:
    """What the policy says, as text."""
    columns = (
        sections.confirm_fixes,
        sections.confirm_ms,
        sections.clear_fixes,
        sections.tolerance_m,
        sections.accuracy_factor,
        sections.level,
    )
    return msgspec.json.encode([[float(value) for value in astuple(policy)], [column.tolist() for column in columns]])


def _own_policy(record: RuleRecord) -> tuple[object, ...] | None:
    """The policy keys on a rule; None where none is, as on most."""
    if (
        record.level is None
        and record.confirm_fixes is None
        and record.confirm_s is None
        and record.clear_fixes is None
        and record.tolerance_m is None
        and record.accuracy_factor is None
    ):
        return None
    return (
        record.confirm_fixes,
        record.confirm_s,
        record.clear_fixes,
        record.tolerance_m,
        record.accuracy_factor,
        record.level,
    )


def _schedules(schedules: Sequence[Schedule | None]) -> list[object]:
    """What each schedule says; the same few objects come again and again."""
    said = {id(schedule): schedule for schedule in schedules}
    forms = {
        key: schedule and (sorted({(span.days, span.from_min, span.to_min) for span in schedule.spans}), schedule.except_days)
        for key, schedule in said.items()
    }
    return [forms[id(schedule)] for schedule in schedules]


def _members(lists: Sequence[Sequence[Id] | None]) -> list[Sequence[Id]]:
    """The members of each list, once each and in an order of their own."""
    return [_in_order(list_) if list_ and (len(list_) > 1 or type(list_[0]) is int) else list_ or () for list_ in lists]


def _in_order(list_: Sequence[Id]) -> Sequence[Id]:
    return sorted(set(as_text(list_)))


def _text(id_: Id | None) -> str | None:
    return None if id_ is None else str(id_)
