"""What decoding costs, by format, beside bare `orjson.loads` of the same lines in the same run.

    python -m benchmarks.decode

Prints nanoseconds of CPU a record (the least of several interleaved rounds, batches of 16,384) and their ratio to orjson's. JSON
lines come in the shapes that real feeds have: coordinates of 6 or of 17 digits, fields that are there only sometimes, ids in
escapes, nested values beside ours, one line in a hundred broken.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from operators.acceptance import accept
from operators.decode.arrow_columns import decode_record_batch
from operators.decode.csv_lines import decode_csv_lines, read_header
from operators.decode.entries import decode_entries
from operators.decode.json_lines import decode_json_lines
from operators.decode.payload import decode_payloads
from operators.subject_directory import SubjectDirectory

RECORDS, SUBJECTS, ROUNDS = 16_384, 200_000, 15
A_PAYLOAD = 1000
NOW = 1_772_439_327_123


def records(rng: np.random.Generator, digits: int = 6) -> list[dict[str, object]]:
    """Fixes of many subjects, one second after another."""
    return [
        {
            "subject": f"s{subject:07d}",
            "time": np.datetime_as_string(np.datetime64(NOW + 7 * k, "ms")) + "Z",
            "lon": round(float(lon), digits),
            "lat": round(float(lat), digits),
            "accuracy_m": round(float(accuracy), 1),
            "speed_mps": round(float(speed), 1),
        }
        for k, (subject, lon, lat, accuracy, speed) in enumerate(
            zip(
                rng.integers(0, SUBJECTS, RECORDS),
                rng.uniform(120, 122, RECORDS),
                rng.uniform(30, 32, RECORDS),
                rng.uniform(5, 30, RECORDS),
                rng.uniform(0, 20, RECORDS),
                strict=True,
            )
        )
    ]


def lines_of(some: list[dict[str, object]]) -> list[bytes]:
    """The records as JSON lines, without white space."""
    return [json.dumps(record, separators=(",", ":")).encode() for record in some]


def json_cases(rng: np.random.Generator) -> dict[str, list[bytes]]:
    """JSON lines in several shapes."""
    usual = records(rng)
    lines = lines_of(usual)
    sometimes = [{k: v for k, v in r.items() if not k.endswith("s") or rng.random() < 0.5} for r in usual]
    return {
        "json lines": lines,
        "... 17 digits": lines_of(records(rng, 14)),
        "... speed sometimes": lines_of(sometimes),
        "... ids in escapes": [line.replace(b'"s0', b'"\\u793e') for line in lines],
        "... nested beside": [line[:-1] + b',"attributes":{"sat":14,"io":[1,2,{"a":null}]}}' for line in lines],
        "... 1 % broken": [line[:50] if k % 100 == 0 else line for k, line in enumerate(lines)],
    }


def table_cases(usual: list[dict[str, object]]) -> dict[str, Callable[[], object]]:
    """CSV, Arrow, Parquet, Redis: each a call that decodes the records."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(usual[0]))
    writer.writeheader()
    writer.writerows(usual)
    head, _, rows = text.getvalue().encode().partition(b"\n")
    header = read_header(head)

    table = pa.Table.from_pylist(usual)
    times = pa.array(NOW + 7 * np.arange(RECORDS), pa.timestamp("ms", "UTC"))
    table = table.set_column(1, "time", times)
    numbered = table.set_column(0, "subject", pa.array([int(str(record["subject"])[1:]) for record in usual]))
    files = {}
    for name, made in (("text ids", table), ("integer ids", numbered)):
        file = io.BytesIO()
        pq.write_table(made, file)
        files[name] = file.getvalue()

    def read(file: bytes) -> None:
        for batch in pq.ParquetFile(io.BytesIO(file)).iter_batches(RECORDS):
            decode_record_batch(batch)

    def ipc(some: pa.Table) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, some.schema) as stream:
            stream.write_table(some)
        return sink.getvalue().to_pybytes()

    starts = range(0, RECORDS, A_PAYLOAD)
    lines = lines_of(usual)
    packed_lines = [b"\n".join(lines[k : k + A_PAYLOAD]) for k in starts]
    packed_tables = [ipc(table.slice(k, A_PAYLOAD)) for k in starts]
    ids = [b"%d-0" % (NOW + k) for k in starts]
    entries = [[part for name, value in record.items() for part in (name.encode(), str(value).encode())] for record in usual]
    entry_ids = [b"%d-0" % (NOW + k) for k in range(RECORDS)]
    whole = table.combine_chunks().to_batches()[0]
    return {
        "csv": lambda: decode_csv_lines(rows, header),
        "arrow, text ids": lambda: decode_record_batch(whole),
        "parquet, text ids": lambda: read(files["text ids"]),
        "parquet, integer ids": lambda: read(files["integer ids"]),
        "packed json lines": lambda: decode_payloads(ids, packed_lines),
        "packed arrow": lambda: decode_payloads(ids, packed_tables),
        "single redis entries": lambda: decode_entries(entry_ids, entries),
    }


def loads(lines: list[bytes]) -> None:
    """Bare orjson over lines; what it refuses it refuses."""
    for line in lines:
        try:  # noqa: SIM105 - a context for each line would be measured too
            orjson.loads(line)
        except orjson.JSONDecodeError:
            pass


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(1)
    directory = SubjectDirectory([f"s{k:07d}" for k in range(SUBJECTS)])
    lines = json_cases(rng)
    usual = records(rng)
    batch = decode_json_lines(b"\n".join(lines_of(usual)))
    calls: dict[str, Callable[[], object]] = {}
    for name, some in lines.items():
        text = b"\n".join(some)
        calls[name] = lambda text=text: decode_json_lines(text)  # type: ignore[misc]
        calls["orjson: " + name] = lambda some=some: loads(some)  # type: ignore[misc]
    calls |= table_cases(usual)
    calls["id to row"] = lambda: directory.rows(batch.ids, batch.id_start, batch.id_len)
    calls["accept (with ids)"] = lambda: accept(batch, directory, future_tolerance_ms=300_000, max_accuracy_m=1000.0, live=False)
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.process_time()
            call()
            least[name] = min(least[name], (time.process_time() - start) / RECORDS * 1e9)
    print(f"{'ns a record':24}{'ours':>8}{'orjson':>8}{'ratio':>7}")
    for name in calls:
        if not name.startswith("orjson"):
            beside = least.get("orjson: " + name, least["orjson: json lines"])
            print(f"{name:24}{least[name]:8.0f}{beside:8.0f}{least[name] / beside:7.2f}")


if __name__ == "__main__":
    main()
