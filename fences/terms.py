"""The terms of rules, each written once: rows of policy, and schedules in their time zones; a rule holds numbers of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fences.activity import Calendar, compile_calendar
from fences.compiled import record_type
from fences.registry import EFFECTS, RulePolicy, Schedule

POLICY = record_type(
    [
        ("tolerance_m", "f8"), ("accuracy_factor", "f8"), ("confirm_ms", "i8"), ("confirm_fixes", "i4"), ("clear_fixes", "i4"),
        ("level", "i4"),
    ],
)  # fmt: skip
_BYTES = np.dtype(("V", POLICY.itemsize))
UTC = "UTC"


def policy_rows(policy: RulePolicy) -> NDArray[np.void]:
    """POLICY rows of some rules, or of the three sections."""
    rows = np.zeros(len(policy.level), POLICY)
    for name in POLICY.names or ():
        rows[name] = getattr(policy, name)
    return rows


def numbered(
    rows: NDArray[np.void], effect: NDArray[np.uint8], table: NDArray[np.void]
) -> tuple[NDArray[np.void], NDArray[np.int32]]:
    """A table of POLICY rows in which all of some rules' are, and where: `table` with what it lacks.

    Its first three and its last three rows are the policy's sections; most rules say nothing else than theirs.
    """
    words, known = rows.view(_BYTES), table.view(_BYTES)
    number = effect.astype(np.int32)
    other = np.flatnonzero(words != known[number])
    distinct, which = np.unique(words[other], return_inverse=True)
    places = {word.tobytes(): i for i, word in reversed(list(enumerate(known[: -len(EFFECTS)])))}
    new = [word for word in distinct if word.tobytes() not in places]
    end = len(table) - len(EFFECTS)
    places.update({word.tobytes(): end + i for i, word in enumerate(new)})
    number[other] = np.array([places[word.tobytes()] for word in distinct], np.int32)[which.reshape(-1)]
    if new:
        table = np.concatenate([table[:end], np.array(new, _BYTES).view(POLICY), table[end:]])
    return table, number


@dataclass(slots=True)
class Schedules:
    """Time zones by number (UTC is 0) and schedules by number, each with the number of its own zone (-1: the subject's)."""

    zones: list[str] = field(default_factory=lambda: [UTC])
    schedules: dict[tuple[Schedule, int], int] = field(default_factory=dict)

    def copied(self) -> Schedules:
        """One to add to."""
        return Schedules(list(self.zones), dict(self.schedules))

    def zone(self, name: str) -> int:
        """Number of a time zone; a new one gets the next."""
        if name not in self.zones:
            self.zones.append(name)
        return self.zones.index(name)

    def numbered(self, schedules: Sequence[Schedule | None], timezones: Sequence[str | None]) -> NDArray[np.int32]:
        """Number of each rule's schedule, -1 of none; equal ones are one."""
        zones = {name: -1 if name is None else self.zone(name) for name in dict.fromkeys(timezones)}
        # Rules that write the same have the same object, so few are looked at closely.
        seen: dict[tuple[int, str | None], int] = {}
        out = np.full(len(schedules), -1, np.int32)
        for rule, schedule in enumerate(schedules):
            if schedule is not None:
                key = (id(schedule), timezones[rule])
                number = seen.get(key)
                if number is None:
                    said = (schedule, zones[timezones[rule]])
                    number = seen[key] = self.schedules.setdefault(said, len(self.schedules))
                out[rule] = number
        return out

    def calendar(self) -> Calendar:
        """All of it for compiled loops."""
        return compile_calendar(self.zones, list(self.schedules))
