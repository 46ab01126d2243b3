"""Packed payloads: JSON lines and Arrow, mixed, each record with its entry's id and its index; broken ones hurt nobody else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from operators.decode.payload import LARGEST_PAYLOAD, decode_payloads
from operators.fix_batch import Fault, FixBatch
from tests.operators.fix_comparison import accepted

NOW = 1_772_439_327_123


def line(k: int) -> bytes:
    """The k-th record as a JSON line."""
    return json.dumps({"subject": f"s{k:07d}", "time": NOW + k, "lon": 121.5 + k, "lat": 31.5}).encode()


def ipc(numbers: list[int], rows_a_batch: int = 1000, **options: Any) -> bytes:  # noqa: ANN401 - Arrow's options
    """The records as an Arrow IPC stream."""
    columns = {
        "subject": [f"s{k:07d}" for k in numbers],
        "time": pa.array([NOW + k for k in numbers], pa.timestamp("ms", "UTC")),
        "lon": [121.5 + k for k in numbers],
        "lat": [31.5] * len(numbers),
    }
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, rows_a_batch)
    return sink.getvalue().to_pybytes()


def ids_of(count: int) -> list[bytes]:
    """Ids of entries, a second between two."""
    return [f"{NOW + 1000 * k}-0".encode() for k in range(count)]


def subjects(batch: FixBatch) -> list[str]:
    """The subjects as text."""
    spans = zip(batch.id_start.tolist(), batch.id_len.tolist(), strict=True)
    return [batch.ids[at : at + length].tobytes().decode(errors="replace") for at, length in spans]


def test_payloads_of_both_kinds_are_read_in_order_with_place_and_stamp() -> None:
    """JSON with and without a last line feed, Arrow in one and in several batches, empty ones: records stay in their order."""
    payloads = [b"\n".join(map(line, [0, 1])), line(2) + b"\n", ipc([3, 4, 5], 2), ipc([6]), b"", b"\n \n", ipc([]), line(7)]
    batch = decode_payloads(ids_of(len(payloads)), payloads)
    assert subjects(batch) == [f"s{k:07d}" for k in range(8)]
    assert batch.time_ms.tolist() == [NOW + k for k in range(8)]
    expected = [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (2, 2), (3, 0), (7, 0)]
    assert [batch.place(i) for i in range(8)] == [{"id": f"{NOW + 1000 * k}-0", "index": index} for k, index in expected]
    assert batch.stamp_ms.tolist() == [NOW + 1000 * k for k, _ in expected]
    assert [json.loads(batch.raw(i))["lon"] for i in range(8)] == [121.5 + k for k in range(8)]
    assert not batch.fault.any()


def test_a_demos_clock_maps_the_stamps() -> None:
    """`clock` is applied to each entry's time."""
    assert decode_payloads([b"1000-0"], [line(0)], clock=lambda ms: ms + 5).stamp_ms.tolist() == [1005]


def test_a_payload_that_cannot_be_read_is_one_record() -> None:
    """Too large, no Arrow behind the four bytes, cut off in the middle: one dead letter each, the others are read."""
    broken = ipc([1, 2, 3])
    payloads = [line(0), b"x" * (LARGEST_PAYLOAD + 1), b"\xff\xff\xff\xff", broken[: len(broken) // 2], line(1) + b"\n{", ipc([2])]
    batch = decode_payloads(ids_of(6), payloads)
    faults = [Fault(0), Fault.TOO_LARGE, Fault.UNDECODABLE, Fault.UNDECODABLE, Fault(0), Fault.UNDECODABLE, Fault(0)]
    assert batch.fault.tolist() == faults
    assert batch.place(1) == {"id": f"{NOW + 1000}-0", "index": 0}
    assert len(batch.raw(1)) == 65_536
    assert batch.place(5) == {"id": f"{NOW + 4000}-0", "index": 1}
    assert accepted(batch).reason.tolist() == [7, 1, 2, 2, 0, 2, 7]


def test_a_line_does_not_run_on_into_the_next_payload() -> None:
    """An object begun in one payload and ended in the next is two undecodable records."""
    text = line(0)
    assert decode_payloads(ids_of(2), [text[:30], text[30:]]).fault.tolist() == [Fault.UNDECODABLE] * 2


def test_a_payload_as_large_as_may_be_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself is no fault, a byte more is (tried at a smaller limit)."""
    monkeypatch.setattr("operators.decode.payload.LARGEST_PAYLOAD", len(line(0)))
    assert decode_payloads(ids_of(2), [line(0), line(0) + b"\n"]).fault.tolist() == [0, Fault.TOO_LARGE]


def test_offsets_that_lead_out_of_a_message_make_it_undecodable() -> None:
    """A stranger's offsets are not followed."""
    payload = bytearray(ipc([1, 2, 3]))
    offsets = np.array([0, 8, 16, 24], dtype=np.int32).tobytes()
    at = payload.index(offsets)
    for wrong in ([0, 8, 16, 2**30], [0, 8, 4, 24], [-8, 8, 16, 24]):
        payload[at : at + 16] = np.array(wrong, dtype=np.int32).tobytes()
        assert decode_payloads(ids_of(1), [bytes(payload)]).fault.tolist() == [Fault.UNDECODABLE]


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"compression": "lz4"}])
def test_bytes_changed_anywhere_in_a_message_never_stop_a_batch(options: dict[str, Any]) -> None:
    """Whatever a changed message is read as, the payloads beside it are read."""
    good = ipc([1, 2, 3], 2, **options)
    rng = np.random.default_rng(7)
    for _ in range(150):
        changed = bytearray(good)
        for at in rng.integers(0, len(good), rng.integers(1, 4)):
            changed[at] = rng.integers(256)
        batch = decode_payloads(ids_of(3), [line(0), bytes(changed), line(9)])
        assert (subjects(batch)[0], subjects(batch)[-1]) == ("s0000000", "s0000009")
        accepted(batch, live=True)


def test_no_payloads_are_an_empty_batch() -> None:
    """Nothing in, nothing out."""
    assert len(decode_payloads([], [])) == 0
