"""J13: the same records make the same alerts, whatever the batches, workers, order of subjects, files, forms, stops and sources."""

from __future__ import annotations

import itertools
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from _pytest.mark import ParameterSet
from redis import Redis

from fences.fence_set import FenceSet
from fences.load import load_registry
from pipeline.worlds.track_forms import Form
from pipeline.worlds.world import Order
from tests.pipeline.commands import fencewatch, start, told
from tests.pipeline.world_folder import Alerts, Outcome, WorldFolder, counts, replay
from tests.redis_fixtures import StartRedis

LATEST_S = 60


def heavy(*values: object) -> ParameterSet:
    """Values of a test that `make test` leaves out."""
    return pytest.param(*values, marks=pytest.mark.heavy)


@pytest.fixture(scope="module")
def expected(world: WorldFolder, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the world makes in one go."""
    outcome = replay(world.fence_set, [world.file()], tmp_path_factory.mktemp("whole") / "alerts.jsonl")
    assert len(outcome.alerts) > 80
    return outcome


@pytest.fixture(scope="module")
def expected_timeless(timeless_world: WorldFolder, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the world without a clock makes in one go."""
    outcome = replay(timeless_world.fence_set, [timeless_world.file()], tmp_path_factory.mktemp("timeless-whole") / "alerts.jsonl")
    assert len(outcome.alerts) > 20
    return outcome


@pytest.fixture(scope="module")
def expected_small(small_world: WorldFolder, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the small world makes in one go."""
    outcome = replay(small_world.fence_set, [small_world.file()], tmp_path_factory.mktemp("small-whole") / "alerts.jsonl")
    assert len(outcome.alerts) > 20
    return outcome


def assert_same(got: Outcome, expected: Outcome) -> None:
    """Alerts to the letter, and the counts."""
    assert got.alerts == expected.alerts
    assert counts(got.report) == counts(expected.report)


@pytest.mark.parametrize(("order", "workers"), [("time", 1), ("subject", 1), heavy("time", 2), heavy("subject", 2)])
def test_single_records(small_world: WorldFolder, expected_small: Outcome, order: Order, workers: int, tmp_path: Path) -> None:
    """A batch for each record."""
    got = replay(small_world.fence_set, [small_world.file("jsonl", order)], tmp_path / "alerts.jsonl", batch=1, workers=workers)
    assert_same(got, expected_small)


USUAL = [  # every two of the four meet
    (100, 1, "time", "csv"),
    (100, 1, "subject", "parquet"),
    (100, 2, "time", "parquet"),
    (100, 2, "subject", "jsonl"),
    (16384, 1, "time", "jsonl"),
    (16384, 1, "time", "parquet"),
    (16384, 1, "subject", "jsonl"),
    (16384, 2, "time", "jsonl"),
    (16384, 2, "subject", "csv"),
]
ALL = list(itertools.product((100, 16384), (1, 2), ("time", "subject"), ("jsonl", "csv", "parquet")))


@pytest.mark.parametrize(("batch", "workers", "order", "form"), [*USUAL, *(heavy(*each) for each in ALL if each not in USUAL)])
def test_batches_workers_orders_and_forms(
    world: WorldFolder, expected: Outcome, batch: int, workers: int, order: Order, form: str, tmp_path: Path
) -> None:
    """All of them together."""
    got = replay(world.fence_set, [world.file(form, order)], tmp_path / "alerts.jsonl", batch=batch, workers=workers)
    assert_same(got, expected)


def cut(world: WorldFolder, folder: Path, parts: int) -> list[Path]:
    """The world's JSON lines in several files."""
    lines = world.file().read_bytes().splitlines(keepends=True)
    places = sorted(random.Random(parts).sample(range(len(lines)), parts - 1))
    files = []
    for number, (begin, end) in enumerate(itertools.pairwise([0, *places, len(lines)])):
        files.append(folder / f"{number:02d}.jsonl")
        files[-1].write_bytes(b"".join(lines[begin:end]))
    return files


def test_many_files(small_world: WorldFolder, expected_small: Outcome, tmp_path: Path) -> None:
    """One after another as one stream."""
    got = replay(small_world.fence_set, cut(small_world, tmp_path, 17), tmp_path / "alerts.jsonl", batch=100)
    assert_same(got, expected_small)


def replay_with_stops(
    fences: list[FenceSet], files: list[Path], out: Path, stops: list[int], *, batch: int, workers: int
) -> Outcome:
    """Stopped after so many batches, again and again, then to the end; the last report holds the counts of all parts.

    `fences`: one fence set a part, the last one from then on.
    """
    parts = []
    for number, stop_after in enumerate([*stops, None]):
        fence_set = fences[min(number, len(fences) - 1)]
        part = replay(fence_set, files, out, state=out.with_name("state"), stop_after=stop_after, batch=batch, workers=workers)
        assert part.stopped is (stop_after is not None)
        parts.append(part)
    return replace(parts[-1], report=summed([part.report for part in parts]))


def summed(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Reports of parts added up, name by name."""
    total: dict[str, Any] = {}
    for report in reports:
        for name, value in report.items():
            if isinstance(value, dict):
                total[name] = summed([total.get(name, {}), value])
            elif value is not None:
                total[name] = total.get(name, 0) + value
    return total


@pytest.mark.parametrize(
    ("form", "workers", "stops"),
    [
        ("jsonl", 1, [1]),
        ("csv", 1, [37, 1, 400]),
        ("parquet", 1, [30, 800]),
        ("jsonl", 2, [120, 60]),
        ("csv", 2, [1, 300]),
        ("parquet", 2, [5]),
    ],
)
def test_stopped_and_continued(
    world: WorldFolder, expected: Outcome, workers: int, stops: list[int], form: str, tmp_path: Path
) -> None:
    """A SIGTERM after some batches, and on from there with `--state`: nothing is lost, nothing told twice."""
    got = replay_with_stops([world.fence_set], [world.file(form)], tmp_path / "alerts.jsonl", stops, batch=500, workers=workers)
    assert_same(got, expected)


@pytest.mark.parametrize("workers", [1, 2])
def test_stopped_in_any_of_several_files(small_world: WorldFolder, expected_small: Outcome, workers: int, tmp_path: Path) -> None:
    """Stops fall inside of files and at their ends; by subject, one file is many days of one person."""
    files = cut(small_world, tmp_path, 9)
    got = replay_with_stops(
        [small_world.fence_set], files, tmp_path / "alerts.jsonl", [3, 1, 1, 20, 5, 60], batch=200, workers=workers
    )
    assert_same(got, expected_small)


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1)])
def test_continued_with_another_number_of_workers(
    small_world: WorldFolder, expected_small: Outcome, first: int, then: int, tmp_path: Path
) -> None:
    """Threads may be more or fewer after a stop."""
    state, out, parts = tmp_path / "state", tmp_path / "alerts.jsonl", []
    for workers, stop_after in ((first, 30), (then, 50), (first, None)):
        part = replay(
            small_world.fence_set, [small_world.file()], out, batch=200, workers=workers, state=state, stop_after=stop_after
        )
        parts.append(part)
    assert_same(replace(parts[-1], report=summed([part.report for part in parts])), expected_small)


def otherwise(registry: Path, folder: Path, seed: int, strangers: int) -> FenceSet:
    """The same registry, its lines in another order, with some subjects more who never say anything."""
    shutil.copytree(registry, folder)
    for name in ("subjects.jsonl", "rules.jsonl"):
        lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        more = [f'{{"id": "stranger {i}"}}\n' for i in range(strangers)] if name == "subjects.jsonl" else []
        random.Random(seed).shuffle(lines)
        (folder / name).write_text("".join(more + lines), encoding="utf-8")
    return FenceSet(load_registry(folder)[0])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("strangers", [0, 3])
def test_continued_under_a_registry_that_says_the_same(
    small_world: WorldFolder, expected_small: Outcome, strangers: int, workers: int, tmp_path: Path
) -> None:
    """Every subject and rule has another number after each stop, though the version may be the same."""
    fences = [small_world.fence_set]
    registry = small_world.folder / "registry"
    fences += [otherwise(registry, tmp_path / f"registry-{seed}", seed, strangers * seed) for seed in (1, 2)]
    assert len({fence_set.version for fence_set in fences}) == (3 if strangers else 1)
    got = replay_with_stops(fences, [small_world.file()], tmp_path / "alerts.jsonl", [40, 60], batch=200, workers=workers)
    assert without_version(got.alerts) == without_version(expected_small.alerts)
    assert counts(got.report) == counts(expected_small.report)


def without_version(alerts: Alerts) -> Alerts:
    """Alerts whose registries may have different versions."""
    return [{**alert, "data": {**alert["data"], "rules_version": None}} for alert in alerts]


KEPT: dict[Form, tuple[str, ...]] = {
    "gpx": ("lon", "lat"),
    "plt": ("lon", "lat"),
    "traccar": ("lon", "lat", "accuracy_m", "received"),
}


@pytest.mark.parametrize("form", ["gpx", "plt", "traccar"])
def test_files_of_other_programs(small_world: WorldFolder, form: Form, tmp_path: Path) -> None:
    """As from JSON lines cut to what they carry: the same ids, kinds, onsets, times and positions."""
    theirs, ours = small_world.foreign(form)
    name = "traccar" if form == "traccar" else "auto"
    from_theirs = replay(small_world.fence_set, files_in(theirs), tmp_path / "theirs.jsonl", form=name)
    from_ours = replay(small_world.fence_set, [ours], tmp_path / "ours.jsonl")
    assert len(from_ours.alerts) > 15

    def cut_down(alerts: Alerts) -> list[tuple[Any, ...]]:
        return [
            (a["id"], a["time"], a["subject"], *(a["data"][k] for k in ("kind", "onset", *KEPT[form])), a["data"]["regions"])
            for a in alerts
        ]

    assert cut_down(from_theirs.alerts) == cut_down(from_ours.alerts)
    assert from_theirs.report["fixes_judged"] == from_ours.report["fixes_judged"]


def files_in(place: Path) -> list[Path]:
    """The file itself, or all files below the folder, sorted."""
    return [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())


class Daemon:
    """A daemon on a server of its own, its metrics and the alerts in its stream."""

    def __init__(self, folder: Path, registry: Path, url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._http = f"127.0.0.1:{probe.getsockname()[1]}"
        self._config = folder / "daemon.toml"
        self._config.write_text(
            f"""deployment = "test"
state_dir = "{folder / "state"}"
registry = "{registry}"
[redis]
url = "{url}"
keep_days = 3000
[[sources]]
name = "gps"
kind = "redis"
streams = ["gps:0", "gps:1"]
[http]
listen = "{self._http}"
""",
            encoding="utf-8",
        )
        self._log = folder / "daemon.log"
        self._client = Redis.from_url(url)

    def start(self) -> None:
        """Start it."""
        self._process = start("run", "--config", self._config, stderr=self._log.open("ab"))

    def stop(self) -> None:
        """SIGTERM; it must end with 0."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(LATEST_S) == 0, self._log.read_text(encoding="utf-8")

    def wait_until_ready(self) -> None:
        """Until it reads."""
        until = time.monotonic() + LATEST_S
        while not self._got("readyz"):
            assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
            assert time.monotonic() < until, self._log.read_text(encoding="utf-8")
            time.sleep(0.02)

    def wait_for_fixes(self, count: int) -> None:
        """Until so many records were judged since it started."""
        until = time.monotonic() + LATEST_S
        while self._fixes() < count:
            assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
            assert time.monotonic() < until, f"only {self._fixes()} of {count} records were judged"
            time.sleep(0.02)

    def wait_for_alerts(self, count: int) -> None:
        """Until the stream holds so many alerts."""
        until = time.monotonic() + LATEST_S
        while len(_without_silence(self.alerts())) < count:
            assert time.monotonic() < until, f"only {len(_without_silence(self.alerts()))} of {count} alerts came"
            time.sleep(0.02)

    def alerts(self) -> Alerts:
        """The alerts of the stream."""
        entries: Any = self._client.xrange("fencewatch:alerts")
        return told([orjson.loads(fields[b"event"]) for _, fields in entries])

    def _fixes(self) -> int:
        lines = self._got("metrics").splitlines()
        return int(sum(float(line.split()[-1]) for line in lines if line.startswith("fencewatch_fixes_total{")))

    def _got(self, page: str) -> str:
        """A page of its HTTP server; empty where it is not there or says no."""
        try:
            with urllib.request.urlopen(f"http://{self._http}/{page}", timeout=5) as reply:
                return str(reply.read().decode())
        except OSError:
            return ""


def feed(world: WorldFolder, url: str, packed: int) -> None:
    """All records into a stream."""
    outcome = fencewatch("feed", world.file(), "--to", url, "--stream", "gps:0", "--packed", packed)
    assert outcome.code == 0, outcome.err


def _without_silence(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a recording fed to a daemon everybody has long been silent by the wall clock: rightly told, and no replay's."""
    return [alert for alert in alerts if alert["data"]["kind"] not in ("silent", "silent_long")]


@pytest.mark.parametrize("packed", [0, 1000])
def test_from_redis(
    timeless_world: WorldFolder, expected_timeless: Outcome, packed: int, start_redis: StartRedis, tmp_path: Path
) -> None:
    """Single and packed entries of a stream through the daemon, fed while it runs: the alerts in its own stream."""
    server = start_redis()
    daemon = Daemon(tmp_path, timeless_world.folder / "registry", server.url)
    daemon.start()
    feed(timeless_world, server.url, packed)
    daemon.wait_for_fixes(len(timeless_world.fixes()))
    daemon.stop()
    assert _without_silence(daemon.alerts()) == expected_timeless.alerts


@pytest.mark.parametrize("packed", [0, 1000])
def test_from_redis_stopped_and_continued(
    timeless_world: WorldFolder, expected_timeless: Outcome, packed: int, start_redis: StartRedis, tmp_path: Path
) -> None:
    """Stopped twice while records come in: each run goes on behind the entry where the last one ended."""
    server = start_redis()
    daemon = Daemon(tmp_path, timeless_world.folder / "registry", server.url)
    daemon.start()
    daemon.wait_until_ready()
    options = ("--to", server.url, "--stream", "gps:0", "--packed", packed, "--rate", 8000)
    feeding = start("feed", timeless_world.file(), *options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(2):
        daemon.wait_for_fixes(1)
        daemon.stop()
        daemon.start()
    assert feeding.wait(LATEST_S) == 0
    daemon.wait_until_ready()
    daemon.wait_for_alerts(len(expected_timeless.alerts))
    daemon.stop()
    assert _without_silence(daemon.alerts()) == expected_timeless.alerts
