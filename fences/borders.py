"""Where neighbouring regions do not fit: thin gaps between them and thin strips in which they overlap.

Public district borders leave hundreds of such slivers. Who may be in both regions and stands in a gap is in neither, unless
`tolerance_m` reaches over it; who stands in an overlap is found in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from fences.metres import scale_at
from fences.registry import Registry

THIN_M = 200.0
"""A piece wider than this somewhere is no sliver: a region within another one, or land that belongs to none."""
_WORTH_TELLING_M2 = 1.0


@dataclass(frozen=True, slots=True)
class Sliver:
    """A gap between regions, or an overlap of two; `width_m` is that of the widest circle in it, whose centre is the place."""

    kind: Literal["gap", "overlap"]
    regions: tuple[str, ...]
    area_m2: float
    width_m: float
    lon: float
    lat: float


def slivers(registry: Registry) -> list[Sliver]:
    """Every sliver between the regions, the largest first. Widths and areas by the local metric, right to 1 %."""
    regions = registry.area_shapes[: registry.region_count]
    tree = shapely.STRtree(regions)
    found = [*_gaps(regions, tree, registry), *_overlaps(regions, tree, registry)]
    return sorted(found, key=lambda sliver: -sliver.area_m2)


def tolerance_needed_m(found: list[Sliver]) -> int:
    """The `tolerance_m` (whole metres) that reaches from both sides over every gap; 0 where there is none."""
    return max((int(np.ceil(sliver.width_m / 2)) for sliver in found if sliver.kind == "gap"), default=0)


def _gaps(regions: np.ndarray, tree: shapely.STRtree, registry: Registry) -> Iterator[Sliver]:
    """Holes of all regions together that two or more of them border on; a hole in a single region was drawn on purpose."""
    for polygon in shapely.get_parts(shapely.union_all(regions)):
        for k in range(int(shapely.get_num_interior_rings(polygon))):
            hole = shapely.polygons(shapely.get_interior_ring(polygon, k))
            around = tree.query(hole, predicate="intersects")
            if len(around) > 1:
                yield from _thin("gap", hole, tuple(sorted(registry.area_ids[i] for i in around)))


def _overlaps(regions: np.ndarray, tree: shapely.STRtree, registry: Registry) -> Iterator[Sliver]:
    """The pieces that two regions share."""
    pairs = tree.query(regions, predicate="intersects").T.tolist()
    for first, second in [(a, b) for a, b in pairs if a < b]:
        shared = shapely.get_parts(shapely.intersection(regions[first], regions[second]))
        for piece in shared[shapely.get_type_id(shared) == shapely.GeometryType.POLYGON]:
            yield from _thin("overlap", piece, (registry.area_ids[first], registry.area_ids[second]))


def _thin(kind: Literal["gap", "overlap"], piece: shapely.Geometry, regions: tuple[str, ...]) -> Iterator[Sliver]:
    """The piece as a sliver, if it is one."""
    west, south, _, north = shapely.bounds(piece)
    metres = np.array(scale_at(float(south + north) / 2))
    local = shapely.transform(piece, lambda lonlat: (lonlat - [west, south]) * metres)
    area_m2 = float(shapely.area(local))
    if area_m2 < _WORTH_TELLING_M2 or 2 * area_m2 / float(shapely.length(local)) > THIN_M:
        return  # The second: twice the area through the length of the border is never more than the width.
    radius = shapely.maximum_inscribed_circle([local])[0]
    width_m = 2 * float(shapely.length(radius))
    if width_m <= THIN_M:
        lon, lat = (shapely.get_coordinates(radius)[0] / metres + [west, south]).tolist()
        yield Sliver(kind, regions, area_m2, width_m, lon, lat)
