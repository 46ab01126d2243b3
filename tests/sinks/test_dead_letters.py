"""Dead letters say why and where, keep the record, and never grow without end."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest

from sinks.dead_letters import STREAM_AT_MOST, DeadLetterFile, DeadLetterStream, dead_letter
from sinks.redis_names import RedisNames
from sinks.redis_patience import Undelivered
from tests.redis_process import RedisProcess


@pytest.mark.parametrize(
    ("source", "place"),
    [("walk.jsonl", {"offset": 120}), ("walk.csv", {"row": 3}), ("gps:0", {"id": "17-0"}), ("gps:0", {"id": "17-0", "index": 4})],
)
def test_a_letter_says_reason_and_place(source: str, place: dict[str, int | str]) -> None:
    """The keys of the contract, in its order; the record itself is in it."""
    letter = orjson.loads(dead_letter("wrong_type", source, place, b'{"time": "x"}\xff'))
    assert list(letter) == ["reason", "source", *place, "raw"]
    assert {**letter, "raw": ""} == {"reason": "wrong_type", "source": source, **place, "raw": ""}
    assert base64.b64decode(letter["raw"]) == b'{"time": "x"}\xff'


def test_a_large_record_is_cut() -> None:
    """At most 64 KiB of it are kept."""
    letter = orjson.loads(dead_letter("too_large", "walk.jsonl", {"offset": 0}, b"x" * 100_000))
    assert base64.b64decode(letter["raw"]) == b"x" * 65_536


def letters(count: int) -> list[bytes]:
    """As many different ones."""
    return [dead_letter("undecodable", "walk.jsonl", {"offset": i}, b"{") for i in range(count)]


def test_file_has_a_line_a_letter(tmp_path: Path) -> None:
    """Flushed at the end of each call."""
    path = tmp_path / "dead.jsonl"
    file = DeadLetterFile(path)
    assert file.write(letters(2)) == 2
    assert path.read_bytes().splitlines() == letters(2)
    assert file.write(letters(4)[2:]) == 2
    assert path.read_bytes().splitlines() == letters(4)
    file.close()


def test_a_continued_file_has_no_letter_twice(tmp_path: Path) -> None:
    """Records that are read again after a crash are told once; a line that was cut off is written whole."""
    path = tmp_path / "dead.jsonl"
    file = DeadLetterFile(path)
    file.write(letters(3))
    file.close()
    path.write_bytes(path.read_bytes()[:-5])
    file = DeadLetterFile(path, resume=True)
    assert file.write(letters(5)) == 3
    file.close()
    assert path.read_bytes().splitlines() == letters(5)


def test_stream_takes_letters_in_order(redis_any: RedisProcess, redis_names: RedisNames) -> None:
    """More than one call's worth of them."""
    client = redis_any.client()
    DeadLetterStream(client, redis_names).write(letters(250))
    assert [fields[b"letter"] for _, fields in client.xrange(redis_names.dead)] == letters(250)
    client.close()


def test_stream_keeps_the_newest_hundred_thousand(redis_server: RedisProcess, redis_names: RedisNames) -> None:
    """About: whole nodes of 100 go at a time."""
    client = redis_server.client()
    stream = DeadLetterStream(client, redis_names)
    stream.write(letters(1) * (STREAM_AT_MOST + 1000))
    assert STREAM_AT_MOST <= client.xlen(redis_names.dead) < STREAM_AT_MOST + 200
    client.close()


def test_stream_says_what_it_could_not_deliver(tmp_path: Path) -> None:
    """Like the alerts: after the stated time, with the number."""
    client = RedisProcess(tmp_path / "never started", tmp_path).client()
    with pytest.raises(Undelivered, match=r"^7 dead letters could not be delivered"):
        DeadLetterStream(client, RedisNames(), give_up_after_s=0.2).write(letters(7))
