"""Files of simulated fixes: every form holds the same fixes, read back with other means than they were written with."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from pipeline.simulate_command import simulate
from pipeline.worlds.track_files import write_csv, write_jsonl, write_parquet
from pipeline.worlds.track_forms import carried_by, write_gpx, write_plt, write_traccar
from pipeline.worlds.track_text import time_ms_of, time_texts
from pipeline.worlds.world import make_world

Row = dict[str, Any]


@pytest.fixture(scope="module")
def fixes() -> pa.Table:
    """Fixes of a small world over midnight (UTC): some without position, some with flags."""
    table = make_world(seed=21, subjects=26, hours=1.5, start="2026-03-02T07:00:00+08:00").fixes()
    assert 0 < table["lon"].null_count < 0.1 * len(table)
    assert table["tamper"].null_count < len(table)
    return table


def rows_of(table: pa.Table) -> list[Row]:
    """The rows, times as UTC milliseconds, what is null left out."""
    times = {name: time_ms_of(table[name]).tolist() for name in ("time", "received") if name in table.column_names}
    rows = table.to_pylist()
    for name, values in times.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def milliseconds(text: str) -> int:
    """An RFC 3339 time as UTC milliseconds."""
    moment = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (moment.days * 86_400 + moment.seconds) * 1000 + moment.microseconds // 1000


def of_text(row: Row) -> Row:
    """A row as read from text, times as milliseconds, numbers as numbers."""
    for name, value in row.items():
        if name in ("time", "received"):
            row[name] = milliseconds(value)
        elif value in ("true", "false"):
            row[name] = value == "true"
        elif name not in ("subject", "positioning") and not isinstance(value, bool):
            row[name] = float(value)
    return row


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_json_lines_and_csv_hold_the_fixes(tmp_path: Path, fixes: pa.Table, compression: Any) -> None:  # noqa: ANN401 - one of the command's words
    """Every value comes back exactly; absent fields are no keys and empty cells."""
    expected = rows_of(fixes)
    for write, name in ((write_jsonl, "fixes.jsonl"), (write_csv, "fixes.csv")):
        write(fixes, tmp_path / name, compression)
        raw = (tmp_path / name).read_bytes()
        if compression == "gzip":
            raw = gzip.decompress(raw)
        elif compression == "zstd":
            raw = pa.input_stream(pa.py_buffer(raw), compression="zstd").read()
        if name.endswith("csv"):
            got = [{key: value for key, value in row.items() if value != ""} for row in csv.DictReader(io.StringIO(raw.decode()))]
        else:
            got = [json.loads(line) for line in raw.decode().splitlines()]
        assert [of_text(row) for row in got] == expected


def test_parquet_holds_the_fixes(tmp_path: Path, fixes: pa.Table) -> None:
    """Plain text columns, UTC milliseconds, nulls; written in parts or whole it reads the same."""
    write_parquet(fixes, tmp_path / "whole.parquet")
    write_parquet((fixes.slice(first, 100) for first in range(0, len(fixes), 100)), tmp_path / "parts.parquet", "none")
    for name in ("whole", "parts"):
        read = pq.read_table(tmp_path / f"{name}.parquet")
        assert read.schema.field("subject").type == pa.string()
        assert read.schema.field("time").type == pa.timestamp("ms", "UTC")
        assert rows_of(read) == rows_of(fixes)


def test_awkward_subjects_are_escaped(tmp_path: Path) -> None:
    """Quotes, commas, line ends and Chinese in ids survive JSON lines and CSV."""
    ids = ['a"b', "c,d", "e\\f", "社区矫正-甲", " g "]
    times = pa.array(range(5), pa.timestamp("ms", "UTC"))
    numbers = pa.array([1.5, float("nan"), None, 1e-7, 100.0])
    table = pa.table(
        {"subject": pa.array(ids), "time": times, "lon": numbers, "tamper": pa.array([True, False, None, True, False])}
    )
    write_jsonl(table, tmp_path / "t.jsonl")
    write_csv(table, tmp_path / "t.csv")
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [row["subject"] for row in lines] == ids
    assert [row.get("lon") for row in lines] == [1.5, None, None, 1e-7, 100.0]
    assert [row.get("tamper") for row in lines] == [True, False, None, True, False]
    with (tmp_path / "t.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [row["subject"] for row in cells] == ids
    assert [row["lon"] for row in cells] == ["1.5", "", "", "1e-7", "100"]


def test_time_texts_equal_the_standard_library() -> None:
    """Times from 1990 to 2100, at random and at the borders of days."""
    rng = np.random.default_rng(1)
    times = np.concatenate([rng.integers(631_152_000_000, 4_102_444_800_000, 500), np.arange(20_000, 20_010) * 86_400_000 - 1])
    expected = [datetime.fromtimestamp(t // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{t % 1000:03d}Z" for t in times.tolist()]
    assert time_texts(times).to_pylist() == expected


def test_gpx_holds_what_it_carries(tmp_path: Path, fixes: pa.Table) -> None:
    """A file a subject, points in the order of arrival with time, longitude and latitude."""
    write_gpx(fixes, tmp_path)
    got = []
    for path in sorted(tmp_path.iterdir()):
        for point in ET.parse(path).iter("{http://www.topografix.com/GPX/1/1}trkpt"):  # noqa: S314 - a file of our own
            time = point.findtext("{http://www.topografix.com/GPX/1/1}time")
            assert time is not None
            place = {"lon": float(point.attrib["lon"]), "lat": float(point.attrib["lat"])}
            got.append({"subject": path.stem, "time": milliseconds(time), **place})
    assert got == sorted(rows_of(carried_by(fixes, "gpx")), key=lambda row: str(row["subject"]))


def test_plt_holds_what_it_carries(tmp_path: Path, fixes: pa.Table) -> None:
    """GeoLife's folders: six lines of head, then latitude, longitude, 0, altitude, days since 1899-12-30, date, time."""
    write_plt(fixes, tmp_path)
    got = []
    for path in sorted(tmp_path.rglob("*.plt")):
        assert path.relative_to(tmp_path).parts[::2] == ("Data", "Trajectory")
        lines = path.read_text().splitlines()
        assert lines[0] == "Geolife trajectory"
        for line in lines[6:]:
            lat, lon, _, _, days, date, clock = line.split(",")
            time_ms = milliseconds(f"{date}T{clock}Z")
            assert abs((float(days) - 25_569) * 86_400_000 - time_ms) < 100
            got.append({"subject": path.parts[-3], "time": time_ms, "lon": float(lon), "lat": float(lat)})
    assert got == sorted(rows_of(carried_by(fixes, "plt")), key=lambda row: str(row["subject"]))


def test_traccar_lines_hold_what_they_carry(tmp_path: Path, fixes: pa.Table) -> None:
    """Position and device objects; speed in knots; what Traccar does not know is 0."""
    write_traccar(fixes, tmp_path / "t.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    expected = rows_of(carried_by(fixes, "traccar"))
    assert len(lines) == len(expected)
    for line, row in zip(lines, expected, strict=True):
        position = line["position"]
        assert line["device"]["uniqueId"] == row["subject"]
        assert milliseconds(position["fixTime"]) == row["time"]
        assert milliseconds(position["serverTime"]) == row["received"]
        assert (position["longitude"], position["latitude"], position["accuracy"]) == (row["lon"], row["lat"], row["accuracy_m"])
        assert position["speed"] * 1852 / 3600 == pytest.approx(row["speed_mps"])
        assert position["course"] == row.get("heading_deg", 0.0)
        assert position["attributes"]["batteryLevel"] == row["battery_pct"]
        assert position["deviceId"] == line["device"]["id"]


def command(*arguments: str) -> Any:  # noqa: ANN401 - click's Result is typer's own affair
    """`fencewatch simulate` with these arguments."""
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, list(arguments))


def test_the_command_writes_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    """Registry, fixes in all forms and breaches, twice; the closing line says how many."""
    for name in ("one", "two"):
        options = ["--subjects", "20", "--hours", "1", "--seed", "5", "--format", "all", "--compress", "gzip"]
        result = command(*options, "--out", str(tmp_path / name))
        assert result.exit_code == 0, result.output
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()} for name in ("one", "two")]
    assert files[0] == files[1]
    assert {"fixes.jsonl.gz", "fixes.csv.gz", "fixes.parquet", "breaches.jsonl", "rules.jsonl"} <= set(files[0])
    breaches = [json.loads(line) for line in files[0]["breaches.jsonl"].splitlines()]
    assert f"{len(breaches)} breaches" in result.output
    assert set(breaches[0]) == {
        "subject",
        "slot",
        "kind",
        "onset_from",
        "onset_to",
        "cleared_from",
        "cleared_to",
        "regions",
        "story",
        "level",
        "reason",
        "late",
    }


def test_the_command_refuses_what_makes_no_world(tmp_path: Path) -> None:
    """Exit 2 and a sentence."""
    result = command("--start", "monday", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "monday" in result.output
