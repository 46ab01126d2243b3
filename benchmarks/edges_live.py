"""The curfew before a running daemon, with fixes flowing: how long a fix waits for its alert around the edge."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
from redis import Redis

from pipeline.embedded_redis import EmbeddedRedis
from pipeline.worlds.curfew_town import ELSEWHERE_DEG, CurfewTown, write_curfew_town

COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()"]
BURSTS_A_SECOND = 20
MINUTE_MS = 60_000
AROUND_MS = 10_000
SETTLE_MS = 25_000
ALERTS_A_SECOND = 50
"""So many of the fixes that flow make an alert, before the edge and after it: people entering a forbidden place, and leaving."""


def live(subjects: int, fixes_a_second: int) -> None:
    """Start a daemon, let everybody report, keep fixes flowing over the edge, and read the stream of alerts."""
    with TemporaryDirectory(prefix="fencewatch-bench-") as folder, EmbeddedRedis(Path(folder, "redis")) as server:
        edge_ms = (round(time.time() * 1000) // MINUTE_MS + 2) * MINUTE_MS
        town = write_curfew_town(Path(folder), subjects, edge_ms)
        _forbid_a_place(town)
        config = Path(folder, "fencewatch.toml")
        config.write_text(
            f'deployment = "bench"\nstate_dir = "{folder}/state"\nregistry = "{town.registry}"\n'
            f'[redis]\nurl = "{server.url}"\n[http]\nlisten = "127.0.0.1:0"\n'
            '[[sources]]\nname = "gps"\nkind = "redis"\nstreams = ["gps"]\n',
            encoding="utf-8",
        )
        with subprocess.Popen([*COMMAND, "run", "--config", str(config)], stderr=subprocess.DEVNULL) as daemon:
            client: Any = Redis.from_url(server.url)
            try:
                _wait_for(client, "fencewatch:lane:0")
                _feed(client, town, fixes_a_second, edge_ms)
                alerts = client.xrange("fencewatch:alerts")
            finally:
                client.close()
                daemon.terminate()
                daemon.wait(60)
    _tell(alerts, edge_ms, town, subjects, fixes_a_second)


def _forbid_a_place(town: CurfewTown) -> None:
    rule = {"id": "keep-off", "effect": "forbid", "everyone": True, "areas": ["home-1"], "clear_fixes": 1}
    (town.registry / "rules.d").mkdir(exist_ok=True)
    (town.registry / "rules.d" / "place.jsonl").write_bytes(orjson.dumps(rule) + b"\n")


def _wait_for(client: Any, key: str) -> None:  # noqa: ANN401 - redis-py's own
    until = time.monotonic() + 300
    while not client.exists(key):
        if time.monotonic() > until:
            sys.exit("benchmarks: the daemon did not come up")
        time.sleep(0.1)


def _feed(client: Any, town: CurfewTown, fixes_a_second: int, edge_ms: int) -> None:  # noqa: ANN401
    """Everybody once, then some of them in random turn until ten seconds after the edge; 50 a second step in and out."""
    now_ms = round(time.time() * 1000)
    if now_ms > edge_ms - SETTLE_MS:
        sys.exit("benchmarks: the daemon came up too late for the edge; the machine is too busy")
    for first in range(0, len(town.subjects), 1_000):
        people = range(first, min(first + 1_000, len(town.subjects)))
        client.xadd("gps", {"payload": b"".join(town.line(s, now_ms - 1) for s in people)})
    rng, inside = np.random.default_rng(1), False
    walkers = np.arange(2, len(town.subjects), len(town.subjects) // (ALERTS_A_SECOND * 2))
    place = {"lon": town.lon_lat[1, 0], "lat": town.lon_lat[1, 1]}
    burst, each = 0, fixes_a_second // BURSTS_A_SECOND
    began = time.time()
    while time.time() * 1000 < edge_ms + AROUND_MS:
        now_ms = round(time.time() * 1000)
        lines = [town.line(s, now_ms) for s in rng.choice(len(town.subjects), each, replace=False).tolist()]
        some = walkers[burst % BURSTS_A_SECOND :: BURSTS_A_SECOND]
        inside = burst // BURSTS_A_SECOND % 2 == 0
        for s in some.tolist():
            at = place if inside else {"lon": town.lon_lat[s, 0] + ELSEWHERE_DEG / 4, "lat": town.lon_lat[s, 1]}
            fix = {"subject": town.subjects[s], "time": now_ms + 1, **at, "accuracy_m": 8.0}
            lines.append(orjson.dumps(fix, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
        client.xadd("gps", {"payload": b"".join(lines)}, maxlen=10_000, approximate=True)
        burst += 1
        time.sleep(max(0.0, began + burst / BURSTS_A_SECOND - time.time()))
    time.sleep(5)


def _tell(alerts: list[Any], edge_ms: int, town: CurfewTown, subjects: int, fixes_a_second: int) -> None:
    waits, last_of_edge = [], 0
    for place, fields in alerts:
        event = orjson.loads(fields[b"event"])
        at = int(place.split(b"-")[0])
        data = event["data"]
        if data["received"] is None:
            if data["kind"] == "absent":
                last_of_edge = max(last_of_edge, at)
            continue
        received = round(np.datetime64(data["received"][:-1], "ms").astype(np.int64).item())
        if edge_ms - AROUND_MS // 2 <= received <= edge_ms + AROUND_MS // 2:
            waits.append(at - received)
    if not waits or not last_of_edge:
        sys.exit("benchmarks: no alerts around the edge")
    p50, p99 = np.percentile(waits, [50, 99])
    print(
        f"live: {subjects:,} people, {fixes_a_second:,} fixes a second: from a fix to its alert in the 10 s around the edge "
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms ({len(waits):,} alerts); the last alert of the edge "
        f"{(last_of_edge - edge_ms) / 1000 - town.edge_grace_s:.2f} s after its grace of {town.edge_grace_s} s"
    )
