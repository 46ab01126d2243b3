"""J9 and J13: one record after another, in arrival order; per subject time decides.

For each record: the registry versions that are due, then acceptance, then the deadlines before its arrival, then its place in the
order of the subject's records, then (in order) the edges since his last record, then the record itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.reference import contact, flags
from tests.reference.alerts import Docket, Occasion
from tests.reference.edges import bring_edges
from tests.reference.judging import judge
from tests.reference.late import take_late_fix
from tests.reference.records import Fix, Position, RejectedRecordError, read_record
from tests.reference.registry import Registry
from tests.reference.report import Tally
from tests.reference.standing import Standing
from tests.reference.versions import change_version


class Judge:
    """A replay in progress."""

    def __init__(self, registry: Registry, versions: Sequence[tuple[int, Callable[[], Registry]]]) -> None:
        self.versions = sorted(versions, key=lambda version: version[0])
        self.standings: dict[str, Standing] = {}
        self.docket = Docket(registry)
        self.tally = Tally()

    def read(self, index: int, line: bytes) -> None:
        """One line of the stream; a blank one is nothing."""
        self.docket.index = index
        if not line.strip():
            return
        self.tally.read += 1
        try:
            fix = read_record(line.rstrip(b"\r\n"))
            self.bring_versions(fix.arrival)
            self.accept(fix)
        except RejectedRecordError as reason:
            self.tally.rejected[str(reason)] += 1
            return
        self.tally.ignored.update(fix.ignored)
        self.take(without_vague_position(fix, self.docket.registry.general["max_accuracy_m"]))

    def mark(self, index: int, time: int) -> None:
        """A clock mark of a live run: deadlines before it at once, edges when `edge_grace_s` has gone by since."""
        self.docket.index = index
        self.bring_versions(time)
        for s in self.standings.values():
            contact.bring_deadlines(self.docket, s, time)
            bring_edges(self.docket, s, time - self.docket.registry.ms("edge_grace_s"))

    def bring_versions(self, arrival: int) -> None:
        """The versions whose instant is not after the arrival of the record at hand."""
        while self.versions and self.versions[0][0] <= arrival:
            instant, load = self.versions.pop(0)
            change_version(self.docket, self.standings, instant, load())

    def accept(self, fix: Fix) -> None:
        """Section 6: the two reasons that need the registry."""
        if fix.subject not in self.docket.registry.subjects:
            raise RejectedRecordError("unknown_subject")
        if fix.received is not None and fix.time - fix.received > self.docket.registry.ms("future_tolerance_s"):
            raise RejectedRecordError("future")

    def take(self, fix: Fix) -> None:
        """J9: a duplicate, a conflict, late, or in order."""
        s = self.standings.setdefault(fix.subject, Standing(fix.subject, fix.time, fix.arrival))
        contact.bring_deadlines(self.docket, s, fix.arrival)
        if fix.time == s.last_time:
            same = place(fix.position) == place(s.last_position)
            self.take_out_of_order(s, fix, "duplicates" if same else "conflicts")
        elif s.last_time is not None and fix.time < max(s.last_time, s.judged_edge or s.last_time):
            self.take_out_of_order(s, fix, "late")
            if fix.position is not None:
                take_late_fix(self.docket, s, fix, fix.position)
        else:
            self.take_in_order(s, fix)

    def take_out_of_order(self, s: Standing, fix: Fix, what: str) -> None:
        """A record that moves no state: counted, and contact all the same."""
        self.tally.became[what] += 1
        contact.hear(self.docket, s, fix.arrival, s.placed)
        contact.stale_opens(self.docket, s, fix.arrival)

    def take_in_order(self, s: Standing, fix: Fix) -> None:
        """Edges since the last record (one at its time is covered by a fix), then what the record says, then its position."""
        bring_edges(self.docket, s, fix.time if fix.position is None else fix.time - 1)
        position = fix.position or s.placed
        contact.hear(self.docket, s, fix.arrival, position)
        contact.stale_clears(self.docket, s, fix.arrival, position)
        contact.no_position(self.docket, s, fix, position)
        flags.device_flags(self.docket, s, fix, position)
        flags.implausible(self.docket, s, fix)
        if s.last_time is not None:
            self.tally.gaps_ms.append(fix.time - s.last_time)
        s.last_time, s.last_position, s.last_in_order_arrival = fix.time, fix.position, fix.arrival
        s.edges_done, s.judged_edge = fix.time, None
        self.tally.became["contacts" if fix.position is None else "fixes_judged"] += 1
        if fix.position is not None:
            s.placed_time, s.placed = fix.time, fix.position
            judge(self.docket, s, Occasion(fix.time, fix.position, fix.arrival), fix.position, at_edge=False)

    def finish(self, until: int | None) -> dict[str, Any]:
        """`--until` is a clock mark after the last record; nothing without it. Gives the report."""
        self.docket.index += 1
        if until is not None:
            self.bring_versions(until)
            for s in self.standings.values():
                contact.bring_deadlines(self.docket, s, until + 1)
                bring_edges(self.docket, s, until)
        return self.tally.report(self.docket)


def place(position: Position | None) -> tuple[float, float] | None:
    """The coordinates of a position: what makes two records at one time duplicates."""
    return None if position is None else (position.lon, position.lat)


def without_vague_position(fix: Fix, max_accuracy_m: float) -> Fix:
    """A record whose accuracy is above the policy's limit has no position: it is a contact."""
    vague = fix.position is not None and fix.position.accuracy_m is not None and fix.position.accuracy_m > max_accuracy_m
    return replace(fix, position=None) if vague else fix
