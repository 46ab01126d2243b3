"""GPX, GeoLife PLT and Traccar: real files of each kind, whose they are, and what is broken in them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from operators.acceptance import REASONS
from operators.decode.gpx import decode_gpx
from operators.decode.plt import decode_plt
from operators.decode.traccar import decode_traccar_lines
from operators.fix_batch import Fault, FixBatch
from tests.operators.fix_comparison import accepted

NOW = 1_772_439_327_000

GPX = b"""<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1"
     xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v2">
<metadata><time>2020-01-01T00:00:00Z</time></metadata>
<wpt lat="1" lon="2"><time>2026-03-02T08:15:27Z</time></wpt>
<trk><name>a</name><trkseg>
<trkpt lat="31.5" lon="121.5"><ele>4.5</ele><time>2026-03-02T08:15:27Z</time>
  <extensions><gpxtpx:TrackPointExtension><gpxtpx:speed>1.5</gpxtpx:speed><gpxtpx:course>90</gpxtpx:course>
  </gpxtpx:TrackPointExtension></extensions></trkpt>
<trkpt lat="31.6" lon="121.6"><time> 2026-03-02T08:15:28.250 </time></trkpt>
<trkpt lat="31.7" lon="121.7"/>
<trkpt lat="north" lon="121.7"><time>2026-03-02T08:15:29+08:00</time></trkpt>
</trkseg></trk></gpx>
"""

PLT = b"""Geolife trajectory\r
WGS 84\r
Altitude is in Feet\r
Reserved 3\r
0,2,255,My Track,0,0,2,8421376\r
0\r
39.984702,116.318417,0,492,39744.1201851852,2008-10-23,02:53:04\r
39.984683,116.31845,0,492,39744.1202546296,2008-10-23,02:53:10\r
39.984683,116.31845,0\r
\r
39.984683,116.31845,0,492,39744.1202546296,2008-10-23,2:53:10\r
"""


def subject_of(batch: FixBatch, i: int = 0) -> str:
    """The subject of a record."""
    return batch.ids[batch.id_start[i] : batch.id_start[i] + batch.id_len[i]].tobytes().decode()


def reasons(batch: FixBatch) -> list[str | None]:
    """The reason of each record by name, None of an accepted one."""
    return [REASONS[reason - 1] if reason else None for reason in accepted(batch).reason]


def test_the_track_points_of_a_gpx_file_are_read() -> None:
    """Points, not waypoints; speed and course from the extensions; a time without zone is UTC; bad points are rejected alone."""
    batch = decode_gpx(GPX, path="tracks/s0000001.gpx")
    assert reasons(batch) == [None, None, "missing_field", "wrong_type"]
    assert batch.time_ms[:2].tolist() == [NOW, NOW + 1250]
    assert (batch.lon[0], batch.lat[0], batch.speed_mps[0], batch.heading_deg[0]) == (121.5, 31.5, 1.5, 90.0)
    assert np.isnan(batch.speed_mps[1])
    assert subject_of(batch, 3) == "s0000001"
    assert batch.place(3) == {"row": 3}
    assert batch.raw(2).startswith(b'<trkpt lat="31.7"')
    assert batch.raw(3).endswith(b"</trkpt>")


@pytest.mark.parametrize("cut", [GPX.index(b'<trkpt lat="31.7"'), GPX.index(b"31.7") + 2, len(GPX) - 8])
def test_a_gpx_file_that_breaks_off_gives_what_came_before(cut: int) -> None:
    """The rest is one undecodable record."""
    batch = decode_gpx(GPX[:cut], path="x.gpx")
    assert batch.fault[-1] == Fault.UNDECODABLE
    assert batch.time_ms[:2].tolist() == [NOW, NOW + 1250]
    assert len(batch.raw(len(batch) - 1)) <= 65_536


def test_a_gpx_file_with_entities_is_refused_unexpanded() -> None:
    """A billion laughs are one undecodable record, and no file of the machine is read."""
    bomb = b'<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><gpx><trkpt lat="1" lon="2"/>&b;</gpx>'
    assert decode_gpx(bomb, path="x.gpx").fault.tolist() == [Fault.UNDECODABLE]
    outside = b'<!DOCTYPE gpx [<!ENTITY x SYSTEM "file:///etc/hostname">]><gpx><trkpt lat="&x;" lon="2"/></gpx>'
    assert decode_gpx(outside, path="x.gpx").fault.tolist() == [Fault.UNDECODABLE]


@pytest.mark.parametrize("data", [b"", b"not xml", b'<?xml version="1.0" encoding="no-such"?><gpx/>', b"\xff\xfe\x00"])
def test_what_is_no_xml_is_one_undecodable_record(data: bytes) -> None:
    """Whatever the bytes are."""
    assert decode_gpx(data, path="x.gpx").fault.tolist() == [Fault.UNDECODABLE]


def test_a_gpx_file_without_tracks_has_no_records() -> None:
    """An empty document is fine."""
    assert len(decode_gpx(b"<gpx/>", path="x.gpx")) == 0


def test_the_points_of_a_geolife_file_are_read() -> None:
    """Six lines of header, times in GMT; a line of other shape is undecodable, blank lines are nothing."""
    batch = decode_plt(PLT, path="Data/010/Trajectory/20081023025304.plt")
    assert batch.fault.tolist() == [0, 0, Fault.UNDECODABLE, Fault.WRONG_TYPE]
    assert batch.time_ms[:2].tolist() == [1_224_730_384_000, 1_224_730_390_000]
    assert (batch.lon[0], batch.lat[0]) == (116.318417, 39.984702)
    assert subject_of(batch) == "010"
    assert batch.place(3) == {"row": 3}
    assert batch.raw(2) == b"39.984683,116.31845,0"


@pytest.mark.parametrize(
    ("path", "subject", "expected"),
    [
        ("Data/010/Trajectory/2008.plt", None, "010"),
        ("Data/010/Trajectory/2008.plt.gz", None, "010"),
        ("Data/010/Trajectory/2008.plt", "p-1", "p-1"),
        ("tracks/p-0001.plt", None, "p-0001"),
        ("tracks/p-0001.plt.zst", None, "p-0001"),
        ("Trajectory/p-0001.plt", None, "p-0001"),
        ("-", None, "-"),
    ],
)
def test_whose_track_it_is(path: str, subject: str | None, expected: str) -> None:
    """The subject given, else GeoLife's user folder, else the file's stem; of GPX and PLT alike."""
    assert subject_of(decode_plt(PLT, path=path, subject=subject)) == expected
    assert subject_of(decode_gpx(GPX, path=path, subject=subject)) == expected


def message(position: dict[str, Any] | None = None, **others: object) -> bytes:
    """A position as Traccar's forwarder writes it."""
    usual: dict[str, Any] = {
        "id": 2147698135,
        "attributes": {"sat": 14, "ignition": True, "batteryLevel": 85, "totalDistance": 26721.89},
        "deviceId": 134,
        "protocol": "teltonika",
        "serverTime": "2026-03-02T08:15:32.602+00:00",
        "deviceTime": "2026-03-02T08:15:30.000+00:00",
        "fixTime": "2026-03-02T08:15:27.000+00:00",
        "outdated": False,
        "valid": True,
        "latitude": 31.5,
        "longitude": 121.5,
        "altitude": 21.0,
        "speed": 10.0,
        "course": 117.0,
        "address": None,
        "accuracy": 0.0,
        "network": None,
        "geofenceIds": [3],
    }
    device = {"id": 134, "attributes": {}, "groupId": 1, "name": "A 1", "uniqueId": "s0000001", "status": "online"}
    return json.dumps({"position": usual | (position or {}), "device": device} | others).encode()


def test_a_position_that_traccar_forwards_is_read() -> None:
    """Knots become m/s, an accuracy of 0 is none, the server's time is `received`, the battery's level comes along."""
    batch = decode_traccar_lines(message() + b"\r\n\n" + message({"accuracy": 12.5, "fixTime": NOW, "speed": 0.0}), base_offset=100)
    made = accepted(batch)
    assert not made.reason.any()
    assert not made.ignored.any()
    assert made.time_ms.tolist() == [NOW, NOW]
    assert made.arrival_ms[0] == NOW + 5602
    assert (made.lon[0], made.lat[0], made.heading_deg[0], made.battery_pct[0]) == (121.5, 31.5, 117.0, 85.0)
    np.testing.assert_allclose(made.speed_mps, [10 * 1852 / 3600, 0.0], rtol=1e-15)
    np.testing.assert_array_equal(made.accuracy_m, [np.nan, 12.5])
    assert [batch.place(i)["offset"] for i in range(2)] == [100, 100 + len(message()) + 3]


def test_a_position_that_is_not_valid_now_is_a_contact_at_the_devices_time() -> None:
    """Traccar repeats the last known position under its old time; nobody is judged by that."""
    for state in ({"valid": False}, {"outdated": True}):
        batch = decode_traccar_lines(message(state))
        assert batch.time_ms.tolist() == [NOW + 3000]
        assert np.isnan(batch.lon[0])
        assert reasons(batch) == [None]


def test_a_tampering_alarm_is_told() -> None:
    """Alone or among others."""
    lines = [message({"attributes": {"alarm": alarm}}) for alarm in ("tampering", "sos,tampering", "sos")]
    assert decode_traccar_lines(b"\n".join(lines)).tamper.tolist() == [1, 1, -1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "undecodable"),
        (b"[]", "undecodable"),
        (b'{"device": {"uniqueId": "s0000001"}}', "missing_field"),
        (b'{"position": [], "device": 3}', "missing_field"),
        (message(device={}), "missing_field"),
        (message({"fixTime": None}), "missing_field"),
        (message({"longitude": None}), "missing_field"),
        (message({"latitude": "31.5"}), "wrong_type"),
        (message({"latitude": 95}), "out_of_range"),
        (message(device={"uniqueId": 7}), None),
        (message({"speed": "fast", "attributes": "x"}), None),
        (message({"address": "x" * 65_536}), "too_large"),
    ],
)
def test_a_bad_line_of_traccar_has_its_reason_and_hurts_nobody_else(line: bytes, reason: str | None) -> None:
    """The lines before and after are read."""
    assert reasons(decode_traccar_lines(b"\n".join([message(), line, message()]))) == [None, reason, None]


def test_a_subject_given_for_traccar_stands_for_every_line() -> None:
    """As for the other formats."""
    assert subject_of(decode_traccar_lines(message(), subject="p-1")) == "p-1"
