"""Streams read on a real server: nothing twice, nothing left out, not too much at once, and a clock that overtakes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from pipeline.items import Chunk, ClockMark, Mark
from pipeline.sources.redis_streams import MARK_EVERY_S, RedisStreams, Server, SourceError
from pipeline.wall_clock import WallClock
from sinks.redis_connection import connect
from sinks.redis_names import RedisNames
from tests.pipeline.listeners import until
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess

PAYLOAD_BYTES = 300_000
AT_ONCE_BYTES = 16 << 20
SILENT_MS = 300_000


class Reading:
    """Two streams under the names of a test."""

    def __init__(self, server: RedisProcess, names: RedisNames) -> None:
        self.url = server.url
        self.client: Any = server.client()
        self.streams = [f"{names.prefix}gps:0", f"{names.prefix}gps:1"]
        self.away: list[bool] = []
        self.lost: list[tuple[str, int]] = []

    def open(self, position: Any = None) -> RedisStreams:  # noqa: ANN401 - the reader's own
        """A reader at a position."""
        servers = [Server(connect(self.url), [("gps", stream) for stream in self.streams])]
        return RedisStreams(
            servers, WallClock(), position, self.away.append, lambda: SILENT_MS, lambda *lost: self.lost.append(lost)
        )

    def add(self, entries: int) -> None:
        """Entries of the first stream."""
        for k in range(entries):
            self.client.xadd(self.streams[0], {"subject": str(k), "time": k})

    @property
    def counts(self) -> bool:
        """Whether the server counts the entries ever added to a stream; Redis 6.2 does not."""
        return "entries-added" in self.client.xinfo_stream(self.streams[0])


@pytest.fixture
def reading(redis_any: RedisProcess, redis_names: RedisNames) -> Iterator[Reading]:
    """On both servers."""
    made = Reading(redis_any, redis_names)
    yield made
    made.client.close()


def chunks(items: list[Chunk | Mark]) -> list[Chunk]:
    """Those with records."""
    return [item for item in items if isinstance(item, Chunk)]


def marks(items: list[Chunk | Mark]) -> list[ClockMark]:
    """Those of the clock."""
    return [item for item in items if isinstance(item, ClockMark)]


def records(items: list[Chunk | Mark]) -> int:
    """How many."""
    return sum(len(chunk.decode()) for chunk in chunks(items))


def test_every_entry_once_whatever_it_holds(reading: Reading) -> None:
    """Thousands of single entries, then packed ones, then single ones again, from two streams, by several readers in turn."""
    pipe = reading.client.pipeline(transaction=False)
    for k in range(3000):
        pipe.xadd(reading.streams[0], {"subject": str(k), "time": k})
    for _ in range(40):
        pipe.xadd(reading.streams[0], {"payload": b'{"subject":"a","time":1}\n' * 50})
    for k in range(500):
        pipe.xadd(reading.streams[k % 2], {"subject": str(k), "time": k})
    pipe.execute()
    found, position = 0, None
    for rounds in (1, 2, 3, 4, 100):
        reader = reading.open(position)
        for _ in range(rounds):
            found += records(reader.next_items())
        position = reader.position()
        reader.close()
    assert found == 3000 + 40 * 50 + 500
    assert reading.away == []


@pytest.mark.parametrize("small", [0, 5])
def test_a_backlog_of_large_entries_is_read_in_parts(reading: Reading, small: int) -> None:
    """Also where they come after a few small ones: what is read at once stays far below what waits."""
    reader = reading.open()
    for k in range(small):
        reading.client.xadd(reading.streams[0], {"subject": str(k), "time": k})
    assert records(reader.next_items()) == small
    pipe = reading.client.pipeline(transaction=False)
    for _ in range(300):
        pipe.xadd(reading.streams[0], {"payload": b"x" * PAYLOAD_BYTES})
    pipe.execute()
    most, entries = 0, 0
    while read := chunks(reader.next_items()):
        payloads = [payload for chunk in read for payload in _payloads(chunk)]
        most = max(most, sum(map(len, payloads)))
        entries += len(payloads)
    reader.close()
    assert entries == 300
    assert most <= AT_ONCE_BYTES


def _payloads(chunk: Chunk) -> list[bytes]:
    held: Any = chunk.decode
    return [payload for payload in held.args[1] if isinstance(payload, bytes)]


def test_the_clock_does_not_overtake_what_waits(reading: Reading) -> None:
    """While one stream has a backlog, the lane's clock is that backlog's, however empty the other is."""
    began_ms = round(time.time() * 1000)
    for k in range(200):
        reading.client.xadd(reading.streams[0], {"subject": "a", "time": 1}, id=f"{1_000_000 + k}-0")
    reader = reading.open()
    first = reader.next_items()
    assert [mark.least_ms for mark in marks(first)][-1] == marks(first)[0].time_ms == 1_000_015
    while chunks(reader.next_items()):
        pass
    time.sleep(MARK_EVERY_S)
    last = marks(reader.next_items())
    reader.close()
    assert len(last) == 2
    assert min(mark.time_ms for mark in last) >= began_ms
    assert last[-1].least_ms == min(mark.time_ms for mark in last)


def test_few_marks(reading: Reading) -> None:
    """At most ten a second for each stream, however often it is asked."""
    reader = reading.open()
    began = time.monotonic()
    found: list[ClockMark] = []
    while time.monotonic() < began + 5 * MARK_EVERY_S:
        found += marks(reader.next_items())
    reader.close()
    seconds = time.monotonic() - began
    assert 2 <= len(found) <= 2 * (seconds / MARK_EVERY_S + 1)
    assert all(mark.least_ms is not None for mark in found[1:])


def test_a_key_of_another_type(reading: Reading) -> None:
    """Named, and nothing of the other stream is lost."""
    reading.client.set(reading.streams[1], "text")
    reading.client.xadd(reading.streams[0], {"subject": "a", "time": 1})
    reader = reading.open()
    assert reader.next_items() == []
    with pytest.raises(SourceError, match=f"the stream {reading.streams[1]} cannot be read: WRONGTYPE"):
        reader.next_items()
    position = reader.position()
    reader.close()
    reading.client.delete(reading.streams[1])
    reader = reading.open(position)
    read = records(reader.next_items())
    reader.close()
    assert read == 1


def test_a_gap_in_a_backlog_is_told_before_what_lies_behind_it(reading: Reading) -> None:
    """By a mark with the clock of the source, when both of its streams are read up to there."""
    for stream, stamps in zip(reading.streams, ([1_000_000, 1_900_000, 1_900_001], [1_000_500, 1_900_500]), strict=True):
        for stamp in stamps:
            reading.client.xadd(stream, {"subject": "a", "time": 1}, id=f"{stamp}-0")
    reader = reading.open()
    told: list[int | dict[str, int]] = []
    while items := reader.next_items():
        for item in items:
            if isinstance(item, Chunk):
                told += item.decode().stamp_ms.tolist()
            elif isinstance(item, ClockMark) and item.feeds and item.time_ms == 1_899_999:
                told.append(dict(item.feeds))
        if not chunks(items):
            break
    reader.close()
    assert told == [1_000_000, 1_000_500, {"gps": 1_899_999}, 1_900_000, 1_900_001, 1_900_500]


def test_a_server_that_is_away_leaves_the_clock(
    redis_server: RedisProcess, redis_names: RedisNames, start_redis: StartRedis
) -> None:
    """For a while the lane's clock stands, then it goes on without; where all are away it is the wall's; back, it counts again."""
    other = start_redis()
    away: list[bool] = []
    servers = [
        Server(connect(redis_server.url), [("near", f"{redis_names.prefix}gps")]),
        Server(connect(other.url), [("far", "gps")]),
    ]
    reader = RedisStreams(servers, WallClock(), None, away.append, lambda: 100.0)

    def last_mark() -> ClockMark:
        found = marks(reader.next_items())
        while not found:
            found = marks(reader.next_items())
        return found[-1]

    until(lambda: last_mark().least_ms is not None)
    assert dict(last_mark().feeds).keys() <= {"near", "far"}
    other.kill()
    stood = last_mark().least_ms
    until(lambda: (last_mark().least_ms or 0) > (stood or 0) + 100)
    mark = last_mark()
    assert mark.partition == f"near/{redis_names.prefix}gps"
    assert dict(mark.feeds) == {"near": mark.time_ms, "far": mark.least_ms}
    assert away == [True]
    servers[0].client.close()
    servers[0].client = connect(other.url)  # nobody listens there now
    servers[0].client.set_response_callback("XREAD", lambda reply, **_: reply)
    until(lambda: last_mark().partition is None)
    mark = last_mark()
    assert dict(mark.feeds) == {"near": mark.time_ms, "far": mark.time_ms}
    assert mark.least_ms == mark.time_ms
    other.start()
    until(lambda: last_mark().partition is not None and away[-1] is False)
    mark = last_mark()
    assert len(dict(mark.feeds)) == 1
    reader.close()


def test_those_who_can_be_read_do_not_wait_for_one_who_cannot(
    redis_server: RedisProcess, redis_names: RedisNames, start_redis: StartRedis
) -> None:
    """A server that is away is tried now and then; between, the others give what they have."""
    other = start_redis()
    servers = [
        Server(connect(other.url), [("far", "gps")]),
        Server(connect(redis_server.url), [("near", f"{redis_names.prefix}gps")]),
    ]
    reader = RedisStreams(servers, WallClock(), None, lambda _away: None, lambda: SILENT_MS)
    reader.next_items()
    other.kill()
    reader.next_items()
    client = redis_server.client()
    for _ in range(20):
        client.xadd(f"{redis_names.prefix}gps", {"subject": "a", "time": 1})
        assert records(reader.next_items()) == 1
        assert reader.next_awake() is None
    client.close()
    reader.close()


def read_all(reader: RedisStreams) -> tuple[int, Any]:
    """All that is there, and where a later reader goes on."""
    found = 0
    while some := records(reader.next_items()):
        found += some
    position = reader.position()
    reader.close()
    return found, position


def test_what_was_trimmed_away_unread_is_told(reading: Reading) -> None:
    """While nobody read the stream it was cut to its last five: how many are gone is counted and logged, once."""
    reading.add(10)
    _, position = read_all(reading.open())
    reading.add(20)
    reading.client.xtrim(reading.streams[0], maxlen=5, approximate=False)
    with capture_logs() as logs:
        found, position = read_all(reading.open(position))
        again, _ = read_all(reading.open(position))
    assert (found, again) == (5, 0)
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [entry["stream"] for entry in warnings] == [reading.streams[0]]
    assert reading.lost == ([("gps", 15)] if reading.counts else [])
    assert warnings[0]["event"].startswith("entries were" if reading.counts else "entries may have been")


def test_what_was_trimmed_away_after_it_was_read_is_nothing(reading: Reading) -> None:
    """Nor what was gone before the first start, nor a stream that is not there yet, nor one that was made anew."""
    reading.add(10)
    reading.client.xtrim(reading.streams[0], maxlen=5, approximate=False)
    found, position = read_all(reading.open())
    reading.client.xtrim(reading.streams[0], maxlen=0 if reading.counts else 1, approximate=False)
    reading.add(3)
    with capture_logs() as logs:
        more, position = read_all(reading.open(position))
        reading.client.delete(reading.streams[0])
        reading.add(2)
        last, _ = read_all(reading.open(position))
    assert (found, more, last) == (5, 3, 2)
    assert reading.lost == []
    assert not [entry for entry in logs if entry["log_level"] == "warning" and reading.counts]


def test_what_is_trimmed_faster_than_it_is_read_is_told(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a stream that was not there when the reading began."""
    monkeypatch.setattr("pipeline.sources.redis_streams.CHECK_EVERY_S", 0.0)
    reader = reading.open()
    assert records(reader.next_items()) == 0
    reading.add(30)
    reading.client.xtrim(reading.streams[0], maxlen=20, approximate=False)
    assert records(reader.next_items()) == 16
    reading.client.xtrim(reading.streams[0], maxlen=1, approximate=False)
    assert read_all(reader)[0] == 1
    # Ten were gone at first, then three between the sixteen that were read and the last one.
    assert reading.lost == ([("gps", 10), ("gps", 3)] if reading.counts else [])
