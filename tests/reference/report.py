"""Section 7, `--report`: what was read and what became of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.reference.alerts import Docket

COUNTS = ("fixes_judged", "contacts", "late", "duplicates", "conflicts")


@dataclass
class Tally:
    """Counts while judging. `gaps_ms`: between successive in-order records of a subject."""

    read: int = 0
    became: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    gaps_ms: list[int] = field(default_factory=list)

    def report(self, docket: Docket) -> dict[str, Any]:
        """The report without seconds and rates."""
        kinds = sorted({kind for kind, _ in docket.counts})
        return {
            "fixes_read": self.read,
            **{name: self.became[name] for name in COUNTS},
            "rejected": dict(sorted(self.rejected.items())),
            "alerts": {kind: {what: docket.counts[kind, what] for what in ("opened", "moved", "cleared")} for kind in kinds},
            "fields_ignored": dict(sorted(self.ignored.items())),
            "gaps_s": {f"p{p}": nearest_rank(sorted(self.gaps_ms), p) for p in (50, 95, 99)},
        }


def nearest_rank(ordered: list[int], percent: int) -> float | None:
    """The percentile of some milliseconds in seconds, by nearest rank; None of nothing."""
    return ordered[math.ceil(percent * len(ordered) / 100) - 1] / 1000 if ordered else None
