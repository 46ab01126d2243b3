"""Areas: cover tests, borders, promises of rasters, the zone index."""

from __future__ import annotations

from tests.mutants.mutation import (
    BESIDE_AXES,
    BESIDE_EDGE,
    BORDERS,
    DATE_LINE,
    KNOWN_POINTS,
    MANY_AREAS,
    PROMISES,
    SIDES,
    ZONES,
    in_file,
)

AREA_MUTATIONS = (
    *in_file(
        "fences/shapes.py",
        MANY_AREAS,
        ("a vertex below the ray is crossed twice", "(y1 > py and y2 <= py) or", "(y1 >= py and y2 <= py) or"),
        (
            "a slanted edge is not of the area",
            "            if side == 0:\n                return True",
            "            if side == 0:\n                return False",
        ),
    ),
    *in_file(
        "fences/shapes.py",
        KNOWN_POINTS,
        (
            "a level edge is not of the area",
            "            if min(x1, x2) <= px <= max(x1, x2):\n                return True\n            continue",
            "            continue",
        ),
    ),
    *in_file(
        "fences/shapes.py",
        BESIDE_AXES,
        ("a product that vanishes tells a side", "_TINY = 1e-100", "_TINY = 0.0"),
    ),
    *in_file(
        "fences/orientation.py",
        SIDES,
        ("the fast answer is always trusted", "    bound = _SAFE * total", "    bound = 0.0 * total"),
    ),
    *in_file(
        "fences/orientation.py",
        BESIDE_EDGE,
        (
            "the side is as exact as GEOS, but otherwise",
            "return _orientation_slow(x1, y1, x2, y2, px, py)",
            "return _orientation_slow(px, py, x1, y1, x2, y2)",
        ),
    ),
    *in_file(
        "fences/rasters.py",
        PROMISES,
        ("a cell promises a cell too much", "(away[r + 1, c + 1] - 1) * cell_m", "away[r + 1, c + 1] * cell_m"),
        ("all cells promise as at the equator", "max(0.0, math.cos(min(far_lat, 90.0) * _RAD))", "1.0"),
        jit=True,
    ),
    *in_file(
        "fences/rasters.py",
        DATE_LINE,
        (
            "the antimeridian is a wall",
            "                    sure = min(sure, around_m)",
            "                    sure = min(sure, 1e9)",
        ),
    ),
    *in_file(
        "fences/shapes.py",
        BORDERS,
        (
            "a border is sought in the point's row alone",
            "reach = limit_m * 1.001 / METRES_PER_DEGREE_LAT_MIN + 1e-9",
            "reach = 1e-9",
        ),
        ("the nearest point lies on the line, not on the edge", "        part = min(1.0, max(0.0, part))\n", ""),
    ),
    *in_file(
        "fences/zone_index.py",
        ZONES,
        ("zones are sought in a smaller cell", "low + 1.0 / f[4] + grace", "low + 0.9 / f[4]"),
        (
            "cells with as many candidates share a list",
            "setdefault(candidates.tobytes(), len",
            "setdefault(bytes(len(candidates)), len",
        ),
    ),
)
