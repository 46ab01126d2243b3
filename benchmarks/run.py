"""`make bench`: the worlds, the contenders in turn, the table, `results/latest.json` and a plot.

    python -m benchmarks [--quick] [--fixes N] [--rounds N] [--seed N] [--only KEY ...] [--folder DIR] [--out DIR]

Every figure of ours is of the whole path: a file's (or stream's) bytes, decoding, acceptance, judging, state, alerts in a Redis
that syncs its file at each write; reading the registry is left out, compiling it is not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis

from benchmarks.contender import Contender
from benchmarks.measured import Measured
from benchmarks.results import Cost, write_results
from benchmarks.world_files import WorldFiles, make_world_files
from pipeline.embedded_redis import EmbeddedRedis

FORMS = {
    "w1": ("jsonl", "csv", "parquet", "jsonl_by_subject", "parquet_by_subject", "jsonl_broken", "redis_packed", "redis_single"),
    "w1_breach": ("jsonl", "parquet"),
    "w2": ("jsonl", "parquet"),
}
QUICK_FORMS = {"w1": ("jsonl", "parquet", "jsonl_by_subject"), "w1_breach": ("jsonl",)}
YARDSTICK_FORMS = ("jsonl", "jsonl_by_subject", "jsonl_broken")
"""The files that the yardsticks read too: every line of theirs is a fix of the world in hand."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run: fixes of ours, and samples of the yardsticks with the part of each that is warm-up.

    In the order of time everybody is seen once within about 210,000 fixes (W2: 1,050,000); until then a flow makes state.
    """

    fixes: int
    rounds: int
    per_fix: dict[str, tuple[int, int]]
    obvious: dict[str, tuple[int, int]]
    orjson: int
    single: int


FULL = Size(
    5_000_000, 3,
    {"w1": (560_000, 210_000), "w1_breach": (560_000, 210_000), "w2": (1_350_000, 1_050_000)},
    {"w1": (260_000, 210_000), "w1_breach": (260_000, 210_000), "w2": (80_000, 20_000)},
    1_000_000,
    1_000_000,
)  # fmt: skip
QUICK = Size(
    1_000_000, 1,
    {"w1": (400_000, 210_000), "w1_breach": (400_000, 210_000)},
    {"w1": (60_000, 20_000), "w1_breach": (60_000, 20_000)},
    300_000,
    300_000,
)  # fmt: skip


@dataclass(slots=True)
class Bench:
    """A run of the benchmarks: what was asked for, and what was measured so far."""

    size: Size
    seed: int
    folder: Path
    url: str
    input_url: str
    only: tuple[str, ...] = ()
    ours: dict[str, list[Measured]] = field(default_factory=dict)
    yardsticks: dict[str, dict[str, list[Measured]]] = field(default_factory=dict)
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)
    _runs: int = 0

    def run_world(self, name: str, forms: tuple[str, ...]) -> None:
        """Everything that is to be run in one world, its contenders in turn."""
        forms = tuple(form for form in forms if not self.only or key_of(form, name) in self.only)
        if not forms:
            return
        _say(f"{name}: making the world and {', '.join(forms)} of {self.size.fixes:,} fixes")
        files = make_world_files(name, self.folder, self.seed, self.size.fixes)
        for form in {"jsonl", *forms}:
            if form.startswith("redis"):
                files.fill(self.input_url, form, self._fixes(form))
            else:
                files.file(form)
        os.sync()  # else the disk would still be writing these when Redis waits for it
        yardstick_forms = [form for form in YARDSTICK_FORMS if form in forms or form == "jsonl"]
        with ExitStack() as stack:
            _say(f"{name}: loading the registry into the contenders")
            contenders = {
                kind: stack.enter_context(Contender(kind, files.registry)) for kind in ("ours", "per_fix", "obvious", "orjson")
            }
            for form in yardstick_forms:
                self._compare(files, form, contenders)
            for number in range(self.size.rounds):
                _say(f"{name}: round {number + 1} of {self.size.rounds}")
                for form in yardstick_forms:
                    self._run_yardsticks(files, form, contenders)
                for form in forms:
                    self.ours.setdefault(key_of(form, name), []).append(self._run_ours(files, form, contenders["ours"]))
            for form in (form for form in forms if not form.startswith("redis")):
                self.stages[key_of(form, name)] = contenders["ours"].stages(files.file(form), redis=self.url, prefix=self._prefix())

    def _fixes(self, form: str) -> int:
        return min(self.size.single, self.size.fixes) if form == "redis_single" else self.size.fixes

    def _run_ours(self, files: WorldFiles, form: str, ours: Contender) -> Measured:
        fixes, prefix = self._fixes(form), self._prefix()
        if form.startswith("redis"):
            stream = files.fill(self.input_url, form, fixes)
            measured = ours.live(self.input_url, stream, fixes=fixes, redis=self.url, prefix=prefix)
        else:
            measured = ours.run(files.file(form), redis=self.url, prefix=prefix)
        assert measured.fixes == fixes
        return measured

    def _compare(self, files: WorldFiles, form: str, contenders: dict[str, Contender]) -> None:
        """Ours and the per-fix flow over the same sample: the alerts must be the same. It also compiles and warms both."""
        count = self.size.per_fix[files.name][0]
        sample = files.sample(form, count)
        ours = contenders["ours"].run(sample, redis=self.url, prefix=self._prefix())
        theirs = contenders["per_fix"].run(sample, fixes=count, redis=self.url, prefix=self._prefix())
        if sorted(ours.alert_ids) != sorted(theirs.alert_ids):
            missing, extra = set(theirs.alert_ids) - set(ours.alert_ids), set(ours.alert_ids) - set(theirs.alert_ids)
            sys.exit(f"benchmarks: {files.name} {form}: the alerts differ: {len(missing)} only of (b), {len(extra)} only of ours")
        self.compared[key_of(form, files.name)] = len(ours.alert_ids)
        _say(f"{files.name}: {form}: ours and (b) raise the same {len(ours.alert_ids):,} alerts over {count:,} fixes")

    def _run_yardsticks(self, files: WorldFiles, form: str, contenders: dict[str, Contender]) -> None:
        measured = self.yardsticks.setdefault(key_of(form, files.name), {})
        path = files.file(form)
        count, warm_up = self.size.per_fix[files.name]
        per_fix = contenders["per_fix"].run(path, fixes=count, warm_up=warm_up, redis=self.url, prefix=self._prefix())
        measured.setdefault("per_fix", []).append(per_fix)
        if form == "jsonl_broken":
            return
        if files.name != "w2":
            keyed = contenders["per_fix"].run(path, fixes=count, warm_up=warm_up, redis=self.url, prefix=self._prefix(), keyed=True)
            measured.setdefault("keyed", []).append(keyed)
        count, warm_up = self.size.obvious[files.name]
        if form == "jsonl_by_subject":
            # Here the first fixes of a subject are soon followed by his others.
            count, warm_up = count - warm_up + 10_000, 10_000
        measured.setdefault("obvious", []).append(contenders["obvious"].run(path, fixes=count, warm_up=warm_up))
        measured.setdefault("orjson", []).append(contenders["orjson"].run(path, fixes=self.size.orjson))

    def _prefix(self) -> str:
        """A prefix for one run; what earlier runs left is thrown away, so that all find the server as empty."""
        client = Redis.from_url(self.url)
        client.flushall()
        client.close()
        self._runs += 1
        return f"bench-{self._runs}:"

    def costs(self) -> dict[str, Cost]:
        """The medians, and what they are compared with, by key."""
        out: dict[str, Cost] = {}
        for key, runs in self.ours.items():
            form, world = form_and_world(key)
            of_world = self.yardsticks[key_of("jsonl", world)]
            own = self.yardsticks.get(key_of(_lines_like(form), world), {})
            best = {kind: own.get(kind) or of_world[kind] for kind in ("per_fix", "obvious", "orjson")}
            keyed = own.get("keyed") or of_world.get("keyed")
            out[key] = Cost(
                fixes=runs[0].fixes,
                alerts=runs[0].alerts,
                wall_ns=_median_ns(runs, "wall_s"),
                cpu_ns=_median_ns(runs, "cpu_s"),
                peak_mb=max(run.peak_mb for run in runs),
                per_fix_wall_ns=_median_ns(best["per_fix"], "wall_s"),
                per_fix_cpu_ns=_median_ns(best["per_fix"], "cpu_s"),
                per_fix_peak_mb=max(run.peak_mb for run in best["per_fix"]),
                keyed_wall_ns=_median_ns(keyed, "wall_s") if keyed else None,
                obvious_wall_ns=_median_ns(best["obvious"], "wall_s"),
                orjson_cpu_ns=_median_ns(best["orjson"], "cpu_s"),
                stages_ns=self.stages.get(key, {}),
            )
        return out


def key_of(form: str, world: str) -> str:
    """`jsonl_by_subject` of w1 is `jsonl_w1_by_subject`, `jsonl` of w1_breach is `jsonl_w1_breach`."""
    kind, _, variant = (form, "", "") if form.startswith("redis") else form.partition("_")
    return "_".join(filter(None, (kind, world, variant)))


def form_and_world(key: str) -> tuple[str, str]:
    """The reverse of `key_of`."""
    for world, forms in FORMS.items():
        for form in forms:
            if key_of(form, world) == key:
                return form, world
    raise KeyError(key)


def _lines_like(form: str) -> str:
    """The JSON lines with the same fixes in the same order."""
    return "jsonl" if form.startswith("redis") else form.replace("parquet", "jsonl").replace("csv", "jsonl")


def _median_ns(runs: list[Measured], what: str) -> float:
    return 1e9 * float(statistics.median(getattr(run, what) / run.fixes for run in runs))


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute or two: fewer fixes, one round, the most telling keys")
    parser.add_argument("--fixes", type=int, help="fixes of ours a run")
    parser.add_argument("--rounds", type=int, help="rounds; medians are shown")
    parser.add_argument("--seed", type=int, default=1, help="seed of the worlds")
    parser.add_argument("--only", nargs="*", default=[], metavar="KEY", help="only these keys, such as jsonl_w1")
    parser.add_argument("--folder", type=Path, help="where the worlds' files stay (3 GB); without, they are thrown away")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="where the results are written")
    options = parser.parse_args()
    base, forms = (QUICK, QUICK_FORMS) if options.quick else (FULL, FORMS)
    size = Size(options.fixes or base.fixes, options.rounds or base.rounds, base.per_fix, base.obvious, base.orjson, base.single)
    started, load = time.time(), os.getloadavg()[0]
    if load > 1:
        _say(f"others are at work here (load average {load:.1f}): trust the ratios by cpu more than those by the wall clock")
    # Alerts go to a server that syncs its file at each write, as the daemon's own does; the recorded input stands in another one.
    with (
        TemporaryDirectory(prefix="fencewatch-bench-") as thrown_away,
        EmbeddedRedis(Path(thrown_away) / "redis") as server,
        EmbeddedRedis() as source,
    ):
        bench = Bench(size, options.seed, options.folder or Path(thrown_away), server.url, source.url, tuple(options.only))
        for name, of_world in forms.items():
            bench.run_world(name, of_world)
    about: dict[str, Any] = {
        "seed": options.seed,
        "rounds": size.rounds,
        "quick": options.quick,
        "minutes": round((time.time() - started) / 60, 1),
    }
    about["alerts_compared"] = bench.compared
    about["load_average"] = {"before": round(load, 1), "after": round(os.getloadavg()[0], 1)}
    write_results(bench.costs(), about, options.out)
