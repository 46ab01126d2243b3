"""Feeding recorded tracks into a live stream, to load-test a daemon: at a rate, at a speed, or as fast as it goes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.fix_batch import ABSENT_MS, OPTIONAL_FIELDS, Fault, FixBatch
from pipeline.sources.files import FileStream
from pipeline.sources.patient import Stopped

COMMANDS_A_CALL = 500
POSITIONING = ("gnss", "cell", "wifi")
_UNREADABLE = int(Fault.TOO_LARGE | Fault.UNDECODABLE | Fault.MISSING_FIELD | Fault.WRONG_TYPE | Fault.BAD_SUBJECT)


@dataclass(slots=True)
class Fed:
    """What was fed: records and entries, records left out because they could not be read, seconds, and how late it was at worst."""

    records: int = 0
    entries: int = 0
    left_out: int = 0
    seconds: float = 0.0
    behind_s: float = 0.0

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Feeding:
    """How to feed: `rate` records a second, or `speed` recorded seconds a second.

    `packed`: records an entry; 0: one an entry, as fields.
    """

    stream: str
    rate: float | None = None
    speed: float | None = None
    packed: int = 0
    shift_to_now: bool = False
    maxlen: int | None = None

    def feed(self, files: FileStream, client: Any, tell: Callable[[Fed], None], stop: threading.Event) -> Fed:  # noqa: ANN401 - Redis
        """Feed all of it, or until `stop` is set; `tell` is called now and then. Raises redis.exceptions.RedisError."""
        fed = Fed()
        with contextlib.suppress(Stopped):
            self._feed(fed, files, client, tell, stop)
        return fed

    def _feed(self, fed: Fed, files: FileStream, client: Any, tell: Callable[[Fed], None], stop: threading.Event) -> None:  # noqa: ANN401 - Redis
        started = time.monotonic()
        shift_ms: int | None = None if self.shift_to_now else 0
        first_ms: int | None = None
        for chunk in files:
            batch = chunk.decode()
            rows = np.nonzero((batch.fault & _UNREADABLE) == 0)[0]
            fed.left_out += len(batch) - len(rows)
            for part in self._parts(batch, rows):
                sent_ms = _sent_ms(batch, part)
                if first_ms is None:
                    first_ms = int(sent_ms[0])
                    shift_ms = round(time.time() * 1000) - first_ms if shift_ms is None else shift_ms
                self._wait(fed, started, int(sent_ms[-1]) - first_ms, stop)
                if stop.is_set():
                    return
                fed.entries += self._send(client, batch, part, shift_ms or 0)
                fed.records += len(part)
                fed.seconds = time.monotonic() - started
                tell(fed)

    def _parts(self, batch: FixBatch, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Rows that are sent in one call: an entry where packed, else some hundreds, or what a tenth of a second holds."""
        size = self.packed or COMMANDS_A_CALL
        if not self.packed and self.rate is not None:
            size = int(min(size, max(1.0, self.rate / 20)))
        if not self.packed and self.speed is not None:
            edges = np.nonzero(np.diff(_sent_ms(batch, rows) // max(1, int(100 * self.speed))))[0] + 1
            for some in np.split(rows, edges):
                yield from (some[i : i + size] for i in range(0, len(some), size))
            return
        yield from (rows[i : i + size] for i in range(0, len(rows), size))

    def _wait(self, fed: Fed, started: float, recorded_ms: int, stop: threading.Event) -> None:
        if self.rate is not None:
            due = started + fed.records / self.rate
        elif self.speed is not None:
            due = started + recorded_ms / 1000 / self.speed
        else:
            return
        late = time.monotonic() - due
        fed.behind_s = max(fed.behind_s, late)
        if late < 0:
            stop.wait(-late)

    def _send(self, client: Any, batch: FixBatch, rows: NDArray[np.int64], shift_ms: int) -> int:  # noqa: ANN401 - as above
        pipe = client.pipeline(transaction=False)
        bound = ("MAXLEN", "~", self.maxlen) if self.maxlen is not None else ()
        if self.packed:
            pipe.execute_command("XADD", self.stream, *bound, "*", "payload", _packed(batch, rows, shift_ms))
        else:
            for fields in _singles(batch, rows, shift_ms):
                pipe.execute_command("XADD", self.stream, *bound, "*", *fields)
        return len(pipe.execute())


def _sent_ms(batch: FixBatch, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """When each record came in when it was recorded: its `received`, else its time."""
    received = batch.received_ms[rows]
    return np.where(received == ABSENT_MS, batch.time_ms[rows], received)


def _subjects(batch: FixBatch, rows: NDArray[np.int64]) -> list[bytes]:
    data = batch.ids.tobytes() if len(rows) > 1 else None
    starts, lengths = batch.id_start[rows].tolist(), batch.id_len[rows].tolist()
    if data is None:
        return [batch.ids[a : a + n].tobytes() for a, n in zip(starts, lengths, strict=True)]
    return [data[a : a + n] for a, n in zip(starts, lengths, strict=True)]


def _columns(batch: FixBatch, rows: NDArray[np.int64], shift_ms: int) -> dict[str, tuple[NDArray[Any], NDArray[np.bool_]]]:
    """Values of each field and where they are absent; times shifted."""
    out: dict[str, tuple[NDArray[Any], NDArray[np.bool_]]] = {"time": (batch.time_ms[rows] + shift_ms, np.zeros(len(rows), bool))}
    for name in ("lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct"):
        values = getattr(batch, name)[rows]
        out[name] = (values, np.isnan(values))
    for name in ("tamper", "separated"):
        values = getattr(batch, name)[rows]
        out[name] = (values == 1, values < 0)
    received = batch.received_ms[rows]
    out["received"] = (received + shift_ms, received == ABSENT_MS)
    where = batch.positioning[rows]
    out["positioning"] = (np.array(POSITIONING, object)[np.maximum(where, 0)], where < 0)
    return out


def _packed(batch: FixBatch, rows: NDArray[np.int64], shift_ms: int) -> bytes:
    arrays = {"subject": pa.array([s.decode() for s in _subjects(batch, rows)], pa.string())}
    for name, (values, absent) in _columns(batch, rows, shift_ms).items():
        if name in OPTIONAL_FIELDS and absent.all():
            continue
        arrays[name] = pa.array(values, from_pandas=False, mask=absent)
    record_batch = pa.RecordBatch.from_pydict(arrays)
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, record_batch.schema) as writer:
        writer.write_batch(record_batch)
    return out.getvalue().to_pybytes()


def _singles(batch: FixBatch, rows: NDArray[np.int64], shift_ms: int) -> Iterator[list[bytes | str]]:
    columns = {
        name: (_texts(values), absent.tolist())
        for name, (values, absent) in _columns(batch, rows, shift_ms).items()
        if not absent.all()
    }
    for i, subject in enumerate(_subjects(batch, rows)):
        fields: list[bytes | str] = ["subject", subject]
        for name, (texts, absent) in columns.items():
            if not absent[i]:
                fields += (name, texts[i])
        yield fields


def _texts(values: NDArray[Any]) -> list[str]:
    """The values of a column as a Redis entry has them."""
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values.tolist()]
