"""The registries that were in force, kept in the state folder for as long as records may be judged under them again.

Each has a number, that of the changes before it: the first is 0, and a saved state says under which number it is. `<number>/` is a
registry like any other, to be looked at and checked; where a version took effect stands in its `mark.json`: the instant, and
behind which entries of the streams. After a crash the records behind the saved position are read again, and each version takes
effect behind the same ones.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.kept_ids import FOLDER

MARK = "mark.json"
TRIED = "tried"
"""A copy that is not known to be good yet."""

Position = dict[tuple[str, str], bytes]
"""The id of the last entry read, by source and stream."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a version took effect: at an instant (UTC milliseconds), behind these entries."""

    time_ms: int
    position: Position


@dataclass(frozen=True, slots=True)
class KeptRegistries:
    """The kept registries of a state folder."""

    state: Path

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.state / FOLDER

    def of(self, number: int) -> Path:
        """The folder of one."""
        return self.folder / f"{number:08d}"

    @property
    def tried(self) -> Path:
        """The folder of the copy that is being tried."""
        return self.folder / TRIED

    def numbers(self) -> list[int]:
        """Those that there are, in order."""
        return sorted(int(path.name) for path in self.folder.glob("*") if path.is_dir() and path.name.isdigit())

    def accept(self, number: int) -> Path:
        """The copy that was tried is good, and has this number from now on."""
        to = self.of(number)
        shutil.rmtree(to, ignore_errors=True)
        return self.tried.rename(to)

    def mark(self, number: int, taken: Taken) -> None:
        """Write down where one takes effect; before anything behind it is judged."""
        position = [[*partition, last.decode()] for partition, last in taken.position.items()]
        file = self.of(number) / MARK
        new = file.with_suffix(".new")
        new.write_text(json.dumps({"time_ms": taken.time_ms, "position": position}), encoding="utf-8")
        new.replace(file)

    def taken(self, number: int) -> Taken | None:
        """Where one took effect; None where it never did, or the machine failed at that moment."""
        try:
            found = json.loads((self.of(number) / MARK).read_text(encoding="utf-8"))
            return Taken(found["time_ms"], {(source, stream): last.encode() for source, stream, last in found["position"]})
        except (OSError, ValueError, KeyError):
            return None

    def since(self, number: int) -> Mapping[int, Taken]:
        """Those that took effect after one, as far as they are known without a gap."""
        out: dict[int, Taken] = {}
        while (taken := self.taken(number + 1)) is not None:
            number += 1
            out[number] = taken
        return out

    def forget(self, *, before: int = 0, after: int | None = None) -> None:
        """Remove those with a smaller number than `before`, or a larger one than `after`."""
        for number in self.numbers():
            if number < before or (after is not None and number > after):
                shutil.rmtree(self.of(number), ignore_errors=True)
