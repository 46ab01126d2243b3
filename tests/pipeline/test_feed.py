"""`fencewatch feed`: recorded tracks into a stream, whole, and what of them cannot be fed."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from sinks.redis_names import RedisNames
from tests.pipeline.commands import LATEST_S, fencewatch, start
from tests.pipeline.listeners import until
from tests.pipeline.meadow import START_MS, good_records, lines_of
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess

GOOD = good_records()


@pytest.fixture
def fixes(tmp_path: Path) -> Path:
    """Good records with two between them that cannot be read, and one whose subject nobody knows."""
    file = tmp_path / "fixes.jsonl"
    lines = lines_of(GOOD)
    strange = orjson.dumps({"subject": "nobody", "time": START_MS, "lon": 0, "lat": 0, "tamper": True, "positioning": "wifi"})
    file.write_bytes(b"\n".join([*lines[:50], b"{", b'{"subject":"s-1","time":"soon","lon":1,"lat":1}', strange, *lines[50:]]))
    return file


def fed(server: RedisProcess, stream: str) -> list[dict[str, Any]]:
    """The records in a stream, whatever their form."""
    client = server.client()
    found: list[dict[str, Any]] = []
    for _, fields in client.xrange(stream):
        if b"payload" in fields:
            with pa.ipc.open_stream(fields[b"payload"]) as reader:
                found += reader.read_all().to_pylist()
        else:
            found.append({name.decode(): value.decode() for name, value in fields.items()})
    client.close()
    return found


@pytest.mark.parametrize("packed", [0, 1, 7, 1000])
def test_every_record_that_can_be_read(fixes: Path, redis_server: RedisProcess, redis_names: RedisNames, packed: int) -> None:
    """In order, in entries of the size asked for; what is left out is counted."""
    stream = f"{redis_names.prefix}gps"
    done = fencewatch("feed", fixes, "--to", redis_server.url, "--stream", stream, "--packed", packed)
    assert done.code == 0, done.err
    found = fed(redis_server, stream)
    assert [int(record["time"]) for record in found] == [
        *(record["time"] for record in GOOD[:50]),
        START_MS,
        *(record["time"] for record in GOOD[50:]),
    ]
    assert [record["subject"] for record in found if record["subject"] != "nobody"] == [record["subject"] for record in GOOD]
    assert str(found[50]["tamper"]).lower() == "true"
    assert found[50]["positioning"] == "wifi"
    client = redis_server.client()
    entries = client.xlen(stream)
    client.close()
    assert entries == (-(-len(found) // packed) if packed else len(found))
    assert f"{len(found)} fixes in {entries} entries" in done.out
    assert "2 records that cannot be read left out" in done.out


def test_shifted_to_now(fixes: Path, redis_server: RedisProcess, redis_names: RedisNames) -> None:
    """The first record comes now, the others as far from it as they were."""
    stream = f"{redis_names.prefix}gps"
    before = round(time.time() * 1000)
    assert fencewatch("feed", fixes, "--to", redis_server.url, "--stream", stream, "--shift-to-now").code == 0
    times = [int(record["time"]) for record in fed(redis_server, stream)]
    assert before <= times[0] <= round(time.time() * 1000)
    assert times[-1] - times[0] == GOOD[-1]["time"] - GOOD[0]["time"]


def test_stopped(fixes: Path, redis_server: RedisProcess, redis_names: RedisNames) -> None:
    """It waits an hour for the rest and ends all the same, with what it fed."""
    stream = f"{redis_names.prefix}gps"
    options = ("--to", redis_server.url, "--stream", stream, "--speed", 1)
    running = start("feed", fixes, *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: len(fed(redis_server, stream)) >= 3)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=LATEST_S)
    assert running.returncode == 0, err.decode()
    assert out.startswith(b"3 fixes in 3 entries"), "a minute lies between the third and the fourth"


def test_the_server_goes_away(fixes: Path, start_redis: StartRedis) -> None:
    """One sentence, exit 1."""
    server = start_redis()
    running = start(
        "feed", fixes, "--to", server.url, "--stream", "gps", "--rate", 40, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(lambda: fed(server, "gps"))
    server.kill()
    _, err = running.communicate(timeout=LATEST_S)
    assert running.returncode == 1
    lines = err.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"fencewatch: 127.0.0.1:{server.port}: the stream gps cannot be fed: ")
