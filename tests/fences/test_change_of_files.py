"""Files of a registry that change one after the other: read alone they give what a load of all gives, and the same problems.

FENCEWATCH_EXAMPLES=n draws that many examples.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from fences.change_of_files import NotAloneError, change_of_files
from fences.fence_set import Fences, FenceSet
from fences.known import Known, change_of_all, known_of
from fences.load import load_registry
from fences.problems import Problem, WrongRegistryError
from fences.registry import ALLOW, FORBID, REQUIRE
from operators.judge import binds_profile
from tests.fences.good_registry import AREAS, POLICY, REGIONS, good_registry, write

EXAMPLES = int(os.environ.get("FENCEWATCH_EXAMPLES", "80"))
Record = dict[str, Any]
State = dict[str, list[Record]]
"""By file, its records."""

SUBJECTS = [f"s{k}" for k in range(6)]
RULES = [f"r{k}" for k in range(8)]
GROUPS = ["g", "h", "i"]
HOMES = ["region-0", "region-1", None]
PLACES = ["shop", "circle", "region-0", "region-1"]
SUBJECT_FILES = ["subjects.jsonl", "subjects.d/a.jsonl", "subjects.d/b.jsonl"]
RULE_FILES = ["rules.jsonl", "rules.d/a.jsonl", "rules.d/b.jsonl"]

some = st.lists
SUBJECT = st.fixed_dictionaries(
    {"home_region": st.sampled_from(HOMES), "groups": some(st.sampled_from(GROUPS), max_size=2, unique=True)},
    optional={"silent_after_s": st.sampled_from([60, 900]), "name": st.just("N")},
)
RULE = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["allow", "forbid", "require"]),
        "areas": some(st.sampled_from(PLACES), min_size=1, max_size=2, unique=True),
        "subjects": some(st.sampled_from([*SUBJECTS, SUBJECTS[0]]), max_size=2),
    },
    optional={
        "everyone": st.booleans(),
        "groups": some(st.sampled_from([*GROUPS, "nobody"]), max_size=2, unique=True),
        "until": st.sampled_from(["2027-01-01T00:00:00Z", 1767196800000]),
        "schedule": st.sampled_from([[{"from": "22:00", "to": "06:00"}], [{"days": "mon", "from": "08:00", "to": "18:00"}]]),
        "timezone": st.sampled_from(["Asia/Tokyo", "Europe/London"]),
        "tolerance_m": st.sampled_from([10, 30, 77]),
        "level": st.sampled_from(["red", "info"]),
        "permit": st.sampled_from([1, 2]),
    },
)
FAULTS: list[Record] = [{"areas": ["nowhere"]}, {"until": "soon"}, {"colour": 1}, {"confirm_fixes": 99}]
FAULT = st.sampled_from([*[{}] * 5, *FAULTS])


@st.composite
def courses(draw: st.DrawFn) -> list[State]:
    """States of the files, each made from the one before by other contents of a few of them."""
    state: State = {"subjects.jsonl": [], "rules.jsonl": []}
    out = []
    for _ in range(draw(st.integers(2, 6))):
        for name in draw(some(st.sampled_from([*SUBJECT_FILES, *RULE_FILES, *RULE_FILES]), min_size=1, max_size=3, unique=True)):
            state = {**state, name: records(draw, state, name)}
            if "." in name.partition("/")[2] and draw(st.integers(0, 5)) == 0:
                del state[name]
        out.append(state)
    return out


def records(draw: st.DrawFn, state: State, name: str) -> list[Record]:
    """Other records for a file: mostly with ids that no other file has, and some as they were."""
    is_subjects = name.startswith("subjects")
    elsewhere = {r["id"] for other, rows in state.items() if other != name and other.startswith(name[:5]) for r in rows}
    ids = SUBJECTS if is_subjects else RULES
    if draw(st.integers(0, 4)):
        ids = [id_ for id_ in ids if id_ not in elsewhere]
    chosen = draw(some(st.sampled_from(ids), unique=True, max_size=4)) if ids else []
    before = {record["id"]: record for rows in state.values() for record in rows}
    there = {r["id"] for other, rows in state.items() if other.startswith("subjects") for r in rows}
    out = []
    for id_ in chosen:
        record: Record = {"id": id_, **(draw(SUBJECT) if is_subjects else draw(RULE))}
        if id_ in before and draw(st.booleans()):
            record = before[id_]
        if not is_subjects:
            if draw(st.integers(0, 7)):
                record = {**record, "subjects": [name for name in record["subjects"] if name in there]}
            record = {**record, **draw(FAULT)}
        out.append(record)
    return out


def lay(state: State, folder: Path) -> Path:
    """The state as a registry with two regions and two areas."""
    texts = {name: text for name, text in good_registry().items() if name in {AREAS, REGIONS, POLICY}}
    texts |= {name: "".join(json.dumps(record) + "\n" for record in rows) for name, rows in state.items()}
    return write(texts, folder)


def told(problems: Iterable[Problem], folder: Path) -> set[tuple[str, int | None, str, str]]:
    """What is wrong and where, without warnings."""
    return {(p.file.removeprefix(str(folder)), p.line, p.path, p.what.replace(str(folder), "")) for p in problems if not p.warning}


@settings(max_examples=EXAMPLES, deadline=None)
@given(course=courses())
def test_a_change_of_files_is_a_load_of_all(course: list[State]) -> None:
    """Version, problems, and for each subject everything he is judged by."""
    with TemporaryDirectory() as name:
        known: Known | None = None
        before: State = {}
        for number, state in enumerate(course):
            folder = lay(state, Path(name, str(number)))
            try:
                registry, _ = load_registry(folder)
            except WrongRegistryError as error:
                if known is not None:
                    refused(known, folder, changed_names(before, state), error)
                continue
            known = known_of(folder)[0] if known is None else taken(known, folder, changed_names(before, state))
            before = state
            assert known.registry.version == registry.version
            assert judged_by(known.fence_set) == judged_by(FenceSet(registry))
            assert set(known.subjects.numbers) == set(registry.subject_ids)
            assert {id_: known.registry.subject_ids[n] for id_, n in known.subjects.numbers.items()} == {
                id_: id_ for id_ in registry.subject_ids
            }


def changed_names(before: State, after: State) -> list[str]:
    """The files that are not as they were."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def taken(known: Known, folder: Path, names: list[str]) -> Known:
    """The change, which is a good one."""
    try:
        change = change_of_files(known, folder, names)
        event("files alone")
    except NotAloneError:
        # Moved from a file that changed to one that did: nothing of a good registry needs more than the files that changed.
        raise AssertionError("a good change can always be read alone") from None
    numbers = known.subjects.numbers
    now = change.known.subjects.numbers
    assert {id_: n for id_, n in now.items() if id_ in numbers} == {id_: n for id_, n in numbers.items() if id_ in now}
    gone = {known.registry.subject_ids[n] for n in np.flatnonzero(change.differs.gone_subjects).tolist()}
    assert gone == set(numbers) - set(now)
    assert change.came.subjects == list(change.known.registry.subject_ids[len(known.registry.subject_ids) :])
    assert change.came.rules == list(change.known.registry.rule_ids[len(known.registry.rule_ids) :])
    whole = change_of_all(known, folder)
    assert whole.differs.other_effect == tuple(sorted(change.differs.other_effect, key=whole.differs.other_effect.index))
    unconcerned = set(range(len(known.registry.subject_ids))) - set(
        range(len(known.registry.subject_ids)) if change.differs.concerned is None else change.differs.concerned.tolist()
    )
    was, is_ = judged_by(known.fence_set), judged_by(change.known.fence_set)
    for number in unconcerned:
        id_ = known.registry.subject_ids[number]
        assert was.get(id_) == is_.get(id_)
    return change.known


def refused(known: Known, folder: Path, names: list[str], error: WrongRegistryError) -> None:
    """The same problems, or none without the rest."""
    with pytest.raises((WrongRegistryError, NotAloneError)) as found:
        change_of_files(known, folder, names)
    if isinstance(found.value, WrongRegistryError):
        assert told(found.value.problems, folder) == told(error.problems, folder)
    event("refused alone" if isinstance(found.value, WrongRegistryError) else "refused with the rest")


def judged_by(fence_set: FenceSet) -> dict[str, Any]:
    """By subject, and for the registry, all that the judge and the edges look at, by ids."""
    fences, registry = fence_set.fences, fence_set.registry
    out: dict[str, Any] = {}
    prints = dict(zip(registry.rule_ids, fence_set.rule_prints().tolist(), strict=False))
    for s, id_ in enumerate(registry.subject_ids):
        if id_:
            out[id_] = of_subject(fence_set, fences, s)
            assert fence_set.subject_number(id_) == s
    for r, id_ in enumerate(registry.rule_ids):
        if id_:
            assert fence_set.rule_number(id_) == r
            out[f"rule {id_}"] = (of_rule(fences, r), prints[id_])
    grid = np.arange(0, len(fences.cells.where))
    fence_set.zone_index.complete()
    cells = fence_set.fences.cells
    zones = [cells.item[cells.start[w] : cells.start[w + 1]].tolist() for w in cells.where[grid].tolist()]
    return {**out, "zones": zones, "limits": fences.limits.tobytes(), "sections": fences.policy[-3:].tobytes()}


def of_rule(fences: Fences, r: int) -> tuple[Any, ...]:
    """What a rule says, without the numbers that stand for it."""
    rule, calendar = fences.rule[r], fences.calendar
    said: tuple[Any, ...] = ()
    if rule["schedule"] >= 0:
        row = calendar.schedule[rule["schedule"]]
        zone = int(row["zone"])
        changes = b"" if zone < 0 else calendar.change[calendar.zone_start[zone] : calendar.zone_start[zone + 1]].tobytes()
        spans = calendar.span[row["span_at"] : row["span_end"]].tobytes()
        said = (spans, calendar.except_day[row["except_at"] : row["except_end"]].tobytes(), changes)
    terms = fences.policy[rule["policy"]].tobytes()
    return int(rule["effect"]), int(rule["from_ms"]), int(rule["until_ms"]), int(rule["everyone"]), terms, said


def of_subject(fence_set: FenceSet, fences: Fences, s: int) -> tuple[Any, ...]:
    """What binds a subject, and how he is."""
    registry, bound = fence_set.registry, fences.subject[s]
    profile = fences.profile[bound["profile"]]
    bindings = []
    for owner in (bound, profile):
        at = int(owner["at"])
        for effect, name in ((ALLOW, "allow"), (FORBID, "forbid"), (REQUIRE, "require")):
            rows = fences.binding[at : at + int(owner[name])]
            at += int(owner[name])
            assert all(fences.rule[b["rule"]]["effect"] == effect for b in rows)
            assert rows["rule"].tolist() == sorted(rows["rule"].tolist())
            bindings += [binding(fence_set, fences, b) for b in rows]
    profile_number, f = int(bound["profile"]), fences
    zones = [binding(fence_set, f, b) for b in f.zone_binding if binds_profile(f, int(b["rule"]), profile_number)]
    timed = f.timed_rule[f.timed_start[profile_number] : f.timed_start[profile_number + 1]].tolist()
    every = f.shared_rule[f.shared_start[profile_number] : f.shared_start[profile_number + 1]].tolist()
    zone = f.calendar.change[f.calendar.zone_start[bound["zone"]] : f.calendar.zone_start[bound["zone"] + 1]].tobytes()
    return (
        sorted(bindings),
        sorted(zones),
        [sorted(registry.rule_ids[r] for r in rules) for rules in (timed, every)],
        zone,
        bool(bound["has_allow"]),
        [int(bound["home"]), int(registry.subject_home[s])],
        int(fences.silent_after_ms[s]),
        sorted(registry.group_ids[g] for g in registry.subject_groups.of(s).tolist()),
    )


def binding(fence_set: FenceSet, fences: Fences, b: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a row of BINDING
    """One binding by ids, with the terms that it repeats."""
    rule = fences.rule[b["rule"]]
    assert [b[name] for name in ("from_ms", "until_ms", "policy", "schedule")] == [
        rule[name] for name in ("from_ms", "until_ms", "policy", "schedule")
    ]
    registry = fence_set.registry
    assert int(b["area"]) in registry.rule_areas.of(int(b["rule"])).tolist()
    return registry.rule_ids[b["rule"]], registry.area_ids[b["area"]], of_rule(fences, int(b["rule"]))
