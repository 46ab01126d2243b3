"""J11 and J12: `tamper`, `separated`, the two battery slots, and `implausible`, each from one in-order record."""

from __future__ import annotations

from tests.reference.alerts import Docket, Occasion
from tests.reference.contact import clear_flag, open_flag
from tests.reference.earth import metres
from tests.reference.records import Fix, Position
from tests.reference.standing import Standing

BATTERY_HYSTERESIS_PCT = 5
ASSUMED_ACCURACY_M = 30.0


def device_flags(docket: Docket, s: Standing, fix: Fix, position: Position | None) -> None:
    """J11. True opens, an explicit false clears; at or below the threshold opens, 5 above it clears."""
    occasion = Occasion(fix.time, position, fix.arrival)
    battery = fix.battery_pct
    low, critical = docket.registry.general["battery_low_pct"], docket.registry.general["battery_critical_pct"]
    rows = (
        ("tamper", "red", fix.tamper is True, fix.tamper is False),
        ("separated", "red", fix.separated is True, fix.separated is False),
        ("battery_low", "info", *battery_says(battery, low)),
        ("battery_critical", "yellow", *battery_says(battery, critical)),
    )
    for slot, level, opens, clears in rows:
        if opens and slot not in s.flags:
            open_flag(docket, s, slot, level, occasion)
        elif clears:
            clear_flag(docket, s, slot, occasion)


def battery_says(battery: float | None, threshold: float) -> tuple[bool, bool]:
    """Whether a charge opens, and whether it clears, the slot of a threshold."""
    if battery is None:
        return False, False
    return battery <= threshold, battery >= threshold + BATTERY_HYSTERESIS_PCT


def implausible(docket: Docket, s: Standing, fix: Fix) -> None:
    """J12, of an in-order fix and the one before."""
    if fix.position is None or s.placed is None or s.placed_time is None:
        return
    here, before = fix.position, s.placed
    excess = metres(before.lon, before.lat, here.lon, here.lat)
    excess -= sum(ASSUMED_ACCURACY_M if p.accuracy_m is None else p.accuracy_m for p in (here, before))
    limits = (docket.registry.general["max_speed_mps"] * (fix.time - s.placed_time) / 1000, docket.registry.general["min_jump_m"])
    occasion = Occasion(fix.time, fix.position, fix.arrival)
    if excess > limits[0] and excess >= limits[1]:
        if "implausible" not in s.flags:
            open_flag(docket, s, "implausible", "yellow", occasion)
    else:
        clear_flag(docket, s, "implausible", occasion)
    docket.doubt(doubtful=any(abs(excess - limit) <= max(1.0, 0.01 * limit) for limit in limits))
