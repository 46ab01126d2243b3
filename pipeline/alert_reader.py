"""The recipe for consumers, as `alerts tail` and every live view follow it: the stream is the truth, the channel only wakes.

Read the stream's last id, then the hash of open episodes, then the stream from that id. Nothing is missed between the two, and
what comes twice is known by its id. The same recipe in a few lines stands in `docs/alerts.md`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from pipeline.stream_ids import order_of
from sinks.redis_names import RedisNames

FIRST_ID = "0-0"
ENTRIES_A_READ = 500
TRY_AGAIN_AFTER_S = 0.2
LONGEST_PAUSE_S = 2.0
READ_AT_LEAST_EACH_S = 1.0
"""The stream is read this often even when the channel is silent: one that is forbidden or lost delays, and loses nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert of the stream: its place there, and its JSON."""

    stream_id: str
    event: bytes


class AlertReader:
    """Reads the alerts of everybody or of one region, and resumes by stream id after any interruption.

    `client`: of `sinks.redis_connection.connect`; it stays the caller's. `on_state` is told (False, why) when Redis goes away
    and (True, why) when it is back; that `why` is empty unless it came back without its data.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - a cluster's client shares no base with Redis
        names: RedisNames,
        region: str | None = None,
        on_state: Callable[[bool, str], None] | None = None,
    ) -> None:
        self._client = client
        self._stream = names.alerts if region is None else names.alerts_of(region)
        self._open = names.open if region is None else names.open_of(region)
        self._on_state = on_state or (lambda _up, _why: None)
        self._channel: Any = None
        self._up = True
        self._begun_anew = False

    def last_id(self) -> str:
        """The id of the stream's newest entry, `0-0` where it has none. Raises RedisError."""
        newest = self._client.xrevrange(self._stream, count=1)
        return str(newest[0][0].decode()) if newest else FIRST_ID

    def open_events(self) -> list[bytes]:
        """The newest alert of each open episode, in no order that matters. Raises RedisError."""
        return list(self._client.hvals(self._open))

    def after(self, stream_id: str, wait_s: float) -> list[Entry]:
        """The entries behind `stream_id`, oldest first; none where nothing came within `wait_s` or Redis is away.

        Raises RedisError only for what waiting does not mend: a wrong password, a forbidden key.
        """
        until = time.monotonic() + wait_s
        pause_s = TRY_AGAIN_AFTER_S
        while True:
            try:
                # Listening begins before the stream is read: what comes in between then wakes us again.
                self._listen()
                if not self._up:
                    self._begun_anew = self._begun_anew or self._is_new(stream_id)
                    why = "without what stood in the stream, which is read from its new start" if self._begun_anew else ""
                    self._state(True, why)  # noqa: FBT003 - the one boolean is what the callback is about
                entries = self._read(FIRST_ID if self._begun_anew else stream_id)
                left_s = until - time.monotonic()
                if entries or left_s <= 0:
                    return entries
                self._channel.get_message(timeout=min(left_s, READ_AT_LEAST_EACH_S))
            except (AuthenticationError, NoPermissionError):
                raise
            except RedisError as error:
                self._hang_up()
                self._state(False, str(error))  # noqa: FBT003 - as above
                left_s = until - time.monotonic()
                if left_s <= 0:
                    return []
                time.sleep(min(pause_s, left_s))
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def close(self) -> None:
        """Stop listening."""
        self._hang_up()

    def _listen(self) -> None:
        if self._channel is None:
            channel = self._client.pubsub(ignore_subscribe_messages=True)
            channel.subscribe(self._stream)
            self._channel = channel

    def _read(self, stream_id: str) -> list[Entry]:
        answer = self._client.xread({self._stream: stream_id}, count=ENTRIES_A_READ)
        if not answer:
            return []
        self._begun_anew = False
        return [Entry(place.decode(), fields[b"event"]) for place, fields in answer[0][1]]

    def _is_new(self, stream_id: str) -> bool:
        """Whether the server came back without what it had: our id then lies ahead of all that will come."""
        try:
            last = self._client.xinfo_stream(self._stream)["last-generated-id"].decode()
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            last = FIRST_ID
        return order_of(last) < order_of(stream_id)

    def _state(self, up: bool, why: str) -> None:  # noqa: FBT001 - the form of the callback
        if up != self._up:
            self._up = up
            self._on_state(up, why)

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
