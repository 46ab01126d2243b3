"""The ids behind the numbers by which state is saved, written down beside it: `registries/<numbering>.json` of a state folder.

Within a run of the daemon numbers are only added to. Such a numbering is named `<numbering it began with>-<run>`, and what was
added stands in a file of that name, a line of JSON for each time.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from fences.numbering import Ids

FOLDER = "registries"


def write_ids(state: Path, numbering: str, ids: Ids) -> None:
    """Write down the ids of a numbering, unless they stand there already."""
    file = state / FOLDER / f"{numbering}.json"
    if file.exists():
        return
    file.parent.mkdir(exist_ok=True)
    write_whole(file, ids._asdict())


def add_ids(state: Path, numbering: str, ids: Ids) -> None:
    """Write down what came to a numbering that is only added to. A line cut short by a crash is of no state that was saved."""
    with (state / FOLDER / f"{numbering}.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(ids._asdict(), ensure_ascii=False) + "\n")
        out.flush()
        os.fsync(out.fileno())


def read_ids(state: Path, numbering: str) -> Ids | None:
    """The ids of a numbering that a state folder has seen, None where it has not. There may be more than a state had."""
    base, dash, _ = numbering.partition("-")
    file = state / FOLDER / f"{base}.json"
    if not file.exists():
        return None
    ids = Ids(**json.loads(file.read_text(encoding="utf-8")))
    added = state / FOLDER / f"{numbering}.jsonl"
    if dash and added.exists():
        for line in added.read_text(encoding="utf-8").splitlines():
            try:
                more = json.loads(line)
            except ValueError:
                break
            ids.subjects.extend(more["subjects"])
            ids.rules.extend(more["rules"])
    return ids


def forget_ids(state: Path, keep: set[str]) -> None:
    """Remove the ids of numberings that no state needs any more."""
    needed = {name.partition("-")[0] + ".json" for name in keep} | {f"{name}.jsonl" for name in keep}
    for file in (state / FOLDER).glob("*.json*"):
        if file.name not in needed:
            file.unlink(missing_ok=True)


def write_whole(file: Path, value: object) -> None:
    """A file of JSON that is there whole or not at all, whatever happens meanwhile."""
    new = file.with_suffix(".new")
    with new.open("w", encoding="utf-8") as out:
        json.dump(value, out, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
