"""Reading the state that a run saved last, beside the run and without disturbing it."""

from __future__ import annotations

import pickle
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fences.load import load_registry
from fences.numbering import ids_of, numbering_of
from fences.problems import FencewatchError
from fences.registry import Registry
from operators.state import ROW
from pipeline.kept_ids import read_ids
from sinks.alert_json import rfc3339

_SNAPSHOTS = "SELECT state_key, created_at, ser_change FROM snaps WHERE step_id LIKE '%.episodes%' ORDER BY snap_epoch"
"""Of Bytewax's recovery store: the snapshots of all shards, the newest of each last."""


class NoStateError(FencewatchError):
    """There is no saved state to read."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The last arrival of every subject of a registry, UTC milliseconds; negative where none ever came."""

    registry: Registry
    arrival_ms: NDArray[np.int64]
    saved_at: str

    @property
    def registered(self) -> int:
        """Subjects in the registry."""
        return len(self.registry.subject_ids)

    def never_heard(self) -> list[str]:
        """A line for each subject of whom nothing ever came."""
        return [self._line(s) for s in np.nonzero(self.arrival_ms < 0)[0].tolist()]

    def silent(self, now_ms: int) -> list[str]:
        """A line for each subject, heard of before, whose last record is older than his `silent_after_s`."""
        own = self.registry.subject_silent_after_s
        after_ms = np.where(np.isnan(own), self.registry.policy.silent_after_s, own) * 1000
        silent = (self.arrival_ms >= 0) & (now_ms - self.arrival_ms >= after_ms)
        return [self._line(s) for s in np.nonzero(silent)[0].tolist()]

    def _line(self, subject: int) -> str:
        home, last = int(self.registry.subject_home[subject]), int(self.arrival_ms[subject])
        region = self.registry.area_ids[home] if home >= 0 else "-"
        return f"{self.registry.subject_ids[subject]}\t{region}\t{rfc3339(last) if last >= 0 else '-'}"


def last_arrivals(state: Path, directory: Path) -> Arrivals:
    """Last arrivals by the newest saved state. Raises NoStateError and WrongRegistryError."""
    registry, _ = load_registry(directory)
    numbering = numbering_of(ids_of(registry))
    saved_at, snapshots = _snapshots(state / "recovery")
    arrival = np.full(len(registry.subject_ids), -1, np.int64)
    place = {name: i for i, name in enumerate(registry.subject_ids)}
    for snapshot in snapshots:
        found = np.frombuffer(snapshot["row"], ROW)["arrival_ms"]
        if snapshot["numbering"] == numbering:
            arrival = np.maximum(arrival, found)
            continue
        ids = read_ids(state, snapshot["numbering"])
        if ids is None:
            raise NoStateError(f"{state}: the state is of a registry (numbering {snapshot['numbering']}) whose ids are not kept.")
        for name, last in zip(ids.subjects, found.tolist(), strict=False):  # the numbering may have grown since
            if name in place:
                arrival[place[name]] = max(arrival[place[name]], last)
    return Arrivals(registry, arrival, saved_at)


def _snapshots(store: Path) -> tuple[str, list[dict[str, Any]]]:
    """When the newest epoch was saved, and the newest snapshot of every shard."""
    newest: dict[str, tuple[str, bytes]] = {}
    for part in sorted(store.glob("part-*.sqlite3")):
        db = sqlite3.connect(f"file:{part}?mode=ro", uri=True, timeout=10)
        try:
            for key, created, blob in db.execute(_SNAPSHOTS):
                newest[key] = (created, blob)
        finally:
            db.close()
    if not newest:
        raise NoStateError(f"{store}: no state was saved here yet.")
    saved = max(created for created, _ in newest.values())
    when = datetime.fromisoformat(saved).replace(tzinfo=UTC)
    snapshots = [pickle.loads(blob) for _, blob in newest.values()]  # noqa: S301 - our own store
    return rfc3339(round(when.timestamp() * 1000)), snapshots


def versions_done(state: Path) -> int | None:
    """How many registry versions had taken effect in the saved state of a run; None where nothing was saved."""
    try:
        _, snapshots = _snapshots(state / "recovery")
    except NoStateError:
        return None
    return max(int(snapshot["versions_done"]) for snapshot in snapshots)
