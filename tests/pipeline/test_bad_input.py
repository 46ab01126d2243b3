"""Section 6 of the contract, line by line: what bad records get in files, and that the records beside them are judged unharmed.

Each bad record is put between the good ones of a small world; the alerts must be those of the good ones alone.
"""

from __future__ import annotations

import base64
import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipeline.commands import Outcome, alerts_in, fencewatch, told
from tests.pipeline.meadow import START_MS, Meadow, Record, good_records, lines_of

LARGEST = 64 * 1024
GOOD = good_records()
T = str(START_MS).encode()
PLACE = b'"lon":121.09,"lat":31.05'
Bad = tuple[bytes, str]

BAD_LINES: tuple[Bad, ...] = (
    (b'{"subject":"s-1","time":%s,%s,"note":"%s"}' % (T, PLACE, b"x" * LARGEST), "too_large"),
    (b"x" * (LARGEST + 1), "too_large"),
    (b'{"subject":"s-1"', "undecodable"),
    (b"[1,2]", "undecodable"),
    (b'"s-1"', "undecodable"),
    (b"null", "undecodable"),
    (b"subject,time", "undecodable"),
    (b"\xff\xfe", "undecodable"),
    (b"\x00", "undecodable"),
    (b'{"subject":"s-1\xff","time":%s,%s}' % (T, PLACE), "undecodable"),
    (b'{"subject":"s-1","time":%s,"lon":NaN,"lat":1}' % T, "undecodable"),
    (b'{"subject":"s-1","time":%s,%s}{"subject":"s-2","time":%s,%s}' % (T, PLACE, T, PLACE), "undecodable"),
    (b'{"subject":"s-1",', "undecodable"),  # the first line of an object over two
    (b'"time":%s,%s}' % (T, PLACE), "undecodable"),  # and its second
    (b"{}", "missing_field"),
    (b'{"time":%s,%s}' % (T, PLACE), "missing_field"),
    (b'{"subject":null,"time":%s,%s}' % (T, PLACE), "missing_field"),
    (b'{"subject":"s-1",%s}' % PLACE, "missing_field"),
    (b'{"subject":"s-1","time":%s,"lon":121.09}' % T, "missing_field"),
    (b'{"subject":"s-1","time":%s,"lon":null,"lat":31.05}' % T, "missing_field"),
    (b'{"subject":1.5,"time":%s,%s}' % (T, PLACE), "wrong_type"),
    (b'{"subject":["s-1"],"time":%s,%s}' % (T, PLACE), "wrong_type"),
    (b'{"subject":"s-1","time":"soon",%s}' % PLACE, "wrong_type"),
    (b'{"subject":"s-1","time":"2024-03-04T08:00:00",%s}' % PLACE, "wrong_type"),
    (b'{"subject":"s-1","time":true,%s}' % PLACE, "wrong_type"),
    (b'{"subject":"s-1","time":%s,"lon":"east","lat":31.05}' % T, "wrong_type"),
    (b'{"subject":"s-1","time":%s,"lon":{},"lat":31.05}' % T, "wrong_type"),
    (b'{"subject":"","time":%s,%s}' % (T, PLACE), "bad_subject"),
    (b'{"subject":"%s","time":%s,%s}' % (b"a" * 65, T, PLACE), "bad_subject"),
    (b'{"subject":"s\\n1","time":%s,%s}' % (T, PLACE), "bad_subject"),
    (b'{"subject":"s-1","time":%s,"lon":180.001,"lat":31.05}' % T, "out_of_range"),
    (b'{"subject":"s-1","time":%s,"lon":121.09,"lat":-90.001}' % T, "out_of_range"),
    (b'{"subject":"s-1","time":"1989-12-31T23:59:59Z",%s}' % PLACE, "out_of_range"),
    (b'{"subject":"s-1","time":"2100-01-01T00:00:00Z",%s}' % PLACE, "out_of_range"),
    (b'{"subject":"nobody","time":%s,%s}' % (T, PLACE), "unknown_subject"),
    (b'{"subject":12,"time":%s,%s}' % (T, PLACE), "unknown_subject"),
    (b'{"subject":"s-1","time":%d,"received":%s,%s}' % (START_MS + 300_001, T, PLACE), "future"),
    # The first reason of the list that holds:
    (b'{"subject":"nobody","time":%s,"lon":181,"lat":31.05}' % T, "out_of_range"),
    (b'{"subject":"","time":%s,"lon":181,"lat":31.05}' % T, "bad_subject"),
    (b'{"subject":"","time":"soon",%s}' % PLACE, "wrong_type"),
    (b'{"time":"soon",%s}' % PLACE, "missing_field"),
    (b'{"subject":"nobody","time":%d,"received":%s,%s}' % (START_MS + 300_001, T, PLACE), "unknown_subject"),
)
HEADER = b"subject,time,lon,lat,accuracy_m,received"
BAD_ROWS: tuple[Bad, ...] = (
    (b"s-1,%s,121.09,31.05,,%s" % (T, b"9" * LARGEST), "too_large"),
    (b"s-1,%s" % T, "undecodable"),
    (b"s-1,%s,121.09,31.05,,,," % T, "undecodable"),
    (b"\xff\xfe,%s,121.09,31.05,," % T, "undecodable"),
    (b'"s"-1,%s,121.09,31.05,,' % T, "undecodable"),
    (b",%s,121.09,31.05,," % T, "missing_field"),
    (b"s-1,,121.09,31.05,,", "missing_field"),
    (b"s-1,%s,121.09,,," % T, "missing_field"),
    (b",,,,,", "missing_field"),
    (b"s-1,soon,121.09,31.05,,", "wrong_type"),
    (b"s-1,%s,east,31.05,," % T, "wrong_type"),
    (b"s-1,%s,0x1p3,31.05,," % T, "wrong_type"),
    (b"%s,%s,121.09,31.05,," % (b"a" * 65, T), "bad_subject"),
    (b'"s\n1",%s,121.09,31.05,,' % T, "bad_subject"),
    (b"s-1,%s,-180.001,31.05,," % T, "out_of_range"),
    (b"s-1,631151999999,121.09,31.05,,", "out_of_range"),
    (b"nobody,%s,121.09,31.05,," % T, "unknown_subject"),
    (b"s-1,%d,121.09,31.05,,%s" % (START_MS + 300_001, T), "future"),
)
BAD_VALUES: tuple[tuple[Record, str], ...] = (
    ({"subject": None, "time": START_MS, "lon": 121.09, "lat": 31.05}, "missing_field"),
    ({"subject": "s-1", "time": None, "lon": 121.09, "lat": 31.05}, "missing_field"),
    ({"subject": "s-1", "time": START_MS, "lon": 121.09, "lat": None}, "missing_field"),
    ({"subject": "s-1", "time": START_MS, "lon": float("nan"), "lat": 31.05}, "missing_field"),
    ({"subject": "", "time": START_MS, "lon": 121.09, "lat": 31.05}, "bad_subject"),
    ({"subject": "s\n1", "time": START_MS, "lon": 121.09, "lat": 31.05}, "bad_subject"),
    ({"subject": "s-1", "time": START_MS, "lon": 181.0, "lat": 31.05}, "out_of_range"),
    ({"subject": "s-1", "time": START_MS, "lon": float("inf"), "lat": 31.05}, "out_of_range"),
    ({"subject": "s-1", "time": 5, "lon": 121.09, "lat": 31.05}, "out_of_range"),
    ({"subject": "nobody", "time": START_MS, "lon": 121.09, "lat": 31.05}, "unknown_subject"),
    ({"subject": "s-1", "time": START_MS + 300_001, "lon": 121.09, "lat": 31.05, "received": START_MS}, "future"),
)


@pytest.fixture(scope="module")
def meadow(tmp_path_factory: pytest.TempPathFactory) -> Meadow:
    """The registry."""
    return Meadow.make(tmp_path_factory.mktemp("meadow") / "registry")


@pytest.fixture(scope="module")
def expected(meadow: Meadow, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the good records tell."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "good.jsonl").write_bytes(b"\n".join(lines_of(GOOD)) + b"\n")
    done = Replayed(meadow, folder / "good.jsonl")
    assert not done.letters
    assert len(done.alerts) > 20
    return done.alerts


class Replayed:
    """A replay in this process: its alerts, dead letters and report."""

    def __init__(self, meadow: Meadow, file: object, *options: object, stdin: bytes = b"", folder: Path | None = None) -> None:
        below = folder or Path(str(file)).parent
        out, dead, report = below / "out.jsonl", below / "dead.jsonl", below / "report.json"
        outputs = ("--alerts-out", out, "--dead-letters", dead, "--report", report)
        self.outcome: Outcome = fencewatch("replay", file, "--registry", meadow.registry, *outputs, *options, stdin=stdin)
        assert self.outcome.code == 0, self.outcome.err
        self.alerts = told(alerts_in(out))
        self.letters = [orjson.loads(line) for line in dead.read_bytes().splitlines()]
        self.report: dict[str, Any] = orjson.loads(report.read_bytes())

    @property
    def reasons(self) -> list[str]:
        """Of the dead letters, in order."""
        return [letter["reason"] for letter in self.letters]


def spread(good: Sequence[Any], bad: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """The bad ones spread among the good ones, the first at the very beginning and the last at the end; where they stand."""
    mixed: list[Any] = []
    places = []
    for k, item in enumerate(bad):
        places.append(len(mixed))
        mixed.append(item)
        mixed += good[k * len(good) // max(1, len(bad) - 1) : (k + 1) * len(good) // max(1, len(bad) - 1)]
    return mixed[: len(good) + len(bad)], places


def test_spread_keeps_all() -> None:
    """The tests below are about what is said here."""
    mixed, places = spread(["g"] * 180, [f"b{k}" for k in range(42)])
    assert Counter(item[0] for item in mixed) == {"g": 180, "b": 42}
    assert [mixed[place] for place in places] == [f"b{k}" for k in range(42)]


@pytest.mark.parametrize("batch", [1, 2, 3, 16384])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b"\n  \t\r\n"])
def test_json_lines(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path, batch: int, end: bytes) -> None:
    """Reason, byte offset and raw text of each bad line, whatever the line ends, blank lines and borders of batches."""
    lines, places = spread(lines_of(GOOD), [line for line, _ in BAD_LINES])
    file = tmp_path / "fixes.jsonl"
    file.write_bytes(b"".join(line + end for line in lines))
    offsets = [sum(len(line) + len(end) for line in lines[:place]) for place in places]
    done = Replayed(meadow, file, "--batch", batch)
    assert done.alerts == expected
    assert done.reasons == [reason for _, reason in BAD_LINES]
    assert [letter["offset"] for letter in done.letters] == offsets
    assert {letter["source"] for letter in done.letters} == {str(file)}
    assert all(set(letter) == {"reason", "source", "offset", "raw"} for letter in done.letters)
    for letter, (line, _) in zip(done.letters, BAD_LINES, strict=True):
        assert base64.b64decode(letter["raw"]).rstrip(b"\r") == line[:LARGEST]
    assert done.report["rejected"] == dict(Counter(reason for _, reason in BAD_LINES))
    assert done.report["fixes_read"] == len(lines)
    assert done.report["fixes_judged"] == len(GOOD)


@pytest.mark.parametrize("batch", [1, 2, 3, 16384])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"])
def test_csv(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path, batch: int, end: bytes) -> None:
    """Reason, row and raw text of each bad row; a blank line is none."""
    good = [b",".join(str(record.get(name, "")).encode() for name in HEADER.decode().split(",")) for record in GOOD]
    rows, places = spread(good, [row for row, _ in BAD_ROWS])
    file = tmp_path / "fixes.csv"
    file.write_bytes(b"".join(row + end for row in [HEADER, *rows]))
    done = Replayed(meadow, file, "--batch", batch)
    assert done.alerts == expected
    assert done.reasons == [reason for _, reason in BAD_ROWS]
    assert [letter["row"] for letter in done.letters] == places
    assert {letter["source"] for letter in done.letters} == {str(file)}
    for letter, (row, _) in zip(done.letters, BAD_ROWS, strict=True):
        assert base64.b64decode(letter["raw"]).rstrip(b"\r\n") == row[:LARGEST]
    assert done.report["fixes_read"] == len(rows)


@pytest.mark.parametrize("batch", [1, 3, 16384])
@pytest.mark.parametrize("row_group", [7, 1000])
def test_parquet(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path, batch: int, row_group: int) -> None:
    """Reason, row, and the row as JSON, whatever the row groups."""
    rows, places = spread(GOOD, [values for values, _ in BAD_VALUES])
    columns = {
        "subject": pa.string(),
        "time": pa.int64(),
        "lon": pa.float64(),
        "lat": pa.float64(),
        "accuracy_m": pa.float64(),
        "received": pa.int64(),
    }
    table = pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in columns.items()})
    file = tmp_path / "fixes.parquet"
    pq.write_table(table, file, row_group_size=row_group)
    done = Replayed(meadow, file, "--batch", batch)
    assert done.alerts == expected
    assert done.reasons == [reason for _, reason in BAD_VALUES]
    assert [letter["row"] for letter in done.letters] == places
    for letter, (values, _) in zip(done.letters, BAD_VALUES, strict=True):
        raw = orjson.loads(base64.b64decode(letter["raw"]))
        assert raw["subject"] == values["subject"]
        assert raw["time"] == values["time"]


def test_a_column_of_another_type(meadow: Meadow, tmp_path: Path) -> None:
    """Each row has its reason; nothing crashes."""
    file = tmp_path / "fixes.parquet"
    rows = len(GOOD)
    table = pa.table(
        {
            "subject": [record["subject"] for record in GOOD],
            "time": [record["time"] for record in GOOD],
            "lon": [[121.0]] * rows,
            "lat": [31.05] * rows,
        }
    )
    pq.write_table(table, file)
    assert Replayed(meadow, file).report["rejected"] == {"wrong_type": rows}


def test_optional_fields_of_no_use(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    """They count as absent and are counted; the fix is judged."""
    wrong = {"speed_mps": -1, "heading_deg": 361, "battery_pct": 255, "positioning": "stars", "tamper": "maybe", "separated": 3}
    file = tmp_path / "fixes.jsonl"
    file.write_bytes(b"\n".join(lines_of([{**record, **wrong, "unknown": {"a": [1]}} for record in GOOD])))
    done = Replayed(meadow, file)
    assert done.alerts == expected
    assert not done.letters
    assert done.report["fields_ignored"] == dict.fromkeys(wrong, len(GOOD))


def test_a_line_of_megabytes_without_end(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    """50 MB before and after the good records: too large, once each, and of the raw text the first 64 KiB."""
    endless = b'{"subject":"' + b"y" * 50_000_000
    file = tmp_path / "fixes.jsonl"
    file.write_bytes(endless + b"\n" + b"\n".join(lines_of(GOOD)) + b"\n" + endless)
    done = Replayed(meadow, file)
    assert done.alerts == expected
    assert done.reasons == ["too_large", "too_large"]
    assert [letter["offset"] for letter in done.letters] == [0, file.stat().st_size - len(endless)]
    assert all(base64.b64decode(letter["raw"]) == endless[:LARGEST] for letter in done.letters)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_byte_order_mark(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path, form: str) -> None:
    """At the beginning of a file it is nothing."""
    file = tmp_path / f"fixes.{form}"
    if form == "csv":
        rows = [HEADER, *(b",".join(str(record.get(n, "")).encode() for n in HEADER.decode().split(",")) for record in GOOD)]
    else:
        rows = lines_of(GOOD)
    file.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(rows))
    done = Replayed(meadow, file, "--batch", 7)
    assert done.alerts == expected
    assert not done.letters


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n \n\t\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_file_without_records(meadow: Meadow, tmp_path: Path, form: str, content: bytes) -> None:
    """It is read, and that is all."""
    file = tmp_path / f"fixes.{form}"
    file.write_bytes(content)
    done = Replayed(meadow, file)
    assert done.report["fixes_read"] == 0
    assert not done.letters


def test_standard_input(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    """The source of its dead letters is the name as given."""
    lines, places = spread(lines_of(GOOD), [b"{", b"[]"])
    done = Replayed(meadow, "-", stdin=b"\n".join(lines), folder=tmp_path)
    assert done.alerts == expected
    assert [letter["source"] for letter in done.letters] == ["-", "-"]
    assert done.letters[1]["offset"] == sum(len(line) + 1 for line in lines[: places[1]])


@pytest.mark.parametrize("cut", [3, 200, -5])
def test_a_gzip_cut_short(meadow: Meadow, tmp_path: Path, cut: int) -> None:
    """One sentence and exit 1; what came before the cut is judged and told."""
    file, out = tmp_path / "fixes.jsonl.gz", tmp_path / "out.jsonl"
    file.write_bytes(gzip.compress(b"\n".join(lines_of(GOOD)))[:cut])
    done = fencewatch("replay", file, "--registry", meadow.registry, "--alerts-out", out, "--batch", 10)
    assert done.code == 1
    assert len(done.said) == 1, done.err
    assert done.said[0].startswith(f"fencewatch: {file}: cannot be read: ")


def test_offsets_count_after_decompression(meadow: Meadow, tmp_path: Path) -> None:
    """Of a compressed file the place is that in the text."""
    lines, places = spread(lines_of(GOOD), [b"{", b"[]"])
    file = tmp_path / "fixes.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(lines)))
    done = Replayed(meadow, file)
    assert [letter["offset"] for letter in done.letters] == [0, sum(len(line) + 1 for line in lines[: places[1]])]


def test_left_out_by_time(meadow: Meadow, tmp_path: Path) -> None:
    """Bad records outside `--from` and `--to` are as if they had not been there; whose time cannot be read are told."""
    lines = [
        b'{"subject":"nobody","time":%d,%s}' % (START_MS - 1, PLACE),
        b'{"subject":"nobody","time":%d,%s}' % (START_MS, PLACE),
        b'{"subject":"nobody","time":%d,%s}' % (START_MS + 1000, PLACE),
        b'{"subject":"s-1","time":%d,%s,"battery_pct":-1}' % (START_MS - 1, PLACE),
        b"{",
    ]
    file = tmp_path / "fixes.jsonl"
    file.write_bytes(b"\n".join(lines))
    done = Replayed(meadow, file, "--from", START_MS, "--to", START_MS + 1000)
    assert done.reasons == ["unknown_subject", "undecodable"]
    assert done.report["fixes_read"] == 2
    assert done.report["fields_ignored"] == {}
