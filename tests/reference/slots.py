"""J6, the slot machine: fine, pending, open; fed with one verdict after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.reference.alerts import Episode
from tests.reference.registry import Terms
from tests.reference.verdicts import Word


@dataclass
class Slot:
    """Where one subject stands in one slot.

    `pending_since`: the onset while pending. `episode`: while open. `last_word`: the last judgement since the rule became active.
    """

    effect: str
    pending_since: int | None = None
    pending_kind: str = ""
    breaches: int = 0
    episode: Episode | None = None
    fines: int = 0
    last_word: Word | None = None

    def take(self, word: Word, t: int, kind: str, terms: Terms) -> Literal["opens", "clears"] | None:
        """One judgement at t. `kind` is that of an onset at t. Says what the judgement makes; the episode is the caller's."""
        self.last_word = word
        if word == "breach":
            return self.take_breach(t, kind, terms)
        if word == "fine":
            return self.take_fine(terms)
        return None

    def take_breach(self, t: int, kind: str, terms: Terms) -> Literal["opens"] | None:
        """Fine becomes pending, pending counts, and opens when count and time suffice."""
        self.fines = 0
        if self.episode is not None:
            return None
        if self.pending_since is None:
            self.pending_since, self.pending_kind, self.breaches = t, kind, 0
        self.breaches += 1
        ripe = self.breaches >= terms.confirm_fixes and t - self.pending_since >= terms.confirm_ms
        return "opens" if ripe else None

    def take_fine(self, terms: Terms) -> Literal["clears"] | None:
        """Pending becomes fine; open clears after enough fine judgements with no breach between them."""
        self.pending_since = None
        if self.episode is None:
            return None
        self.fines += 1
        return "clears" if self.fines >= terms.clear_fixes else None
