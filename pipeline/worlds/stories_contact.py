"""Stories of devices that are not heard, or heard without anything new or without a position (J10).

A device is heard at most `LATEST_ARRIVAL` of a step after it took its sample; the last sample before an instant was due within the
step before it, the first one after within the step after it.
"""

from __future__ import annotations

from pipeline.worlds.devices import Script, Span, What
from pipeline.worlds.homes import Home, at_home, home_of, place_of
from pipeline.worlds.sampling import JITTER
from pipeline.worlds.stories import LATEST_ARRIVAL, Breach, Scene, Stage, Story

NO_POSITION_AFTER_MS = 900_000
"""Of the shipped policy."""
MORE_MS = 20 * 60_000


def silent(stage: Stage) -> Scene:
    """Nothing is heard of him for longer than allowed: a yellow alert, cleared when he is heard again."""
    shortest_ms = stage.limits.silent_after_ms + stage.steps(3)
    longest_ms = stage.limits.silent_after_ms + stage.limits.silent_long_after_ms - stage.steps(3)
    home, span = home_of(stage), stage.span(shortest_ms, min(shortest_ms + MORE_MS, longest_ms))
    return _silence(stage, "silent", home, span, (_silent(stage, "silent", home, span),))


def silent_long(stage: Stage) -> Scene:
    """Nothing is heard of him for very long: a yellow alert, then a red one, both cleared when he is heard again."""
    shortest_ms = stage.limits.silent_after_ms + stage.limits.silent_long_after_ms + stage.steps(3)
    home, span = home_of(stage), stage.span(shortest_ms, shortest_ms + MORE_MS)
    first = _silent(stage, "silent_long", home, span)
    onset = first.onset_from + stage.limits.silent_long_after_ms, first.onset_to + stage.limits.silent_long_after_ms
    second = stage.episode("silent_long", "silent_long", {home[0]}, "silent_long", onset, _heard_again(stage, span))
    return _silence(stage, "silent_long", home, span, (first, second))


def stale(stage: Stage) -> Scene:
    """His device hangs and sends the same record again and again: heard, but nothing new comes."""
    after_ms = stage.limits.silent_after_ms
    home, span = home_of(stage), stage.span(after_ms + stage.steps(4), after_ms + stage.steps(4) + MORE_MS)
    onset = span[0] + after_ms, span[0] + after_ms + stage.steps(2 + JITTER + 2 * LATEST_ARRIVAL)
    breach = stage.episode("stale", "stale", {home[0]}, "stale", onset, _heard_again(stage, span), level="yellow")
    device = Script(place_of(home), (Span("frozen", *span),))
    return at_home(stage, "stale", home, span, device, (breach,), stage.limits.silent_after_s)


def no_position(stage: Stage) -> Scene:
    """His device reports without a position for longer than allowed, as in a cellar."""
    return _lost(stage, "no_position", "nowhere")


def vague_position(stage: Stage) -> Scene:
    """His device reports positions too vague to count, as of a single radio cell."""
    return _lost(stage, "vague_position", "vague")


STORIES: tuple[Story, ...] = (silent, no_position, stale, silent_long, vague_position)


def _silence(stage: Stage, story: str, home: Home, span: tuple[int, int], breaches: tuple[Breach, ...]) -> Scene:
    device = Script(place_of(home), (Span("silent", *span),))
    return at_home(stage, story, home, span, device, breaches, stage.limits.silent_after_s)


def _silent(stage: Stage, story: str, home: Home, span: tuple[int, int]) -> Breach:
    """The limit counts from the arrival of the last record."""
    deadline_ms = span[0] + stage.limits.silent_after_ms
    onset = deadline_ms - stage.steps(1), deadline_ms + stage.steps(JITTER + LATEST_ARRIVAL)
    return stage.episode("silent", "silent", {home[0]}, story, onset, _heard_again(stage, span), level="yellow")


def _heard_again(stage: Stage, span: tuple[int, int]) -> tuple[int, int]:
    """The arrival of the first record after the span."""
    return span[1], span[1] + stage.steps(1 + JITTER + LATEST_ARRIVAL)


def _lost(stage: Stage, story: str, what: What) -> Scene:
    """The limit counts from the time of the last position; it is found by a record."""
    shortest_ms = NO_POSITION_AFTER_MS + stage.steps(4)
    home, span = home_of(stage), stage.span(shortest_ms, shortest_ms + MORE_MS)
    onset = span[0] + NO_POSITION_AFTER_MS - stage.steps(1), span[0] + NO_POSITION_AFTER_MS + stage.steps(1 + 2 * JITTER)
    cleared = span[1], span[1] + stage.steps(1 + JITTER)
    breach = stage.episode("no_position", "no_position", {home[0]}, story, onset, cleared, level="yellow")
    return at_home(stage, story, home, span, Script(place_of(home), (Span(what, *span),)), (breach,))
