"""Files of alerts are whole after every batch, go on after a crash, and hold no id twice."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from sinks.alert_files import alert_file
from tests.sinks.alert_examples import alert, encoded

FORMS = pytest.mark.parametrize("name", ["alerts.jsonl", "alerts.geojson"])


def ids(path: Path) -> list[str]:
    """The ids in a file, in order."""
    if path.suffix == ".geojson":
        collection = orjson.loads(path.read_bytes())
        assert collection["type"] == "FeatureCollection"
        return [feature["id"] for feature in collection["features"]]
    return [orjson.loads(line)["id"] for line in path.read_bytes().splitlines()]


@FORMS
def test_file_is_whole_after_each_batch(name: str, tmp_path: Path) -> None:
    """A reader beside the run finds every alert of the batches written so far, also before the first."""
    path = tmp_path / name
    alerts = alert_file(path)
    assert ids(path) == []
    written = []
    for first in range(0, 9, 3):
        batch = encoded(alert(i) for i in range(first, first + 3))
        assert alerts.write(batch) == 3
        assert alerts.write([]) == 0
        written += [one.id for one, _ in batch]
        assert ids(path) == written
    alerts.sync()
    alerts.close()
    assert ids(path) == written


@FORMS
def test_a_new_run_starts_empty(name: str, tmp_path: Path) -> None:
    """What an earlier run wrote is not mixed in."""
    for number in (1, 2):
        alerts = alert_file(tmp_path / name)
        alerts.write(encoded([alert(number)]))
        alerts.close()
    assert ids(tmp_path / name) == [alert(2).id]


@FORMS
@pytest.mark.parametrize("cut", [0, 1, 4, 40, 700, 1500, 100_000])
def test_a_continued_run_mends_a_cut_file(name: str, cut: int, tmp_path: Path) -> None:
    """A crash anywhere in the last write: whole alerts are kept, the rest is written again, none twice."""
    path = tmp_path / name
    batch = encoded(alert(i) for i in range(6))
    alerts = alert_file(path)
    alerts.write(batch[:3])
    alerts.close()
    content = path.read_bytes()
    path.write_bytes(content[: max(0, len(content) - cut)])
    alerts = alert_file(path, resume=True)
    assert 3 <= alerts.write(batch) <= 6
    assert alerts.write(batch) == 0
    alerts.close()
    assert ids(path) == [one.id for one, _ in batch]


@FORMS
def test_a_continued_run_may_begin(name: str, tmp_path: Path) -> None:
    """Where there is no file yet, going on is starting."""
    alerts = alert_file(tmp_path / name, resume=True)
    alerts.write(encoded([alert(1)]))
    alerts.close()
    assert ids(tmp_path / name) == [alert(1).id]


def test_json_lines_are_the_events(tmp_path: Path) -> None:
    """Byte for byte what Redis carries."""
    batch = encoded([alert(1), alert(1, "cleared")])
    alerts = alert_file(tmp_path / "alerts.jsonl")
    alerts.write(batch)
    alerts.close()
    assert (tmp_path / "alerts.jsonl").read_bytes() == b"".join(event + b"\n" for _, event in batch)


def test_features_are_points_with_what_a_map_shows(tmp_path: Path) -> None:
    """Longitude first; an alert without a position is a feature without a point."""
    path = tmp_path / "alerts.geojson"
    alerts = alert_file(path)
    alerts.write(encoded([alert(1), alert(2, lon=None, lat=None, kind="silent")]))
    alerts.close()
    here, nowhere = orjson.loads(path.read_bytes())["features"]
    assert here["geometry"] == {"type": "Point", "coordinates": [121.25, 31.375]}
    assert here["properties"]["subject"] == "p-000001"
    assert here["properties"]["kind"] == "left_area"
    assert here["properties"]["type"] == "fencewatch.alert.opened"
    assert nowhere["geometry"] is None


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A folder that is not there."""
    with pytest.raises(FileNotFoundError):
        alert_file(tmp_path / "nowhere" / "alerts.jsonl")
    with pytest.raises(FileNotFoundError):
        alert_file(tmp_path / "nowhere" / "alerts.geojson")


def test_alerts_may_go_to_a_pipe() -> None:
    """`--alerts-out /dev/stdout` has nothing to sync and is no error."""
    alerts = alert_file(Path("/dev/null"))
    assert alerts.write(encoded([alert(1)])) == 1
    alerts.sync()
    alerts.close()
