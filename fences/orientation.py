"""On which side of a line a point lies, without rounding: the one place where a cover test could go wrong by an ulp.

The quick answer is the usual cross product with the error bound of Shewchuk (1997, "Adaptive Precision Floating-Point
Arithmetic", ccwerrboundA); the few points that it leaves open are answered in double-double arithmetic from exact differences and
products, the way GEOS does it (`CGAlgorithmsDD::orientationIndex`), so that both agree also where the exact answer is another: GEOS
finds a point on the line that lies beside it by less than about 1e-32 of the edge's length.
"""

from __future__ import annotations

from fences.compiled import compiled

_SAFE = 3.3306690738754716e-16 * (1 + 1e-10)
"""(3 + 16 eps) eps with eps = 2**-53, rounded up."""
_SPLIT = 134217729.0
"""2**27 + 1, Dekker's splitter."""


@compiled
def _two_sum(a: float, b: float) -> tuple[float, float]:
    s = a + b
    bb = s - a
    return s, (a - (s - bb)) + (b - bb)


@compiled
def _two_product(a: float, b: float) -> tuple[float, float]:
    p = a * b
    c = _SPLIT * a
    ah = c - (c - a)
    al = a - ah
    c = _SPLIT * b
    bh = c - (c - b)
    bl = b - bh
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


@compiled
def _dd_product(ah: float, al: float, bh: float, bl: float) -> tuple[float, float]:
    p, e = _two_product(ah, bh)
    e += ah * bl + al * bh
    return _two_sum(p, e)


@compiled
def orientation(x1: float, y1: float, x2: float, y2: float, px: float, py: float) -> int:
    """Sign of the turn p1 -> p2 -> p: 1 left (counter-clockwise), -1 right, 0 on the line. As GEOS has it, for doubles."""
    left = (x1 - px) * (y2 - py)
    right = (y1 - py) * (x2 - px)
    det = left - right
    if left > 0.0:
        if right <= 0.0:
            return 1 if det > 0.0 else (-1 if det < 0.0 else 0)
        total = left + right
    elif left < 0.0:
        if right >= 0.0:
            return 1 if det > 0.0 else (-1 if det < 0.0 else 0)
        total = -left - right
    else:
        return 1 if det > 0.0 else (-1 if det < 0.0 else 0)
    bound = _SAFE * total
    if det > bound:
        return 1
    if -det > bound:
        return -1
    return _orientation_slow(x1, y1, x2, y2, px, py)


@compiled
def _orientation_slow(x1: float, y1: float, x2: float, y2: float, px: float, py: float) -> int:
    # These four differences and no others: their products are rounded (to 104 bits), and GEOS rounds these.
    ah, al = _two_sum(x2, -x1)
    bh, bl = _two_sum(py, -y2)
    ch, cl = _two_sum(y2, -y1)
    dh, dl = _two_sum(px, -x2)
    lh, ll = _dd_product(ah, al, bh, bl)
    rh, rl = _dd_product(ch, cl, dh, dl)
    if lh > rh or (lh == rh and ll > rl):
        return 1
    if lh < rh or (lh == rh and ll < rl):
        return -1
    return 0
