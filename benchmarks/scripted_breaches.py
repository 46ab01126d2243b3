"""Large simulated worlds through the command: exactly the scripted breaches are found, nothing else.

    FENCEWATCH_SEEDS=5,6,7 python -m benchmarks.scripted_breaches [--subjects 10000] [--hours 24]

Without seeds three are drawn. Prints a line a world and every difference; ends with 1 where there is one.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from pipeline.worlds.track_files import write_parquet
from pipeline.worlds.world import make_world
from tests.pipeline.scripted import differences

COMMAND = [sys.executable, "-c", "from pipeline.cli import main; main()"]


def seeds() -> list[int]:
    """Those of FENCEWATCH_SEEDS, else three new ones."""
    given = [int(seed) for seed in os.environ.get("FENCEWATCH_SEEDS", "").split(",") if seed]
    return given or [secrets.randbelow(10**6) for _ in range(3)]


def check(seed: int, subjects: int, hours: float, folder: Path) -> list[str]:
    """Simulate, replay, compare; prints a line, answers what differs."""
    world = make_world(seed=seed, subjects=subjects, hours=hours)
    world.write_registry(folder / "registry")
    write_parquet(world.parts(), folder / "fixes.parquet")
    started = time.perf_counter()
    files: list[str | Path] = ["--alerts-out", folder / "alerts.jsonl", "--report", folder / "report.json"]
    command = [*COMMAND, "replay", folder / "fixes.parquet", "--registry", folder / "registry", *files]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode != 0:
        return [f"the replay ended with {run.returncode}: {run.stderr}"]
    seconds = time.perf_counter() - started
    report = orjson.loads((folder / "report.json").read_bytes())
    alerts = [orjson.loads(line) for line in (folder / "alerts.jsonl").read_bytes().splitlines()]
    wrong = differences(alerts, world.breaches)
    wrong += [f"{n} records rejected as {reason}" for reason, n in report["rejected"].items()]
    verdict = "as scripted" if not wrong else f"{len(wrong)} DIFFERENCES"
    print(
        f"seed {seed}: {report['fixes_read']:,} fixes, {len(world.breaches)} breaches scripted, {len(alerts)} alerts, "
        f"{seconds:.1f} s: {verdict}",
        flush=True,
    )
    return wrong


def main() -> None:
    """All seeds; ends with 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--hours", type=float, default=24)
    options = parser.parse_args()
    failed = False
    for seed in seeds():
        with TemporaryDirectory() as folder:
            wrong = check(seed, options.subjects, options.hours, Path(folder))
        for text in wrong[:50]:
            print(f"  {text}")
        failed |= bool(wrong)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
