"""J1: when a rule is active; and from it the edges of J7: the instants at which the set of active rules changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tests.reference.moments import EPOCH, MS
from tests.reference.registry import Registry, Rule, Span, Subject

DAY = timedelta(days=1)


def zone_of(rule: Rule, subject: Subject) -> str:
    """The time zone of a schedule: the rule's, else that of the subject's home region, else UTC."""
    return rule.timezone or subject.timezone or "UTC"


def is_active(rule: Rule, zone: str, t: int) -> bool:
    """`from <= t < until`, and its schedule, if any, covers t."""
    if rule.from_ms is not None and t < rule.from_ms:
        return False
    if rule.until_ms is not None and t >= rule.until_ms:
        return False
    return rule.spans is None or any(start <= t < end for start, end in periods(rule, zone, t, t))


def active_rules(registry: Registry, subject_id: str, t: int) -> tuple[Rule, ...]:
    """The rules that bind a subject and are active at t."""
    subject = registry.subjects[subject_id]
    return tuple(rule for rule in registry.rules_of(subject_id) if is_active(rule, zone_of(rule, subject), t))


def edges(registry: Registry, subject_id: str, after: int, upto: int) -> list[int]:
    """The instants in (after, upto] at which the set of his active rules differs from a millisecond before, in order."""
    subject = registry.subjects[subject_id]
    instants: set[int] = set()
    for rule in registry.rules_of(subject_id):
        instants |= {limit for limit in (rule.from_ms, rule.until_ms) if limit is not None and after < limit <= upto}
        if rule.spans is not None and after < upto:
            instants |= {t for period in periods(rule, zone_of(rule, subject), after, upto) for t in period if after < t <= upto}

    def ids(t: int) -> set[str]:
        return {rule.id for rule in active_rules(registry, subject_id, t)}

    return [t for t in sorted(instants) if ids(t) != ids(t - 1)]


def periods(rule: Rule, zone: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The periods of a schedule that may touch [first, last], each [start, end) in ms."""
    day = local_date(zone, first) - 2 * DAY
    final = local_date(zone, last) + DAY
    while day <= final:
        for span in rule.spans or ():
            if day.weekday() in span.days and day not in rule.excepted:
                yield period(span, zone, day)
        day += DAY


def local_date(zone: str, t: int) -> date:
    """The date that a clock of the zone shows at t."""
    return (EPOCH + t * MS).astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=100_000)
def period(span: Span, zone: str, day: date) -> tuple[int, int]:
    """The span that starts on a local date. A span whose `to` is not after its `from` runs into the next day."""
    end_day = day if span.to_min > span.from_min else day + DAY
    return instant(zone, day, span.from_min, repeated=0), instant(zone, end_day, span.to_min, repeated=1)


def instant(zone: str, day: date, minute: int, repeated: int) -> int:
    """The instant of a local time: of a repeated one the first (0) or second (1), of a skipped one the first after the gap."""
    tz = ZoneInfo(zone)
    naive = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 (a local time on purpose)
    candidate = naive.replace(tzinfo=tz, fold=repeated).astimezone(UTC)
    if candidate.astimezone(tz).replace(tzinfo=None) == naive:
        return (candidate - EPOCH) // MS
    # Skipped: read with the offset before the gap it lies after the change of the clocks, with that after the gap before it.
    before, after = sorted(naive.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    old_offset = before.astimezone(tz).utcoffset()
    low, high = (before - EPOCH) // MS, (after - EPOCH) // MS
    while high - low > 1:
        middle = (low + high) // 2
        if (EPOCH + middle * MS).astimezone(tz).utcoffset() == old_offset:
            low = middle
        else:
            high = middle
    return high
