"""A registry that changes under a running daemon, on a real Redis: what is in force when, for whom, and what an operator sees."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.pipeline.daemons import Daemon, xadd
from tests.pipeline.listeners import in_stream, until
from tests.pipeline.meadow import INSIDE, Meadow, Record
from tests.redis_fixtures import StartRedis
from tests.redis_process import RedisProcess

NO_LIMIT = "registry_max_drop_pct = 100"
HERE = {"lon": INSIDE[0], "lat": INSIDE[1], "accuracy_m": 5.0}
Alert = dict[str, Any]


class Scene:
    """A meadow, a Redis and a daemon between them; everybody is where he may be."""

    def __init__(self, folder: Path, server: RedisProcess, top: str = NO_LIMIT) -> None:
        self.folder, self.server = folder, server
        self.registry = Meadow.make(folder / "registry").registry
        self.daemon = Daemon(folder, self.registry, ["gps"], redis_url=server.url, top=top)
        self.client = server.client()

    def put(self, name: str, *records: Record) -> None:
        """A file of the registry, renamed into place."""
        file = self.registry / name
        file.parent.mkdir(exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
        new.replace(file)

    def heard(self, *subjects: str, at_ms: int | None = None, **more: Any) -> None:  # noqa: ANN401 - fields of a record
        """A record of each, from where all may be."""
        now_ms = round(time.time() * 1000) if at_ms is None else at_ms
        before = self.daemon.metric('fencewatch_fixes_total{source="gps"}')
        xadd(self.client, "gps", [{"subject": subject, "time": now_ms, **HERE, **more} for subject in subjects])
        self.daemon.read(int(before) + len(subjects))

    def alerts(self, count: int) -> list[Alert]:
        """All alerts, once there are so many."""
        until(lambda: self.client.xlen("fencewatch:alerts") >= count or self.daemon.ended)
        found = in_stream(self.server, "fencewatch:alerts")
        assert len(found) == count, (found, self.daemon.lines)
        return found

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log that say this."""
        return [line for line in map(orjson.loads, self.daemon.lines) if line["event"] == event]

    def reloaded(self, times: int) -> None:
        """Wait until so many versions have taken effect since the daemon's start."""
        until(lambda: len(self.logged("rules in force")) >= times or self.daemon.ended)
        assert len(self.logged("rules in force")) == times, self.daemon.lines

    @property
    def version(self) -> str:
        """What the lane's sign of life says is in force."""
        return str(orjson.loads(self.client.get("fencewatch:lane:0"))["rules_version"])

    def close(self) -> None:
        """End it all."""
        self.daemon.kill()
        self.client.close()


@pytest.fixture
def scene(tmp_path: Path, start_redis: StartRedis) -> Iterator[Scene]:
    """A scene whose daemon is not started yet."""
    made = Scene(tmp_path, start_redis())
    yield made
    made.close()


def forbidden(id_: str, *subjects: str, **more: Any) -> Record:  # noqa: ANN401 - fields of a rule
    """A rule that forbids some subjects to be where they are."""
    return {"id": id_, "effect": "forbid", "subjects": subjects, "areas": ["meadow"], **more}


def said(alert: Alert) -> tuple[str, str, str | None]:
    """Type, subject and rule of an alert."""
    return str(alert["type"]).rpartition(".")[2], alert["subject"], alert["data"]["rule"]


def test_a_file_put_in_and_taken_out(scene: Scene) -> None:
    """Who is concerned is judged at once where he was last; alert, sign of life and metrics say the version."""
    scene.daemon.start()
    scene.heard("s-1", "s-2")
    first = scene.version
    scene.put("rules.d/away.jsonl", forbidden("away", "s-1"))
    [opened] = scene.alerts(1)
    assert said(opened) == ("opened", "s-1", "away")
    second = opened["data"]["rules_version"]
    assert second != first
    assert (opened["data"]["lon"], opened["data"]["received"]) == (INSIDE[0], None)
    until(lambda: scene.version == second)
    assert f'fencewatch_rules_info{{version="{second}"}} 1.0' in scene.daemon.get("/metrics")[1]
    assert scene.daemon.metric("fencewatch_last_reload_successful") == 1
    (scene.registry / "rules.d" / "away.jsonl").unlink()
    cleared = scene.alerts(2)[1]
    assert said(cleared) == ("cleared", "s-1", "away")
    assert cleared["data"]["reason"] == "rule_ended"
    until(lambda: scene.version == first)
    assert scene.daemon.stop() == 0
    assert scene.client.hlen("fencewatch:open") == 0


def test_a_bad_registry_changes_nothing(scene: Scene) -> None:
    """Every problem is in the log with file and line, a gauge falls; the rules in force stay until a good one comes."""
    scene.daemon.start()
    scene.heard("s-1")
    scene.put("rules.d/away.jsonl", forbidden("away", "s-1"), forbidden("stay", "s-1"), forbidden("x", "nobody"))
    until(lambda: scene.daemon.metric("fencewatch_last_reload_successful") == 0)
    assert scene.daemon.metric("fencewatch_last_reload_timestamp_seconds") > time.time() - 60
    problems = [line["problem"] for line in scene.logged("registry")]
    file = scene.registry / "rules.d" / "away.jsonl"
    assert len(problems) == 2, problems
    assert problems[0].startswith(f"{file}:2: id: ")
    assert f"first at {scene.registry / 'rules.jsonl'}:1" in problems[0]
    assert problems[1].startswith(f"{file}:3: subjects[0]: ")
    scene.heard("s-2")
    assert scene.client.xlen("fencewatch:alerts") == 0
    (scene.registry / "rules.d" / "away.jsonl").unlink()
    until(lambda: scene.daemon.metric("fencewatch_last_reload_successful") == 1)
    assert not scene.logged("rules in force")
    scene.put("rules.d/away.jsonl", forbidden("away", "s-1"))
    assert said(scene.alerts(1)[0]) == ("opened", "s-1", "away")
    assert scene.daemon.stop() == 0


def test_too_much_dropped_is_refused_and_a_restart_takes_it(tmp_path: Path, start_redis: StartRedis) -> None:
    """A registry cut short is no reason to forget people; whoever means it restarts: they are cleared, under the old version."""
    scene = Scene(tmp_path, start_redis(), top="registry_max_drop_pct = 25")
    try:
        scene.put("rules.d/away.jsonl", forbidden("away", "s-1", "s-2"), forbidden("far", "s-3"), forbidden("off", "s-3"))
        scene.daemon.start()
        scene.heard("s-1", "s-2", "s-3")
        first = scene.alerts(4)[0]["data"]["rules_version"]
        (scene.registry / "rules.d" / "away.jsonl").unlink()
        scene.put("subjects.jsonl", {"id": "s-3", "home_region": "meadow"})
        scene.daemon.signal_only(signal.SIGHUP)
        until(lambda: scene.daemon.metric("fencewatch_last_reload_successful") == 0)
        problems = [line["problem"] for line in scene.logged("registry")]
        assert any("3 of 4 subjects would be dropped, more than 25 %" in problem for problem in problems), problems
        assert any("3 of 4 rules would be dropped" in problem for problem in problems), problems
        scene.heard("s-2")
        assert len(scene.alerts(4)) == 4
        assert scene.daemon.stop() == 0
        scene.daemon.start()
        cleared = scene.alerts(8)[4:]
        assert sorted(map(said, cleared)) == [
            ("cleared", "s-1", "away"), ("cleared", "s-2", "away"), ("cleared", "s-3", "far"), ("cleared", "s-3", "off"),
        ]  # fmt: skip
        assert {alert["data"]["reason"] for alert in cleared} == {"rule_ended"}
        assert {alert["data"]["rules_version"] for alert in cleared if alert["subject"] != "s-3"} == {first}
        assert scene.daemon.metric("fencewatch_subjects") == 1
        assert scene.daemon.stop() == 0
    finally:
        scene.close()


def test_the_registry_pointed_elsewhere(tmp_path: Path, start_redis: StartRedis) -> None:
    """The registry is a link: pointed at another folder it changes whole."""
    scene = Scene(tmp_path, start_redis())
    try:
        (tmp_path / "one").mkdir()
        scene.registry.rename(tmp_path / "one" / "registry")
        shutil.copytree(tmp_path / "one" / "registry", tmp_path / "two")
        scene.registry.symlink_to(tmp_path / "one" / "registry")
        (tmp_path / "two" / "rules.jsonl").write_bytes(orjson.dumps(forbidden("away", "s-2")))
        scene.daemon.start()
        scene.heard("s-1", "s-2")
        (tmp_path / "link").symlink_to(tmp_path / "two")
        (tmp_path / "link").replace(scene.registry)
        assert said(scene.alerts(1)[0]) == ("opened", "s-2", "away")
        assert scene.daemon.stop() == 0
    finally:
        scene.close()


def test_many_changes_at_once(scene: Scene) -> None:
    """Twenty files, one after the other, as fast as can be: each counts; of one written again and again the last."""
    scene.daemon.start()
    scene.heard("s-1")
    for k in range(20):
        scene.put(f"rules.d/{k:02d}.jsonl", forbidden(f"rule {k}", "s-1"))
        scene.put("rules.d/last.jsonl", forbidden("last", "s-2", permit=str(k)))
    assert sorted(said(alert) for alert in scene.alerts(20)) == sorted(("opened", "s-1", f"rule {k}") for k in range(20))
    scene.daemon.signal_only(signal.SIGHUP)
    until(lambda: scene.logged("registry read; it says what was loaded last"))
    scene.reloaded(len(scene.logged("registry loaded")))
    scene.heard("s-2")
    opened = scene.alerts(21)[20]
    assert said(opened) == ("opened", "s-2", "last")
    assert opened["data"]["rules_version"] == scene.logged("registry loaded")[-1]["rules_version"]
    assert scene.daemon.stop() == 0


def test_subjects_come_and_go(scene: Scene) -> None:
    """A new one is known from the mark on, one who is gone is forgotten, and who comes back begins anew; the others keep theirs."""
    scene.put("rules.d/away.jsonl", forbidden("away", "s-1", "s-3", confirm_fixes=2))
    scene.daemon.start()
    scene.heard("s-1", "s-3", "late")
    assert scene.daemon.metric('fencewatch_rejects_total{reason="unknown_subject",source="gps"}') == 1
    scene.put("subjects.d/late.jsonl", {"id": "late", "home_region": "meadow"})
    scene.reloaded(1)
    scene.heard("s-1", "late")
    assert [said(alert) for alert in scene.alerts(1)] == [("opened", "s-1", "away")]
    assert scene.daemon.metric('fencewatch_rejects_total{reason="unknown_subject",source="gps"}') == 1
    # s-1 is gone, and with him what was open; then he comes back: what he has done before is forgotten, what s-3 has is not.
    subjects = (scene.registry / "subjects.jsonl").read_bytes()
    scene.put("rules.d/away.jsonl", forbidden("away", "s-3", confirm_fixes=2))
    scene.reloaded(2)
    scene.put("subjects.jsonl", *({"id": name, "home_region": "meadow"} for name in ("unheard", "s-3", "s-2")))
    scene.reloaded(3)
    (scene.registry / "subjects.jsonl").write_bytes(subjects)
    scene.reloaded(4)
    scene.put("rules.d/away.jsonl", forbidden("away", "s-1", "s-3", confirm_fixes=2))
    scene.reloaded(5)
    scene.heard("s-1", "s-3")
    told = [said(alert) for alert in scene.alerts(3)[1:]]
    assert told == [("cleared", "s-1", "away"), ("opened", "s-3", "away")]
    scene.heard("s-1")
    assert said(scene.alerts(4)[3]) == ("opened", "s-1", "away")
    assert scene.daemon.metric("fencewatch_subjects") == 5
    assert scene.daemon.stop() == 0


def test_a_restart_under_another_registry(scene: Scene) -> None:
    """What the new registry ended is cleared, whom it changed is judged anew where he was last, and all others go on."""
    scene.put("rules.d/one.jsonl", forbidden("one", "s-1"), forbidden("two", "s-2"))
    scene.daemon.start()
    scene.heard("s-1", "s-2", "s-3")
    assert {said(alert) for alert in scene.alerts(2)} == {("opened", "s-1", "one"), ("opened", "s-2", "two")}
    scene.put("rules.d/two.jsonl", forbidden("three", "s-2"))
    scene.reloaded(1)
    scene.alerts(3)
    assert scene.daemon.stop() == 0
    scene.put("rules.d/one.jsonl", forbidden("two", "s-2"), forbidden("four", "s-3"))
    scene.daemon.start()
    told = scene.alerts(5)[3:]
    assert sorted(map(said, told)) == [("cleared", "s-1", "one"), ("opened", "s-3", "four")]
    assert told[0]["time"] == told[1]["time"]
    scene.heard("s-1", "s-2", "s-3")
    assert scene.daemon.stop() == 0
    scene.daemon.start()
    assert len(scene.alerts(5)) == 5
    assert scene.daemon.stop() == 0


def test_a_crash_behind_a_change(scene: Scene) -> None:
    """Records before the change are judged again under the rules that were in force then, those behind it under the new ones."""
    scene.daemon.start()
    now_ms = round(time.time() * 1000)
    scene.heard("s-1", at_ms=now_ms - 3000)
    scene.put("rules.d/away.jsonl", forbidden("away", "s-1", "s-2"))
    opened = scene.alerts(1)
    scene.heard("s-2", at_ms=now_ms - 2000)
    scene.alerts(2)
    (scene.registry / "rules.d" / "away.jsonl").unlink()
    before = scene.alerts(4)
    scene.daemon.kill()
    scene.daemon.lines.clear()
    scene.daemon.start()
    scene.reloaded(2)
    scene.heard("s-3")
    assert scene.alerts(4) == before
    assert before[0] == opened[0]
    assert scene.daemon.stop() == 0
    assert scene.client.hlen("fencewatch:open") == 0


def test_stopped_while_it_reloads(scene: Scene) -> None:
    """A stop does not wait for a reload, and the next start takes what it brought."""
    scene.daemon.start()
    scene.heard("s-1")
    scene.put("rules.d/away.jsonl", forbidden("away", "s-1"))
    scene.daemon.signal_only(signal.SIGHUP)
    assert scene.daemon.stop() == 0, scene.daemon.lines
    scene.daemon.start()
    assert said(scene.alerts(1)[0]) == ("opened", "s-1", "away")
    assert scene.daemon.stop() == 0


def test_a_start_with_a_wrong_registry(scene: Scene) -> None:
    """Wrong at a start is wrong, whatever was in force before: 78, with every problem."""
    scene.daemon.start()
    scene.heard("s-1")
    assert scene.daemon.stop() == 0
    scene.put("rules.d/away.jsonl", forbidden("away", "nobody", "no one"))
    scene.daemon.lines.clear()
    scene.daemon.launch()
    until(lambda: scene.daemon.ended)
    assert scene.daemon.stop() == 78
    assert sum("there is no subject" in line for line in scene.daemon.lines) == 2, scene.daemon.lines


def test_the_keeper_ends_with_the_daemon_and_not_before(scene: Scene) -> None:
    """Without the process that loads registries the daemon goes on and says so; what it loaded last stays in force."""
    scene.daemon.start()
    [keeper] = (int(pid) for pid in Path(f"/proc/{scene.daemon.pid}/task/{scene.daemon.pid}/children").read_text().split())
    os.kill(keeper, signal.SIGKILL)
    until(lambda: scene.daemon.metric("fencewatch_last_reload_successful") == 0)
    scene.heard("s-1")
    scene.daemon.signal_only(signal.SIGHUP)
    until(lambda: scene.logged("the registry cannot be reloaded: the process that loads it is not there"))
    assert scene.daemon.stop() == 0
