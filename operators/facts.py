"""What is known of a subject at an instant: facts only, for people and programs to word. Times are UTC milliseconds."""

from __future__ import annotations

import msgspec


class Position(msgspec.Struct, frozen=True):
    """The last position of an in-order record, and the region that covers it."""

    time_ms: int
    lon: float
    lat: float
    accuracy_m: float | None
    region: str | None


class RuleFacts(msgspec.Struct, frozen=True):
    """A rule that binds the subject, `through` his own name, groups or everyone.

    `changes_at_ms`: when it begins or ceases to be active next (None: never). Of its areas the nearest, metres from the last
    position outside of it (0 where one covers it), and inside the deepest (None where none does). `was_active_when_fine`: at the
    time of the last fine fix in slot `area`.
    """

    id: str
    effect: str
    through: str
    active: bool
    changes_at_ms: int | None
    from_ms: int | None
    until_ms: int | None
    scheduled: bool
    areas: list[str]
    nearest_area: str | None
    outside_m: float | None
    inside_m: float | None
    tolerance_m: float
    accuracy_factor: float
    was_active_when_fine: bool


class SlotFacts(msgspec.Struct, frozen=True):
    """A slot: its state, and what the judge says of the last position at the instant asked for (None: it is not judged).

    `last_verdict`: that of its last judgement. `count` of `confirm_fixes` breaches, `clear_count` of `clear_fixes` fine ones. Of a
    slot that is no rule's only the state, kind, level and onset mean something.
    """

    slot: str
    state: str
    rule: str | None = None
    verdict: str | None = None
    last_verdict: str | None = None
    kind: str | None = None
    level: str | None = None
    onset_ms: int | None = None
    count: int = 0
    confirm_fixes: int = 0
    confirm_s: float = 0.0
    clear_count: int = 0
    clear_fixes: int = 0


class Facts(msgspec.Struct, frozen=True):
    """A subject at an instant. `first_ms`, `last_ms`, `arrival_ms`: of his records, None where none had come.

    `next_edge_ms`: when his active rules change next. `silent_due_ms`: when he counts as silent (or silent for long) if nothing
    comes; `source_silent_ms`: since when the source that gave his last record is silent, which holds that back.
    """

    subject: str
    at_ms: int
    rules_version: str
    registered: bool
    home_region: str | None = None
    timezone: str = "UTC"
    groups: list[str] = []
    first_ms: int | None = None
    last_ms: int | None = None
    arrival_ms: int | None = None
    position: Position | None = None
    max_position_age_s: float = 0.0
    edge_grace_s: float = 0.0
    last_fine_ms: int | None = None
    next_edge_ms: int | None = None
    silent_after_s: float = 0.0
    silent_due_ms: int | None = None
    source_silent_ms: int | None = None
    rules: list[RuleFacts] = []
    slots: list[SlotFacts] = []
