"""`fencewatch explain --config`: a running daemon asked what it knows now, and its streams judged again for what it knew then."""

from __future__ import annotations

import stat
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.explain.from_daemon import WORD_FILE
from tests.pipeline.commands import fencewatch
from tests.pipeline.daemons import Daemon
from tests.pipeline.listeners import in_stream, until
from tests.pipeline.meadow import INSIDE, OUTSIDE, Meadow, Record
from tests.pipeline.scripted import milliseconds
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess, newest

MINUTE_MS = 60_000


def fix(subject: str, time_ms: int, at: tuple[float, float]) -> Record:
    """A record."""
    return {"subject": subject, "time": time_ms, "lon": at[0], "lat": at[1], "accuracy_m": 5.0}


def written(client: Any, stream: str, records: list[Record]) -> None:  # noqa: ANN401 - as RedisProcess
    """Records that came each at its own time."""
    for record in records:
        client.xadd(stream, {name: str(value) for name, value in record.items()}, id=f"{record['time']}-*")


@dataclass
class Watched:
    """A daemon that has read an hour: s-1 goes out after ten minutes and stays, s-2 comes back; s-3 has one record."""

    daemon: Daemon
    server: RedisProcess
    start_ms: int

    def explain(self, subject: str, *more: object) -> dict[str, Any]:
        """What the command says."""
        outcome = fencewatch("explain", "--config", self.daemon.config, "--subject", subject, "--json", *more)
        assert outcome.code == 0, outcome.err
        told = orjson.loads(outcome.out)
        assert isinstance(told, dict)
        return told

    def at(self, minutes: float) -> tuple[str, int]:
        """Option for an instant of the hour."""
        return "--at", self.start_ms + round(minutes * MINUTE_MS)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One daemon for the tests that only ask."""
    folder = tmp_path_factory.mktemp("explained")
    meadow = Meadow.make(folder / "registry")
    start_ms = round(time.time() * 1000) - 60 * MINUTE_MS
    server = RedisProcess(newest(), tmp_path_factory.mktemp("redis")).start()
    client = server.client()
    written(client, "gps:0", [fix("s-1", start_ms + k * MINUTE_MS, INSIDE if k < 10 else OUTSIDE) for k in range(60)])
    there_and_back = [INSIDE if k < 10 or k >= 20 else OUTSIDE for k in range(60)]
    written(client, "gps:1", [fix("s-2", start_ms + k * MINUTE_MS + 500, at) for k, at in enumerate(there_and_back)])
    written(client, "gps:2", [fix("s-3", start_ms, INSIDE)])
    daemon = Daemon(folder, meadow.registry, ["gps:0", "gps:1", "gps:2"], redis_url=server.url).start()
    try:
        daemon.read(121)
        until(lambda: len(in_stream(server, "fencewatch:alerts")) >= 5)
        yield Watched(daemon, server, start_ms)
        assert daemon.stop() == 0, daemon.lines
    finally:
        daemon.kill()
        client.close()
        server.stop()


def test_now(watched: Watched) -> None:
    """An open episode, one that was cleared, somebody silent, somebody of whom nothing came: each from the daemon's own state."""
    told = watched.explain("s-1")
    assert told["origin"] == "daemon"
    assert told["sentence"].startswith("Red alert left_area is open since ")
    assert "outside of meadow (rule stay); 30 m are tolerated, the accuracy was 5 m." in told["sentence"]
    area = next(slot for slot in told["facts"]["slots"] if slot["slot"] == "area")
    assert milliseconds(area["onset"]) == watched.start_ms + 10 * MINUTE_MS
    assert watched.explain("s-2")["sentence"].startswith("No alert: he was inside meadow (rule stay).")
    assert "Red alert silent_long is open since" in watched.explain("s-3")["sentence"]
    assert watched.explain("unheard")["sentence"].startswith("No alert: nothing had been heard of unheard")


def test_then(watched: Watched) -> None:
    """An instant of the hour: judged again from the streams, with the alerts that were told."""
    told = watched.explain("s-2", *watched.at(10.5))
    assert told["origin"] == "streams"
    assert told["sentence"].startswith("No alert yet: left_area is pending since ")
    assert told["records_seen"] == 11
    assert told["alerts"] == []
    told = watched.explain("s-2", *watched.at(15))
    assert told["sentence"].startswith("Red alert left_area is open since ")
    assert [alert["change"] for alert in told["alerts"]] == ["opened"]
    told = watched.explain("s-2", *watched.at(59))
    told_then = [alert["id"] for alert in in_stream(watched.server, "fencewatch:alerts") if alert["subject"] == "s-2"]
    assert [alert["id"] for alert in told["alerts"]] == told_then
    assert "was cleared at" in told["sentence"]
    assert len(told["notes"]) == 1
    assert told["notes"][0].startswith("judged again from the streams, which reach back to ")
    assert watched.explain("s-2", *watched.at(-1))["sentence"].startswith("No alert: nothing had been heard of s-2 by then")


def test_then_as_the_daemon_knows_it(watched: Watched) -> None:
    """The last instant, judged again, gives the state that the daemon has."""
    for subject in ("s-1", "s-2", "s-3"):
        now = watched.explain(subject)["facts"]
        again = watched.explain(subject, "--at", milliseconds(now["at"]))["facts"]
        assert again == now


def test_a_page_for_people(watched: Watched) -> None:
    """The sentence comes first."""
    outcome = fencewatch("explain", "--config", watched.daemon.config, "--subject", "s-1")
    assert outcome.out.splitlines()[0].startswith("Red alert left_area is open since ")
    assert any(line.startswith("s-1 at ") for line in outcome.out.splitlines())


def test_under_other_rules(watched: Watched, tmp_path: Path) -> None:
    """The rules of then, where they are kept, instead of those of now; the alert that was told under others is mentioned."""
    meadow = Meadow.make(tmp_path / "then")
    rules = meadow.registry / "rules.jsonl"
    rules.write_bytes(rules.read_bytes().replace(b'"stay"', b'"be-here"'))
    told = watched.explain("s-1", *watched.at(15), "--registry", meadow.registry)
    assert "(rule be-here)" in told["sentence"]
    assert any("--registry and --registry-at name the rules of then" in note for note in told["notes"])
    told = watched.explain("s-1", *watched.at(15), "--registry-at", f"{watched.start_ms + 14 * MINUTE_MS}={meadow.registry}")
    assert "(rule be-here)" in told["sentence"]


@pytest.mark.parametrize("more", [(), ("--at", "1780300800000")])
def test_who_is_not_there(watched: Watched, more: tuple[str, ...]) -> None:
    """A sentence, exit 1."""
    outcome = fencewatch("explain", "--config", watched.daemon.config, "--subject", "s-9", *more)
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.said) == 1
    assert 'there is no subject "s-9" in the registry' in outcome.err


def test_no_record_in_the_streams(watched: Watched) -> None:
    """Somebody of whom nothing came."""
    outcome = fencewatch("explain", "--config", watched.daemon.config, "--subject", "unheard", *watched.at(10))
    assert (outcome.code, outcome.out) == (1, "")
    assert 'the streams hold no record of "unheard"' in outcome.err


def test_only_who_may_read_the_state_folder_may_ask(watched: Watched) -> None:
    """Where people are is not for everybody on this machine: without the word of the state folder the answer is 403."""
    url = f"http://127.0.0.1:{watched.daemon.port}/explain?subject=s-1"
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer guessed"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)
        assert refused.value.code == 403
        assert b"s-1" not in refused.value.read()
    word = watched.daemon.state / WORD_FILE
    assert stat.S_IMODE(word.stat().st_mode) == 0o600


def test_no_daemon(tmp_path: Path) -> None:
    """It never ran, or runs no more: what to do is said."""
    meadow = Meadow.make(tmp_path / "registry")
    daemon = Daemon(tmp_path, meadow.registry, ["gps"], redis_url="redis://127.0.0.1:1/0")
    outcome = fencewatch("explain", "--config", daemon.config, "--subject", "s-1")
    assert outcome.code == 1
    assert "no daemon ran with this configuration yet" in outcome.err
    daemon.state.mkdir()
    (daemon.state / WORD_FILE).write_text("word")
    outcome = fencewatch("explain", "--config", daemon.config, "--subject", "s-1")
    assert outcome.code == 1
    assert "no daemon answers at 127.0.0.1:" in outcome.err
    outcome = fencewatch("explain", "--config", daemon.config, "--subject", "s-1", "--at", "1780300800000")
    assert outcome.code == 1
    assert outcome.err.startswith("fencewatch: the streams cannot be read: ")


@pytest.mark.parametrize(
    ("words", "clock"),
    [(("--registry", "registry"), ""), (("--at", "1780300800000"), '[clock]\ndemo = true\nstart = "2026-03-02T06:00:00Z"\n')],
)
def test_wrong_usage(tmp_path: Path, words: tuple[str, ...], clock: str) -> None:
    """The daemon knows its registry; a demo's clock is known to its daemon alone."""
    meadow = Meadow.make(tmp_path / "registry")
    daemon = Daemon(tmp_path, meadow.registry, ["gps"], redis_url=None, more=clock)
    outcome = fencewatch("explain", "--config", daemon.config, "--subject", "s-1", *words)
    assert outcome.code == 2


def test_a_wrong_configuration(tmp_path: Path) -> None:
    """Listed as by check, exit 78."""
    (tmp_path / "fencewatch.toml").write_text('deployment = "test"\n')
    outcome = fencewatch("explain", "--config", tmp_path / "fencewatch.toml", "--subject", "s-1")
    assert outcome.code == 78
    assert "sources" in outcome.err


def test_a_silent_source_and_the_embedded_server(tmp_path: Path, start_redis: StartRedis) -> None:
    """Why nobody is told to be silent: now and, judged again, then; streams on one server, alerts on the embedded one."""
    meadow = Meadow.make(tmp_path / "registry")
    (meadow.registry / "policy.toml").write_text("[policy]\nfeed_min_subjects = 2\n")
    sources = start_redis()
    more = f'[[sources]]\nname = "far"\nkind = "redis"\nstreams = ["gps"]\nurl = "{sources.url}"\n'
    start_ms = round(time.time() * 1000) - 60 * MINUTE_MS
    client = sources.client()
    minutes = (*range(10), *range(50, 52))
    for k in minutes:
        written(client, "gps", [fix(s, start_ms + k * MINUTE_MS, INSIDE) for s in ("s-1", "s-2")])
    daemon = Daemon(tmp_path, meadow.registry, ["none"], redis_url=None, more=more).start()
    try:
        until(lambda: daemon.metric('fencewatch_alerts_total{kind="feed_silent",level="red",type="opened"}') == 2)
        there = Watched(daemon, sources, start_ms)
        assert "His whole source is silent since" in there.explain("s-1")["sentence"]
        then = there.explain("s-1", *there.at(40))
        assert "His whole source is silent since" in then["sentence"]
        assert then["facts"]["source_silent"] is not None
        assert "silent" not in {slot["slot"] for slot in then["facts"]["slots"] if slot["state"] == "open"}
        assert "source is silent" not in there.explain("s-1", *there.at(51))["sentence"]
        assert daemon.stop() == 0, daemon.lines
    finally:
        daemon.kill()
        client.close()
