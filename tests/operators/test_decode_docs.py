"""The examples of docs/inputs.md are read as the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operators.acceptance import accept
from operators.decode.arrow_columns import decode_record_batch
from operators.decode.csv_lines import decode_csv_lines, read_header
from operators.decode.entries import decode_entries
from operators.decode.gpx import decode_gpx
from operators.decode.json_lines import decode_json_lines
from operators.decode.payload import decode_payloads
from operators.decode.plt import decode_plt
from operators.decode.traccar import decode_traccar_lines
from operators.fix_batch import FixBatch
from operators.subject_directory import SubjectDirectory

PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"
EXAMPLES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
DIRECTORY = SubjectDirectory(["p-0001", "86001234", 'k"1,2', "359632106090555", "20260302001527"])
STAMP = 1_772_410_530_000


def subjects_of(batch: FixBatch, *, live: bool = False) -> list[str]:
    """The subjects of a batch, of which every record is accepted and every field of use."""
    made = accept(batch, DIRECTORY, future_tolerance_ms=300_000, max_accuracy_m=1000.0, live=live)
    assert not made.reason.any()
    assert not made.ignored.any()
    spans = zip(batch.id_start.tolist(), batch.id_len.tolist(), strict=True)
    return [batch.ids[at : at + length].tobytes().decode() for at, length in spans]


def test_the_lines_and_rows_of_the_page_are_accepted() -> None:
    """JSON lines, CSV, GPX, PLT and Traccar, as they stand there."""
    example = {name: text.encode() for name, text in EXAMPLES.items()}
    header, _, rows = example["fixes.csv"].partition(b"\n")
    assert subjects_of(decode_json_lines(example["fixes.jsonl"])) == ["p-0001", "p-0001", "86001234"]
    assert subjects_of(decode_csv_lines(rows, read_header(header))) == ["p-0001", 'k"1,2', "p-0001"]
    assert subjects_of(decode_gpx(example["p-0001.gpx"], path="p-0001.gpx")) == ["p-0001"]
    assert subjects_of(decode_plt(example["20260302001527.plt"], path="20260302001527.plt")) == ["20260302001527"]
    assert subjects_of(decode_traccar_lines(example["traccar.jsonl"])) == ["359632106090555"]


def test_the_tables_of_the_page_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its Python writes, as a Parquet file and as a packed payload, is read."""
    monkeypatch.chdir(tmp_path)
    made: dict[str, object] = {}
    exec(EXAMPLES["write.py"] + EXAMPLES["packed.py"], made)  # noqa: S102 - the page's own examples
    table = pq.read_table("fixes.parquet").combine_chunks()
    assert isinstance(table, pa.Table)
    assert subjects_of(decode_record_batch(table.to_batches()[0])) == ["p-0001"] * 2
    payload = made["payload"]
    assert isinstance(payload, bytes)
    assert subjects_of(decode_payloads([b"%d-0" % STAMP], [payload]), live=True) == ["p-0001"] * 2


def test_the_redis_entry_of_the_page_is_accepted() -> None:
    """The words behind the `*` of XADD are its fields."""
    words = shlex.split(EXAMPLES["single"])
    fields = [word.encode() for word in words[words.index("*") + 1 :]]
    assert subjects_of(decode_entries([b"%d-0" % STAMP], [fields]), live=True) == ["p-0001"]
