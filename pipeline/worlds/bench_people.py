"""The people of the benchmark worlds: whose areas are whose, where each is, and how often he reports.

Made to give the figures that benchmarks quote: 1.8 areas each, a stated share of the fixes in long open breaches, few changes of
state. Who is outside his areas stays outside and reports every minute, the others every third minute, so that a share of 7 % of
the fixes takes 2.4 % of the people, and five million fixes bring about one alert per thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.worlds.bench_map import BenchMap, points_in
from pipeline.worlds.plane import Floats

Ints = NDArray[np.int64]
MOST_AREAS = 3
SHARES_OF_COUNTS = (0.4, 0.4, 0.2)
"""Of one, two and three areas: 1.8 on average."""
SHARE_CIRCLE_FIRST = 0.3
SHARE_SECOND_DISTRICT = 0.2
SHARE_AT_SECOND = 0.2
SHARE_MOVING = 0.3
SHARE_CROSSERS = 0.0005
SHARE_ZONE_VISITORS = 0.0003
SHARE_GROUP = 0.1
CALM_EVERY_MIN = 3
SPEED_MPS = (0.5, 10.0)
SIGMA_M = (3.0, 15.0)
STROLL_M = (200.0, 1_000.0)
JOURNEY_M = 2_000.0
APART_M = 1_500.0
"""How far somebody outside stays from his circles."""


@dataclass(frozen=True, slots=True)
class BenchPeople:
    """n subjects. `areas` (n, 3): indices of own areas, districts first, then circles; -1 is none.

    A subject swings on a straight line: `anchor + reach * s`, both (n, 2) in metres, s a triangle wave between -1 and 1 of
    `period_s` seconds; `reach` is 0 for one who rests. `every_min` is 1 or `CALM_EVERY_MIN`.
    """

    areas: Ints
    home_district: Ints
    in_group: NDArray[np.bool_]
    anchor: Floats
    reach: Floats
    period_s: Floats
    phase: Floats
    sigma_m: Floats
    every_min: Ints
    outside: NDArray[np.bool_]


def make_bench_people(world: BenchMap, count: int, breach_share: float, rng: np.random.Generator) -> BenchPeople:
    """`count` subjects, so many of them outside that `breach_share` of all fixes are theirs."""
    areas, home = _areas(world, count, rng)
    thinned = breach_share / CALM_EVERY_MIN
    outside = rng.random(count) < thinned / (1 - breach_share + thinned)
    anchor, reach = _inside(world, areas, rng)
    _put_outside(world, np.flatnonzero(outside), areas, anchor, reach, rng)

    travellers = rng.permutation(np.flatnonzero(~outside))
    crossers = travellers[: int(count * SHARE_CROSSERS)]
    visitors = travellers[len(crossers) : len(crossers) + int(count * SHARE_ZONE_VISITORS)]
    _set_out(world, crossers, visitors, areas, home, anchor, reach, rng)

    length_m = np.hypot(*reach.T)
    every_min = np.where(outside, 1, CALM_EVERY_MIN)
    every_min[np.concatenate([crossers, visitors])] = 1
    return BenchPeople(
        areas=areas,
        home_district=home,
        in_group=rng.random(count) < SHARE_GROUP,
        anchor=anchor,
        reach=reach,
        period_s=4 * np.maximum(length_m, 1.0) / rng.uniform(*SPEED_MPS, count),
        phase=rng.random(count),
        sigma_m=rng.uniform(*SIGMA_M, count),
        every_min=every_min,
        outside=outside,
    )


def _areas(world: BenchMap, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Own areas and home district of each subject."""
    districts, circles = len(world.districts), len(world.circle_radius_m)
    circle_first = rng.random(count) < SHARE_CIRCLE_FIRST
    circle = rng.integers(0, circles, (count, MOST_AREAS))
    home = np.where(circle_first, world.circle_district[circle[:, 0]], rng.integers(0, districts, count))
    # Three circles of one subject are three: equal ones are moved apart.
    circle[:, 1] += circle[:, 1] == circle[:, 0]
    circle[:, 2] = (circle[:, 0] + circle[:, 1] + 1 + circle[:, 2]) % circles
    circle %= circles
    areas = circle + districts
    areas[:, 0] = np.where(circle_first, areas[:, 0], home)
    second_district = ~circle_first & (rng.random(count) < SHARE_SECOND_DISTRICT)
    areas[:, 1] = np.where(second_district, world.neighbour(home, rng), areas[:, 1])
    number = rng.choice(MOST_AREAS, count, p=SHARES_OF_COUNTS) + 1
    areas[np.arange(MOST_AREAS) >= number[:, None]] = -1
    areas[areas[:, 2] == areas[:, 1], 2] = -1
    areas[(areas[:, 2] == areas[:, 0]), 2] = -1
    return areas, home


def _inside(world: BenchMap, areas: Ints, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Places inside one of each subject's areas, and strolls that stay in it."""
    count, districts = len(areas), len(world.districts)
    where = np.where((areas[:, 1] >= 0) & (rng.random(count) < SHARE_AT_SECOND), areas[:, 1], areas[:, 0])
    anchor, reach = np.empty((count, 2)), _strolls(count, rng)
    for_district = np.flatnonzero(where < districts)
    anchor[for_district] = points_in(world.districts, where[for_district], rng)
    reach[for_district[_leaves(world, where[for_district], anchor[for_district], reach[for_district])]] = 0
    in_circle = np.flatnonzero(where >= districts)
    circle = where[in_circle] - districts
    radius_m = world.circle_radius_m[circle, None]
    bearing = rng.uniform(0, 2 * np.pi, len(in_circle))
    rests = reach[in_circle, :1] == 0
    far = np.sqrt(rng.random((len(in_circle), 1))) * np.where(rests, 0.95, 0.6) * radius_m
    anchor[in_circle] = world.circle_centre[circle] + far * np.stack([np.cos(bearing), np.sin(bearing)], axis=1)
    reach[in_circle] *= 0.3 * radius_m / STROLL_M[1]
    return anchor, reach


def _strolls(count: int, rng: np.random.Generator) -> Floats:
    bearing = rng.uniform(0, 2 * np.pi, count)
    length_m = np.where(rng.random(count) < SHARE_MOVING, rng.uniform(*STROLL_M, count), 0.0)
    reach: Floats = length_m[:, None] * np.stack([np.cos(bearing), np.sin(bearing)], axis=1)
    return reach


def _leaves(world: BenchMap, district: Ints, anchor: Floats, reach: Floats) -> NDArray[np.bool_]:
    """Who would leave the district on his stroll."""
    leaves = np.zeros(len(district), bool)
    moves = np.flatnonzero((reach != 0).any(axis=1))
    moves = moves[np.argsort(district[moves], kind="stable")]
    lines = shapely.linestrings(np.stack([anchor[moves] - reach[moves], anchor[moves] + reach[moves]], axis=1))
    leaves[moves] = ~shapely.covers(world.districts[district[moves]], lines)
    return leaves


def _put_outside(world: BenchMap, who: Ints, areas: Ints, anchor: Floats, reach: Floats, rng: np.random.Generator) -> None:
    """Moves these subjects to a district that is none of their own areas, away from their circles."""
    districts = len(world.districts)
    left = who
    while len(left):
        own = areas[left]
        first = np.where(own[:, 0] < districts, own[:, 0], world.circle_district[own[:, 0] - districts])
        there = world.neighbour(first, rng)
        place, stroll = points_in(world.districts, there, rng), _strolls(len(left), rng)
        stroll[_leaves(world, there, place, stroll)] = 0
        circle = np.maximum(own - districts, 0)
        apart_m = np.hypot(*np.moveaxis(world.circle_centre[circle] - place[:, None], -1, 0)) - world.circle_radius_m[circle]
        good = ((own < districts) | (apart_m > APART_M)).all(axis=1) & (own != there[:, None]).all(axis=1)
        anchor[left[good]], reach[left[good]] = place[good], stroll[good]
        # Where both neighbours are his own, his second area is given up.
        areas[left[~good & (own[:, 1] == there)], 1:] = -1
        left = left[~good]


def _set_out(
    world: BenchMap,
    crossers: Ints,
    visitors: Ints,
    areas: Ints,
    home: Ints,
    anchor: Floats,
    reach: Floats,
    rng: np.random.Generator,
) -> None:
    """The few whose state changes: they swing over the border of their district, or through a zone, two kilometres either way."""
    zone = rng.integers(0, len(world.zones), len(visitors))
    home[visitors] = world.zone_district[zone]
    anchor[visitors] = world.zone_centre[zone]
    for who in crossers.tolist():
        vertices = shapely.get_coordinates(world.districts[home[who]])
        anchor[who] = vertices[rng.integers(0, len(vertices))]
    for group in (crossers, visitors):
        areas[group, 0], areas[group, 1:] = home[group], -1
        bearing = rng.uniform(0, 2 * np.pi, len(group))
        reach[group] = JOURNEY_M * np.stack([np.cos(bearing), np.sin(bearing)], axis=1)
