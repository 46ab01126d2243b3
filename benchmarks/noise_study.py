"""False alerts against the delay of true ones, for many policies, on people who live near a border and devices that are imprecise.

    python -m benchmarks.noise_study [--seeds 1,2,3] [--people 30] [--days 7] [--plot docs/noise-study.png]

Prints the tables of docs/noise.md and writes the picture. `--people`: at each of five distances from the border.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.noise_policies import PROPOSED, SHIPPED, Effect, Episodes, Judge, Policy, all_policies, candidates
from benchmarks.noise_tracks import (
    FROM_BORDER_M,
    Excursions,
    Ints,
    Neighbours,
    Noise,
    Tracks,
    honest_tracks,
    make_neighbours,
    trespassing_tracks,
)
from pipeline.worlds.districts import make_districts

KEYS = ("confirm_fixes", "confirm_s", "clear_fixes", "tolerance_m", "accuracy_factor")
MISSED_AT_MOST = 0.01
TOLD_WITHIN_MS = 5 * 60_000
"""An alert so long after the return still tells of the excursion."""
CLEAR_CASE_M, CLEAR_CASE_MS = 100.0, 10 * 60_000
"""What has to be told whatever the policy: so deep, for so long."""
OTHER_NOISE = {
    "noise as above": Noise(),
    "no jump lasts longer than a fix": Noise(jump_memory_s=0.0),
    "jumps last 150 s": Noise(jump_memory_s=150.0),
    "devices 1.5 times as bad as they say": Noise(worse=1.5),
    "a fix every 15 s": Noise(step_ms=15_000),
}
SEEDS = (1, 2, 3)
PEOPLE, DAYS, EXCURSION_DAYS = 30, 7, 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy makes of both kinds of people.

    `false`: openings of each honest person (n,), `person_days` of each; of each excursion (m,) `delay_ms` (NaN: not told) and
    `openings`; `counted` False where an alert was open already when he crossed.
    """

    false: Ints
    person_days: float
    delay_ms: NDArray[np.float64]
    openings: Ints
    counted: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Summary:
    """A policy's figures: openings a person and day of honest people, delays in minutes, shares that were not told.

    `false_at` by distance from the border; delay (median, 90 % of the told) and `missed` of the clear cases; `missed_brief` of the
    others; `openings` for each excursion told.
    """

    false: float
    false_at: tuple[float, ...]
    delay_min: float
    delay_p90_min: float
    missed: float
    missed_brief: float
    openings: float


class World:
    """Both kinds of people of one seed, and the judge of them."""

    def __init__(self, seed: int, people: int, days: int, noise: Noise, policies: Sequence[Policy], folder: Path) -> None:
        map_rng, home_rng, honest_rng, trespass_rng = np.random.default_rng((seed, 20)).spawn(4)
        districts = make_districts(map_rng)
        self.neighbours: Neighbours = make_neighbours(districts, people, home_rng)
        self.honest: Tracks = honest_tracks(self.neighbours, days, noise, honest_rng)
        self.trespassing, over_border, into_circle = trespassing_tracks(
            self.neighbours, districts, min(days, EXCURSION_DAYS), noise, trespass_rng
        )
        self.excursions: dict[Effect, Excursions] = {"allow": over_border, "forbid": into_circle}
        self.judge = Judge(self.neighbours, districts, policies, folder)

    def outcome(self, policy: Policy) -> Outcome:
        """What a policy makes of it."""
        wrong = self.judge.episodes(self.honest, policy)
        right = self.judge.episodes(self.trespassing, policy)
        delay_ms, openings, counted = told(right, self.excursions[policy.effect])
        false = np.bincount(wrong.person, minlength=len(self.neighbours))
        return Outcome(false, self.honest.days, delay_ms, openings, counted)


def told(episodes: Episodes, excursions: Excursions) -> tuple[NDArray[np.float64], Ints, NDArray[np.bool_]]:
    """Of each excursion: delay of its first opening in ms (NaN: none), number of openings, and whether none was open before."""
    origin = int(excursions.out_ms.min()) - 10**9
    width = 2 * 10**10
    opened = episodes.person * width + (episodes.opened_ms - origin)
    order = np.argsort(opened, kind="stable")
    opened, cleared_ms = opened[order], episodes.cleared_ms[order]
    first = np.searchsorted(opened, excursions.person * width + (excursions.out_ms - origin))
    after = np.searchsorted(opened, excursions.person * width + (excursions.back_ms + TOLD_WITHIN_MS - origin), side="right")
    before = first - 1
    his = (before >= 0) & (opened[np.maximum(before, 0)] // width == excursions.person)
    was_open = his & (cleared_ms[np.maximum(before, 0)] > excursions.out_ms)
    at = opened[np.minimum(first, len(opened) - 1)] % width + origin
    delay_ms = np.where(after > first, (at - excursions.out_ms).astype(np.float64), np.nan)
    return delay_ms, after - first, ~was_open


def summary(outcomes: Sequence[Outcome], worlds: Sequence[World], effect: Effect) -> Summary:
    """Over all worlds."""
    away_m = np.concatenate([np.round(world.neighbours.from_border_m, 1) for world in worlds])
    false = np.concatenate([outcome.false / outcome.person_days for outcome in outcomes])
    excursions = [world.excursions[effect] for world in worlds]
    counted = np.concatenate([outcome.counted for outcome in outcomes])
    delay_ms = np.concatenate([outcome.delay_ms for outcome in outcomes])[counted]
    openings = np.concatenate([outcome.openings for outcome in outcomes])[counted]
    deep = np.concatenate([one.depth_m for one in excursions])[counted] >= CLEAR_CASE_M
    long = np.concatenate([one.stay_ms for one in excursions])[counted] >= CLEAR_CASE_MS
    clear = deep & long
    missed = np.isnan(delay_ms)
    found = delay_ms[clear & ~missed] / 60_000
    return Summary(
        false=float(false.mean()),
        false_at=tuple(float(false[away_m == at].mean()) for at in FROM_BORDER_M),
        delay_min=float(np.median(found)),
        delay_p90_min=float(np.quantile(found, 0.9)),
        missed=float(missed[clear].mean()),
        missed_brief=float(missed[~clear].mean()),
        openings=float(openings[~missed].mean()),
    )


def table(title: str, rows: dict[Policy, Summary]) -> str:
    """A table in Markdown."""
    heads = [*KEYS, "false a day", *(f"at {at:g} m" for at in FROM_BORDER_M), "delay p50", "p90", "missed", "missed, brief"]
    lines = [f"**{title}**", "", f"| {' | '.join([*heads, 'openings'])} |", "|" + "---|" * (len(heads) + 1)]
    for policy, one in rows.items():
        cells = [*_keys(policy), f"{one.false:.3f}", *(f"{at:.3f}" for at in one.false_at)]
        cells += [f"{one.delay_min:.1f}", f"{one.delay_p90_min:.1f}", f"{one.missed:.1%}", f"{one.missed_brief:.0%}"]
        lines.append(f"| {' | '.join([*cells, f'{one.openings:.2f}'])} |")
    return "\n".join(lines) + "\n"


def table_of_noise(title: str, rows: dict[Policy, dict[str, Summary]]) -> str:
    """False alerts a day and the delay (p90) of some policies under each kind of noise, in Markdown."""
    heads = [*KEYS, *OTHER_NOISE]
    lines = [f"**{title}**", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for policy, found in rows.items():
        cells = [f"{found[name].false:.3f}, {found[name].delay_p90_min:.1f}" for name in OTHER_NOISE]
        lines.append(f"| {' | '.join([*_keys(policy), *cells])} |")
    return "\n".join(lines) + "\n"


def _keys(policy: Policy) -> list[str]:
    marks = {SHIPPED[policy.effect]: " (shipped)", PROPOSED[policy.effect]: " (proposed)"}
    return [f"{getattr(policy, name):g}" + (marks.get(policy, "") if name == KEYS[0] else "") for name in KEYS]


def best(found: dict[Policy, Summary], effect: Effect) -> dict[Policy, Summary]:
    """The policies that no other beats in false alerts and delay (p90), of those that miss no more than 1 % of the clear cases.

    Of several with the same figures the first; the fewest false first.
    """
    some: dict[tuple[float, float], Policy] = {}
    for policy, one in found.items():
        if policy.effect == effect and one.missed <= MISSED_AT_MOST:
            some.setdefault((one.false, one.delay_p90_min), policy)
    front: list[Policy] = []
    for figures, policy in sorted(some.items(), key=lambda pair: pair[0]):
        if all(figures[1] < found[other].delay_p90_min for other in front):
            front.append(policy)
    return {policy: found[policy] for policy in front}


def one_key_changed(found: dict[Policy, Summary], effect: Effect) -> dict[Policy, Summary]:
    """The shipped policy, and those that differ from it in one key."""
    shipped = SHIPPED[effect]

    def apart(policy: Policy) -> int:
        return sum(getattr(policy, name) != getattr(shipped, name) for name in KEYS)

    near = [policy for policy in found if policy.effect == effect and apart(policy) <= 1]
    return {policy: found[policy] for policy in [shipped, *(policy for policy in near if policy != shipped)]}


def studied(
    seeds: Sequence[int], people: int, days: int, noise: Noise, policies: Sequence[Policy]
) -> tuple[dict[Policy, Summary], list[World]]:
    """What each policy makes of the worlds of some seeds."""
    with TemporaryDirectory() as folder:
        worlds = [World(seed, people, days, noise, policies, Path(folder) / str(seed)) for seed in seeds]
        found = {policy: summary([world.outcome(policy) for world in worlds], worlds, policy.effect) for policy in policies}
    return found, worlds


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=list(SEEDS))
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--plot", type=Path, default=None)
    options = parser.parse_args()
    started, policies = time.monotonic(), all_policies()
    found, worlds = studied(options.seeds, options.people, options.days, Noise(), policies)
    counts = {effect: sum(len(world.excursions[effect].person) for world in worlds) for effect in SHIPPED}
    print(
        f"seeds {','.join(map(str, options.seeds))}: {sum(len(world.neighbours) for world in worlds)} people near a border, "
        f"{options.days} honest days each, {counts['allow']:,} excursions over the border, {counts['forbid']:,} into the "
        f"circle; {len(policies)} policies, {sum(len(world.honest) + len(world.trespassing) for world in worlds):,} fixes each, "
        f"{time.monotonic() - started:.0f} s\n"
    )
    for effect in SHIPPED:
        print(table(f"{effect}: the shipped policy, and one key changed", one_key_changed(found, effect)))
        print(table(f"{effect}: candidates", {policy: found[policy] for policy in candidates(effect)}))
        print(table(f"{effect}: not beaten by any other", best(found, effect)))
    days = max(1, options.days // 2)
    others = {
        name: studied(options.seeds[:1], options.people, days, noise, [*candidates("allow"), *candidates("forbid")])[0]
        for name, noise in OTHER_NOISE.items()
    }
    for effect in SHIPPED:
        rows = {policy: {name: some[policy] for name, some in others.items()} for policy in candidates(effect)}
        print(
            table_of_noise(
                f"{effect}: false a day and delay p90 under other noise, seed {options.seeds[0]}, {days} honest days", rows
            )
        )
    print(f"{time.monotonic() - started:.0f} s in all")
    if options.plot is not None:
        from benchmarks.noise_plot import plot  # noqa: PLC0415 - only who wants the picture needs matplotlib

        plot({policy: (one.false, one.delay_p90_min, one.missed) for policy, one in found.items()}, options.plot)


if __name__ == "__main__":
    main()
