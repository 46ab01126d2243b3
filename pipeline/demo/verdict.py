"""Whether the demo showed what it should: every scripted breach, nothing else, and exactly what stands in the stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.alert_lines import Event, change_of
from pipeline.demo.scenario_clock import told_ms
from pipeline.worlds.stories import Breach

NAMED = 3
"""So many are named in a sentence; of more the number stands there."""


@dataclass(frozen=True, slots=True)
class Found:
    """A scripted breach and what was told of it: None where the alerts are as they must be, else what is wrong."""

    breach: Breach
    wrong: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`found`: of each scripted breach; `unscripted`: of alerts that belong to none of them."""

    found: tuple[Found, ...]
    unscripted: tuple[str, ...]

    @property
    def found_count(self) -> int:
        """How many scripted breaches were told as they must be."""
        return sum(one.wrong is None for one in self.found)

    def problem(self) -> str | None:
        """What is wrong, as a sentence; None where nothing is."""
        wrong = [f"{one.breach.subject} ({one.breach.story}): {one.wrong}" for one in self.found if one.wrong is not None]
        if wrong:
            return f"{len(wrong)} of {len(self.found)} scripted breaches were not told as they must be: {_some(wrong)}."
        if self.unscripted:
            return f"{len(self.unscripted)} alerts belong to no scripted breach: {_some(self.unscripted)}."
        return None


def compare(breaches: Sequence[Breach], events: Sequence[Event]) -> Verdict:
    """Hold what was told to what was scripted: subject, slot, kind, onset, clear, and the regions told."""
    told: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        told[event["subject"], _slot(event)].append(event)
    found = tuple(Found(breach, _wrong(breach, told.pop((breach.subject, breach.slot), []))) for breach in breaches)
    return Verdict(found, tuple(f"{subject} {event['data']['kind']}" for (subject, _), rest in told.items() for event in rest))


def shown_and_stream(shown: Sequence[str], stream: Sequence[str]) -> str | None:
    """How the ids shown differ from those in the stream, as a sentence; None where they are the same in the same order."""
    missing, more = set(stream) - set(shown), set(shown) - set(stream)
    if missing:
        return f"{len(missing)} alerts stand in the stream that the channel did not bring: {_some(sorted(missing))}."
    if more:
        return f"{len(more)} alerts came through the channel that are not in the stream: {_some(sorted(more))}."
    if list(shown) != list(stream):
        return "the channel brought the alerts in another order, or more often, than they stand in the stream."
    return None


def _wrong(breach: Breach, events: list[Event]) -> str | None:
    by_change: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_change[change_of(event)].append(event)
    opened, cleared = by_change["opened"], by_change["cleared"]
    if not opened:
        return "not found"
    first = opened[0]["data"]
    regions = sorted({region for event in events for region in event["data"]["regions"]})
    if len(opened) > 1:
        return f"opened {len(opened)} times"
    if first["kind"] != breach.kind or first["level"] != breach.level or first["late"] != breach.late:
        told, scripted = _named(first["level"], first["kind"], first["late"]), _named(breach.level, breach.kind, breach.late)
        return f"a {told} instead of a {scripted}"
    if not breach.onset_from <= told_ms(first["onset"]) <= breach.onset_to:
        return f"onset {first['onset']} is not when it began"
    if regions != list(breach.regions):
        return f"told to {', '.join(regions)} instead of {', '.join(breach.regions)}"
    return _wrong_clear(breach, cleared)


def _wrong_clear(breach: Breach, cleared: list[Event]) -> str | None:
    if breach.cleared_from is None or breach.cleared_to is None:
        return "cleared, though it was never over" if cleared else None
    if len(cleared) != 1:
        return f"cleared {len(cleared)} times instead of once"
    at, reason = cleared[0]["time"], cleared[0]["data"]["reason"]
    if reason != breach.reason:
        return f"cleared as {reason} instead of {breach.reason}"
    return None if breach.cleared_from <= told_ms(at) <= breach.cleared_to else f"cleared at {at}, not when it was over"


def _named(level: str, kind: str, late: bool) -> str:  # noqa: FBT001 - as the alert has it
    return f"{level} {kind}" + (", late" if late else "")


def _slot(event: Event) -> str:
    rule, kind = event["data"]["rule"], event["data"]["kind"]
    if rule is not None:
        return f"rule:{rule}"
    return "area" if kind in ("left_area", "overstay") else str(kind)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f"; and {rest} more" if rest > 0 else "")
