"""J5-J8: slots and the regions that are told, the step that feeds them, edges."""

from __future__ import annotations

from tests.mutants.mutation import ALERTS, CASES, ORDER, STEP, in_file

SLOT_MUTATIONS = (
    *in_file(
        "operators/slot_machine.py",
        STEP,
        ("one breach more is needed", "slot.count >= confirm_fixes", "slot.count > confirm_fixes"),
        ("confirm_s must be passed", ">= confirm_ms:", "> confirm_ms:"),
        ("count or time is enough", "slot.count >= confirm_fixes and time_ms", "slot.count >= confirm_fixes or time_ms"),
        (
            "the onset is the last breach",
            "        slot.count = min(slot.count + 1",
            "        slot.onset_ms = time_ms\n        slot.count = min(slot.count + 1",
        ),
        (
            "fine does not end what is pending",
            "        if slot.state == PENDING:\n            slot.state = CALM",
            "        if slot.state == PENDING:\n            pass",
        ),
        ("uncertain resets", "    elif verdict == FINE:", "    else:"),
        (
            "a breach does not interrupt a clear",
            "        if slot.state == OPEN:\n            slot.clear_count = 0\n",
            "        if slot.state == OPEN:\n",
        ),
        ("one fine fix more is needed", "slot.clear_count >= clear_fixes", "slot.clear_count > clear_fixes"),
        (
            "fine fixes of the last episode count again",
            "            slot.level = level\n            slot.clear_count = 0\n",
            "            slot.level = level\n",
        ),
    ),
    *in_file(
        "operators/edges.py",
        STEP,
        (
            "the least confirm_fixes counts",
            "confirm_fixes, confirm_ms = max(confirm_fixes, np.int64(policy.confirm_fixes))",
            "confirm_fixes, confirm_ms = min(confirm_fixes or 99, np.int64(policy.confirm_fixes))",
        ),
        ("the mildest level counts", "min(level, np.int64(policy.level))", "max(level % 255, np.int64(policy.level))"),
        (
            "with no active allow rule that of forbid holds",
            "policy = policies[len(policies) - 3]",
            "policy = policies[len(policies) - 2]",
        ),
    ),
    *in_file(
        "operators/events.py",
        ALERTS,
        (
            "home is not told",
            "    slot.told = _take_told(pool)\n    _tell(pool, slot, occasion.home)\n",
            "    slot.told = _take_told(pool)\n",
        ),
    ),
    *in_file(
        "operators/events.py",
        STEP,
        (
            "the region found is not told",
            "    _tell(pool, slot, occasion.found)\n    write(pool, events, OPENED",
            "    write(pool, events, OPENED",
        ),
        ("every fix elsewhere moves", "    new = pool.told[slot.told, bit >> 6] & mask == np.uint64(0)", "    new = True"),
        (
            "who was told is remembered for the next episode",
            "        pool.told[at, w] = np.uint64(0)",
            "        pool.told[at, w] = pool.told[at, w]",
        ),
    ),
    *in_file(
        "operators/step.py",
        STEP,
        ("a calm slot stays calm", "return verdict != BREACH\n", "return True\n"),
        ("a breach on the way to a clear is passed over", "and (verdict != BREACH or not row.area_clearing)", ""),
        (
            "an open breach is steady wherever it is",
            "            row.area_state != OPEN or region_of(",
            "            True or region_of(",
        ),
    ),
    *in_file(
        "operators/standing.py",
        STEP,
        ("rules without a slot are not broken", "        if hit_verdict[h] == BREACH:", "        if False:"),
        (
            "a slot is unlinked with all behind it",
            "        pool.slot[before].next = pool.slot[at].next",
            "        pool.slot[before].next = -1",
        ),
    ),
    *in_file(
        "operators/standing.py",
        ALERTS,
        ("an absence is an entry", "== FORBID else ABSENT_FROM", "== FORBID else ENTERED_FORBIDDEN"),
    ),
    *in_file(
        "operators/step.py",
        ORDER,
        ("a conflict moves the state", "        if order != IN_ORDER:\n", "        if order != IN_ORDER and order != 4:\n"),
    ),
    *in_file(
        "operators/edges.py",
        CASES,
        ("one position counts again at each edge", "verdict != NOT_JUDGED and verdict != row.area_last:", "verdict != NOT_JUDGED:"),
        (
            "an old position is judged at edges",
            "<= fences.limits[0].max_position_age_ms",
            "<= 1000 * fences.limits[0].max_position_age_ms",
        ),
        (
            "slots outlive their rules",
            "    end_rules(fences.calendar, fences.rule, pool, events, row, zone, occasion)\n    if young:",
            "    if young:",
        ),
        ("overstay is never told", "kind = OVERSTAY if then == FINE else LEFT_AREA", "kind = LEFT_AREA"),
    ),
)
