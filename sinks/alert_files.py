"""Alerts to a file: JSON lines, or GeoJSON features for a map where the name ends in `.geojson`.

Either file is whole after every call: what a batch brings is written and flushed at its end. A run that goes on with the file of
an earlier one drops a line that a crash cut off and writes no id twice.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import orjson

from operators.alert import Alert

GEOJSON_HEAD = b'{"type":"FeatureCollection","features":[\n'
GEOJSON_TAIL = b"\n]}\n"


class AlertFile(Protocol):
    """What a file of alerts does, whatever its form."""

    def write(self, batch: Sequence[tuple[Alert, bytes]]) -> int:
        """Write the alerts whose id is not in the file yet; returns how many."""

    def sync(self) -> None:
        """Make what was written outlive the machine (fsync); called at each snapshot."""

    def close(self) -> None:
        """Close the file."""


def alert_file(path: Path, *, resume: bool = False) -> AlertFile:
    """The file for a path by its ending. `resume`: go on with what is there, else start empty. Raises OSError."""
    if path.suffix == ".geojson":
        return GeojsonAlerts(path, resume=resume)
    return JsonLinesAlerts(path, resume=resume)


class JsonLinesAlerts:
    """One CloudEvent a line."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self._file, lines = open_lines(path, resume=resume)
        self._ids = {orjson.loads(line)["id"] for line in lines}

    def write(self, batch: Sequence[tuple[Alert, bytes]]) -> int:
        """Write the alerts whose id is not in the file yet; returns how many."""
        new = _new(batch, self._ids)
        self._file.write(b"".join(event + b"\n" for _, event in new))
        self._file.flush()
        return len(new)

    def sync(self) -> None:
        """Make what was written outlive the machine."""
        _sync(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class GeojsonAlerts:
    """A FeatureCollection with a feature a line.

    A feature is a point (null where the alert has no position) with the alert's id; its properties are those of the event's
    `data` beside `alert` (the id once more), `type`, `time` and `subject`.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        features = _features(path) if resume else []
        self._ids: set[str] = {orjson.loads(feature)["id"] for feature in features}
        whole = GEOJSON_HEAD + b",\n".join(features) + GEOJSON_TAIL
        beside = path.with_name(path.name + ".new")
        beside.write_bytes(whole)
        beside.replace(path)
        self._file: BinaryIO = path.open("r+b")
        self._end = len(whole) - len(GEOJSON_TAIL)

    def write(self, batch: Sequence[tuple[Alert, bytes]]) -> int:
        """Write the alerts whose id is not in the file yet; returns how many."""
        empty = not self._ids
        new = _new(batch, self._ids)
        if new:
            text = (b"" if empty else b",\n") + b",\n".join(_feature(event) for _, event in new)
            self._file.seek(self._end)
            # Over the old tail and with a new one in a single write: a reader sees a whole collection before and after it.
            self._file.write(text + GEOJSON_TAIL)
            self._file.flush()
            self._end += len(text)
        return len(new)

    def sync(self) -> None:
        """Make what was written outlive the machine."""
        _sync(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_lines(path: Path, *, resume: bool) -> tuple[BinaryIO, list[bytes]]:
    """A file to append lines to, and the lines it has. A last line without its end was cut off by a crash: it is dropped."""
    if not resume or not path.exists():
        return path.open("wb"), []
    file = path.open("r+b")
    content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    file.truncate(len(whole))
    file.seek(len(whole))
    return file, [line for line in whole.split(b"\n") if line]


def _sync(file: BinaryIO) -> None:
    try:
        os.fsync(file.fileno())
    except OSError as error:
        # A pipe or a terminal (/dev/stdout) has nothing to sync.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise


def _new(batch: Sequence[tuple[Alert, bytes]], ids: set[str]) -> list[tuple[Alert, bytes]]:
    """Those whose id is not in `ids`, which learns them."""
    new = []
    for alert, event in batch:
        if alert.id not in ids:
            ids.add(alert.id)
            new.append((alert, event))
    return new


def _feature(event: bytes) -> bytes:
    alert = orjson.loads(event)
    data = alert["data"]
    point = None if data["lon"] is None else {"type": "Point", "coordinates": [data["lon"], data["lat"]]}
    properties = {"alert": alert["id"], "type": alert["type"], "time": alert["time"], "subject": alert["subject"], **data}
    return orjson.dumps({"type": "Feature", "id": alert["id"], "geometry": point, "properties": properties})


def _features(path: Path) -> list[bytes]:
    """The whole features of a file of ours, also of one whose last write was cut off."""
    if not path.exists():
        return []
    features = []
    for line in path.read_bytes().split(b"\n"):
        feature = line.removesuffix(b",")
        if not feature.startswith(b'{"type":"Feature",'):
            continue
        try:
            orjson.loads(feature)
        except orjson.JSONDecodeError:
            continue
        features.append(feature)
    return features
