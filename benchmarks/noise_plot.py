"""The noise study as a picture: each policy a point, false alerts against the delay of true ones."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from benchmarks.noise_policies import ACCURACY_FACTOR, CONFIRM_FIXES, PROPOSED, SHIPPED, TOLERANCE_M, Effect, Policy

COLOUR = dict(zip(CONFIRM_FIXES, ("#b03a2e", "#c98a1b", "#2e7d4f", "#3b6ea5"), strict=True))
MARKER = dict(zip(TOLERANCE_M, ("o", "s", "^", "D"), strict=True))
SIZE = dict(zip(ACCURACY_FACTOR, (14.0, 34.0, 70.0), strict=True))
MISSES = 0.01
LATEST_MIN = 4.0
Figures = tuple[float, float, float]
"""False alerts a person and day, delay in minutes (p90), share of the clear cases missed."""


def plot(found: dict[Policy, Figures], path: Path) -> None:
    """Write a PNG: to the left the policies of allow rules, to the right those of forbid rules."""
    least = min(false for false, _, _ in found.values() if false) / 2
    figure, both = plt.subplots(1, 2, figsize=(13, 6), sharey=True, layout="constrained")
    effects: tuple[Effect, ...] = ("allow", "forbid")
    for axes, effect in zip(both, effects, strict=True):
        some = {policy: figures for policy, figures in found.items() if policy.effect == effect and policy.clear_fixes == 2}
        for policy, (false, delay_min, missed) in some.items():
            colour = COLOUR[policy.confirm_fixes]
            # A tolerance means nothing to a forbid rule.
            shape = {
                "marker": MARKER[policy.tolerance_m] if effect == "allow" else "o",
                "s": SIZE[policy.accuracy_factor],
                "linewidths": 0.9,
            }
            filled = colour if missed <= MISSES else "none"
            axes.scatter(delay_min, max(false, least), facecolors=filled, edgecolors=colour, alpha=0.75, **shape)
        for name, policy in (("shipped", SHIPPED[effect]), ("proposed", PROPOSED[effect])):
            at = found[policy][1], max(found[policy][0], least)
            axes.scatter(*at, s=260, facecolors="none", edgecolors="black", linewidths=1.6)
            axes.annotate(name, at, xytext=(12, 10), textcoords="offset points", fontweight="bold")
        axes.axvline(LATEST_MIN, color="#777777", linewidth=1, linestyle="--")
        axes.set(title=f"{effect} rules", xlabel="minutes until nine in ten clear breaches are told", yscale="log")
        axes.grid(visible=True, which="major", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    both[0].set_ylabel("false alerts a person and day, of people 15 to 250 m from the line")
    handles = [Line2D([], [], marker="o", linestyle="", color=COLOUR[n], label=f"confirm_fixes {n}") for n in CONFIRM_FIXES]
    handles += [Line2D([], [], marker=MARKER[m], linestyle="", color="#555555", label=f"tolerance_m {m:g}") for m in TOLERANCE_M]
    handles += [
        Line2D([], [], marker="o", markersize=SIZE[f] ** 0.5, linestyle="", color="#555555", label=f"accuracy_factor {f:g}")
        for f in ACCURACY_FACTOR
    ]
    handles.append(
        Line2D([], [], marker="o", linestyle="", color="#555555", markerfacecolor="none", label="misses over 1 % of them")
    )
    handles.append(Line2D([], [], linestyle="--", color="#777777", label=f"{LATEST_MIN:g} minutes"))
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    figure.savefig(path, dpi=100)
    plt.close(figure)
