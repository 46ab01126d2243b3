"""Break the rules on purpose, one by one, in a copy of the tree: the tests must notice each.

    python -m tests.mutants [--only WORD] [--jobs N]

Prints a table and how many were found; ends with 1 where one was not, where its text is no longer in the code, or where the tests
fail without any mutation. The copies are run with the JIT off, so that a mutation costs seconds; those of areas are compiled, each
with a cache of its own, because numba's cache does not see that a function pasted into another has changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.mutants.mutation import Mutation
from tests.mutants.of_areas import AREA_MUTATIONS
from tests.mutants.of_feeds import FEED_MUTATIONS
from tests.mutants.of_judge import JUDGE_MUTATIONS
from tests.mutants.of_records import RECORD_MUTATIONS
from tests.mutants.of_slots import SLOT_MUTATIONS
from tests.mutants.of_time import TIME_MUTATIONS

MUTATIONS = (*JUDGE_MUTATIONS, *SLOT_MUTATIONS, *RECORD_MUTATIONS, *AREA_MUTATIONS, *FEED_MUTATIONS, *TIME_MUTATIONS)
ROOT = Path(__file__).parents[2]
COPIED = ("fences", "operators", "sinks", "pipeline", "tests", "docs", "pyproject.toml")
LATEST_S = 600
FAILED = 1
"""pytest's exit code where tests failed; any other but 0 says that they could not run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutation: whether it was found, by which test, or why not."""

    mutation: Mutation
    found: bool
    what: str
    seconds: float


def main() -> None:
    """All mutations, or those with a word in their name."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Break the rules on purpose; tests must notice.")
    parser.add_argument("--only", default="", metavar="WORD", help="only mutations with this word in their name or file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="how many at once")
    options = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if options.only in mutation.name or options.only in mutation.file]
    console = Console(width=None if sys.stdout.isatty() else 160)
    gone = [mutation for mutation in chosen if (ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.old) != 1]
    for mutation in gone:
        console.print(f"{mutation.name}: its text does not stand exactly once in {mutation.file} any more", style="red")
    if gone or not chosen:
        sys.exit(1)
    started = time.monotonic()
    with TemporaryDirectory(prefix="fencewatch-mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        broken = without_mutation(chosen, Path(folder))
        if broken:
            console.print(broken, style="red", markup=False)
            sys.exit(1)
        outcomes = []
        for outcome in pool.map(lambda numbered: run(numbered[1], Path(folder) / f"{numbered[0]}"), enumerate(chosen)):
            outcomes.append(outcome)
            console.print(
                f"{'found' if outcome.found else 'NOT FOUND':9} {outcome.seconds:5.0f} s  {outcome.mutation.name}", markup=False
            )
    console.print(table(outcomes))
    found = sum(outcome.found for outcome in outcomes)
    console.print(f"{found} of {len(outcomes)} found, {time.monotonic() - started:.0f} s")
    sys.exit(0 if found == len(outcomes) else 1)


def table(outcomes: Sequence[Outcome]) -> Table:
    """What was broken, where, and which test noticed."""
    shown = Table("broken on purpose", "in", "noticed by", box=None, header_style="bold")
    for outcome in outcomes:
        style = None if outcome.found else "red"
        shown.add_row(outcome.mutation.name, outcome.mutation.file, outcome.what, style=style)
    return shown


def without_mutation(chosen: Sequence[Mutation], folder: Path) -> str:
    """The same tests over a copy in which nothing was changed; what they say where they fail."""
    tree = copied(folder / "unchanged")
    for jit in (False, True):
        tests = sorted({test for mutation in chosen if mutation.jit is jit for test in mutation.tests.split()})
        if tests:
            code, said = run_tests(tree, tests, jit=jit)
            if code != 0:
                return f"The tests fail without any mutation:\n{said}"
    shutil.rmtree(tree)
    return ""


def run(mutation: Mutation, tree: Path) -> Outcome:
    """One mutation in a copy of its own."""
    started = time.monotonic()
    copied(tree)
    file = tree / mutation.file
    file.write_text(file.read_text(encoding="utf-8").replace(mutation.old, mutation.new), encoding="utf-8")
    code, said = run_tests(tree, mutation.tests.split(), jit=mutation.jit)
    shutil.rmtree(tree)
    failed = [line.removeprefix("FAILED ").split(" - ")[0] for line in said.splitlines() if line.startswith("FAILED ")]
    what = (
        failed[0] if code == FAILED and failed else "nothing" if code == 0 else f"the tests could not run ({code}): {said[-300:]}"
    )
    return Outcome(mutation, code == FAILED and bool(failed), what, time.monotonic() - started)


def copied(tree: Path) -> Path:
    """A copy of the code and its tests."""
    tree.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc"))
        else:
            shutil.copy(ROOT / name, tree / name)
    return tree


def run_tests(tree: Path, tests: Sequence[str], *, jit: bool) -> tuple[int, str]:
    """The exit code of pytest over some tests of a copy, up to the first that fails, and what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_DISABLE_JIT": "0" if jit else "1",
        "NUMBA_CACHE_DIR": str(tree / "numba"),
    }
    options = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:warnings",
        "-p",
        "tests.mutants.quick",
        "-m",
        "not heavy",
        "--hypothesis-seed=1",
    ]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        ran = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LATEST_S, check=False)
    except subprocess.TimeoutExpired:
        return -1, f"no end within {LATEST_S} s"
    return ran.returncode, ran.stdout + ran.stderr


main()
