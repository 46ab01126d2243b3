"""Files as a source: forms, compressions, folders, pipes, foreign names; from any position a later run goes on exactly there."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operators.fix_batch import FixBatch
from pipeline.sources.files import FileOptions, FileStream, Position
from pipeline.sources.formats import UnreadableError, files_below
from pipeline.sources.lines import LONGEST_KEPT
from tests.pipeline.commands import LATEST_S, alerts_in, fencewatch, start, told
from tests.pipeline.listeners import until
from tests.pipeline.meadow import START_MS, Meadow, Record, good_records, lines_of

GOOD = good_records()
COLUMNS = ("subject", "time", "lon", "lat", "accuracy_m")
FORMS = ("jsonl", "csv", "parquet")
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": lambda data: _through(pa.CompressedOutputStream, data, "zstd"),
}
FILES = [f"fixes.{form}{ending}" for form in FORMS for ending in COMPRESSIONS]


def _through(stream: Any, data: bytes, compression: str) -> bytes:  # noqa: ANN401 - an Arrow class
    sink = pa.BufferOutputStream()
    with stream(sink, compression) as out:
        out.write(data)
    return sink.getvalue().to_pybytes()


def content(form: str, records: list[Record], names: tuple[str, ...] = COLUMNS) -> bytes:
    """Records as a file of a form, its columns under other names where asked."""
    rows = [{theirs: record[ours] for ours, theirs in zip(COLUMNS, names, strict=True)} for record in records]
    if form == "jsonl":
        return b"\n".join(lines_of(rows)) + b"\n"
    if form == "csv":
        lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
        return "\r\n".join(lines).encode()
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=37)
    return out.getvalue()


def write(folder: Path, name: str, records: list[Record], names: tuple[str, ...] = COLUMNS) -> Path:
    """A file of the form and compression that its name says."""
    file = folder / name
    form, ending = file.suffixes[0].removeprefix("."), "".join(file.suffixes[1:])
    file.write_bytes(COMPRESSIONS[ending](content(form, records, names)))
    return file


@pytest.fixture(scope="module")
def meadow(tmp_path_factory: pytest.TempPathFactory) -> Meadow:
    """The registry."""
    return Meadow.make(tmp_path_factory.mktemp("meadow") / "registry")


@pytest.fixture(scope="module")
def expected(meadow: Meadow, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the records tell."""
    folder = tmp_path_factory.mktemp("plain")
    alerts = replayed(meadow, folder, write(folder, "fixes.jsonl", GOOD))
    assert len(alerts) > 20
    return alerts


def replayed(meadow: Meadow, folder: Path, *arguments: object, stdin: bytes = b"") -> list[dict[str, Any]]:
    """The alerts of a replay in this process."""
    out = folder / "alerts.jsonl"
    done = fencewatch("replay", *arguments, "--registry", meadow.registry, "--alerts-out", out, stdin=stdin)
    assert done.code == 0, done.err
    return told(alerts_in(out))


@pytest.mark.parametrize("name", FILES)
def test_forms_and_compressions(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path, name: str) -> None:
    """By the name alone."""
    assert replayed(meadow, tmp_path, write(tmp_path, name, GOOD)) == expected


@pytest.mark.parametrize("form", FORMS)
def test_the_form_asked_for(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path, form: str) -> None:
    """`--format` where the name says nothing, or something else."""
    for name in ("fixes", "fixes.txt"):
        file = tmp_path / name
        file.write_bytes(content(form, GOOD))
        assert replayed(meadow, tmp_path, file, "--format", form) == expected


@pytest.mark.parametrize("form", FORMS)
def test_standard_input_and_pipes(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path, form: str) -> None:
    """`-`, and what a shell gives for <(...)."""
    data = content(form, GOOD)
    assert replayed(meadow, tmp_path, "-", "--format", form, stdin=data) == expected
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert replayed(meadow, tmp_path, pipe, "--format", form) == expected
    writer.join()


@pytest.mark.parametrize("form", FORMS)
def test_foreign_names(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path, form: str) -> None:
    """`--columns`, also where one of theirs has the name of another of ours."""
    file = write(tmp_path, f"fixes.{form}", GOOD, ("who", "ts", "lat", "lon", "acc"))
    assert replayed(meadow, tmp_path, file, "--columns", "subject=who,time=ts,lon=lat,lat=lon,accuracy_m=acc") == expected


def test_columns_that_are_missing(meadow: Meadow, tmp_path: Path) -> None:
    """Every record is rejected with its reason, and the columns are named at once; an empty file lacks nothing."""
    files = [write(tmp_path, f"fixes.{form}", GOOD, ("who", "time", "lon", "lat", "acc")) for form in ("csv", "parquet")]
    (tmp_path / "empty.csv").write_bytes(b"\n")
    report = tmp_path / "report.json"
    running = start(
        "replay", *files, tmp_path / "empty.csv", "--registry", meadow.registry, "--report", report, stderr=subprocess.PIPE
    )  # fmt: skip
    _, said = running.communicate(timeout=LATEST_S)
    assert running.returncode == 0
    warnings = [orjson.loads(line) for line in said.splitlines() if line.startswith(b"{")]
    assert [(warning["file"], warning["missing"]) for warning in warnings] == [(str(file), ["subject"]) for file in files]
    assert orjson.loads(report.read_bytes())["rejected"] == {"missing_field": 2 * len(GOOD)}


@pytest.mark.parametrize("form", FORMS)
def test_from_and_to(meadow: Meadow, tmp_path: Path, form: str) -> None:
    """`--from` is included, `--to` is not; as if the others had not been there."""
    first, last = START_MS + 7 * 60_000, START_MS + 40 * 60_000
    inside = [record for record in GOOD if first <= record["time"] < last]
    alone = replayed(meadow, tmp_path, write(tmp_path, "inside.jsonl", inside))
    file = write(tmp_path, f"fixes.{form}", GOOD)
    assert replayed(meadow, tmp_path, file, "--from", first, "--to", last) == alone
    assert replayed(meadow, tmp_path, file, "--from", "2024-03-04T08:07:00+08:00", "--to", "2024-03-04T00:40:00Z") == alone


def test_a_folder_is_read_sorted_by_path(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    """With all below it; hidden files and those whose form nobody knows are left out."""
    tracks = tmp_path / "tracks"
    parts = [GOOD[k * 30 : (k + 1) * 30] for k in range(6)]
    names = ["a/9.jsonl", "a/b/1.csv", "a.jsonl.gz", "b.parquet", "b/0.jsonl.zst", "c.ndjson"]
    order = [tracks / name for name in sorted(names, key=lambda name: (tracks / name).parts)]
    for path, part in zip(order, parts, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path.parent, path.name, part) if path.suffix != ".ndjson" else path.write_bytes(content("jsonl", part))
    for strange in ("a/.hidden.jsonl", ".hidden/x.jsonl", "README.txt", "a/notes"):
        (tracks / strange).parent.mkdir(exist_ok=True)
        (tracks / strange).write_text("not for us\n")
    assert files_below([str(tracks)]) == [str(path) for path in order]
    assert replayed(meadow, tmp_path, tracks) == expected


def test_files_are_read_as_given(meadow: Meadow, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    """One after another, as one stream, whatever their names and forms."""
    files = [write(tmp_path, name, GOOD[k * 60 : (k + 1) * 60]) for k, name in enumerate(("z.parquet", "a.csv.gz", "m.jsonl"))]
    assert replayed(meadow, tmp_path, *files) == expected


def test_whose_track_it_is(meadow: Meadow, tmp_path: Path) -> None:
    """In GPX the subject is `--subject`, else the file's stem."""
    points = "".join(
        f'<trkpt lat="{record["lat"]}" lon="{record["lon"]}"><time>2024-03-04T00:{k:02d}:00Z</time></trkpt>'
        for k, record in enumerate(record for record in GOOD if record["subject"] == "s-1")
    )
    text = f'<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"><trk><trkseg>{points}</trkseg></trk></gpx>'
    (tmp_path / "s-1.gpx").write_text(text)
    (tmp_path / "track.gpx").write_text(text)
    (tmp_path / "track.gpx.gz").write_bytes(gzip.compress(text.encode()))
    mine = replayed(meadow, tmp_path, tmp_path / "s-1.gpx")
    assert {alert["subject"] for alert in mine} == {"s-1"}
    assert replayed(meadow, tmp_path, tmp_path / "track.gpx") == []
    for name in ("track.gpx", "track.gpx.gz"):
        assert replayed(meadow, tmp_path, tmp_path / name, "--subject", "s-1") == mine
    theirs = replayed(meadow, tmp_path, tmp_path / "s-1.gpx", "--subject", "s-2")
    assert {alert["subject"] for alert in theirs} == {"s-2"}


def rows_of(batch: FixBatch) -> list[tuple[object, ...]]:
    """What a batch says of each record, and where it stands; as texts, for NaN is not equal to itself."""
    found: list[tuple[object, ...]] = []
    for i in range(len(batch)):
        begin, length = int(batch.id_start[i]), int(batch.id_len[i])
        subject = batch.ids[begin : begin + length].tobytes()
        place = tuple(batch.place(i).items())
        found.append((subject, int(batch.time_ms[i]), str(batch.lon[i]), int(batch.fault[i]), place, batch.raw(i)))
    return found


def read(files: list[Path], batch: int, start: Position | None = None, chunks: int | None = None) -> tuple[list[Any], Position]:
    """Some chunks from a position on, and the position behind them."""
    stream = FileStream([str(file) for file in files], FileOptions(batch=batch), start)
    rows = [row for chunk in islice(stream, chunks) for row in rows_of(chunk.decode())]
    return rows, stream.position


@pytest.mark.parametrize("name", [*FILES, "fixes.plt"])
@pytest.mark.parametrize("batch", [1, 13, 1000])
def test_going_on_in_the_middle(tmp_path: Path, name: str, batch: int) -> None:
    """Stopped after any number of batches, in the middle of any of three files, every record comes once, with the same place."""
    if name == "fixes.plt":
        head = "Geolife\nWGS 84\nAltitude\nReserved 3\n0,2\n0\n"
        rows = [f"{31 + k / 100},121.05,0,0,0,2024-03-04,00:{k:02d}:00\r\n" for k in range(60)]
        (tmp_path / name).write_text(head + "".join(rows[:20]) + "broken\n" + "".join(rows[20:]))
        file = tmp_path / name
    else:
        file = write(tmp_path, name, GOOD)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    files = [file, tmp_path / "empty.jsonl", file]
    whole, end = read(files, batch)
    assert end.ended
    count = sum(1 for _ in FileStream([str(path) for path in files], FileOptions(batch=batch)))
    for chunks in sorted({0, 1, 2, count // 3, count // 2, count - 1, count}):
        first, position = read(files, batch, chunks=chunks)
        rest, _ = read(files, 7, position)
        assert first + rest == whole
    assert read(files, batch, end)[0] == []


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_going_on_behind_a_line_that_is_too_long(tmp_path: Path, form: str) -> None:
    """The rest of a line of which only the beginning was taken is no record."""
    file = tmp_path / f"fixes.{form}"
    head, *lines = content("csv", GOOD[:4]).splitlines() if form == "csv" else [b"", *lines_of(GOOD[:4])]
    long = b"y" * (3 * LONGEST_KEPT)
    file.write_bytes(b"\n".join([head, *lines[:2], long, *lines[2:]]) + b"\n")
    whole, _ = read([file], 1)
    for chunks in range(1, 6):
        first, position = read([file], 1, chunks=chunks)
        rest, _ = read([file], 1, position)
        assert first + rest == whole
    assert len(whole) == 5


def test_a_file_that_grows(tmp_path: Path) -> None:
    """What was appended since is read at the next run; a half line that was taken for a record stays that."""
    file = tmp_path / "fixes.jsonl"
    lines = lines_of(GOOD[:6])
    file.write_bytes(b"\n".join(lines[:2]) + b"\n")
    first, position = read([file], 100)
    file.write_bytes(b"\n".join(lines[:4]) + b"\n" + lines[4][:20])
    second, position = read([file], 100, position)
    file.write_bytes(b"\n".join(lines) + b"\n")
    third, position = read([file], 100, position)
    assert [len(rows) for rows in (first, second, third)] == [2, 3, 1]
    assert read([file], 100, position)[0] == []


def test_other_files_than_before(tmp_path: Path) -> None:
    """New ones alone, once the old are read to the end; not in their middle, nor in another order."""
    one, two, three = (write(tmp_path, f"{name}.jsonl", GOOD[:10]) for name in ("one", "two", "three"))
    _, middle = read([one, two], 4, chunks=1)
    _, end = read([one], 4)
    assert len(read([one, two], 4, end)[0]) == 10
    assert len(read([two, three], 4, end)[0]) == 20
    relative = Path(os.path.relpath(one))
    assert len(read([relative, two], 4, end)[0]) == 10
    for files, position in (([two], middle), ([two, one], middle), ([two, one], end)):
        with pytest.raises(UnreadableError, match="do not begin with"):
            read(files, 4, position)


def test_a_header_without_end(meadow: Meadow, tmp_path: Path) -> None:
    """Megabytes without a line feed are no header: one sentence, at once."""
    file = tmp_path / "fixes.csv"
    file.write_bytes(b"x" * 5_000_000)
    refused = fencewatch("replay", file, "--registry", meadow.registry)
    assert refused.code == 1
    assert len(refused.said) == 1
    assert "its first line, which should be the header, is longer than" in refused.err


@pytest.mark.parametrize("name", ["fixes.jsonl.gz", "fixes.jsonl.zst", "fixes.csv.gz", "fixes.parquet", "fixes.parquet.gz"])
def test_a_file_that_is_not_what_its_name_says(meadow: Meadow, tmp_path: Path, name: str) -> None:
    """One sentence with its name, exit 1; the files before it are judged, and the state stands before it."""
    before, file = write(tmp_path, "before.jsonl", GOOD[:90]), tmp_path / name
    file.write_bytes(b"this is no such thing\n" * 10)
    report, state = tmp_path / "report.json", tmp_path / "state"
    options = ("--registry", meadow.registry, "--state", state, "--alerts-out", tmp_path / "alerts.jsonl")
    failed = fencewatch("replay", before, file, *options)
    assert failed.code == 1
    assert len(failed.said) == 1, failed.err
    assert failed.said[0].startswith(f"fencewatch: {file}: cannot be read: ")
    write(tmp_path, name, GOOD[90:])
    mended = fencewatch("replay", before, file, *options, "--report", report)
    assert mended.code == 0, mended.err
    assert orjson.loads(report.read_bytes())["fixes_read"] == 90
    assert len(told(alerts_in(tmp_path / "alerts.jsonl"))) > 20


def test_a_stop_while_a_pipe_waits(meadow: Meadow, tmp_path: Path) -> None:
    """Whoever writes to it may be silent for hours: the replay ends all the same, with what has come, and is not at its end."""
    out = tmp_path / "alerts.jsonl"
    running = start(
        "replay", "-", "--registry", meadow.registry, "--alerts-out", out, "--batch", 9, "--until", START_MS + 86_400_000,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdin is not None
    running.stdin.write(content("jsonl", GOOD)[:-50])
    running.stdin.flush()
    until(lambda: out.exists() and len(alerts_in(out)) > 20)
    running.send_signal(signal.SIGTERM)
    assert running.wait(LATEST_S) == 0
    assert running.stderr is not None
    assert "stopped before the end" in running.stderr.read().decode()
    assert "silent" not in {alert["data"]["kind"] for alert in alerts_in(out)}, "what --until brings comes behind the last record"
    running.stdin.close()
    running.stderr.close()


def test_a_stop_while_a_pace_waits(meadow: Meadow, tmp_path: Path) -> None:
    """Between two records lies a year: with --speed 1 the replay ends all the same, and the next run has the rest."""
    later = [{**record, "time": record["time"] + 365 * 86_400_000} for record in GOOD]
    file, out = write(tmp_path, "fixes.jsonl", [*GOOD[:3], *later]), tmp_path / "alerts.jsonl"
    options = (file, "--registry", meadow.registry, "--state", tmp_path / "state", "--alerts-out", out)
    running = start("replay", *options, "--speed", 1, "--batch", 1, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until(out.exists)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=LATEST_S)
    assert running.returncode == 0, said.decode()
    report = tmp_path / "report.json"
    assert fencewatch("replay", *options, "--report", report).code == 0
    assert orjson.loads(report.read_bytes())["fixes_read"] >= len(GOOD) - 1
