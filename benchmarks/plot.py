"""The ratios as a picture: one bar a key, a line where each target is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from benchmarks.results import Cost

TARGETS = {"jsonl": 15.0, "parquet": 25.0}


def plot(costs: dict[str, Cost], path: Path) -> None:
    """Write a PNG: to the left how many times the rate of the best per-fix flow, to the right processor time to bare parsing."""
    keys = list(costs)[::-1]
    figure, (rates, parsing) = plt.subplots(1, 2, figsize=(11, 0.42 * len(keys) + 1.6), sharey=True, layout="constrained")
    bars = rates.barh(keys, [costs[key].ratio for key in keys], color="#3b6ea5")
    rates.bar_label(bars, fmt="%.1f", padding=3)
    for form, target in TARGETS.items():
        rates.axvline(target, color="#b03a2e", linewidth=1, linestyle="--")
        rates.annotate(
            form, (target, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8, color="#b03a2e"
        )
    rates.set_xlabel("times the rate of the best flow a fix at a time (b)")
    bars = parsing.barh(keys, [costs[key].cpu_to_orjson for key in keys], color="#7a8b99")
    parsing.bar_label(bars, fmt="%.2f", padding=3)
    parsing.axvline(2.0, color="#b03a2e", linewidth=1, linestyle="--")
    parsing.set_xlabel("processor time, bare orjson.loads = 1 (c)")
    for axes in (rates, parsing):
        axes.margins(x=0.12)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
