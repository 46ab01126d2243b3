"""The files of a registry as they lie there: which they are, whether they have changed, and copies of them."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

FILES = ("policy.toml", "regions.geojson", "areas.geojson", "subjects.jsonl", "rules.jsonl")
FOLDERS = ("subjects.d", "rules.d")
SUFFIX = ".jsonl"
ENTRIES_AGAIN_S = 1.0
"""So often the entries of the folders are looked at one by one; in between only whether a file was put in or taken out."""

Stamp = tuple[int, int, int]
"""Of a file: inode, size, time of its last change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a registry: the folder it is in (its own path, no link) and the stamp of each file, by name below it."""

    folder: str
    files: dict[str, Stamp]


def look_at(registry: Path) -> Look:
    """A look at every file of a registry; what is missing is not in it."""
    folder = os.path.realpath(registry)
    files = {name: stamp for name in FILES if (stamp := _stamp(f"{folder}/{name}")) is not None}
    for below in FOLDERS:
        files.update(_entries(folder, below))
    return Look(folder, files)


@dataclass(slots=True)
class Watch:
    """Looks at a registry again and again, as cheaply as can be.

    Looking at times works alike on local disks, network mounts and whatever a container is given, where notices of changes do not
    come through; and it sees a link that points elsewhere now as well as a file.
    """

    registry: Path
    _folders: dict[str, tuple[Stamp | None, float, dict[str, Stamp]]] = field(default_factory=dict)

    def look(self) -> Look:
        """What is there now."""
        folder = os.path.realpath(self.registry)
        files = {name: stamp for name in FILES if (stamp := _stamp(f"{folder}/{name}")) is not None}
        for below in FOLDERS:
            path = f"{folder}/{below}"
            stamp, now = _stamp(path), time.monotonic()
            known = self._folders.get(path)
            if known is None or known[0] != stamp or now - known[1] > ENTRIES_AGAIN_S:
                known = self._folders[path] = (stamp, now, _entries(folder, below))
            files.update(known[2])
        return Look(folder, files)


def copy_registry(registry: Path, to: Path, like: tuple[Path, Look] | None) -> Look:
    """Copy the files of a registry to a new folder; gives what was seen of those that were copied.

    `like`: an earlier copy and what was seen then; what has not changed since is linked to it, not copied. A file that changes
    while it is copied is copied again, and so are all when files come or go meanwhile. Raises OSError.
    """
    for _ in range(10):
        seen = look_at(registry)
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(parents=True)
        for below in FOLDERS:
            (to / below).mkdir()
        if all(_copy(seen, name, to, like) for name in seen.files) and look_at(registry) == seen:
            break
    return seen


def sync(folder: Path, names: list[str]) -> None:
    """Make sure that some files of a copy, and its folders, outlive the machine; files that were linked do already."""
    for path in [*(folder / name for name in names), *(folder / below for below in FOLDERS), folder, folder.parent]:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def differing(one: Path, other: Path) -> list[str]:
    """The files that two copies have not both with the same content; a file that both are linked to is not read."""
    a, b = look_at(one).files, look_at(other).files
    return [
        name for name in {**a, **b} if not (name in a and name in b and (a[name] == b[name] or _same(one / name, other / name)))
    ]


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as a, other.open("rb") as b:
        if os.fstat(a.fileno()).st_size != os.fstat(b.fileno()).st_size:
            return False
        while piece := a.read(1 << 20):
            if piece != b.read(1 << 20):
                return False
    return True


def _copy(seen: Look, name: str, to: Path, like: tuple[Path, Look] | None) -> bool:
    """Copy or link a file; false where it is not as it was seen."""
    source, target = Path(seen.folder, name), to / name
    if like is not None and like[1].folder == seen.folder and like[1].files.get(name) == seen.files[name]:
        try:
            os.link(like[0] / name, target)
        except OSError:  # a file system without links, or the copy is not there
            pass
        else:
            return True
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        return False
    return _stamp(source) == seen.files[name]


def _entries(folder: str, below: str) -> dict[str, Stamp]:
    """The registry files of a folder by name; a name with a dot in front is somebody's unfinished file."""
    out: dict[str, Stamp] = {}
    try:
        with os.scandir(f"{folder}/{below}") as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and not entry.name.startswith("."):
                    stamp = _stamp(entry.path)
                    if stamp is not None:
                        out[f"{below}/{entry.name}"] = stamp
    except OSError:
        return out
    return out


def _stamp(path: str | Path) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - ten times a second for each file, without an object for its path
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
