"""Which records count and in what order (J9), contact and device (J10-J12), alerts, and states under other registries."""

from __future__ import annotations

from tests.mutants.mutation import ACCEPTANCE, ALERTS, CASES, DEVICE, LATE, ORDER, SNAPSHOT, in_file

RECORD_MUTATIONS = (
    *in_file(
        "operators/order.py",
        ORDER,
        (
            "the same time is in order",
            "if row.last_ms == ABSENT_MS or time_ms > row.last_ms:",
            "if row.last_ms == ABSENT_MS or time_ms >= row.last_ms:",
        ),
        (
            "what is late is in order",
            "    if time_ms < row.last_ms:\n        return LATE",
            "    if time_ms < row.last_ms:\n        return IN_ORDER",
        ),
        ("another latitude is a duplicate", "row.pos_lon == lon and row.pos_lat == lat", "row.pos_lon == lon"),
        ("a contact doubles a fix", "return CONFLICTS if row.placed else DUPLICATES", "return DUPLICATES"),
        ("a contact's time may be taken twice", "if row.placed and row.pos_lon", "if row.pos_lon"),
    ),
    *in_file(
        "operators/order.py",
        CASES,
        ("a record before an edge is in order", "return LATE if time_ms < row.edge_judged_ms else IN_ORDER", "return IN_ORDER"),
    ),
    *in_file(
        "operators/late.py",
        LATE,
        (
            "late evidence forgets by its end",
            "for old in ended[:-REMEMBERED]:",
            "for old in sorted(ended, key=lambda e: e[1] or 0)[:-REMEMBERED]:",
        ),
        ("late evidence may be near an episode", "start - QUARTER_HOUR_MS <= onset_ms", "start <= onset_ms"),
        ("a late fine fix ends nothing", '        if verdict == "fine":\n            self.breaches = []\n', ""),
        ("one late time counts twice", "        if time_ms in self.times:\n            return None\n", ""),
    ),
    *in_file(
        "operators/contact.py",
        CASES,
        ("silence begins a moment later", "    while due_ms < before_ms:", "    while due_ms + 1 < before_ms:"),
    ),
    *in_file(
        "operators/device.py",
        DEVICE,
        ("a jump needs no distance", " and excess_m >= limits.min_jump_m", ""),
    ),
    *in_file(
        "operators/device.py",
        CASES,
        ("the battery clears at its threshold", "BATTERY_HYSTERESIS_PCT = 5.0", "BATTERY_HYSTERESIS_PCT = 0.0"),
    ),
    *in_file(
        "operators/raise_alerts.py",
        ALERTS,
        ("all moves of an episode have one id", "str(found) if event.what == MOVED else None", "None"),
        (
            "a clear tells a distance",
            "if event.what == OPENED and event.kind <= ABSENT_FROM]",
            "if event.kind <= ABSENT_FROM]",
        ),
    ),
    *in_file(
        "operators/alert.py",
        ALERTS,
        (
            "the id leaves out the onset",
            "parts = (subject, slot, str(onset_ms), TYPE + change)",
            'parts = (subject, slot, "", TYPE + change)',
        ),
    ),
    *in_file(
        "operators/distance.py",
        ALERTS,
        ("the depth is that in the first area", "return max(depths, default=None)", "return depths[0] if depths else None"),
        ("areas of rules that are over count for the distance", "r < 0 and is_active(", "r < 0 or is_active("),
    ),
    *in_file(
        "fences/numbering.py",
        SNAPSHOT,
        (
            "a numbering is known by its ids whatever their order",
            '"\\x1f".join(names) for names in ids',
            '"\\x1f".join(sorted(names)) for names in ids',
        ),
    ),
    *in_file(
        "operators/renumbering.py",
        SNAPSHOT,
        ("rules keep their numbers in another registry", 'm.pool.slot["rule"][held] = rule_to[m.pool.slot["rule"][held]]', "pass"),
    ),
    *in_file(
        "operators/state.py",
        SNAPSHOT,
        (
            "regions keep their numbers in another registry",
            "bits = np.array([known.setdefault(name, len(known)) for name in regions], np.int32)",
            "bits = np.arange(len(regions), dtype=np.int32)",
        ),
    ),
    *in_file(
        "operators/acceptance.py",
        ACCEPTANCE,
        ("a vague position counts", "        if found & _VAGUE:", "        if False:"),
        ("the edge of the world is out of range", "abs(lons[i]) > MOST_LON", "abs(lons[i]) >= MOST_LON"),
        ("the future begins at its tolerance", "elif time - future_tolerance_ms > (", "elif time - future_tolerance_ms >= ("),
        ("the time decides what is heard", "heard = received if received != ABSENT_MS else time", "heard = time"),
    ),
)
