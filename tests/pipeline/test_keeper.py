"""The keeper's parts: arrays from process to process, copies of a registry, what is kept, and versions in line with the records."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from fences.known import known_of
from fences.numbering import Ids
from pipeline.items import Chunk, Mark, RegistryMark, RegistryPart
from pipeline.judging import rule_set_of
from pipeline.keeper.handover import LARGE, Giver, HandoverEndError, Taker
from pipeline.keeper.kept import KeptRegistries, Taken
from pipeline.keeper.messages import Loaded
from pipeline.keeper.registry_files import Watch, copy_registry, differing, look_at
from pipeline.kept_ids import add_ids, forget_ids, read_ids, write_ids
from pipeline.sources.redis_streams import Position, RedisStreams, Server
from pipeline.sources.with_versions import StreamsWithVersions, VersionedPosition
from pipeline.wall_clock import WallClock
from sinks.redis_names import RedisNames
from tests.pipeline.meadow import Meadow
from tests.redis_process import RedisProcess


@pytest.fixture
def channel() -> Iterator[tuple[Giver, Taker]]:
    """Both ends of a handover."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Giver(ours), Taker(theirs)


def handed(channel: tuple[Giver, Taker], thing: object) -> Any:  # noqa: ANN401 - whatever it is
    """A thing, from one end to the other."""
    giver, taker = channel
    thread = threading.Thread(target=giver.give, args=(thing,))
    thread.start()
    got = taker.take()
    thread.join()
    return got


def test_arrays_come_as_they_were(channel: tuple[Giver, Taker]) -> None:
    """Large and small, of records, read-only or not, and what stands around them."""
    large = np.arange(LARGE, dtype=np.int64)
    records = np.zeros(LARGE, np.dtype((np.record, [("a", "i8"), ("b", "f4")])))
    records["b"] = 0.5
    shut = large[::-1].copy()
    shut.flags.writeable = False
    thing = {"large": large, "records": records, "small": np.arange(3), "shut": shut, "text": "t" * LARGE, "none": np.empty(0)}
    got = handed(channel, thing)
    assert got.keys() == thing.keys()
    for name, value in thing.items():
        if isinstance(value, np.ndarray):
            assert (got[name].dtype, got[name].flags.writeable) == (value.dtype, value.flags.writeable)
            assert got[name].tobytes() == value.tobytes()
    assert got["text"] == thing["text"]


def test_what_was_handed_over_before_is_shared(channel: tuple[Giver, Taker]) -> None:
    """An array that the next object has too is the same memory; what only the one before had is given back once nobody has it."""
    one, other, third = (np.full(LARGE, k, np.int64) for k in range(3))
    _, taker = channel
    first = handed(channel, [one, other])
    second = handed(channel, [third, one])
    assert second[1].ctypes.data == first[0].ctypes.data
    assert [int(array[0]) for array in second] == [2, 0]
    taker.let_go()
    assert len(taker.old) == 1
    assert int(first[1][-1]) == 1
    del first
    taker.let_go()
    assert not taker.old
    assert int(second[1][-1]) == 0


def test_the_end_of_the_other_side(channel: tuple[Giver, Taker]) -> None:
    """Who waits for more is told."""
    giver, taker = channel
    giver.channel.close()
    with pytest.raises(HandoverEndError):
        taker.take()


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """A small registry with a file beside."""
    made = Meadow.make(tmp_path / "registry").registry
    (made / "rules.d").mkdir()
    (made / "rules.d" / "a.jsonl").write_text('{"id": "a", "effect": "forbid", "subjects": ["s-1"], "areas": ["meadow"]}\n')
    (made / "rules.d" / ".b.jsonl").write_text("half a l")
    (made / "rules.d" / "notes.txt").write_text("not ours")
    return made


def test_a_copy_is_the_registry(registry: Path, tmp_path: Path) -> None:
    """Its files and no others; the next copy is linked to it where nothing changed, and stays when the files are written over."""
    seen = copy_registry(registry, tmp_path / "one", None)
    assert set(seen.files) == {"regions.geojson", "areas.geojson", "subjects.jsonl", "rules.jsonl", "rules.d/a.jsonl"}
    assert not differing(registry, tmp_path / "one")
    (registry / "rules.d" / "a.jsonl").write_text("")
    shutil.copy(registry / "rules.jsonl", registry / "rules.d" / "c.jsonl")
    copy_registry(registry, tmp_path / "two", (tmp_path / "one", seen))
    assert sorted(differing(tmp_path / "one", tmp_path / "two")) == ["rules.d/a.jsonl", "rules.d/c.jsonl"]
    assert (tmp_path / "one" / "rules.jsonl").samefile(tmp_path / "two" / "rules.jsonl")
    assert (tmp_path / "one" / "rules.d" / "a.jsonl").read_text()
    assert not (tmp_path / "two" / "rules.jsonl").samefile(registry / "rules.jsonl")


@pytest.mark.parametrize(
    "change",
    [
        lambda r: (r / "rules.d" / "a.jsonl").unlink(),
        lambda r: (r / "rules.d" / "a.jsonl").rename(r / "rules.d" / "z.jsonl"),
        lambda r: (r / "rules.d" / ".b.jsonl").rename(r / "rules.d" / "a.jsonl"),
        lambda r: (r / "policy.toml").write_text("[policy]\n"),
        lambda r: (r / "rules.jsonl").write_text(""),
        lambda r: (r / "areas.geojson").unlink(),
        lambda r: os.utime(r / "rules.jsonl", ns=(1, 1)),
        lambda r: (r.rename(r.with_name("elsewhere")), shutil.copytree(r.with_name("elsewhere"), r)),
    ],
)
def test_a_change_is_seen(registry: Path, change: Callable[[Path], object]) -> None:
    """Whatever becomes of the files; and nothing is seen where nothing changed."""
    watch = Watch(registry)
    before = watch.look()
    assert watch.look() == before == look_at(registry)
    change(registry)
    assert watch.look() != before


def test_where_versions_took_effect(tmp_path: Path) -> None:
    """It is written down with each, without a gap, and forgotten with it."""
    kept = KeptRegistries(tmp_path)
    taken = {k: Taken(1000 * k, {("gps", "stream"): b"%d-1" % k}) for k in (1, 2, 4)}
    for number in range(5):
        kept.tried.mkdir(parents=True)
        kept.accept(number)
        if number in taken:
            kept.mark(number, taken[number])
    assert kept.since(0) == {1: taken[1], 2: taken[2]}
    assert kept.since(1) == {2: taken[2]}
    (kept.of(2) / "mark.json").write_text('{"time_ms": 5')
    assert kept.since(1) == {}
    kept.forget(before=1, after=3)
    assert kept.numbers() == [1, 2, 3]


def test_ids_of_a_numbering_that_grows(tmp_path: Path) -> None:
    """Those it began with and those that came; a line cut short is none."""
    write_ids(tmp_path, "abc", Ids(["s"], ["r"]))
    add_ids(tmp_path, "abc-1", Ids(["t"], []))
    add_ids(tmp_path, "abc-1", Ids([], ["q", "p"]))
    with (tmp_path / "registries" / "abc-1.jsonl").open("a") as out:
        out.write('{"subjects": ["u"')
    assert read_ids(tmp_path, "abc") == Ids(["s"], ["r"])
    assert read_ids(tmp_path, "abc-1") == Ids(["s", "t"], ["r", "q", "p"])
    assert read_ids(tmp_path, "xyz") is None
    write_ids(tmp_path, "xyz", Ids([], []))
    forget_ids(tmp_path, {"abc-1"})
    assert read_ids(tmp_path, "xyz") is None
    assert read_ids(tmp_path, "abc-1") == Ids(["s", "t"], ["r", "q", "p"])


@dataclass
class Lane:
    """Two streams of a real Redis, and versions of a registry."""

    server: RedisProcess
    names: RedisNames
    folder: Path
    loaded: Loaded

    def reader(self, coming: deque[Loaded], position: VersionedPosition | None = None) -> StreamsWithVersions:
        """A reader of both streams, as a daemon opens it."""

        def streams(at: Position | None) -> RedisStreams:
            both = [("gps", f"{self.names.prefix}{name}") for name in "ab"]
            return RedisStreams([Server(self.server.client(), both)], WallClock(), at, lambda _away: None)

        return StreamsWithVersions(streams, coming, KeptRegistries(self.folder), position, 10.0)

    def add(self, stream: str, count: int) -> None:
        """Records into a stream."""
        client = self.server.client()
        for k in range(count):
            client.xadd(f"{self.names.prefix}{stream}", {"payload": orjson.dumps({"subject": "s-1", "time": k})})
        client.close()

    def version(self, number: int) -> Loaded:
        """The registry once more, under another number."""
        kept = KeptRegistries(self.folder)
        if not kept.of(number).exists():
            kept.tried.mkdir(parents=True)
            kept.accept(number)
        return Loaded(number, self.loaded.rules, None, [], 0.0)


@pytest.fixture
def lane(redis_server: RedisProcess, redis_names: RedisNames, registry: Path, tmp_path: Path) -> Lane:
    """Streams with nothing in them yet."""
    rules = rule_set_of(known_of(registry)[0].fence_set.to_hand_over(), 1)
    return Lane(redis_server, redis_names, tmp_path / "state", Loaded(0, rules, None, [], 0.0))


def course(reader: StreamsWithVersions, items: int) -> list[tuple[str, Any]]:
    """What is read until so many entries have come: entries by stream, and versions with their instants."""
    out: list[tuple[str, Any]] = []
    found = 0
    while found < items:
        for item in reader.next_items():
            found += len(item.decode()) if isinstance(item, Chunk) else 0
            out += said(item)
    return out


def said(item: Chunk | Mark) -> list[tuple[str, Any]]:
    """An item as it is compared."""
    if isinstance(item, Chunk):
        batch = item.decode()
        return [(item.source, batch.place(i)["id"]) for i in range(len(batch))]
    return [("version", item.time_ms)] if isinstance(item, RegistryMark) else []


def test_versions_take_effect_behind_the_same_entries_again(lane: Lane) -> None:
    """After a crash, from any position saved before: each version behind what it was behind of both streams, at its instant."""
    coming: deque[Loaded] = deque()
    first = lane.reader(coming)
    saved = [first.position()]
    read = []
    for number in (1, 2):
        lane.add("a", 20)
        lane.add("b", 3)
        read += course(first, 23)
        saved.append(first.position())
        coming.append(lane.version(number))
        lane.add("a", 1)
        read += course(first, 1)
        saved.append(first.position())
    lane.add("b", 30)
    read += course(first, 30)
    first.close()
    assert [what for what, _ in read if what == "version"] == ["version"] * 2
    for position in saved:
        reader = lane.reader(deque(lane.version(number) for number in (1, 2) if number > position.version), position)
        seen = sum(what != "version" for what, _ in before(read, position))
        rest = course(reader, 78 - seen)
        reader.close()
        assert in_order(rest) == in_order(read[len(before(read, position)) :])


def before(read: list[tuple[str, Any]], position: VersionedPosition) -> list[tuple[str, Any]]:
    """What was read up to a position."""
    last = {stream: entry.decode() for (_, stream), entry in position.streams.last_ids.items()}
    versions, out = 0, []
    for what, which in read:
        if what == "version":
            versions += 1
            if versions > position.version:
                break
        elif order(which) > order(last[what]):
            break
        out.append((what, which))
    return out


def order(entry: str) -> tuple[int, ...]:
    """What entries are compared by."""
    return tuple(int(part) for part in entry.split("-"))


def in_order(read: list[tuple[str, Any]]) -> list[Any]:
    """What lies between versions, by stream: how the streams are mixed is chance."""
    out: list[Any] = [[]]
    for what, which in read:
        if what == "version":
            out += [which, []]
        else:
            out[-1].append((what, which))
    return [sorted(part) if isinstance(part, list) else part for part in out]


def test_a_change_for_many_comes_in_parts(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as it needs, one beside each reading."""
    monkeypatch.setattr("pipeline.sources.with_versions.SUBJECTS_A_PART", 2)
    reader = lane.reader(deque([lane.version(1)]))
    items = [[type(item) for item in reader.next_items()] for _ in range(3)]
    assert items[0][0] is RegistryMark
    assert items[1][0] is RegistryPart
    assert RegistryPart not in items[2]
    reader.close()
