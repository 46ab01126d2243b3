"""Two threads of the demo: one feeds the tracks into the stream, one listens to the channel."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from redis.exceptions import RedisError

from pipeline.alert_lines import Event
from pipeline.demo.problems import DemoError
from pipeline.demo.scenario_clock import ScenarioClock
from pipeline.demo.story import Tracks

EVERY_S = 0.02
HEAR_AGAIN_AFTER_S = 0.2
SUBSCRIBED_WITHIN_S = 5.0


class Feeder:
    """Feeds each fix when the scenario's clock reaches its arrival; what is due together goes into one packed entry.

    `place` (subjects, 2) is where each subject was seen last, NaN before; `sent_s` (fixes) when each was sent, NaN before.
    """

    def __init__(self, client: Any, stream: str, tracks: Tracks) -> None:  # noqa: ANN401 - redis-py's client
        self._client, self._stream, self._tracks = client, stream, tracks
        self.fed = 0
        self.place = np.full((len(tracks.subject_ids), 2), np.nan)
        self.sent_s: NDArray[np.float64] = np.full(len(tracks), np.nan)
        self.done = threading.Event()
        self._failure: RedisError | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, clock: ScenarioClock) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._feed, args=(clock,), name="feeder", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises DemoError where it could not go on."""
        if self._failure is not None:
            raise DemoError(f"the stream could not be fed: {self._failure}.")

    def end(self) -> None:
        """Stop feeding."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _feed(self, clock: ScenarioClock) -> None:
        tracks = self._tracks
        try:
            while self.fed < len(tracks) and not self._stop.is_set():
                due = int(np.searchsorted(tracks.received_ms, clock.now_ms(), side="right"))
                if due > self.fed:
                    self._send(slice(self.fed, due))
                    self.fed = due
                self._stop.wait(EVERY_S)
        except RedisError as error:
            self._failure = error
        finally:
            self.done.set()

    def _send(self, rows: slice) -> None:
        tracks = self._tracks
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, tracks.table.schema) as writer:
            writer.write_table(tracks.table.slice(rows.start, rows.stop - rows.start))
        self.sent_s[rows] = time.time()
        self._client.execute_command("XADD", self._stream, "*", "payload", out.getvalue().to_pybytes())
        seen = ~np.isnan(tracks.lon_lat[rows, 0])
        self.place[tracks.subject[rows][seen]] = tracks.lon_lat[rows][seen]


@dataclass(frozen=True, slots=True)
class Heard:
    """An alert that the channel brought, and when (seconds of `time.time`)."""

    event: Event
    heard_s: float


class Listener:
    """Subscribes to the channel of all alerts and keeps what it brings, in order."""

    def __init__(self, client: Any, channel: str) -> None:  # noqa: ANN401 - as above
        """Subscribed when this returns. Raises RedisError."""
        self._channel = client.pubsub()
        self._channel.subscribe(channel)
        # Only the server's word that we are subscribed makes sure that nothing is missed.
        answer = self._channel.get_message(timeout=SUBSCRIBED_WITHIN_S)
        if answer is None or answer["type"] != "subscribe":
            raise DemoError(f"Redis does not confirm that we listen to the channel {channel}.")
        self.heard: list[Heard] = []
        self._failure: RedisError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def check(self) -> None:
        """Raises DemoError where the connection was lost."""
        if self._failure is not None:
            raise DemoError(f"the channel of the alerts was lost: {self._failure}.")

    def end(self) -> None:
        """Stop listening."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._channel.close()

    def _listen(self) -> None:
        try:
            while not self._stop.is_set():
                message = self._channel.get_message(timeout=HEAR_AGAIN_AFTER_S)
                if message is not None and message["type"] == "message":
                    self.heard.append(Heard(orjson.loads(message["data"]), time.time()))
        except RedisError as error:
            self._failure = error
