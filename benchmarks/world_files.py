"""The files of a benchmark world, made anew for a run: registry, fixes in every form, variants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Literal

import pyarrow as pa

from pipeline.feeding import Feeding
from pipeline.sources.files import FileOptions, FileStream
from pipeline.worlds.bench_broken import write_jsonl_broken
from pipeline.worlds.bench_worlds import W1, W2, BenchSpec, BenchWorld, make_bench_world
from pipeline.worlds.track_files import write_csv, write_jsonl, write_parquet
from sinks.redis_connection import connect

FIXES_AN_ENTRY = 1_000
Order = Literal["time", "subject"]


@dataclass(frozen=True, slots=True)
class WorldFiles:
    """A world in a folder. `name`: w1, w1_breach (20 % of the fixes in open breach) or w2; `fixes` are in each of its files."""

    name: str
    folder: Path
    world: BenchWorld
    fixes: int

    @property
    def registry(self) -> Path:
        """The registry directory."""
        return self.folder / "registry"

    def file(self, form: str) -> Path:
        """The fixes in a form, made when first asked for.

        Forms: `jsonl`, `csv`, `parquet`, `jsonl_by_subject`, `parquet_by_subject`, `jsonl_broken`.
        """
        ending = {"csv": ".csv", "parquet": ".parquet", "parquet_by_subject": ".parquet"}.get(form, ".jsonl")
        path = self.folder / f"{form}{ending}"
        if not path.exists():
            self._write(form, path)
        return path

    def fill(self, url: str, form: str, fixes: int) -> str:
        """Feed the first fixes into a stream of the server at `url`, as `redis_packed` or `redis_single`; gives its name."""
        client: Any = connect(url)
        stream = f"{self.name}:{form}"
        if not client.exists(stream):
            feeding = Feeding(stream, packed=FIXES_AN_ENTRY if form == "redis_packed" else 0)
            source = self.file("parquet") if fixes == self.fixes else self.sample("jsonl", fixes)
            feeding.feed(FileStream([str(source)], FileOptions()), client, lambda _fed: None, Event())
        client.close()
        return stream

    def sample(self, form: str, count: int) -> Path:
        """The first `count` lines of a file of JSON lines."""
        path = self.folder / f"{form}_{count}.jsonl"
        if not path.exists():
            with self.file(form).open("rb") as lines, path.open("wb") as out:
                out.writelines(islice(lines, count))
        return path

    def _write(self, form: str, path: Path) -> None:
        if form == "jsonl_broken":
            write_jsonl_broken(self._parts("time"), path)
        else:
            write = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}[form.partition("_")[0]]
            write(self._parts("subject" if form.endswith("by_subject") else "time"), path)

    def _parts(self, order: Order) -> Iterator[pa.Table]:
        return self.world.parts(self.fixes, order)


def make_world_files(name: str, folder: Path, seed: int, fixes: int) -> WorldFiles:
    """The world of that name with its registry written. The same seed gives the same bytes."""
    spec: BenchSpec = W2 if name.startswith("w2") else W1
    world = make_bench_world(spec, seed, 0.2 if name.endswith("breach") else 0.07)
    files = WorldFiles(name, folder / name, world, fixes)
    world.write_registry(files.registry)
    return files
