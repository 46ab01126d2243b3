"""The same fixes as other programs' files: GPX, GeoLife's PLT folders, Traccar's forwarded-position JSON; and what each can carry.

None of them carries a contact without a position: these are left out.

A test that compares formats writes `carried_by(table, form)` as JSON lines and the table itself in the form.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa

from pipeline.worlds.track_text import Column, joined_texts, json_values, line_bytes, number_texts, pc, time_ms_of, time_texts

Form = Literal["gpx", "plt", "traccar"]
COLUMNS: dict[Form, tuple[str, ...]] = {
    "gpx": ("subject", "time", "lon", "lat"),
    "plt": ("subject", "time", "lon", "lat"),
    "traccar": ("subject", "time", "lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct", "received"),
}
SECOND_MS, DAY_MS = 1_000, 86_400_000
KNOT_MPS = 1852 / 3600
PLT_DAY_ZERO = 25_569
"""Days between 1899-12-30, from which PLT counts, and 1970-01-01."""
PLT_HEAD = "Geolife trajectory\nWGS 84\nAltitude is in Feet\nReserved 3\n0,2,255,My Track,0,0,2,8421376\n0\n"
XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
GPX_HEAD = XML_HEAD + '<gpx version="1.1" creator="fencewatch" xmlns="http://www.topografix.com/GPX/1/1">\n'


def carried_by(table: pa.Table, form: Form) -> pa.Table:
    """The columns of the fixes that the form can carry, of those with a position; times in whole seconds (cut off) for PLT."""
    table = _placed(table)
    cut = table.select([name for name in COLUMNS[form] if name in table.column_names])
    if form == "plt":
        time_ms = time_ms_of(cut["time"]) // SECOND_MS * SECOND_MS
        cut = cut.set_column(1, "time", pa.array(time_ms.view("datetime64[ms]")).cast(pa.timestamp("ms", "UTC")))
    return cut


def write_gpx(table: pa.Table, folder: Path) -> None:
    """A file `<subject>.gpx` for each subject, his fixes in the order of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    for subject, rows in _by_subject(table):
        points = joined_texts(
            '<trkpt lat="', _numbers(rows, "lat"), '" lon="', _numbers(rows, "lon"), '"><time>', _times(rows), "</time></trkpt>\n"
        )
        head = f"{GPX_HEAD}<trk><name>{escape(subject)}</name><trkseg>\n".encode()
        (folder / f"{subject}.gpx").write_bytes(head + b"".join(line_bytes(points)) + b"</trkseg></trk>\n</gpx>\n")


def write_plt(table: pa.Table, folder: Path) -> None:
    """GeoLife's folders: `Data/<subject>/Trajectory/<time of the first fix>.plt`, a file a day (UTC), in the order of the table.

    A late record stays in the file of the day on which it arrived. Times are whole seconds.
    """
    for subject, rows in _by_subject(table):
        place = folder / "Data" / subject / "Trajectory"
        place.mkdir(parents=True, exist_ok=True)
        time_ms = time_ms_of(rows["time"])
        day = np.maximum.accumulate(time_ms // DAY_MS)
        starts = np.flatnonzero(np.diff(day, prepend=day[0] - 1))
        for first, last in pairwise([*starts.tolist(), len(day)]):
            part, part_ms = rows.slice(first, last - first), time_ms[first:last]
            days = pa.array(np.round(part_ms // SECOND_MS / 86_400 + PLT_DAY_ZERO, 10)).cast(pa.string())
            clock = time_texts(part_ms, "0000-00-00,00:00:00")
            lines = joined_texts(_numbers(part, "lat"), ",", _numbers(part, "lon"), ",0,-777,", days, ",", clock, "\n")
            name = time_texts(part_ms[:1], "0000-00-00T00:00:00")[0].as_py()
            stamp = "".join(character for character in name if character.isdigit())
            (place / f"{stamp}.plt").write_bytes(PLT_HEAD.encode() + b"".join(line_bytes(lines)))


def write_traccar(table: pa.Table, path: Path) -> None:
    """JSON lines as Traccar forwards positions (`forward.type` json): `{"position": {...}, "device": {...}}`, speed in knots.

    Traccar gives `deviceTime` and `fixTime` of the device, `serverTime` of its own; the battery is an attribute.
    """
    table = _placed(table)
    coded: Any = table["subject"].cast(pa.string()).dictionary_encode().combine_chunks()
    device = pc.add(coded.indices, 1).cast(pa.string())
    time = time_texts(time_ms_of(table["time"]), "0000-00-00T00:00:00.000+00:00")
    received = table["received"] if "received" in table.column_names else table["time"]
    speed = pc.divide(table["speed_mps"], KNOT_MPS)
    battery = pc.binary_join_element_wise('"batteryLevel":', _numbers(table, "battery_pct"), "")  # null where it is absent
    lines = joined_texts(
        '{"position":{"id":0,"attributes":{',
        battery,
        '},"deviceId":',
        device,
        ',"protocol":"osmand","serverTime":"',
        time_texts(time_ms_of(received), "0000-00-00T00:00:00.000+00:00"),
        '","deviceTime":"',
        time,
        '","fixTime":"',
        time,
        '","outdated":false,"valid":true,"latitude":',
        _numbers(table, "lat"),
        ',"longitude":',
        _numbers(table, "lon"),
        ',"altitude":0.0,"speed":',
        pc.fill_null(speed, 0.0).cast(pa.string()),
        ',"course":',
        pc.fill_null(table["heading_deg"], 0.0).cast(pa.string()),
        ',"address":null,"accuracy":',
        pc.fill_null(table["accuracy_m"], 0.0).cast(pa.string()),
        ',"network":null,"geofenceIds":null},"device":{"id":',
        device,
        ',"attributes":{},"groupId":0,"name":',
        json_values(table["subject"]),
        ',"uniqueId":',
        json_values(table["subject"]),
        ',"status":"online","positionId":0,"disabled":false}}\n',
    )
    with path.open("wb") as file:
        for text in line_bytes(lines):
            file.write(text)


def _by_subject(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Each subject's fixes in the order of the table."""
    table = _placed(table)
    coded: Any = table["subject"].cast(pa.string()).dictionary_encode().combine_chunks()
    codes = coded.indices.to_numpy()
    table = table.take(np.argsort(codes, kind="stable"))
    ends = np.cumsum(np.bincount(codes, minlength=len(coded.dictionary)))
    for subject, end, count in zip(coded.dictionary.to_pylist(), ends, np.diff(ends, prepend=0), strict=True):
        if "/" in subject or subject.startswith("."):
            msg = f"the subject {subject!r} cannot be the name of a file"
            raise ValueError(msg)
        yield subject, table.slice(end - count, count)


def _placed(table: pa.Table) -> pa.Table:
    placed: pa.Table = table.filter(pc.is_valid(table["lon"]))
    return placed


def _numbers(table: pa.Table, name: str) -> Column:
    return number_texts(table[name])


def _times(table: pa.Table) -> pa.StringArray:
    return time_texts(time_ms_of(table["time"]))
