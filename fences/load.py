"""A directory to a checked registry, or to every problem in it.

The files are `regions.geojson`, `areas.geojson`, `subjects.jsonl`, `rules.jsonl` (all four needed; they may be empty of records),
`subjects.d/*.jsonl` and `rules.d/*.jsonl` beside them, and `policy.toml` (without it the shipped policy).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fences.areas import Areas, check_areas
from fences.depth import too_shallow
from fences.findings import Findings, Place, shown
from fences.geojson import read_features
from fences.jsonl import Progress, Records, files_of, read_records
from fences.policy import load_policy
from fences.problems import Problem, WrongRegistryError
from fences.records import RuleRecord, SubjectRecord
from fences.registry import Registry
from fences.rules import Rules, check_rules
from fences.subjects import check_subjects
from fences.version import Sums, feature_prints, policy_text, registry_version, rule_prints, subject_prints, sums_of


@dataclass(frozen=True, slots=True)
class Content:
    """A registry as it was read: its columns in the order of the files, and what a later change of it is held against.

    `policy`, `fixed`: what of its version is no subject's and no rule's (text, and sums of regions and areas). Prints uint64[n, 2]
    of each subject and rule, and the files that these are in (`Records.files`, `Records.file_of`).
    """

    registry: Registry
    areas: Areas
    policy: bytes
    fixed: tuple[Sums, Sums]
    subject_prints: NDArray[np.uint64]
    rule_prints: NDArray[np.uint64]
    subject_files: tuple[tuple[str, ...], NDArray[np.int32]]
    rule_files: tuple[tuple[str, ...], NDArray[np.int32]]
    warnings: list[Problem]


def load_registry(directory: Path, progress: Progress | None = None) -> tuple[Registry, list[Problem]]:
    """The registry of a directory, and the warnings. `progress(what, done, total)` is told how far the reading is.

    Raises WrongRegistryError with every problem, warnings included, where the registry must not be used.
    """
    content = load_content(directory, progress)
    return content.registry, content.warnings


def load_content(directory: Path, progress: Progress | None = None) -> Content:
    """The same, with what a keeper of the registry needs beside it."""
    findings = Findings()
    if not directory.is_dir():
        what = "this is no directory" if directory.exists() else "there is no such directory"
        findings.add("missing directory", Place(str(directory)), what, "name the directory that holds the registry")
        raise WrongRegistryError(findings.listed())
    with collector_paused():
        return _load(directory, findings, progress)


def _load(directory: Path, findings: Findings, progress: Progress | None) -> Content:
    policy, section_policy = load_policy(directory / "policy.toml", findings)
    regions = read_features(directory / "regions.geojson", findings, progress)
    areas = check_areas(regions, read_features(directory / "areas.geojson", findings, progress), findings)
    subject_records = read_records(files_of(directory, "subjects"), SubjectRecord, findings, progress)
    subjects = check_subjects(subject_records, areas, findings)
    rule_records = read_records(files_of(directory, "rules"), RuleRecord, findings, progress)
    rules = check_rules(rule_records, subjects.named, areas, section_policy, findings)
    warn_of_shallow_areas(rule_records, rules, areas, findings)
    if findings.errors:
        raise WrongRegistryError(findings.listed())
    text = policy_text(policy, section_policy)
    fixed = tuple(
        sums_of(feature_prints(features, areas, is_region=is_region))
        for features, is_region in ((areas.regions, True), (areas.areas, False))
    )
    of_subjects = subject_prints(subject_records.records, subjects)
    of_rules = rule_prints(rule_records.records, rules)
    registry = Registry(
        version=registry_version(text, *fixed, sums_of(of_subjects), sums_of(of_rules)),
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
        group_ids=rules.group_ids,
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
    return Content(
        registry,
        areas,
        text,
        (fixed[0], fixed[1]),
        of_subjects,
        of_rules,
        (subject_records.files, subject_records.file_of),
        (rule_records.files, rule_records.file_of),
        findings.listed(),
    )


def warn_of_shallow_areas(read: Records[RuleRecord], rules: Rules, areas: Areas, findings: Findings) -> None:
    """Warns of forbidden areas that nobody can break."""
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
def collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile: it would walk all the records again and again, eight times as slow, and free none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
