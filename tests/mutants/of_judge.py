"""J1-J5: what the judge makes of a position, and whom a registry binds."""

from __future__ import annotations

from tests.mutants.mutation import CASES, FENCE_SET, JUDGE, in_file

JUDGE_MUTATIONS = (
    *in_file(
        "fences/activity.py",
        JUDGE,
        ("until is included", "from_ms <= time_ms < until_ms and", "from_ms <= time_ms <= until_ms and"),
        ("from is not included", "from_ms <= time_ms < until_ms and", "from_ms < time_ms < until_ms and"),
    ),
    *in_file(
        "fences/activity.py",
        CASES,
        ("schedules are forgotten", " and (schedule < 0 or schedule_covers(calendar, schedule, zone, time_ms))", ""),
    ),
    *in_file(
        "operators/judge.py",
        JUDGE,
        (
            "the tolerance does not widen what accuracy leaves open",
            "reach_m = policy.tolerance_m + policy.accuracy_factor * accuracy_m",
            "reach_m = policy.accuracy_factor * accuracy_m",
        ),
        (
            "the accuracy factor is always 1",
            "reach_m = policy.tolerance_m + policy.accuracy_factor * accuracy_m",
            "reach_m = policy.tolerance_m + accuracy_m",
        ),
        (
            "without a tolerance a distance of 0 m is fine",
            "distance_m <= policy.tolerance_m and policy.tolerance_m > 0.0",
            "distance_m <= policy.tolerance_m",
        ),
        (
            "with neither tolerance nor accuracy a distance decides",
            "    if reach_m <= 0.0:\n        return BREACH  # not",
            "    if reach_m < 0.0:\n        return BREACH  # not",
        ),
        ("uncertain is a breach", "return UNCERTAIN if distance_m <= reach_m else BREACH", "return BREACH"),
        (
            "an allow rule that is not active allows",
            "        if active:\n            verdict = _near(",
            "        if True:\n            verdict = _near(",
        ),
        (
            "the last of several areas decides",
            "            best = min(best, verdict)\n    return best",
            "            best = verdict\n    return best",
        ),
        ("allow rules of groups do not allow", "    if best != FINE:\n        profile =", "    if False:\n        profile ="),
        ("a hole is forbidden too", " or (code == EDGE and not covers(shapes, area, x, y)):", ":"),
        ("forbid ignores how deep", "if deep_m <= 0.0 or (", "if True or ("),
        (
            "forbid takes the accuracy without its factor",
            "deep_m = fences.policy[binding.policy].accuracy_factor * accuracy_m",
            "deep_m = accuracy_m",
        ),
        (
            "the shallowest forbidden area decides",
            "verdicts[i] = max(verdicts[i], verdict)",
            "verdicts[i] = min(verdicts[i], verdict)",
        ),
        ("a zone of a group binds everybody", "if binds_profile(fences, binding.rule, bound.profile):", "if True:"),
        ("everyone is nobody", "    if fences.rule[rule].everyone:\n        return True\n", ""),
        (
            "only the first group of a subject counts",
            "        if a < b:\n            i += 1\n        else:\n            j += 1",
            "        return False",
        ),
        ("require rules of everyone are forgotten", "if used >= 0 and profile.require:", "if False:"),
        (
            "require asks for all of its areas",
            "                best = min(best, _near(fences, fences.binding[i]",
            "                best = max(FINE, _near(fences, fences.binding[i]",
        ),
        ("of several regions the greatest id is found", "rank < region_rank[best]", "rank > region_rank[best]"),
    ),
    *in_file(
        "fences/bindings.py",
        FENCE_SET,
        (
            "groups do not bind",
            "np.concatenate([everyone, *(of_group[a:b] for a, b in zip(first, end, strict=True))])",
            "np.concatenate([everyone])",
        ),
        ("who is bound twice is bound by name only", "keep[both] = ~np.isin(", "keep[both] = np.isin("),
    ),
    *in_file(
        "fences/terms.py",
        FENCE_SET,
        (
            "rules of equal terms in all but the level share a row",
            "    words, known = rows.view(_BYTES), table.view(_BYTES)",
            '    rows["level"] = table["level"][0]\n    words, known = rows.view(_BYTES), table.view(_BYTES)',
        ),
    ),
    *in_file(
        "fences/fence_set.py",
        JUDGE,
        (
            "regions rank by their place in the file",
            'rank[np.argsort(np.array(region_ids, object), kind="stable")]',
            "rank[np.arange(len(region_ids))]",
        ),
    ),
)
