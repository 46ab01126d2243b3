"""The policy: what is shipped, what a section says, what a rule says; the nearest wins, key by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from fences.findings import Findings
from fences.load import load_registry
from fences.policy import AS_GOOD_AS_NEVER, load_policy
from fences.registry import Policy, RulePolicy
from tests.fences.good_registry import POLICY, RULES, good_registry, write


def policy_of(text: str, directory: Path) -> tuple[Policy, RulePolicy]:
    """The policy that a file says, which must be a good one."""
    path = directory / "policy.toml"
    path.write_text(text)
    findings = Findings()
    policy = load_policy(path, findings)
    assert not findings.listed()
    return policy


def test_what_is_shipped_in_a_section_stays_until_that_section_says_otherwise(tmp_path: Path) -> None:
    """`[policy]` does not reach the two shipped keys of forbid, `[policy.forbid]` does, one by one."""
    _, sections = policy_of("[policy]\nconfirm_fixes = 5\naccuracy_factor = 2\nclear_fixes = 4\n", tmp_path)
    assert sections.confirm_fixes.tolist() == [5, 1, 5]
    assert sections.accuracy_factor.tolist() == [2.0, 0.0, 2.0]
    assert sections.clear_fixes.tolist() == [4, 4, 4]
    _, sections = policy_of("[policy]\nconfirm_fixes = 5\n[policy.forbid]\naccuracy_factor = 0.5\n", tmp_path)
    assert sections.confirm_fixes.tolist() == [5, 1, 5]
    assert sections.accuracy_factor.tolist() == [1.0, 0.5, 1.0]


def test_a_section_is_nearer_than_the_policy(tmp_path: Path) -> None:
    """For its own effect only."""
    text = '[policy]\nlevel = "info"\nconfirm_s = 60\n[policy.require]\nlevel = "yellow"\nconfirm_s = 0.5\ntolerance_m = 0\n'
    _, sections = policy_of(text, tmp_path)
    assert sections.level.tolist() == [2, 2, 1]
    assert sections.confirm_ms.tolist() == [60_000, 60_000, 500]
    assert sections.tolerance_m.tolist() == [30.0, 30.0, 0.0]


def test_a_rule_is_nearer_than_its_section(tmp_path: Path) -> None:
    """Each of the six keys, and the others of the rule stay with the section."""
    texts = good_registry()
    own = '"confirm_fixes": 7, "confirm_s": 90, "tolerance_m": 0, "accuracy_factor": 0, "level": "info", "clear_fixes": 9'
    texts[RULES] += (
        f'{{"id": "own", "effect": "allow", "everyone": true, "areas": ["shop"], {own}}}\n'
        '{"id": "level", "effect": "forbid", "everyone": true, "areas": ["shop"], "level": "red"}\n'
    )
    registry, _ = load_registry(write(texts, tmp_path))
    policy, row, near = registry.rule_policy, registry.rule_ids.index("own"), registry.rule_ids.index("level")
    assert (policy.confirm_fixes[row], policy.confirm_ms[row], policy.clear_fixes[row]) == (7, 90_000, 9)
    assert (policy.tolerance_m[row], policy.accuracy_factor[row], policy.level[row]) == (0.0, 0.0, 2)
    assert (policy.confirm_fixes[near], policy.clear_fixes[near], policy.level[near]) == (1, 2, 0)
    assert policy.accuracy_factor[near] == 0.5


def test_every_key_of_the_policy_is_read(tmp_path: Path) -> None:
    """The thirteen keys that are not a rule's, each with a value of its own; one too large for a clock is cut."""
    keys = list(Policy.__dataclass_fields__)
    policy, _ = policy_of("[policy]\n" + "".join(f"{key} = {1000 + i}\n" for i, key in enumerate(keys)), tmp_path)
    assert [getattr(policy, key) for key in keys] == [1000.0 + i for i in range(13)]
    policy, _ = policy_of("[policy]\nsilent_after_s = 1e300\n", tmp_path)
    assert policy.silent_after_s == AS_GOOD_AS_NEVER


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("confirm_fixes", ["1", "20"], ["0", "21", "1.0", "true", '"2"']),
        ("confirm_s", ["0", "86400", "0.5"], ["-1", "86400.5", "nan", "inf"]),
        ("clear_fixes", ["1", "20"], ["0", "21"]),
        ("tolerance_m", ["0", "1e4"], ["-0.1", "10001"]),
        ("accuracy_factor", ["0", "10.0"], ["-1", "10.1"]),
        ("level", ['"red"', '"yellow"', '"info"'], ['"Red"', "1", "[]"]),
        ("min_jump_m", ["1", "0.001"], ["0", "-1", "nan", "inf", "false", '"1"', "{}"]),
    ],
)
def test_ranges(key: str, good: list[str], bad: list[str], tmp_path: Path) -> None:
    """Both ends are in, what is beyond or of another kind is told at its line."""
    for value in good:
        policy_of(f"[policy]\n{key} = {value}\n", tmp_path)
    for value in bad:
        (tmp_path / "policy.toml").write_text(f"# none\n\n[ policy ]\n  {key}   = {value}\n")
        findings = Findings()
        load_policy(tmp_path / "policy.toml", findings)
        [problem] = findings.listed()
        assert (problem.line, problem.path) == (4, f"policy.{key}"), value


def test_a_number_in_place_of_a_section_is_told(tmp_path: Path) -> None:
    """`allow = 3` below `[policy]`."""
    (tmp_path / POLICY).write_text("[policy]\nallow = 3\n")
    findings = Findings()
    load_policy(tmp_path / POLICY, findings)
    [problem] = findings.listed()
    assert (problem.line, problem.path) == (2, "policy.allow")
