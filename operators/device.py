"""J11 and J12: what a device says of itself (tamper, separation, battery), and movement that cannot be."""

from __future__ import annotations

import math

from fences.compiled import Record, compiled, inlined
from fences.metres import METRES_PER_DEGREE_MAX, apart_m
from operators.contact import clear_flag, is_open, open_flag
from operators.events import RETURNED, Events, Occasion
from operators.fix_batch import ABSENT_MS
from operators.state import BATTERY_CRITICAL, BATTERY_LOW, IMPLAUSIBLE, SEPARATED, TAMPER, Pool

BATTERY_HYSTERESIS_PCT = 5.0
ASSUMED_ACCURACY_M = 30.0


@compiled
def _take(pool: Pool, events: Events, row: Record, kind: int, opens: bool, clears: bool, occasion: Occasion) -> None:
    opened = is_open(row, kind)
    if opens and not opened:
        open_flag(pool, events, row, kind, occasion)
    elif clears and opened:
        clear_flag(pool, events, RETURNED, row, kind, occasion)


@compiled
def device_flags(
    pool: Pool, events: Events, row: Record, limits: Record, tamper: int, separated: int, battery_pct: float, occasion: Occasion
) -> None:
    """J11: the first in-order true opens, the first explicit false clears; -1 says nothing. Battery: at or below, 5 above."""
    _take(pool, events, row, TAMPER, tamper == 1, tamper == 0, occasion)
    _take(pool, events, row, SEPARATED, separated == 1, separated == 0, occasion)
    if not math.isnan(battery_pct):
        clear_from = battery_pct - BATTERY_HYSTERESIS_PCT
        _take(pool, events, row, BATTERY_LOW, battery_pct <= limits.battery_low_pct, clear_from >= limits.battery_low_pct, occasion)
        _take(
            pool, events, row, BATTERY_CRITICAL, battery_pct <= limits.battery_critical_pct,
            clear_from >= limits.battery_critical_pct, occasion,
        )  # fmt: skip


@inlined
def surely_plausible(row: Record, lon: float, lat: float, time_ms: int, limits: Record) -> bool:
    """Whether two positions are too near for a jump (or for one in this time), by degrees alone; also where there was none."""
    most_m = (abs(lon - row.pos_lon) + abs(lat - row.pos_lat)) * METRES_PER_DEGREE_MAX
    return not most_m >= limits.min_jump_m or most_m * 1000.0 <= limits.max_speed_mps * (time_ms - row.pos_ms)


@compiled
def movement(pool: Pool, events: Events, row: Record, limits: Record, occasion: Occasion) -> None:
    """J12: a jump too far for the time since the fix before opens `implausible`, the next plausible fix clears it."""
    if row.pos_ms == ABSENT_MS:
        return
    before_m = ASSUMED_ACCURACY_M if math.isnan(row.pos_accuracy_m) else row.pos_accuracy_m
    here_m = ASSUMED_ACCURACY_M if math.isnan(occasion.accuracy_m) else occasion.accuracy_m
    excess_m = apart_m(row.pos_lon, row.pos_lat, occasion.lon, occasion.lat) - before_m - here_m
    jumps = excess_m > limits.max_speed_mps * (occasion.time_ms - row.pos_ms) / 1000.0 and excess_m >= limits.min_jump_m
    _take(pool, events, row, IMPLAUSIBLE, jumps, not jumps, occasion)
