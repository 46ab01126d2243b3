"""What a run counts: records, rejects, ignored fields, gaps, alerts; and the report made of it."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.acceptance import REASONS
from operators.alert import Alert
from operators.fix_batch import OPTIONAL_FIELDS
from operators.order import CONFLICTS, CONTACTS, DUPLICATES, JUDGED, LATE, gap_percentiles_s
from operators.state import GAP_BINS, State


class Totals:
    """Counters of one process; fed once a batch, read when somebody looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: list[State] = []
        self._ids: set[int] = set()
        self.fixes_read = 0
        self.rejected = np.zeros(len(REASONS), np.int64)
        self.ignored = np.zeros(len(OPTIONAL_FIELDS), np.int64)
        self.alerts: dict[str, dict[str, int]] = defaultdict(lambda: {"opened": 0, "moved": 0, "cleared": 0})

    def watch(self, state: State) -> None:
        """Count what this state counts, too."""
        with self._lock:
            self._states.append(state)

    def count(self, records: int, rejected: NDArray[np.int64], ignored: NDArray[np.int64]) -> None:
        """A batch was judged."""
        with self._lock:
            self.fixes_read += records
            self.rejected += rejected
            self.ignored += ignored

    def told(self, alerts: list[Alert]) -> None:
        """These alerts were handed to the sinks; an id counts once."""
        with self._lock:
            for alert in alerts:
                number = int(alert.id, 16)
                if number in self._ids:
                    continue
                self._ids.add(number)
                self.alerts[alert.kind][alert.change] += 1

    def by_state(self) -> NDArray[np.int64]:
        """Sums of the shards' counters, by the places of `operators.order`."""
        return np.sum([s.memory.counts for s in self._states], axis=0) if self._states else np.zeros(8, np.int64)

    def report(self, seconds: float) -> dict[str, Any]:
        """The report of section 7 of the contract."""
        counts = self.by_state()
        gaps = np.sum([s.memory.gap for s in self._states], axis=0) if self._states else np.zeros(GAP_BINS, np.int64)
        return {
            "fixes_read": self.fixes_read,
            "fixes_judged": int(counts[JUDGED]),
            "contacts": int(counts[CONTACTS]),
            "late": int(counts[LATE]),
            "duplicates": int(counts[DUPLICATES]),
            "conflicts": int(counts[CONFLICTS]),
            "rejected": {name: n for name, n in zip(REASONS, self.rejected.tolist(), strict=True) if n},
            "alerts": {kind: dict(changes) for kind, changes in sorted(self.alerts.items())},
            "fields_ignored": {name: n for name, n in zip(OPTIONAL_FIELDS, self.ignored.tolist(), strict=True) if n},
            "gaps_s": gap_percentiles_s(gaps),
            "seconds": round(seconds, 3),
            "fixes_per_second": round(self.fixes_read / seconds, 1) if seconds > 0 else 0.0,
        }
