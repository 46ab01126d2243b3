"""Mutations of what time and change bring (J1, J7, J9, J10, registry versions), found by the examples of docs/rules.md."""

from __future__ import annotations

from tests.mutants.mutation import in_file

RULES_PAGE = "tests/test_rules_document.py::test_an_example_happens_as_it_stands_there"

TIME_MUTATIONS = (
    *in_file(
        "fences/activity.py",
        RULES_PAGE,
        ("a rule is active at its end", "return from_ms <= time_ms < until_ms and", "return from_ms <= time_ms <= until_ms and"),
        ("a span belongs to the day it ends on", "(day + 3) % 7) & 1", "(day + 4) % 7) & 1"),
        ("excepted dates are kept", "            return False\n    return True\n", "            return True\n    return True\n"),
        ("the second of a repeated time begins", "and not second:", "and second:"),
        (
            "a skipped time is read with the offset before",
            "        return at\n    if after < before",
            "        return local_ms - before\n    if after < before",
        ),
        ("spans are over at midnight", "- 1 if calm else today - 3, today + 1", "if calm else today - 3, today + 1"),
    ),
    *in_file(
        "operators/edges.py",
        RULES_PAGE,
        (
            "positions are too old at exactly their age",
            "<= fences.limits[0].max_position_age_ms",
            "< fences.limits[0].max_position_age_ms",
        ),
        ("nothing is late for an edge", "        row.edge_judged_ms = time_ms\n", ""),
        (
            "rules of now decide the kind",
            "occasion.subject, row.fine_ms, occasion.lon",
            "occasion.subject, occasion.time_ms, occasion.lon",
        ),
    ),
    *in_file(
        "operators/standing.py",
        RULES_PAGE,
        ("a fine edge is a fine fix", "    if verdict == FINE and not at_edge:", "    if verdict == FINE:"),
        ("a rule's slot counts one position twice", "    if at_edge and verdict == slot.last:\n        return\n", ""),
    ),
    *in_file(
        "operators/slot_machine.py",
        RULES_PAGE,
        ("the time since the onset does not count", " and time_ms - slot.onset_ms >= confirm_ms:", ":"),
        (
            "the kind is that of the last breach",
            "        if slot.state == CALM:\n            slot.state = PENDING",
            "        slot.kind = kind\n        if slot.state == CALM:\n            slot.state = PENDING",
        ),
    ),
    *in_file(
        "operators/step.py",
        RULES_PAGE,
        ("an edge at a contact waits", "time_ms - 1 if placed else time_ms)", "time_ms - 1)"),
        ("an edge comes before the fix at its time", "time_ms - 1 if placed else time_ms)", "time_ms)"),
        ("edges that the clock brought stay brought", "            or row.edges_done_ms > t\n", ""),
        (
            "slots end later than by a fix",
            (
                "    end_rules(fences.calendar, fences.rule, pool, events, row, fences.subject[occasion.subject].zone, occasion)\n"
                "    row.edges_done_ms"
            ),
            "    row.edges_done_ms",
        ),
        (
            "old records are no contact",
            "    hear(pool, events, row, occasion)\n    row.arrival_ms = max",
            "    row.arrival_ms = max",
        ),
        (
            "the last arrival goes back",
            "        row.arrival_ms = max(row.arrival_ms, arrival)\n        row.in_order",
            "        row.arrival_ms = arrival\n        row.in_order",
        ),
        (
            "after an old record no deadline is looked for",
            "    pool.head[NEXT_DUE] = min(pool.head[NEXT_DUE], row.arrival_ms + row.silent_after_ms)\n    out_of_order",
            "    out_of_order",
        ),
        ("a longer patience puts off what follows a silence", ") or is_open(row, SILENT)\n", ")\n"),
        (
            "a stale one is cleared at its time",
            "clear_flag(pool, events, RETURNED, row, STALE, at_time(occasion, arrival, arrival))",
            "clear_flag(pool, events, RETURNED, row, STALE, occasion)",
        ),
    ),
    *in_file(
        "operators/due.py",
        RULES_PAGE,
        (
            "there is no grace",
            "bring_due(fences, state, mark_ms, mark_ms - grace_ms)",
            "bring_due(fences, state, mark_ms, mark_ms)",
        ),
        (
            "a mark at the end of grace is too early",
            "    if mark_ms < state.memory.pool.head[NEXT_DUE]:",
            "    if mark_ms <= state.memory.pool.head[NEXT_DUE]:",
        ),
    ),
    *in_file(
        "operators/contact.py",
        RULES_PAGE,
        ("stale a moment later", ">= row.silent_after_ms:", "> row.silent_after_ms:"),
        ("lost a moment later", ">= no_position_after_ms:", "> no_position_after_ms:"),
        (
            "who never had a position loses none",
            "since_ms = row.first_ms if row.pos_ms == ABSENT_MS else row.pos_ms",
            "since_ms = row.pos_ms",
        ),
        (
            "silent for long from the last arrival",
            "return max(pool.slot[at].onset_ms + silent_long_after_ms, row.floor_ms)",
            "return max(row.arrival_ms + silent_long_after_ms, row.floor_ms)",
        ),
    ),
    *in_file(
        "operators/late.py",
        RULES_PAGE,
        ("evidence is as late as its last record", "min(self.breaches), max(self.breaches)", "min(self.breaches), time_ms"),
        ("evidence needs no time", " or latest_ms - onset_ms < confirm_ms:", ":"),
        ("lanes last for ever", "abs(time_ms - self.last_ms) > max_age_ms:", "False:"),
        (
            "an uncertain late fix is none",
            "        self.last_ms = time_ms\n        self.times.add(time_ms)\n",
            '        if verdict != "uncertain":\n            self.last_ms = time_ms\n        self.times.add(time_ms)\n',
        ),
        ("what is pending is told twice", "if pending_since_ms is not None and evidence", "if False and evidence"),
        ("what is open is told twice", "(end is None or onset_ms", "(end is not None and onset_ms"),
        ("more than four are known", "REMEMBERED = 4", "REMEMBERED = 5"),
        ("fewer than four are known", "REMEMBERED = 4", "REMEMBERED = 3"),
    ),
    *in_file(
        "operators/device.py",
        RULES_PAGE,
        ("a jump of exactly so far is none", "excess_m > limits.max_speed_mps *", "excess_m > 1.01 * limits.max_speed_mps *"),
        ("accuracies are no excuse", " - before_m - here_m", ""),
        ("a missing accuracy is 0 in jumps", "ASSUMED_ACCURACY_M = 30.0", "ASSUMED_ACCURACY_M = 0.0"),
        ("what is not said clears", "tamper == 1, tamper == 0", "tamper == 1, tamper != 1"),
    ),
    *in_file(
        "operators/versions.py",
        RULES_PAGE,
        ("a version holds from the mark for all", "    return max(mark_ms, row.last_ms)\n", "    return mark_ms\n"),
        ("every version is an edge for all", "        if before[i] != after:\n", "        if True:\n"),
        ("no version is an edge", "        if before[i] != after:\n", "        if False:\n"),
        (
            "deadlines move behind a version's instant",
            "        row.floor_ms = mark_ms\n        row.edges_done_ms",
            "        row.edges_done_ms",
        ),
        (
            "slot area outlives the last allow rule",
            "            end_area(pool, events, row, memory.area[s], occasion)\n",
            "            pass\n",
        ),
        (
            "flags of who is gone stay",
            "                if is_open(row, kind):\n                    clear_flag(pool, events, RULE_ENDED",
            "                if False:\n                    clear_flag(pool, events, RULE_ENDED",
        ),
        (
            "what lies before a version comes after it",
            "if not bring_one(fences, memory, events, scratch_rule, scratch_verdict, s, mark_ms, mark_ms - 1):",
            "if not bring_one(fences, memory, events, scratch_rule, scratch_verdict, s, 0, 0):",
        ),
    ),
)
