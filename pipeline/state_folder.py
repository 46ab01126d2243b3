"""The folder in which a run keeps position and state: its lock, Bytewax's recovery store, the ids of each registry."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from pathlib import Path
from typing import IO

from bytewax._bytewax import init_db_dir
from bytewax.recovery import RecoveryConfig

from fences.numbering import Ids, ids_of, numbering_of
from fences.problems import FencewatchError
from fences.registry import Registry
from pipeline.kept_ids import read_ids, write_ids, write_whole

PARTITIONS = 1


class StateFolderError(FencewatchError):
    """A state folder that cannot be used; the text says why and what to do."""


class StateFolder:
    """A locked state folder. The lock goes with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Make the folder where there is none, and lock it. Raises StateFolderError where another run holds it."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds where people were
            self._lock: IO[str] = (path / "lock").open("a+")
        except OSError as error:
            raise StateFolderError(f"{path}: cannot be used to keep state: {error.strerror}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            text = f"{path}: another run (process {holder}) uses this state folder; stop it first, or name another folder."
            raise StateFolderError(text) from error
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    @property
    def used(self) -> bool:
        """Whether a run began with this folder before."""
        return (self.path / "recovery").exists()

    def recovery(self) -> RecoveryConfig:
        """Bytewax's recovery store, made on first use and mended after a crash."""
        store = self.path / "recovery"
        if not (store / "part-0.sqlite3").exists():
            store.mkdir(exist_ok=True)
            init_db_dir(store, PARTITIONS)  # type: ignore[no-untyped-call]  # Bytewax has no types for it,
        for part in store.glob("part-*.sqlite3"):
            _drop_stale_snapshots(part)
        return RecoveryConfig(store)  # type: ignore[no-untyped-call]  # nor for this.

    def remember(self, key: str, value: str) -> str:
        """A word kept with the state: the one of the first run stays; returns it."""
        file = self.path / f"{key}.json"
        if file.exists():
            return str(json.loads(file.read_text(encoding="utf-8")))
        write_whole(file, value)
        return value

    def keep_ids(self, registry: Registry) -> None:
        """Write down the ids of a registry, by which its state is found again under another one."""
        ids = ids_of(registry)
        write_ids(self.path, numbering_of(ids), ids)

    def ids(self, numbering: str) -> Ids | None:
        """The ids of a numbering that was used with this folder before."""
        return read_ids(self.path, numbering)

    def close(self) -> None:
        """Give the folder free."""
        self._lock.close()


def _drop_stale_snapshots(part: Path) -> None:
    """Drop snapshots of epochs that never closed: Bytewax 0.21 would load one of them at a later start.

    Snapshots and the frontier are committed one after the other; a crash between leaves snapshots of an epoch that will be run
    again, and a key that the second run does not touch would be restored from the first.
    """
    db = sqlite3.connect(part)
    try:
        run = db.execute("SELECT ex_num, worker_count, resume_epoch FROM exs ORDER BY ex_num DESC LIMIT 1").fetchone()
        if run is None:
            return
        number, workers, resume_epoch = run
        written, lowest = db.execute("SELECT COUNT(*), MIN(worker_frontier) FROM fronts WHERE ex_num = ?", (number,)).fetchone()
        if written in (0, workers):
            db.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (lowest if written else resume_epoch,))
            db.commit()
    except sqlite3.DatabaseError as error:
        raise StateFolderError(f"{part}: not a recovery store that can be read: {error}.") from error
    finally:
        db.close()
