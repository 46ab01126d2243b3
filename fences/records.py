"""The records of a registry as their files hold them: what msgspec decodes a line into, and what to write in each field.

Values are checked for their type only; what they mean is checked on whole columns (`subjects`, `rules`).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

Effect = Literal["allow", "forbid", "require"]
Level = Literal["red", "yellow", "info"]
Id = str | int
Time = int | float | str

_AN_ID = "write text of 1-64 bytes without control characters, or an integer"
_SOME_IDS = 'write a list of ids such as ["p-0001"]'


class SubjectRecord(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of `subjects.jsonl`."""

    id: Id
    home_region: Id | None = None
    groups: list[Id] | None = None
    name: str | None = None
    silent_after_s: float | None = None

    NOUN: ClassVar[str] = "subject"
    ADVICE: ClassVar[dict[str, str]] = {
        "id": _AN_ID,
        "home_region": "write the id of a region, or null",
        "groups": 'write a list of group names such as ["youth"]',
        "name": "write text, or null",
        "silent_after_s": "write a number of seconds above 0, or null",
    }


class SpanRecord(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}, gc=False):
    """A span of a rule's `schedule`."""

    from_: str
    to: str
    days: str | None = None

    NOUN: ClassVar[str] = "span"
    ADVICE: ClassVar[dict[str, str]] = {
        "from": 'write the time of day as "22:00"',
        "to": 'write the time of day as "06:00" ("24:00" for midnight at the end)',
        "days": 'write days as "mon-fri,sun", or leave it out for every day',
    }


class RuleRecord(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from", "except_": "except"}, gc=False):
    """A line of `rules.jsonl`."""

    id: Id
    effect: Effect
    areas: list[Id]
    subjects: list[Id] | None = None
    groups: list[Id] | None = None
    everyone: bool | None = None
    from_: Time | None = None
    until: Time | None = None
    schedule: list[SpanRecord] | None = None
    except_: list[str] | None = None
    timezone: str | None = None
    permit: Id | None = None
    confirm_fixes: int | None = None
    confirm_s: float | None = None
    clear_fixes: int | None = None
    tolerance_m: float | None = None
    accuracy_factor: float | None = None
    level: Level | None = None

    NOUN: ClassVar[str] = "rule"
    ADVICE: ClassVar[dict[str, str]] = {
        "id": _AN_ID,
        "effect": 'write one of "allow", "forbid", "require"',
        "areas": "write a list of at least one id of an area or region",
        "subjects": _SOME_IDS,
        "groups": 'write a list of group names such as ["youth"]',
        "everyone": "write true or false",
        "from": 'write RFC 3339 with an offset ("2026-03-02T08:00:00+08:00") or epoch milliseconds',
        "until": 'write RFC 3339 with an offset ("2026-03-02T08:00:00+08:00") or epoch milliseconds',
        "schedule": 'write a list of spans such as [{"days": "mon-fri", "from": "22:00", "to": "06:00"}], or leave it out',
        "except": 'write a list of dates such as ["2026-10-01"]',
        "timezone": 'write an IANA time zone such as "Asia/Shanghai", or null',
        "permit": "write the id of a permit, or null",
        "confirm_fixes": "write a whole number from 1 to 20",
        "confirm_s": "write a number of seconds from 0 to 86400",
        "clear_fixes": "write a whole number from 1 to 20",
        "tolerance_m": "write a number of metres from 0 to 10000",
        "accuracy_factor": "write a number from 0 to 10",
        "level": 'write one of "red", "yellow", "info"',
    }


JsonlRecord = SubjectRecord | RuleRecord
