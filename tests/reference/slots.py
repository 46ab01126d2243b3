"""J6, the slot machine: fine, pending, open; fed with one verdict after another. Who feeds it: judging.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.reference.alerts import Episode
from tests.reference.registry import Terms
from tests.reference.verdicts import Word


@dataclass
class Slot:
    """Where one subject stands in one slot: open while it has an `episode`, else pending while `breaches` > 0, else fine.

    `onset` and `pending_kind` are those of the last time it became pending. `last_word`: the last judgement since the rule became
    active.
    """

    effect: str
    breaches: int = 0
    onset: int = 0
    pending_kind: str = ""
    episode: Episode | None = None
    fines: int = 0
    last_word: Word | None = None

    @property
    def is_fine(self) -> bool:
        """Neither pending nor open."""
        return self.episode is None and self.breaches == 0

    @property
    def pending_since(self) -> int | None:
        """The onset while pending."""
        return self.onset if self.episode is None and self.breaches > 0 else None

    def becomes_pending(self, t: int, kind: str) -> None:
        """The first breach, at t; it is counted by `take`. Kind is fixed here."""
        self.onset, self.pending_kind = t, kind

    def take(self, word: Word, t: int, terms: Terms) -> Literal["opens", "clears"] | None:
        """One judgement at t. Says what it makes of the slot; the episode itself is the caller's to set or end.

        Uncertain changes nothing: it neither counts nor resets.
        """
        self.last_word = word
        if word == "breach":
            return self.take_breach(t, terms)
        if word == "fine":
            return self.take_fine(terms)
        return None

    def take_breach(self, t: int, terms: Terms) -> Literal["opens"] | None:
        """Counts while pending; opens when count and time suffice."""
        self.fines = 0
        if self.episode is not None:
            return None
        self.breaches += 1
        return "opens" if self.breaches >= terms.confirm_fixes and t - self.onset >= terms.confirm_ms else None

    def take_fine(self, terms: Terms) -> Literal["clears"] | None:
        """Pending becomes fine; open clears after enough fine judgements with no breach between them."""
        self.breaches = 0
        if self.episode is None:
            return None
        self.fines += 1
        return "clears" if self.fines >= terms.clear_fixes else None
