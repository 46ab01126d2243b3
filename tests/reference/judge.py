"""J7-J9 and J13: one record after another, in arrival order; per subject time decides.

For each record: the registry versions that are due, then acceptance, then the deadlines before its arrival, then its place in the
order of the subject's records, then (in order) the edges since his last record, then the record itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.reference import contact, flags
from tests.reference.activity import active_rules, edges
from tests.reference.alerts import Episode, Occasion, Teller
from tests.reference.late import Past, is_known
from tests.reference.records import Fix, Position, RejectedRecordError, read_record
from tests.reference.registry import Registry, Rule, Terms
from tests.reference.report import Tally
from tests.reference.slots import Slot
from tests.reference.standing import Standing
from tests.reference.verdicts import AREA, Judged, allow, judged_slots

Content = tuple[dict[str, tuple[str, Terms, list[str]]], Terms | None]
KINDS = {"forbid": "entered_forbidden", "require": "absent"}


class Judge:
    """A replay in progress. `doubts`: the records (index among the lines) in whose judging a distance was near a threshold."""

    def __init__(self, registry: Registry, versions: Sequence[tuple[int, Callable[[], Registry]]]) -> None:
        self.versions = sorted(versions, key=lambda version: version[0])
        self.standings: dict[str, Standing] = {}
        self.teller = Teller(registry)
        self.tally = Tally()
        self.index = 0
        self.doubts: set[int] = set()

    @property
    def registry(self) -> Registry:
        """The version in force."""
        return self.teller.registry

    # ---------------------------------------------------------------- the stream

    def read(self, index: int, line: bytes) -> None:
        """One line of the stream; a blank one is nothing."""
        if not line.strip():
            return
        self.index = index
        self.tally.read += 1
        try:
            fix = read_record(line.rstrip(b"\r\n"))
            self.bring_versions(fix.arrival)
            self.accept(fix)
        except RejectedRecordError as reason:
            self.tally.rejected[str(reason)] += 1
            return
        self.tally.ignored.update(fix.ignored)
        self.take(without_vague_position(fix, self.registry.general["max_accuracy_m"]))

    def accept(self, fix: Fix) -> None:
        """Section 6: the two reasons that need the registry."""
        if fix.subject not in self.registry.subjects:
            raise RejectedRecordError("unknown_subject")
        if fix.received is not None and fix.time - fix.received > self.registry.ms("future_tolerance_s"):
            raise RejectedRecordError("future")

    def finish(self, until: int | None) -> dict[str, Any]:
        """`--until` is a clock mark after the last record; nothing without it. Gives the report."""
        self.index += 1
        if until is not None:
            self.bring_versions(until)
            for s in self.standings.values():
                contact.bring_deadlines(self.teller, s, until + 1)
                self.bring_edges(s, until)
        return self.tally.report(self.teller)

    # ---------------------------------------------------------------- one record

    def take(self, fix: Fix) -> None:
        """J9: a duplicate, a conflict, late, or in order."""
        s = self.standings.get(fix.subject)
        if s is None:
            s = self.standings[fix.subject] = Standing(fix.subject, fix.time, fix.arrival)
        contact.bring_deadlines(self.teller, s, fix.arrival)
        if s.last_time is not None and fix.time == s.last_time:
            same = place(fix.position) == place(s.last_position)
            self.take_out_of_order(s, fix, "duplicates" if same else "conflicts")
        elif s.last_time is not None and (fix.time < s.last_time or (s.judged_edge is not None and fix.time < s.judged_edge)):
            self.take_out_of_order(s, fix, "late")
            if fix.position is not None:
                self.take_late_fix(s, fix, fix.position)
        else:
            self.take_in_order(s, fix)

    def take_out_of_order(self, s: Standing, fix: Fix, what: str) -> None:
        """A record that moves no state: counted, and contact all the same."""
        self.tally.became[what] += 1
        contact.hear(self.teller, s, fix.arrival, s.placed)
        contact.stale_opens(self.teller, s, fix.arrival)

    def take_in_order(self, s: Standing, fix: Fix) -> None:
        """Edges since the last record, then the flags, then every slot."""
        if s.edges_done is not None:
            self.bring_edges(s, fix.time if fix.position is None else fix.time - 1)
        position = fix.position or s.placed
        contact.hear(self.teller, s, fix.arrival, position)
        contact.stale_clears(self.teller, s, fix.arrival, position)
        contact.no_position(self.teller, s, fix, position)
        flags.device_flags(self.teller, s, fix, position)
        self.doubt(flags.implausible(self.teller, s, fix))
        if s.last_time is not None:
            self.tally.gaps_ms.append(fix.time - s.last_time)
        s.last_time, s.last_position, s.last_in_order_arrival = fix.time, fix.position, fix.arrival
        s.edges_done, s.judged_edge = fix.time, None
        self.tally.became["contacts" if fix.position is None else "fixes_judged"] += 1
        if fix.position is not None:
            s.placed_time, s.placed = fix.time, fix.position
            self.judge(s, Occasion(fix.time, fix.position, fix.arrival), at_edge=False)

    # ---------------------------------------------------------------- judging

    def judge(self, s: Standing, occasion: Occasion, *, at_edge: bool) -> None:
        """J2-J6 at a time and position: slots whose rule is no longer active end, all others are judged."""
        judged = judged_slots(self.registry, s.subject_id, active_rules(self.registry, s.subject_id, occasion.time))
        self.end_slots(s, judged, occasion)
        for slot_id, question in judged.items():
            slot = s.slots.setdefault(slot_id, Slot(question.effect))
            self.judge_slot(s, slot, question, occasion, at_edge=at_edge)

    def judge_slot(self, s: Standing, slot: Slot, question: Judged, occasion: Occasion, *, at_edge: bool) -> None:
        """One slot. At an edge a verdict that the last judgement already had changes nothing: one position counts once."""
        assert occasion.position is not None
        verdict = question.verdict(occasion.position)
        self.doubt(verdict.doubtful)
        if at_edge and verdict.word == slot.last_word:
            return
        kind = self.kind_of_onset(s, slot, question, occasion.position) if verdict.word == "breach" else ""
        change = slot.take(verdict.word, occasion.time, kind, question.terms)
        if question.slot == AREA and verdict.word == "fine" and not at_edge:
            s.last_fine_time = occasion.time
        if change == "opens":
            assert slot.pending_since is not None
            slot.episode = Episode(question.slot, slot.pending_kind, question.terms.level, rule_id(question), slot.pending_since)
            slot.pending_since, slot.fines = None, 0
            s.past[question.slot].append(Past(slot.episode.onset, None))
            self.teller.opened(s.subject_id, slot.episode, occasion, verdict.distance_m)
        elif change == "clears":
            self.close(s, slot, occasion, "returned")
        elif slot.episode is not None and not at_edge:
            self.teller.moved(s.subject_id, slot.episode, occasion)

    def kind_of_onset(self, s: Standing, slot: Slot, question: Judged, position: Position) -> str:
        """J8: `overstay` where the allow rules active at his last fine fix would have made this one fine."""
        if question.slot != AREA:
            return KINDS[question.effect]
        if slot.pending_since is not None or slot.episode is not None or s.last_fine_time is None:
            return "left_area"
        then = active_rules(self.registry, s.subject_id, s.last_fine_time)
        verdict = allow([rule for rule in then if rule.effect == "allow"], position)
        self.doubt(verdict.doubtful)
        return "overstay" if verdict.word == "fine" else "left_area"

    def end_slots(self, s: Standing, judged: dict[str, Judged], occasion: Occasion) -> None:
        """J7: a slot whose rule is no longer active becomes fine; so does one whose rule has another effect now."""
        for slot_id, slot in list(s.slots.items()):
            if slot_id not in judged or judged[slot_id].effect != slot.effect:
                self.close(s, slot, occasion, "rule_ended")
                del s.slots[slot_id]

    def close(self, s: Standing, slot: Slot, occasion: Occasion, reason: str) -> None:
        """End an open episode, if there is one."""
        if slot.episode is None:
            return
        self.teller.cleared(s.subject_id, slot.episode, occasion, reason)
        next(past for past in s.past[slot.episode.slot] if past.end is None).end = occasion.time
        slot.episode = None

    def take_late_fix(self, s: Standing, fix: Fix, position: Position) -> None:
        """J9: a late fix is judged in the lane of each slot whose rule was active at its time."""
        active = active_rules(self.registry, s.subject_id, fix.time)
        for slot_id, question in judged_slots(self.registry, s.subject_id, active).items():
            verdict = question.verdict(position)
            self.doubt(verdict.doubtful)
            evidence = s.lanes[slot_id].take(verdict.word, fix.time, question.terms, self.registry.ms("max_position_age_s"))
            if evidence is None:
                continue
            onset, time = evidence
            slot = s.slots.get(slot_id)
            if is_known(onset, s.past[slot_id], slot.pending_since if slot else None):
                continue
            s.past[slot_id].append(Past(onset, time))
            kind = "left_area" if slot_id == AREA else KINDS[question.effect]
            episode = Episode(slot_id, kind, question.terms.level, rule_id(question), onset)
            occasion = Occasion(time, position, fix.arrival)
            self.teller.opened(s.subject_id, episode, occasion, verdict.distance_m, late=True)
            self.teller.cleared(s.subject_id, episode, occasion, late=True)

    # ---------------------------------------------------------------- edges

    def bring_edges(self, s: Standing, upto: int) -> None:
        """J7: the edges after those already brought, up to and including an instant, in order."""
        if s.edges_done is None or upto <= s.edges_done:
            return
        for edge in edges(self.registry, s.subject_id, s.edges_done, upto):
            self.bring_edge(s, edge)
        s.edges_done = upto

    def bring_edge(self, s: Standing, edge: int) -> None:
        """Judge at an edge, where the last position is young enough; slots whose rule ended end whatever its age."""
        occasion = Occasion(edge, s.placed, None)
        if s.placed_time is not None and edge - s.placed_time <= self.registry.ms("max_position_age_s"):
            self.judge(s, occasion, at_edge=True)
            s.judged_edge = edge
        else:
            self.end_slots(s, judged_slots(self.registry, s.subject_id, active_rules(self.registry, s.subject_id, edge)), occasion)

    # ---------------------------------------------------------------- registry versions

    def bring_versions(self, arrival: int) -> None:
        """The versions whose instant is not after the arrival of the record at hand."""
        while self.versions and self.versions[0][0] <= arrival:
            instant, load = self.versions.pop(0)
            self.change_version(instant, load())

    def change_version(self, mark: int, new: Registry) -> None:
        """J7, a new registry version at the instant of a mark: what is before it comes first, under the old version."""
        old = self.registry
        before: dict[str, Content] = {}
        for subject_id, s in list(self.standings.items()):
            instant = max(mark, s.last_time if s.last_time is not None else mark)
            contact.bring_deadlines(self.teller, s, mark)
            self.bring_edges(s, instant - 1)
            s.deadline_floor = mark
            if subject_id not in new.subjects:
                self.forget(s, instant)
            else:
                covered = s.edges_done is not None and s.edges_done >= instant
                before[subject_id] = content(old, subject_id, active_rules(old, subject_id, instant if covered else instant - 1))
        self.teller.registry = new
        for subject_id, s in self.standings.items():
            instant = max(mark, s.last_time if s.last_time is not None else mark)
            active = active_rules(new, subject_id, instant)
            if before[subject_id] != content(new, subject_id, active):
                self.bring_edge(s, instant)
            else:
                self.end_slots(s, judged_slots(new, subject_id, active), Occasion(instant, s.placed, None))
            s.edges_done = max(instant, s.edges_done if s.edges_done is not None else instant)

    def forget(self, s: Standing, instant: int) -> None:
        """A subject who is no longer in the registry: all his open slots are cleared, and he is forgotten."""
        occasion = Occasion(instant, s.placed, None)
        for slot in s.slots.values():
            self.close(s, slot, occasion, "rule_ended")
        for episode in s.flags.values():
            self.teller.cleared(s.subject_id, episode, occasion, "rule_ended")
        del self.standings[s.subject_id]

    def doubt(self, doubtful: bool) -> None:  # noqa: FBT001 (reads as a sentence)
        """Remember that rounding may decide the record at hand."""
        if doubtful:
            self.doubts.add(self.index)


def rule_id(question: Judged) -> str | None:
    """The rule of a slot; None of slot `area`."""
    return None if question.slot == AREA else question.rules[0].id


def place(position: Position | None) -> tuple[float, float] | None:
    """The coordinates of a position: what makes two records at one time duplicates."""
    return None if position is None else (position.lon, position.lat)


def without_vague_position(fix: Fix, max_accuracy_m: float) -> Fix:
    """A record whose accuracy is above the policy's limit has no position: it is a contact."""
    vague = fix.position is not None and fix.position.accuracy_m is not None and fix.position.accuracy_m > max_accuracy_m
    return fix if not vague else type(fix)(**{**vars(fix), "position": None})


def content(registry: Registry, subject_id: str, active: Sequence[Rule]) -> Content:
    """What of the active rules makes a new version an edge: their ids and effects, the shapes of their areas, their policy."""
    rules = {rule.id: (rule.effect, rule.terms, sorted(area.shape.wkb_hex for area in rule.areas)) for rule in active}
    has_area = any(rule.effect == "allow" for rule in registry.rules_of(subject_id))
    return rules, registry.section_terms["allow"] if has_area else None
