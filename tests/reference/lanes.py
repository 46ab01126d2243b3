"""J9, late evidence: the lane of a slot, and the past episodes that late evidence must not repeat. What fills them: late.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.reference.registry import Terms
from tests.reference.verdicts import Word

QUARTER_HOUR_MS = 15 * 60 * 1000
REMEMBERED = 4


@dataclass
class Past:
    """An episode of a slot from its onset to its end; end None while it is open."""

    start: int
    end: int | None


@dataclass
class Lane:
    """Late judgements of one slot since it started anew, in arrival order."""

    last: int | None = None
    times: set[int] = field(default_factory=set)
    breaches: list[int] = field(default_factory=list)

    def start_anew(self) -> None:
        """Forget everything."""
        self.last, self.times, self.breaches = None, set(), []

    def take(self, word: Word, t: int, terms: Terms, max_position_age_ms: int) -> tuple[int, int] | None:
        """One late judgement; (onset, time) where it completes late evidence, and then the lane has started anew."""
        if self.last is not None and abs(t - self.last) > max_position_age_ms:
            self.start_anew()
        if t in self.times:
            return None
        self.last = t
        self.times.add(t)
        if word == "fine":
            self.breaches = []
        if word != "breach":
            return None
        self.breaches.append(t)
        onset, latest = min(self.breaches), max(self.breaches)
        if len(self.breaches) < terms.confirm_fixes or latest - onset < terms.confirm_ms:
            return None
        self.start_anew()
        return onset, latest


def is_known(onset: int, past: list[Past], pending_since: int | None) -> bool:
    """Whether the onset of late evidence falls to an episode that was told, or will be by what is pending."""
    ended = [p for p in past if p.end is not None][-REMEMBERED:]
    still_open = [p for p in past if p.end is None]
    near = any(
        p.start - QUARTER_HOUR_MS <= onset and (p.end is None or onset <= p.end + QUARTER_HOUR_MS) for p in (*ended, *still_open)
    )
    return near or (pending_since is not None and onset >= pending_since - QUARTER_HOUR_MS)
