"""A registry of a million rules that changes under a running daemon while fixes flow: how soon a change is in force, who waits.

    python -m benchmarks.reload [--quick]

Half a million people, each allowed in two places, are all heard of; 5,000 fixes a second flow, and every 20 ms one of a person who
steps into a forbidden place or out of it, so that an alert tells how long it waited: from its entry in the stream to that of the
alert, by the clock of the server. Measured are a quiet time, single changes (a file renamed into `rules.d`), and a file of a
million lines, each of them another than before.
"""

from __future__ import annotations

import argparse
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import numpy as np
import orjson
from redis import Redis

from pipeline.embedded_redis import EmbeddedRedis

COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()"]
FIXES_A_SECOND, BURSTS_A_SECOND = 5_000, 20
PROBES, PROBE_EVERY_S = 50, 0.02
QUIET_S, BETWEEN_S, CHANGES = 25.0, 2.7, 12
LATEST_S = 600.0
NEAR_MS = 1_500
LON, LAT, SIDE = 121.0, 31.0, 1.0


@dataclass(frozen=True, slots=True)
class Town:
    """The registry: people, each with a rule for home and one for work; all stand where they may be."""

    registry: Path
    people: int

    def write(self) -> None:
        """Write it; half of the rules have an end and a schedule."""
        self.registry.mkdir()
        rng = np.random.default_rng(1)
        ring = [[LON, LAT], [LON + SIDE, LAT], [LON + SIDE, LAT + SIDE], [LON, LAT + SIDE], [LON, LAT]]
        region = {
            "properties": {"id": "region", "timezone": "Asia/Shanghai"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        places = [
            {"properties": {"id": f"place-{k}", "radius_m": 400}, "geometry": {"type": "Point", "coordinates": [x, y]}}
            for k, (x, y) in enumerate((rng.random((2_000, 2)) * 0.9 * SIDE + [LON, LAT]).tolist())
        ]
        pit = {"properties": {"id": "pit", "radius_m": 50}, "geometry": {"type": "Point", "coordinates": [LON + 0.95, LAT + 0.95]}}
        for name, found in (("regions", [region]), ("areas", [*places, pit])):
            features = [{"type": "Feature", **feature} for feature in found]
            (self.registry / f"{name}.geojson").write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))
        with (self.registry / "subjects.jsonl").open("wb") as out:
            for s in range(self.people):
                out.write(orjson.dumps({"id": self.name(s), "home_region": "region"}) + b"\n")
            for s in range(PROBES):
                out.write(orjson.dumps({"id": f"probe-{s}"}) + b"\n")
        keep_off = {"id": "pit", "effect": "forbid", "everyone": True, "areas": ["pit"], "clear_fixes": 1}
        self.put("rules.d/pit.jsonl", orjson.dumps(keep_off) + b"\n")
        self.put("rules.jsonl", self.rules(1))

    def rules(self, edition: int) -> bytes:
        """All the rules of people; another `edition` says something else on every line."""
        lines: list[dict[str, Any]] = []
        until = f"{2100 - edition}-01-01T00:00:00Z"
        for s in range(self.people):
            who, place = [self.name(s)], f"place-{s % 2_000}"
            at_work = {"schedule": [{"days": "mon-fri", "from": "08:00", "to": "18:00"}], "until": until}
            lines.append({"id": f"home-{s}", "effect": "allow", "subjects": who, "areas": ["region"], "permit": edition})
            lines.append({"id": f"work-{s}", "effect": "allow", "subjects": who, "areas": [place], **at_work})
        if edition > 1:
            last = [self.name(self.people - 1)]
            lines.append({"id": f"last-{edition}", "effect": "forbid", "subjects": last, "areas": ["region"]})
        return b"".join(orjson.dumps(line) + b"\n" for line in lines)

    def put(self, name: str, content: bytes) -> int:
        """A file, renamed into place; gives when, in UTC milliseconds."""
        file = self.registry / name
        file.parent.mkdir(exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.write_bytes(content)
        at_ms = round(time.time() * 1000)
        new.replace(file)
        return at_ms

    @staticmethod
    def name(s: int) -> str:
        """Id of a person."""
        return f"p-{s:07d}"


@dataclass(slots=True)
class Feeder:
    """Keeps fixes flowing, in a thread."""

    url: str
    town: Town
    stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> threading.Thread:
        """Everybody once, then on and on."""
        client: Any = Redis.from_url(self.url)
        for first in range(0, self.town.people, 1_000):
            people = np.arange(first, min(first + 1_000, self.town.people))
            client.xadd("gps", {"payload": self._lines(people)})
        thread = threading.Thread(target=self._flow, args=(client,), daemon=True)
        thread.start()
        return thread

    def _flow(self, client: Any) -> None:  # noqa: ANN401 - redis-py's own
        rng, began, number = np.random.default_rng(2), time.monotonic(), 0
        bursts_each = round(1 / BURSTS_A_SECOND / PROBE_EVERY_S * 2) / 2
        due = 0.0
        while not self.stop.is_set():
            if number >= due:
                client.xadd("gps", {"payload": self._lines(rng.integers(0, self.town.people, FIXES_A_SECOND // BURSTS_A_SECOND))})
                due += bursts_each
            inside = number // PROBES % 2 == 0
            lon, lat = (LON + 0.95, LAT + 0.95) if inside else (LON + 0.9515, LAT + 0.95)
            probe = {"subject": f"probe-{number % PROBES}", "time": round(time.time() * 1000), "lon": lon, "lat": lat}
            client.xadd("gps", {"payload": orjson.dumps(probe)}, maxlen=20_000, approximate=True)
            number += 1
            time.sleep(max(0.0, began + number * PROBE_EVERY_S - time.monotonic()))
        client.close()

    def _lines(self, people: np.ndarray[Any, Any]) -> bytes:
        now_ms = round(time.time() * 1000)
        fixes = ({"subject": Town.name(s), "time": now_ms, "lon": LON + 0.5, "lat": LAT + 0.5} for s in people.tolist())
        return b"".join(orjson.dumps(fix) + b"\n" for fix in fixes)


@dataclass(slots=True)
class Alerts:
    """The alerts of the daemon, as they come."""

    client: Any
    last: bytes = b"0"
    waits: list[tuple[int, int]] = field(default_factory=list)
    """When an alert of a probe came, and how long it waited, milliseconds."""
    told: list[tuple[int, str | None, str]] = field(default_factory=list)
    """When an alert came, of which rule, under which version."""

    def read(self, seconds: float) -> None:
        """What comes within some time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for _, entries in self.client.xread({"fencewatch:alerts": self.last}, block=max(1, int(left * 1000))):
                for place, fields in entries:
                    self.last = place
                    self._take(int(place.split(b"-")[0]), orjson.loads(fields[b"event"]))

    def _take(self, at_ms: int, event: dict[str, Any]) -> None:
        data = event["data"]
        self.told.append((at_ms, data["rule"], data["rules_version"]))
        if event["subject"].startswith("probe-"):
            received = np.datetime64(data["received"][:-1], "ms").astype(np.int64).item()
            self.waits.append((at_ms, at_ms - int(received)))

    def until_rule(self, rule: str) -> int:
        """When the first alert of a rule came."""
        until = time.monotonic() + LATEST_S
        while not (found := [at for at, which, _ in self.told if which == rule]):
            if time.monotonic() > until:
                sys.exit(f"benchmarks: no alert of the rule {rule} came")
            self.read(0.2)
        return found[0]

    def near(self, begin_ms: float, end_ms: float) -> list[int]:
        """Waits of probes whose alert came within some time."""
        return [wait for at, wait in self.waits if begin_ms <= at <= end_ms]


def main() -> None:
    """Run it, and print a line for each thing measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the people, to see that it runs")
    people = 25_000 if parser.parse_args().quick else 500_000
    with TemporaryDirectory(prefix="fencewatch-bench-") as folder, EmbeddedRedis(Path(folder, "redis")) as server:
        town = Town(Path(folder, "registry"), people)
        town.write()
        port = _free_port()
        config = Path(folder, "fencewatch.toml")
        config.write_text(
            f'deployment = "bench"\nstate_dir = "{folder}/state"\nregistry = "{town.registry}"\n'
            f'[redis]\nurl = "{server.url}"\n[http]\nlisten = "127.0.0.1:{port}"\n'
            '[[sources]]\nname = "gps"\nkind = "redis"\nstreams = ["gps"]\n',
            encoding="utf-8",
        )
        with (
            Path(folder, "log").open("wb") as log,
            subprocess.Popen([*COMMAND, "run", "--config", str(config)], stderr=log) as daemon,
        ):
            client: Any = Redis.from_url(server.url)
            try:
                _measure(client, server.url, town, port)
                _tell_memory(daemon.pid)
            finally:
                client.close()
                daemon.terminate()
                daemon.wait(60)
        if daemon.returncode:
            sys.exit(Path(folder, "log").read_text())


def _measure(client: Any, url: str, town: Town, port: int) -> None:  # noqa: ANN401 - redis-py's own
    began = time.monotonic()
    while not client.exists("fencewatch:lane:0"):
        if time.monotonic() - began > LATEST_S:
            sys.exit("benchmarks: the daemon did not come up")
        time.sleep(0.1)
    rules = 2 * town.people
    print(f"start: {rules:,} rules of {town.people:,} people in {time.monotonic() - began:.1f} s")
    feeder, alerts = Feeder(url, town), Alerts(client)
    thread = feeder.start()
    alerts.read(5)
    quiet = time.time() * 1000
    alerts.read(QUIET_S)
    _tell("quiet", alerts.near(quiet, time.time() * 1000))
    near: list[int] = []
    soon = []
    for k in range(CHANGES):
        rule = {"id": f"change-{k}", "effect": "forbid", "subjects": [Town.name(k * town.people // CHANGES)], "areas": ["region"]}
        at_ms = town.put(f"rules.d/change-{k}.jsonl", orjson.dumps(rule) + b"\n")
        soon.append(alerts.until_rule(f"change-{k}") - at_ms)
        alerts.read(BETWEEN_S)
        near += alerts.near(at_ms, at_ms + NEAR_MS)
    print(
        f"single change among {rules:,} rules, {FIXES_A_SECOND:,} fixes a second flowing: from the rename to an alert that carries "
        f"the new version {min(soon)} to {max(soon)} ms, median {statistics.median(soon):.0f} ms ({CHANGES} changes)"
    )
    _tell(f"within {NEAR_MS / 1000:g} s of a change", near)
    content = town.rules(2)
    at_ms = town.put("rules.jsonl", content)
    before = alerts.told[-1][2]
    last_ms = alerts.until_rule("last-2")
    alerts.read(NEAR_MS / 1000)
    first_ms = next(at for at, _, version in alerts.told if version != before and at >= at_ms)
    lines = content.count(b"\n")
    print(
        f"a file of {lines:,} lines, all of them changed: from the rename to the first alert under the new version "
        f"{(first_ms - at_ms) / 1000:.1f} s, until the last of the people concerned was judged {(last_ms - at_ms) / 1000:.1f} s"
    )
    _tell("meanwhile", alerts.near(at_ms, last_ms + NEAR_MS))
    feeder.stop.set()
    thread.join()
    for stage, what in (("rules", "a change of the rules, in parts"), ("save", "saving the state, every ten seconds")):
        within = _held_up(port, stage)
        said = ", ".join(f"{count:,} {up_to}" for up_to, count in within.items())
        print(f"batches were held up by {what}: {said}")


def _held_up(port: int, stage: str) -> dict[str, int]:
    """How often the flow was held up by a stage, by how long at most."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
        page = reply.read().decode()
    found = re.findall(rf'fencewatch_stage_seconds_bucket{{le="([^"]+)",stage="{stage}"}} (\S+)', page)
    counts, before = {}, 0
    for bound, total in found:
        if int(float(total)) > before:
            counts["longer" if bound == "+Inf" else f"up to {float(bound) * 1000:g} ms"] = int(float(total)) - before
        before = int(float(total))
    return counts


def _tell_memory(pid: int) -> None:
    """The largest memory that the daemon and its keeper had, where the system tells."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if children.exists():
        peaks = [re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{p}/status").read_text()) for p in [pid, *children.read_text().split()]]
        said = [f"{int(peak[1]) / 1e6:.1f} GB" for peak in peaks if peak]
        print(f"memory at most: the daemon {said[0]}, its keeper {said[1]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tell(when: str, waits: list[int]) -> None:
    p50, p99 = np.percentile(waits, [50, 99])
    said = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, at most {max(waits)} ms"
    print(f"  {when}: a fix waited for its alert {said} ({len(waits):,} alerts)")


if __name__ == "__main__":
    main()
