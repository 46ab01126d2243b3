"""A directory to a checked registry, or to every problem in it.

The files are `regions.geojson`, `areas.geojson`, `subjects.jsonl`, `rules.jsonl` (all four needed; they may be empty of records),
`subjects.d/*.jsonl` and `rules.d/*.jsonl` beside them, and `policy.toml` (without it the shipped policy).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fences.areas import Areas, check_areas
from fences.depth import too_shallow
from fences.findings import Findings, Place, shown
from fences.geojson import read_features
from fences.jsonl import Progress, Records, read_records
from fences.policy import load_policy
from fences.problems import Problem, WrongRegistryError
from fences.records import RuleRecord, SubjectRecord
from fences.registry import Registry
from fences.rules import Rules, check_rules
from fences.subjects import check_subjects
from fences.version import feature_prints, policy_text, registry_version, rule_prints, subject_prints, sums_of


def load_registry(directory: Path, progress: Progress | None = None) -> tuple[Registry, list[Problem]]:
    """The registry of a directory, and the warnings. `progress(what, done, total)` is told how far the reading is.

    Raises WrongRegistryError with every problem, warnings included, where the registry must not be used.
    """
    findings = Findings()
    if not directory.is_dir():
        what = "this is no directory" if directory.exists() else "there is no such directory"
        findings.add("missing directory", Place(str(directory)), what, "name the directory that holds the registry")
        raise WrongRegistryError(findings.listed())
    with _collector_paused():
        registry = _load(directory, findings, progress)
    if registry is None:
        raise WrongRegistryError(findings.listed())
    return registry, findings.listed()


def _load(directory: Path, findings: Findings, progress: Progress | None) -> Registry | None:
    policy, section_policy = load_policy(directory / "policy.toml", findings)
    regions = read_features(directory / "regions.geojson", findings, progress)
    areas = check_areas(regions, read_features(directory / "areas.geojson", findings, progress), findings)
    subject_records = read_records(directory, "subjects", SubjectRecord, findings, progress)
    subjects = check_subjects(subject_records, areas, findings)
    rule_records = read_records(directory, "rules", RuleRecord, findings, progress)
    rules = check_rules(rule_records, subjects, areas, section_policy, findings)
    _warn_of_shallow_areas(rule_records, rules, areas, findings)
    if findings.errors:
        return None
    return Registry(
        version=registry_version(
            policy_text(policy, section_policy),
            sums_of(feature_prints(areas.regions, areas, is_region=True)),
            sums_of(feature_prints(areas.areas, areas, is_region=False)),
            sums_of(subject_prints(subject_records.records, subjects)),
            sums_of(rule_prints(rule_records.records, rules)),
        ),
        policy=policy,
        section_policy=section_policy,
        area_ids=areas.ids,
        area_shapes=areas.shapes,
        region_count=len(regions),
        region_timezones=areas.timezones,
        subject_ids=subjects.ids,
        subject_home=subjects.home,
        subject_groups=subjects.groups,
        subject_silent_after_s=subjects.silent_after_s,
        group_ids=subjects.group_ids,
        rule_ids=rules.ids,
        rule_effect=rules.effect,
        rule_everyone=rules.everyone,
        rule_subjects=rules.subjects,
        rule_groups=rules.groups,
        rule_areas=rules.areas,
        rule_from_ms=rules.from_ms,
        rule_until_ms=rules.until_ms,
        rule_schedules=rules.schedules,
        rule_timezones=rules.timezones,
        rule_policy=rules.policy,
    )


def _warn_of_shallow_areas(read: Records[RuleRecord], rules: Rules, areas: Areas, findings: Findings) -> None:
    shallow = too_shallow(areas.shapes, rules.effect, rules.areas, rules.policy.accuracy_factor)

    def tell(i: int) -> tuple[Place, str, str]:
        rule, area, depth_m = shallow[i]
        what = f"the forbidden area {shown(areas.ids[area])} is nowhere {depth_m:g} m deep (accuracy_factor * 30 m)"
        return (
            read.place(rule, "areas"),
            what,
            "nobody whose position is good to 30 m breaks it: lower accuracy_factor or widen the area",
        )

    findings.add_each("forbidden area too shallow", range(len(shallow)), tell, warning=True)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile: it would walk all the records again and again, eight times as slow, and free none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
