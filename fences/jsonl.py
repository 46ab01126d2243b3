"""Reads the JSON-lines files of a registry into typed records, each with its file and line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from fences.diagnose import diagnose, repeated_keys
from fences.findings import Findings, Place, shown
from fences.records import RuleRecord, SubjectRecord
from fences.repeated_keys import suspects

Progress = Callable[[str, int, int], None]
"""Told what is read, how many are done and how many there are."""

Record = TypeVar("Record", SubjectRecord, RuleRecord)
_LINES_A_STEP = 50_000
_ANY_WRONG = "*"
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for JSON that is none or of another form."""


@dataclass(frozen=True, slots=True)
class Records(Generic[Record]):
    """Records of one kind over all their files, with the place of each.

    `wrong` holds, by row, the keys whose values were already refused ("*": all of them): later checks pass them over. `complete` is
    false where a file could not be read at all.
    """

    records: list[Record]
    files: tuple[str, ...]
    file_of: NDArray[np.int32]
    line_of: NDArray[np.int64]
    wrong: dict[int, set[str]]
    complete: bool

    def place(self, row: int, path: str = "") -> Place:
        """Where a record stands."""
        return Place(self.files[self.file_of[row]], int(self.line_of[row]), path)

    def refused(self, row: int, key: str) -> bool:
        """Whether the value of this key was refused already."""
        keys = self.wrong.get(row)
        return keys is not None and (key in keys or _ANY_WRONG in keys)


def files_of(directory: Path, stem: str) -> list[Path]:
    """`<stem>.jsonl` and `<stem>.d/*.jsonl`; a name with a dot in front is a file that somebody has not finished yet."""
    return [directory / f"{stem}.jsonl", *sorted((directory / f"{stem}.d").glob("[!.]*.jsonl"))]


def read_records(
    paths: Sequence[Path], form: type[Record], findings: Findings, progress: Progress | None = None
) -> Records[Record]:
    """Every record of some files. A wrong one goes to `findings`; what could be saved of it stays."""
    reader = _Reader(form, findings, progress)
    file_of: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    line_of: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    complete = True
    for number, path in enumerate(paths):
        source = read_file(path, findings, f"write one {form.NOUN} a line (the file may be empty)")
        if source is None:
            complete = False
            continue
        lines, numbers = _filled_lines(source)
        kept = reader.read(lines, numbers, str(path))
        reader.refuse_repeated_keys(source, str(path))
        line_of.append(kept)
        file_of.append(np.full(len(kept), number, np.int32))
    files = tuple(str(path) for path in paths)
    return Records(reader.records, files, np.concatenate(file_of), np.concatenate(line_of), reader.wrong, complete)


def read_file(path: Path, findings: Findings, advice: str) -> bytes | None:
    """The bytes of a file without a byte order mark; None, and a problem, where it cannot be read."""
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except FileNotFoundError:
        findings.add("missing file", Place(str(path)), "there is no such file", advice)
    except OSError as error:
        findings.add("unreadable file", Place(str(path)), f"it cannot be read ({error.strerror})", "make it readable")
    return None


def _filled_lines(source: bytes) -> tuple[list[bytes], NDArray[np.int64]]:
    """The lines that are not blank, and their numbers from 1."""
    lines = source.split(b"\n")
    numbers = np.flatnonzero([bool(line) and not line.isspace() for line in lines]) + 1
    return (lines if len(numbers) == len(lines) else [lines[i - 1] for i in numbers.tolist()]), numbers


class _Reader(Generic[Record]):
    """Decodes lines into records. A step of lines is decoded at once, line by line only where that fails."""

    def __init__(self, form: type[Record], findings: Findings, progress: Progress | None) -> None:
        self.records: list[Record] = []
        self.wrong: dict[int, set[str]] = {}
        self._form: type[Record] = form
        self._decode: Callable[[bytes], Record] = msgspec.json.Decoder(form).decode
        self._findings = findings
        self._progress = progress

    def read(self, lines: list[bytes], numbers: NDArray[np.int64], file: str) -> NDArray[np.int64]:
        """Appends a record a line; answers the numbers of the lines that gave one."""
        kept = [np.empty(0, np.int64)]
        for start in range(0, len(lines), _LINES_A_STEP):
            step = lines[start : start + _LINES_A_STEP]
            step_numbers = numbers[start : start + _LINES_A_STEP]
            before = len(self.records)
            try:
                self.records += [self._decode(line) for line in step]
                kept.append(step_numbers)
            except UNREADABLE:
                del self.records[before:]
                places = [Place(file, number) for number in step_numbers.tolist()]
                kept.append(step_numbers[[self._read_one(line, place) for line, place in zip(step, places, strict=True)]])
            if self._progress is not None:
                self._progress(f"{self._form.NOUN}s", start + len(step), len(lines))
        return np.concatenate(kept)

    def _read_one(self, line: bytes, place: Place) -> bool:
        """Appends the record of a line, or what could be saved of it, its faults noted; false where not even its id is known."""
        try:
            self.records.append(self._decode(line))
        except UNREADABLE:
            diagnosis = diagnose(line, self._form)
        else:
            return True
        for fault in diagnosis.faults:
            self._findings.add_fault(fault, place)
        if diagnosis.values is None:
            return False
        if diagnosis.wrong:
            self.wrong[len(self.records)] = diagnosis.wrong
        self.records.append(self._form(**diagnosis.values))
        return True

    def refuse_repeated_keys(self, source: bytes, file: str) -> None:
        """Refuses a key that a line gives twice."""
        found = suspects(source)
        lines = source.split(b"\n") if len(found) else []
        for number in found.tolist():
            try:
                repeated = repeated_keys(lines[number - 1])
            except (*UNREADABLE, ValueError):
                continue  # It was told already.
            for key in repeated:
                what, write = f"the key {shown(key)} is given twice", "leave one of them: a reader would take the last"
                self._findings.add("key given twice", Place(file, number, key), what, write)
