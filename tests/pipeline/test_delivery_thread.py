"""Delivery in a thread of its own: in order, complete before a snapshot, and what fails there ends the run."""

from __future__ import annotations

import threading
from pathlib import Path

import orjson
import pytest

from operators.alert import Alert
from pipeline.delivery import Delivery
from pipeline.delivery_thread import AHEAD, DeliveryThread
from pipeline.items import ClockMark, Outgoing
from pipeline.totals import Totals
from sinks.alert_files import alert_file
from sinks.redis_alerts import RedisAlerts
from sinks.redis_names import RedisNames
from sinks.redis_patience import Undelivered
from tests.redis_process import RedisProcess, newest
from tests.sinks.alert_examples import alert


def outgoing(*numbers: int) -> list[Outgoing]:
    """Items of one alert each."""
    return [Outgoing([alert(i)]) for i in numbers]


def ids(alerts: list[Alert]) -> list[str]:
    """What they are known by."""
    return [one.id for one in alerts]


class Gate:
    """Where the thread waits behind its first delivery until it is let through; `reached` when it is there."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def stops(self, _marks: list[ClockMark]) -> None:
        """As what is told of marks."""
        self.reached.set()
        self.open.wait()


def test_in_order_and_out_before_a_snapshot(tmp_path: Path) -> None:
    """However much waits when the snapshot is asked for, all of it is in the file when it is taken."""
    path, gate = tmp_path / "alerts.jsonl", Gate()
    delivery = Delivery("d", Totals(), file=alert_file(path, resume=False), on_marks=gate.stops)
    thread = DeliveryThread(delivery)
    thread.deliver([Outgoing(marks=[ClockMark("p", 0)])])  # what follows waits behind it
    for i in range(AHEAD):
        thread.deliver(outgoing(i))
    assert not path.read_bytes()
    gate.open.set()
    thread.saved()
    told = [orjson.loads(line)["id"] for line in path.read_bytes().splitlines()]
    assert told == ids([alert(i) for i in range(AHEAD)])
    thread.close()


def test_what_waits_behind_a_failure_counts_as_undelivered(tmp_path: Path) -> None:
    """The server is gone for good: the snapshot is refused with the number of all alerts handed over, and so is the end."""
    server, gate = RedisProcess(newest(), tmp_path).start(), Gate()
    sink = RedisAlerts(server.client(0.2), RedisNames(), 30, "p", 0.2)
    thread = DeliveryThread(Delivery("d", Totals(), redis=sink, on_marks=gate.stops))
    thread.deliver([Outgoing([alert(0)], marks=[ClockMark("p", 0)])])  # what follows waits behind it
    for i in range(1, 4):
        thread.deliver(outgoing(i))
    gate.reached.wait()
    server.kill()
    gate.open.set()
    with pytest.raises(Undelivered) as refused:
        thread.saved()
    assert refused.value.count == 3
    with pytest.raises(Undelivered, match="3 alerts could not be delivered"):
        thread.close()


def test_the_count_grows_by_what_waits() -> None:
    """The message says the sum, and the same about the server."""
    error = Undelivered(2, "alerts", "here", 30.0, "away").with_more(5)
    assert (error.count, str(error)) == (7, "7 alerts could not be delivered to Redis at here within 30 s: away")
