"""Acceptance: the first reason that holds, cleaned columns, arrival, and the counts of the worked cases."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.acceptance import REASONS, Accepted, accept
from operators.decode.json_lines import decode_json_lines
from operators.fix_batch import OPTIONAL_FIELDS, FixBatch
from operators.subject_directory import SubjectDirectory
from tests.operators.fix_comparison import DIRECTORY, KNOWN, accepted, compare
from tests.operators.fix_oracle import judge, object_on
from tests.operators.line_strategies import json_lines

CASES = Path(__file__).parents[1] / "cases"
NOW = 1_772_439_327_123


def record(**fields: object) -> bytes:
    """A line that is accepted but for the fields given."""
    return json.dumps({"subject": "s0000001", "time": NOW, "lon": 121.5, "lat": 31.5} | fields, ensure_ascii=False).encode()


def batch_of(*lines: bytes, stamp: int | None = None) -> FixBatch:
    """The lines as a batch; all read by the source at `stamp`, where it has one."""
    batch = decode_json_lines(b"\n".join(lines))
    columns = {name: getattr(batch, name) for name in FixBatch.__dataclass_fields__}
    return batch if stamp is None else FixBatch(**columns | {"stamp_ms": np.full(len(batch), stamp)})


def reasons(made: Accepted) -> list[str | None]:
    """The reason of each record by name, None of an accepted one."""
    return [REASONS[reason - 1] if reason else None for reason in made.reason]


def test_the_first_reason_in_the_contracts_order_holds() -> None:
    """A record with everything wrong is mended fault by fault, and each time the next reason comes up."""
    worst: dict[str, object] = {"subject": "n\x7f", "time": "soon", "lon": 200.0, "lat": None}
    lines = [b"x" * 65_537, b"{", record(**worst)]
    steps: list[dict[str, object]] = [{"lat": 91.0}, {"time": 0}, {"subject": "nobody"}, {"time": 10**13}, {"lon": 1.0, "lat": 1.0}]
    steps += [{"time": NOW + 300_001, "received": NOW}, {"subject": "s0000001"}, {"time": NOW + 300_000}]
    for step in steps:
        worst |= step
        lines.append(record(**worst))
    assert reasons(accepted(batch_of(*lines))) == [
        *("too_large", "undecodable", "missing_field", "wrong_type", "bad_subject"),
        *("out_of_range", "out_of_range", "out_of_range", "unknown_subject", "future", None),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"lon": 180, "lat": -90}, None),
        ({"lon": -180.00000000000003}, "out_of_range"),
        ({"lat": 90.00000000000001}, "out_of_range"),
        ({"time": 631_152_000_000}, None),
        ({"time": 631_151_999_999}, "out_of_range"),
        ({"time": 4_102_444_799_999}, None),
        ({"time": 4_102_444_800_000}, "out_of_range"),
        ({"time": "4102444800000"}, "out_of_range"),
        ({"lon": None, "lat": None}, None),
        ({"lon": "1.0"}, "wrong_type"),
        ({"lon": True}, "wrong_type"),
        ({"lon": "1.0", "lat": None}, "missing_field"),
        ({"time": True}, "wrong_type"),
        ({"time": None}, "missing_field"),
        ({"time": ""}, "wrong_type"),
        ({"subject": None}, "missing_field"),
        ({"subject": ""}, "bad_subject"),
        ({"subject": 7}, None),
        ({"subject": -12}, None),
        ({"subject": 12345678901234567890}, None),
        ({"subject": 7.0}, "wrong_type"),
        ({"subject": True}, "wrong_type"),
        ({"subject": ["s0000001"]}, "wrong_type"),
        ({"subject": "x" * 64}, None),
        ({"subject": "x" * 65}, "bad_subject"),
        ({"subject": "é" * 32}, "unknown_subject"),
        ({"subject": "é" * 33}, "bad_subject"),
        ({"subject": "s\x7f"}, "bad_subject"),
        ({"subject": "s\u0085"}, "bad_subject"),
        ({"subject": "s\u00a0"}, "unknown_subject"),
        ({"subject": 'k"1,2'}, None),
        ({"subject": "社区矫正-甲"}, None),
    ],
)
def test_each_field_has_its_limits(fields: dict[str, object], reason: str | None) -> None:
    """The last value within is accepted, the first beyond has its reason."""
    assert reasons(accepted(batch_of(record(**fields)))) == [reason]


def test_what_is_wrong_with_an_optional_field_is_counted_and_nothing_else() -> None:
    """Values out of range, words for numbers and numbers for words count as absent; the records are accepted."""
    faulty: dict[str, list[object]] = {
        "accuracy_m": [-0.5, "good"],
        "speed_mps": [-1, True],
        "heading_deg": [360.5, -1],
        "battery_pct": [255, "full", 100.1],
        "positioning": ["guess", 5],
        "tamper": ["yes", 1],
        "separated": ["true"],
        "device": [1.5, []],
        "received": ["noon", 10**13, 5],
    }
    made = accepted(batch_of(*(record(**{name: value}) for name, values in faulty.items() for value in values)))
    assert not made.reason.any()
    assert dict(zip(OPTIONAL_FIELDS, made.ignored.tolist(), strict=True)) == {name: len(v) for name, v in faulty.items()}
    for name in ("accuracy_m", "speed_mps", "heading_deg", "battery_pct"):
        assert np.isnan(getattr(made, name)).all()
    for name in ("positioning", "tamper", "separated"):
        assert (getattr(made, name) == -1).all()
    assert (made.arrival_ms == NOW).all()


def test_the_limits_of_optional_fields_are_of_use() -> None:
    """0, 360 degrees and 100 per cent are values."""
    line = record(accuracy_m=0, speed_mps=0.0, heading_deg=360, battery_pct=100, device=7)
    made = accepted(batch_of(line, line.replace(b"360", b"0").replace(b"100", b"0")))
    assert not made.ignored.any()
    assert made.heading_deg.tolist() == [360.0, 0.0]
    assert made.battery_pct.tolist() == [100.0, 0.0]


def test_the_ignored_fields_of_a_rejected_record_are_not_counted() -> None:
    """`fields_ignored` is of accepted records."""
    made = accepted(batch_of(record(subject="nobody", speed_mps=-1, tamper="yes"), record(lon=None, speed_mps=-1)))
    assert not made.ignored.any()


def test_a_position_too_vague_is_none() -> None:
    """Above `max_accuracy_m` the record is a contact: no position and no accuracy; at it, it is a fix."""
    batch = batch_of(record(accuracy_m=1000.1), record(accuracy_m=1000), record())
    made = accepted(batch)
    assert not made.reason.any()
    assert not made.ignored.any()
    np.testing.assert_array_equal(made.lon, [np.nan, 121.5, 121.5])
    np.testing.assert_array_equal(made.lat, [np.nan, 31.5, 31.5])
    np.testing.assert_array_equal(made.accuracy_m, [np.nan, 1000.0, np.nan])
    assert batch.lon.tolist() == [121.5] * 3


def test_columns_in_which_nothing_changes_are_not_copied() -> None:
    """A clean batch hands its columns on."""
    batch = batch_of(record(accuracy_m=3, speed_mps=2), record())
    made = accepted(batch)
    for name in ("time_ms", "lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct", "positioning", "tamper"):
        assert np.shares_memory(getattr(made, name), getattr(batch, name)), name


def test_a_replayed_record_arrives_when_received_and_else_at_its_time() -> None:
    """`received` may be later than `time` and earlier; `future` is measured from it where it is given."""
    given: list[dict[str, object]] = [
        {},
        {"received": NOW + 5},
        {"received": NOW - 300_000},
        {"received": NOW - 300_001},
        {"received": "noon"},
    ]
    made = accepted(batch_of(*(record(**fields) for fields in given)))
    assert made.arrival_ms.tolist() == [NOW, NOW + 5, NOW - 300_000, NOW - 300_001, NOW]
    assert reasons(made) == [None, None, None, "future", None]


def test_live_the_sources_stamp_bounds_arrival_and_decides_the_future() -> None:
    """Without `received` the stamp is the arrival, with a later one too; a time after stamp and tolerance is the future."""
    given = [
        {},
        {"received": NOW - 5},
        {"received": NOW + 5},
        {"time": NOW + 300_001},
        {"time": NOW + 300_001, "received": NOW + 9},
    ]
    given += [{"time": NOW + 300_000}, {"time": NOW - 10, "received": NOW - 400_000}]
    made = accepted(batch_of(*(record(**fields) for fields in given), stamp=NOW), live=True)
    assert made.arrival_ms.tolist() == [NOW, NOW - 5, NOW, NOW, NOW, NOW, NOW - 400_000]
    assert reasons(made) == [None, None, None, "future", "future", None, None]


@settings(max_examples=200, deadline=None)
@given(st.lists(json_lines(), min_size=1, max_size=5), st.integers(1_772_000_000_000, 1_773_000_000_000))
def test_live_records_are_taken_as_the_contract_says(records: list[bytes], stamp: int) -> None:
    """Any lines read live give what the oracle gives."""
    whole = [line for text in records for line in text.split(b"\n") if line.strip(b" \t\r\v\f")]
    batch = batch_of(*whole, stamp=stamp)
    expected = [judge(object_on(line), set(KNOWN), size=len(line), stamp=stamp) for line in whole]
    compare(batch, accepted(batch, live=True), expected)


def test_an_empty_batch_is_accepted() -> None:
    """Nothing in, nothing out."""
    made = accept(decode_json_lines(b""), DIRECTORY, future_tolerance_ms=1, max_accuracy_m=1, live=True)
    assert len(made.reason) == len(made.lon) == 0


@pytest.mark.parametrize("case", ["basic-1", "basic-2", "basic-3", "basic-4", "full-1"])
def test_the_worked_cases_reject_and_ignore_what_they_should(case: str) -> None:
    """Records, rejects by reason and ignored fields are those of the expected report."""
    folder = CASES / case
    files = [folder / "registry/subjects.jsonl", *(folder / "registry").glob("subjects.d/*.jsonl")]
    directory = SubjectDirectory(
        [json.loads(line)["id"] for file in files for line in file.read_text().splitlines() if line.strip()]
    )
    policy = tomllib.loads((folder / "registry/policy.toml").read_text())["policy"]
    batch = decode_json_lines((folder / "fixes.jsonl").read_bytes())
    made = accept(
        batch,
        directory,
        future_tolerance_ms=1000 * policy.get("future_tolerance_s", 300),
        max_accuracy_m=policy.get("max_accuracy_m", 1000),
        live=False,
    )
    expected = json.loads((folder / "expected-report.json").read_text())
    rejected = np.bincount(made.reason, minlength=len(REASONS) + 1)[1:]
    assert len(batch) == expected["fixes_read"]
    assert {name: n for name, n in zip(REASONS, rejected.tolist(), strict=True) if n} == expected["rejected"]
    assert {name: n for name, n in zip(OPTIONAL_FIELDS, made.ignored.tolist(), strict=True) if n} == expected["fields_ignored"]
