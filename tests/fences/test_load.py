"""A directory becomes a registry, or the list of everything wrong in it: each fault alone, and ten at a time."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest

from fences.load import load_registry
from fences.problems import Problem, WrongRegistryError, describe
from fences.registry import FOR_EVER, FROM_EVER, Span
from tests.fences.faults import ALONE, COMBINED, WARNINGS, Fault
from tests.fences.good_registry import AREAS, POLICY, RULES, SUBJECTS, Texts, good_registry, write

CASES = Path(__file__).parent.parent / "cases"


def problems_of(texts: Texts, directory: Path) -> list[Problem]:
    """The problems of a wrong registry."""
    with pytest.raises(WrongRegistryError) as raised:
        load_registry(write(texts, directory))
    return raised.value.problems


def broken_by(*faults: Fault) -> Texts:
    """The good registry with some faults put in."""
    texts = good_registry()
    for fault in faults:
        fault.break_(texts)
    return texts


def is_told(fault: Fault, texts: Texts, directory: Path, problem: Problem) -> bool:
    """Whether a problem is the one that a fault must be told as."""
    place = (problem.file, problem.line) == (str(directory / fault.file), fault.line(texts))
    return place and fault.says in problem.what and problem.warning == fault.warning


def test_a_good_registry_loads_without_a_word(tmp_path: Path) -> None:
    """The registry that the faults are put into has none itself."""
    registry, warnings = load_registry(write(good_registry(), tmp_path))
    assert not warnings
    assert (len(registry.area_ids), registry.region_count, len(registry.subject_ids), len(registry.rule_ids)) == (49, 6, 40, 43)


@pytest.mark.parametrize("fault", [*COMBINED, *ALONE], ids=lambda fault: fault.name)
def test_each_fault_is_found_alone_at_its_place(fault: Fault, tmp_path: Path) -> None:
    """One fault makes one problem, with the right file and line, and it says what is wrong."""
    texts = broken_by(fault)
    problems = problems_of(texts, tmp_path)
    assert len(problems) == 1, list(describe(problems))
    assert is_told(fault, texts, tmp_path, problems[0]), list(describe(problems))
    assert problems[0].write


@pytest.mark.parametrize("fault", WARNINGS, ids=lambda fault: fault.name)
def test_each_warning_is_given_at_its_place_and_the_registry_loads(fault: Fault, tmp_path: Path) -> None:
    """What is odd but not wrong is said, and nobody is kept from starting."""
    texts = broken_by(fault)
    _, warnings = load_registry(write(texts, tmp_path))
    assert len(warnings) == 1, list(describe(warnings))
    assert is_told(fault, texts, tmp_path, warnings[0]), list(describe(warnings))


def test_there_are_forty_faults_to_draw_from() -> None:
    """The list is long enough to mean something, and no name stands for two."""
    names = [fault.name for fault in COMBINED]
    assert len(set(names)) == len(names) >= 40


@pytest.mark.parametrize("draw", range(20))
def test_ten_faults_drawn_at_random_make_ten_problems(draw: int, tmp_path: Path) -> None:
    """All are listed at once, none twice, whatever ten there are."""
    seed = random.randrange(2**32)
    print(f"draw {draw}: seed {seed}")  # noqa: T201 - shown where the test fails
    faults = random.Random(seed).sample(COMBINED, 10)
    texts = broken_by(*faults)
    problems = problems_of(texts, tmp_path)
    for fault in faults:
        assert sum(is_told(fault, texts, tmp_path, problem) for problem in problems) == 1, (fault.name, list(describe(problems)))
    assert len(problems) == 10, list(describe(problems))


def test_all_faults_at_once_are_all_told(tmp_path: Path) -> None:
    """The whole list in one registry: nothing hides anything."""
    texts = broken_by(*COMBINED)
    problems = problems_of(texts, tmp_path)
    missed = [fault.name for fault in COMBINED if not any(is_told(fault, texts, tmp_path, problem) for problem in problems)]
    assert not missed
    assert len(problems) == len(COMBINED)


def test_many_faults_in_one_record_are_all_told(tmp_path: Path) -> None:
    """A record with five faults is told five times."""
    texts = good_registry()
    schedule = '[{"from": "1", "to": "2"}]'
    texts[RULES] += (
        f'{{"id": "x", "everyone": true, "effect": "alow", "areas": ["nowhere"], "untill": 1, "schedule": {schedule}}}\n'
    )
    problems = problems_of(texts, tmp_path)
    assert sorted(problem.path for problem in problems) == ["areas[0]", "effect", "schedule[0].from", "schedule[0].to", "untill"]
    assert {problem.line for problem in problems} == {43}


def test_of_one_kind_two_hundred_are_listed_and_then_their_number(tmp_path: Path) -> None:
    """A registry whose subjects all have the same fault does not fill the screen, and hides no other kind."""
    texts = good_registry()
    texts[SUBJECTS] += "".join(f'{{"id": "q-{i}", "home_region": "nowhere"}}\n' for i in range(1000))
    texts[RULES] += '{"id": "last", "effect": "allow", "everyone": true, "areas": []}\n'
    problems = problems_of(texts, tmp_path)
    assert len(problems) == 202
    assert [problem.count for problem in problems].count(1) == 201
    assert problems[-1].count == 800
    assert "800 more" in problems[-1].what
    assert any(problem.path == "areas" for problem in problems)


def test_a_directory_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    """No traceback, the path and what to do."""
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        (tmp_path / "file").touch()
        with pytest.raises(WrongRegistryError) as raised:
            load_registry(path)
        [line] = describe(raised.value.problems)
        assert line.startswith(f"{path}: ")
        assert "director" in line


def test_the_policy_may_be_missing_and_is_the_shipped_one(tmp_path: Path) -> None:
    """All defaults; forbid has its own."""
    texts = good_registry()
    del texts[POLICY]
    registry, _ = load_registry(write(texts, tmp_path))
    assert registry.policy.max_position_age_s == 900
    assert registry.section_policy.confirm_fixes.tolist() == [2, 1, 2]
    assert registry.section_policy.accuracy_factor.tolist() == [1.0, 0.0, 1.0]
    assert registry.section_policy.tolerance_m.tolist() == [30.0] * 3
    assert registry.section_policy.level.tolist() == [0, 0, 0]


def test_columns_say_what_the_records_say(tmp_path: Path) -> None:
    """A rule with everything, read back from the columns."""
    registry, _ = load_registry(write(good_registry(), tmp_path))
    row = registry.rule_ids.index("curfew")
    assert registry.rule_effect[row] == 2
    assert [registry.group_ids[i] for i in registry.rule_groups.of(row)] == ["youth"]
    assert [registry.area_ids[i] for i in registry.rule_areas.of(row)] == ["circle"]
    assert registry.rule_from_ms[row] == 1767196800000
    assert registry.rule_until_ms[row] == 1798761600000
    assert registry.rule_timezones[row] == "Asia/Shanghai"
    schedule = registry.rule_schedules[row]
    assert schedule is not None
    assert schedule.spans == (Span((0, 1, 2, 3, 6), 1320, 360), Span((0, 1, 2, 3, 4, 5, 6), 720, 1440))
    assert schedule.except_days == (20727,)
    keep_out = registry.rule_ids.index("keep-out")
    assert registry.rule_everyone[keep_out]
    assert (registry.rule_from_ms[keep_out], registry.rule_until_ms[keep_out]) == (FROM_EVER, FOR_EVER)
    assert registry.rule_policy.accuracy_factor[keep_out] == 0.5
    assert registry.rule_policy.confirm_fixes[keep_out] == 1
    assert registry.rule_policy.confirm_fixes[row] == 3
    assert registry.region_timezones == ("Asia/Shanghai",) * 6
    assert [registry.area_ids[i] for i in registry.subject_home[:4]] == ["region-0", "region-1", "region-2", "region-0"]
    assert np.isnan(registry.subject_silent_after_s).all()


def test_integers_are_ids_everywhere(tmp_path: Path) -> None:
    """An id 17 is "17", wherever it is given and wherever it is named."""
    texts = good_registry()
    texts[SUBJECTS] += '{"id": 17, "home_region": "region-1", "groups": [3]}\n'
    texts[AREAS] = texts[AREAS].replace('"id": "shop"', '"id": 5')
    texts[RULES] = (
        texts[RULES].replace('"shop"', "5") + '{"id": 9, "effect": "allow", "subjects": ["17"], "groups": ["3"], "areas": ["5"]}\n'
    )
    registry, warnings = load_registry(write(texts, tmp_path))
    assert not warnings
    assert registry.subject_ids[-1] == "17"
    assert "9" in registry.rule_ids
    assert "5" in registry.area_ids


def test_blank_lines_marks_and_windows_line_ends_are_nothing(tmp_path: Path) -> None:
    """What editors leave behind changes neither the registry nor the line numbers."""
    texts = good_registry()
    texts[SUBJECTS] = "\ufeff\n" + texts[SUBJECTS].replace("\n", "\r\n") + "   \n\n"
    texts[AREAS] = "\ufeff" + texts[AREAS]
    texts[POLICY] = texts[POLICY].replace("\n", "\r\n")
    registry, _ = load_registry(write(texts, tmp_path / "good"))
    assert len(registry.subject_ids) == 40
    texts[SUBJECTS] += "{}\n"
    [problem] = problems_of(texts, tmp_path / "bad")
    assert problem.line == 44


def test_two_records_on_a_line_are_refused(tmp_path: Path) -> None:
    """A record is a line; a decoder that ignores line ends would take two."""
    texts = good_registry()
    texts[SUBJECTS] += '{"id": "one"}{"id": "two"}\n{"id":\n"three"}\n'
    assert [problem.line for problem in problems_of(texts, tmp_path)] == [41, 42, 43]


@pytest.mark.parametrize("directory", sorted(CASES.glob("*/registry*/")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_registries_of_the_worked_cases_load(directory: Path) -> None:
    """None of the contract's own examples is refused."""
    registry, _ = load_registry(directory)
    assert re.fullmatch("[0-9a-f]{12}", registry.version)


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    """Every kind of record reaches its total."""
    seen: dict[str, tuple[int, int]] = {}
    load_registry(write(good_registry(), tmp_path), lambda what, done, total: seen.update({what: (done, total)}))
    assert seen == {"regions": (6, 6), "areas": (43, 43), "subjects": (40, 40), "rules": (1, 1)}
