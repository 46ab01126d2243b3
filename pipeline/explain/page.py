"""An explanation for a terminal, the sentence first, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from operators.facts import RuleFacts, SlotFacts
from pipeline.explain.sentence import Times, metres, sentence
from pipeline.explain.story import AlertFacts, Explanation, RecordFacts
from sinks.alert_json import rfc3339

WIDTH = 110
MOST = 20
"""Rows of a table."""
SLOT_HEADS = ("slot", "state", "verdict", "kind", "level", "since", "counts")
RULE_HEADS = ("rule", "effect", "binds him by", "active", "changes", "nearest area", "distance", "tolerated")
RECORD_HEADS = ("time", "arrived", "became", "verdicts", "outside", "accuracy")
ALERT_HEADS = ("time", "change", "kind", "level", "onset", "reason", "told to")
STATES = ("open", "pending", "fine")
VERDICTS = ("breach", "uncertain", "fine", None)
NOTHING = "-"
Row = Sequence[str]


def as_json(told: Explanation) -> dict[str, Any]:
    """The sentence and all facts; times as RFC 3339 in UTC, their keys without `_ms`."""
    return {"sentence": sentence(told), **_with_times(msgspec.to_builtins(told))}


def _with_times(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, dict):
        return {
            key.removesuffix("_ms"): (None if item is None else rfc3339(item)) if key.endswith("_ms") else _with_times(item)
            for key, item in value.items()
        }
    return [_with_times(item) for item in value] if isinstance(value, list) else value


def page(told: Explanation) -> Iterator[str]:
    """The lines: the sentence, then what it rests on."""
    facts, when = told.facts, Times(told.facts)
    yield from textwrap.wrap(sentence(told), WIDTH)
    yield ""
    home = f"home {facts.home_region}, " if facts.home_region is not None else ""
    yield f"{facts.subject} at {when.local(facts.at_ms).isoformat(timespec='seconds')}, {home}rules {facts.rules_version}"
    if facts.position is not None:
        accuracy = "no accuracy" if facts.position.accuracy_m is None else f"accuracy {facts.position.accuracy_m:g} m"
        region = "no region" if facts.position.region is None else facts.position.region
        place = f"{facts.position.lon:.6f} {facts.position.lat:.6f}"
        yield f"last position of {when(facts.position.time_ms)}: {place}, {accuracy}, in {region}"
    if facts.arrival_ms is not None:
        yield f"last record of {when(facts.last_ms)}, last arrival {when(facts.arrival_ms)}"
    if facts.registered:
        yield f"his active rules change next: {when(facts.next_edge_ms)}"
    slots, rules = sorted(_shown(told), key=_gravity), sorted(facts.rules, key=_nearness)
    yield from _table("slots", SLOT_HEADS, [_slot(slot, when) for slot in slots])
    yield from _table("rules", RULE_HEADS, [_rule(rule, when) for rule in rules])
    records = [_record(record, when) for record in told.records]
    title = f"records, the last of {told.records_seen:,}" if told.records_seen > len(records) else "records"
    yield from _table(title, RECORD_HEADS, records)
    later = [_record(record, when) for record in told.later[:10]]
    yield from _table("arrived only later", RECORD_HEADS, later)
    yield from _table("alerts", ALERT_HEADS, [_alert(a, when) for a in told.alerts[-10:]])
    yield from _table("alerts told only later", ALERT_HEADS, [_alert(alert, when) for alert in told.later_alerts])
    if told.notes:
        yield ""
        yield from (line for note in told.notes for line in textwrap.wrap(f"note: {note}", WIDTH))


def _table(title: str, heads: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Columns as wide as what stands in them; nothing where there are no rows."""
    if not rows:
        return
    widths = [max(len(row[k]) for row in (heads, *rows)) for k in range(len(heads))]
    yield ""
    yield title
    for row in (heads, *rows[:MOST]):
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()

    if len(rows) > MOST:
        yield f"  and {len(rows) - MOST:,} more; --json has all"


def _shown(told: Explanation) -> list[SlotFacts]:
    """Slots of areas and rules, and what else is not fine."""
    return [slot for slot in told.facts.slots if slot.slot == "area" or slot.rule is not None or slot.state != "fine"]


def _gravity(slot: SlotFacts) -> tuple[int, int, bool]:
    return STATES.index(slot.state), VERDICTS.index(slot.verdict), slot.slot != "area"


def _nearness(rule: RuleFacts) -> tuple[bool, str, float, str]:
    return not rule.active, rule.effect, rule.outside_m or 0.0, rule.id


def _slot(slot: SlotFacts, when: Times) -> Row:
    counts = NOTHING
    if slot.state == "pending":
        counts = f"{slot.count} of {slot.confirm_fixes}" + (f", {slot.confirm_s:g} s" if slot.confirm_s else "")
    elif slot.state == "open" and slot.clear_fixes:
        counts = f"{slot.clear_count} of {slot.clear_fixes} fine"
    since = NOTHING if slot.onset_ms is None else when(slot.onset_ms)
    return slot.slot, slot.state, slot.verdict or NOTHING, slot.kind or NOTHING, slot.level or NOTHING, since, counts


def _rule(rule: RuleFacts, when: Times) -> Row:
    if rule.outside_m is None:
        distance = NOTHING
    else:
        distance = f"{metres(rule.inside_m)} inside" if rule.inside_m is not None else f"{metres(rule.outside_m)} outside"
    tolerated = NOTHING if rule.effect == "forbid" else f"{rule.tolerance_m:g} m"
    active = "yes" if rule.active else "no"
    return rule.id, rule.effect, rule.through, active, when(rule.changes_at_ms), rule.nearest_area or NOTHING, distance, tolerated


def _record(record: RecordFacts, when: Times) -> Row:
    verdicts = " ".join(f"{slot}:{verdict}" for slot, verdict in record.verdicts.items()) or NOTHING
    return (
        when(record.time_ms) if record.time_ms is not None else NOTHING,
        when(record.arrival_ms) if record.arrival_ms is not None else NOTHING,
        record.became,
        verdicts,
        NOTHING if record.distance_m is None else metres(record.distance_m) if record.distance_m else "inside",
        NOTHING if record.accuracy_m is None else f"{record.accuracy_m:g} m",
    )


def _alert(alert: AlertFacts, when: Times) -> Row:
    kind = f"{alert.kind} ({alert.rule})" if alert.rule is not None else alert.kind
    reason = "late evidence" if alert.late else alert.reason or NOTHING
    return when(alert.time_ms), alert.change, kind, alert.level, when(alert.onset_ms), reason, ",".join(alert.regions) or NOTHING
