"""What it costs to deliver an alert to Redis: microseconds by alerts a call and by how the server syncs its file.

    python -m benchmarks.redis_sink [--alerts 3000] [--rounds 5]

Runs the wheel's server with an append-only file on the disk of the temporary folder. Rounds are interleaved; medians are shown.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

from operators.alert import Alert, alert_id, episode_id
from sinks.alert_json import encode_alert
from sinks.redis_alerts import CHUNK, RedisAlerts
from sinks.redis_connection import connect
from sinks.redis_names import RedisNames
from tests.redis_process import RedisProcess, newest

CALLS = (1, 10, 100, CHUNK)
SYNCS = ("always", "everysec", "no")
ONSET_MS = 1_700_000_000_000


def made(numbers: range) -> list[tuple[Alert, bytes]]:
    """Openings of as many subjects, each to two of three regions."""
    return [(alert, encode_alert(alert, "benchmark")) for alert in map(_alert, numbers)]


def _alert(number: int) -> Alert:
    subject, regions = f"p-{number:07d}", (("east", "north"), ("east", "west"), ("north", "west"))[number % 3]
    return Alert(
        id=alert_id(subject, "area", ONSET_MS, "opened"),
        change="opened",
        time_ms=ONSET_MS + 60_000,
        subject=subject,
        slot="area",
        kind="left_area",
        level="red",
        episode=episode_id(subject, "area", ONSET_MS),
        rule=None,
        onset_ms=ONSET_MS,
        reason=None,
        lon=121.2501234,
        lat=31.3751234,
        accuracy_m=12.5,
        distance_m=812.2512345678,
        home_region=regions[0],
        found_region=regions[1],
        rules_version="0123456789ab",
        late=False,
        received_ms=ONSET_MS + 60_500,
        regions=regions,
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=3000, help="alerts a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    count, rounds = options.alerts, options.rounds
    micros: dict[tuple[str, int], list[float]] = {(sync, call): [] for sync in SYNCS for call in CALLS}
    encoding: list[float] = []
    again: list[float] = []
    first = itertools.count(0, count)
    with tempfile.TemporaryDirectory() as directory:
        server = RedisProcess(newest(), Path(directory), appendonly="yes").start()
        client = connect(server.url)
        sink = RedisAlerts(server.url, RedisNames(), 30, "benchmark")
        for _ in range(rounds):
            for sync, call in itertools.product(SYNCS, CALLS):
                client.config_set("appendfsync", sync)
                start = next(first)
                began = time.perf_counter()
                batch = made(range(start, start + count))
                encoding.append(1e6 * (time.perf_counter() - began) / count)
                began = time.perf_counter()
                for i in range(0, count, call):
                    sink.deliver(batch[i : i + call])
                micros[sync, call].append(1e6 * (time.perf_counter() - began) / count)
            began = time.perf_counter()
            sink.deliver(batch)
            again.append(1e6 * (time.perf_counter() - began) / count)
        memory = {name: client.memory_usage(key, samples=0) or 0 for name, key in _keys().items()}
        told = client.xlen(RedisNames().alerts)
        client.close()
        sink.close()
        server.stop()
    print(f"microseconds per alert of {len(batch[0][1])} bytes, told to two regions; medians of {rounds} rounds of {count} alerts")
    print(f"{'alerts a call':<16}" + "".join(f"{call:>9}" for call in CALLS))
    for sync in SYNCS:
        print(f"{sync:<16}" + "".join(f"{statistics.median(micros[sync, call]):>9.1f}" for call in CALLS))
    print(f"making record and JSON: {statistics.median(encoding):.1f}; told again, known by its id: {statistics.median(again):.1f}")
    print("bytes per alert in Redis: " + ", ".join(f"{name} {size / told:.0f}" for name, size in memory.items()))


def _keys() -> dict[str, str]:
    names = RedisNames()
    return {
        "stream": names.alerts,
        "region's stream (two thirds of the alerts)": names.alerts_of("east"),
        "open": names.open,
        "known ids": names.known("benchmark"),
    }


if __name__ == "__main__":
    main()
