"""The first thing somebody reads at night: in a few sentences why there was an alert, or none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from operators.alert import LEVELS
from operators.facts import Facts, RuleFacts, SlotFacts
from pipeline.explain.story import Explanation

OUT_OF_ORDER = ("late", "duplicate", "conflict")
FLAGS = {
    "silent": "nothing has arrived since {arrival}, and {silent_after} are waited",
    "silent_long": "nothing has arrived since {arrival}",
    "no_position": "his records have no position, or one that is too vague; the last good one is of {position}",
    "stale": "records arrive, but none that is newer than {last}",
    "implausible": "he cannot have moved so far in so short a time",
    "tamper": "the device says that it was tampered with",
    "separated": "the device says that it is apart from him",
    "battery_low": "the battery is low",
    "battery_critical": "the battery is nearly empty",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sentence(told: Explanation) -> str:
    """The answer in words; times are those of the subject's home region."""
    return " ".join([_first(told), *_more(told)])


class Times:
    """How times of an answer are written: local to the home region, with the date where it is not that of the instant."""

    def __init__(self, facts: Facts) -> None:
        self._zone = ZoneInfo(facts.timezone)
        self._day = self.local(facts.at_ms).date()

    def local(self, time_ms: int) -> datetime:
        """The local time."""
        return (EPOCH + timedelta(milliseconds=time_ms)).astimezone(self._zone)

    def __call__(self, time_ms: int | None) -> str:
        """`02:14:05`, or with its date; `never` of None."""
        if time_ms is None:
            return "never"
        local = self.local(time_ms)
        return f"{local:%H:%M:%S}" if local.date() == self._day else f"{local:%Y-%m-%d %H:%M:%S}"


def metres(value: float) -> str:
    """Metres for a reader: decimetres below ten metres."""
    return f"{value:,.0f} m" if value >= 10 else f"{value:.1f} m"


def duration(seconds: float) -> str:
    """A time span for a reader."""
    if seconds < 120:
        return f"{seconds:g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def _first(told: Explanation) -> str:
    facts, when = told.facts, Times(told.facts)
    who = facts.subject
    if not facts.registered:
        return f"Nothing is judged of {who}: he was not in the registry then (rules {facts.rules_version})."
    if facts.arrival_ms is None:
        came = f" His first record arrived at {when(told.next_ms)}." if told.next_ms is not None else ""
        return f"No alert: nothing had been heard of {who} by then, and of whom nothing was ever heard nothing is told.{came}"
    opened = sorted((slot for slot in facts.slots if slot.state == "open"), key=_gravity)
    pending = [slot for slot in facts.slots if slot.state == "pending"]
    sentences = [
        f"{_level(slot)} alert {slot.kind} is open since {when(slot.onset_ms)}: {_open(facts, slot, when)}." for slot in opened
    ]
    sentences += [f"{'' if opened else 'No alert yet: '}{_pending(facts, slot, when)}." for slot in pending]
    if not sentences:
        sentences.append(f"No alert: {_calm(facts, when)}.")
    return " ".join(sentences)


def _more(told: Explanation) -> Iterator[str]:
    facts, when = told.facts, Times(told.facts)
    busy = {slot.slot for slot in facts.slots if slot.state != "fine"}
    judged = any(slot == "area" or slot.startswith("rule:") for slot in busy)
    ended = [a for a in told.alerts if a.change == "cleared" and (not judged or a.slot not in FLAGS)]
    if ended and ended[-1].slot not in busy:
        last = ended[-1]
        if last.late:
            span = f"from {when(last.onset_ms)} to {when(last.time_ms)}"
            yield f"Late fixes showed {last.kind} {span}: told as opened and cleared at once."
        else:
            why = ", because its rule was no longer active (rule_ended)" if last.reason == "rule_ended" else ""
            yield f"The {last.kind} of {when(last.onset_ms)} was cleared at {when(last.time_ms)}{why}."
    if told.records:
        record = told.records[-1]
        if record.became in OUT_OF_ORDER or record.became.startswith("rejected"):
            yield (
                f"The last record, of {when(record.time_ms)}, arrived {when(record.arrival_ms)}, "
                f"{'is' if record.became == 'late' else 'was'} {_kind_of_record(record.became)} and moves nothing."
            )
    if facts.source_silent_ms is not None:
        yield f"His whole source is silent since {when(facts.source_silent_ms)}: nobody heard through it is told to be silent."
    elif facts.arrival_ms is not None and facts.silent_due_ms is not None and "silent" not in busy:
        quiet_s = (facts.at_ms - facts.arrival_ms) / 1000
        if quiet_s > facts.silent_after_s / 2:
            yield f"Nothing has arrived since {when(facts.arrival_ms)}; he counts as silent from {when(facts.silent_due_ms)} on."
    if told.later:
        one = told.later[0]
        many = f"{len(told.later):,} records" if len(told.later) > 1 else "A record"
        how = f", at {when(one.arrival_ms)}" if (one.arrival_ms or 0) > facts.at_ms else ", stands behind later ones in the stream"
        yield f"{many} of a time up to then came only later: the first, of {when(one.time_ms)}{how}."
    for alert in told.later_alerts:
        if alert.change == "opened":
            yield f"What came later told of {alert.kind} since {when(alert.onset_ms)}{' (late evidence)' if alert.late else ''}."


def _kind_of_record(became: str) -> str:
    return {"duplicate": "a duplicate", "conflict": "in conflict with another of the same time"}.get(became, became)


def _gravity(slot: SlotFacts) -> tuple[int, int]:
    return LEVELS.index(slot.level or LEVELS[-1]), slot.onset_ms or 0


def _level(slot: SlotFacts) -> str:
    return (slot.level or "").capitalize()


def _open(facts: Facts, slot: SlotFacts, when: Times) -> str:
    if slot.slot in FLAGS:
        return FLAGS[slot.slot].format(
            arrival=when(facts.arrival_ms), last=when(facts.last_ms), silent_after=duration(facts.silent_after_s),
            position="none" if facts.position is None else when(facts.position.time_ms),
        )  # fmt: skip
    text = _where(facts, slot, when)
    if slot.verdict == "fine":
        text += f"; {slot.clear_count} of {slot.clear_fixes} fine fixes say so, then it is cleared"
    if slot.kind == "overstay":
        ended = [rule for rule in facts.rules if rule.effect == "allow" and rule.was_active_when_fine and not rule.active]
        text += "".join(f"; rule {rule.id} had allowed it{_until(facts, rule, when)}" for rule in ended)
    return text


def _until(facts: Facts, rule: RuleFacts, when: Times) -> str:
    if rule.until_ms is not None and rule.until_ms <= facts.at_ms:
        return f" until {when(rule.until_ms)}"
    return f" at {when(facts.last_fine_ms)}, and is not active now"


def _pending(facts: Facts, slot: SlotFacts, when: Times) -> str:
    waits = f" and {slot.confirm_s:g} s must lie between the first and the last" if slot.confirm_s else ""
    counted = f"{slot.count} of {slot.confirm_fixes} fixes say so{waits}"
    return f"{slot.kind} is pending since {when(slot.onset_ms)}, {counted}: {_where(facts, slot, when)}"


def _calm(facts: Facts, when: Times) -> str:
    area = next((slot for slot in facts.slots if slot.slot == "area"), None)
    doubtful = [slot for slot in facts.slots if slot.rule is not None and slot.verdict in ("uncertain", "breach")]
    if facts.position is None:
        text = "no record of his had a position yet"
    elif area is None:
        text = "the registry has no rule that allows him anything, so that no place is outside for him"
    else:
        text = _where(facts, area, when)
        if area.verdict == "breach":
            text += f", but {_unjudged(facts, when)}"
    return "; ".join([text, *(_where(facts, slot, when) for slot in doubtful)])


def _unjudged(facts: Facts, when: Times) -> str:
    """Why a breach by the rules of now was not judged yet."""
    if facts.position is not None and (facts.at_ms - facts.position.time_ms) / 1000 > facts.max_position_age_s:
        return f"his last position, of {when(facts.position.time_ms)}, was too old when the rules changed: the next fix is judged"
    return f"the rules changed since his last fix: the change is judged {facts.edge_grace_s:g} s behind it, or by the next fix"


def _where(facts: Facts, slot: SlotFacts, when: Times) -> str:
    """How the last position lies to a slot's areas."""
    effect = "allow" if slot.rule is None else next(rule.effect for rule in facts.rules if rule.id == slot.rule)
    rules = [rule for rule in facts.rules if rule.effect == effect and rule.active and slot.rule in (None, rule.id)]
    placed = [rule for rule in rules if rule.outside_m is not None]
    if not placed:
        return "no position is known" if rules else "no rule that allows him a place was active"
    if facts.position is not None and (facts.at_ms - facts.position.time_ms) / 1000 > facts.max_position_age_s:
        at = f"at {when(facts.position.time_ms)} "
    else:
        at = ""
    if effect == "forbid":
        return at + _forbidden(facts, slot, min(placed, key=lambda rule: (rule.outside_m or 0.0, -(rule.inside_m or 0.0))))
    return at + _permitted(facts, slot, min(placed, key=lambda rule: (rule.outside_m or 0.0) - rule.tolerance_m))


def _permitted(facts: Facts, slot: SlotFacts, rule: RuleFacts) -> str:
    if rule.inside_m is not None:
        return f"he was inside {rule.nearest_area} (rule {rule.id})"
    outside = f"he was {metres(rule.outside_m or 0.0)} outside of {rule.nearest_area} (rule {rule.id})"
    if slot.verdict == "fine":
        return f"{outside}, within the {rule.tolerance_m:g} m that are tolerated"
    accuracy_m = None if facts.position is None else facts.position.accuracy_m
    if slot.verdict == "uncertain":
        return (
            f"{outside}, which the {rule.tolerance_m:g} m that are tolerated and the accuracy of {accuracy_m or 0:g} m leave open: "
            "it neither counts nor resets"
        )
    own = "" if accuracy_m is None or not rule.accuracy_factor else f", the accuracy was {accuracy_m:g} m"
    return f"{outside}; {rule.tolerance_m:g} m are tolerated{own}"


def _forbidden(facts: Facts, slot: SlotFacts, rule: RuleFacts) -> str:
    if rule.inside_m is None:
        return f"he was {metres(rule.outside_m or 0.0)} away from {rule.nearest_area}, forbidden by rule {rule.id}"
    inside = f"he was {metres(rule.inside_m)} inside {rule.nearest_area}, forbidden by rule {rule.id}"
    if slot.verdict == "uncertain":
        accuracy_m = (0.0 if facts.position is None else facts.position.accuracy_m) or 0.0
        return f"{inside}, which the accuracy of {accuracy_m:g} m leaves open: it neither counts nor resets"
    return inside
