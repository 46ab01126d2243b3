"""The page on the registry: its example loads, and it knows every kind of problem that is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fences.load import load_registry
from fences.problems import WrongRegistryError
from tests.fences.faults import ALONE, COMBINED, WARNINGS, Fault
from tests.fences.good_registry import good_registry, write

PAGE = (Path(__file__).parent.parent.parent / "docs" / "registry.md").read_text()


def test_the_example_of_the_page_is_a_good_registry(tmp_path: Path) -> None:
    """Every file of it, as it stands there."""
    files = dict(re.findall(r"^```\w+ ([\w.]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    assert len(files) == 5
    registry, warnings = load_registry(write(files, tmp_path))
    assert not warnings
    assert registry.rule_ids == ("17-home", "17-work", "night", "schools")


@pytest.mark.parametrize("fault", [*COMBINED, *ALONE, *WARNINGS], ids=lambda fault: fault.name)
def test_the_page_explains_every_kind(fault: Fault, tmp_path: Path) -> None:
    """The kind of every fault stands in the first column of a table."""
    rows = {kind for row in re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE) for kind in row.split(", ")}
    texts = good_registry()
    fault.break_(texts)
    try:
        _, problems = load_registry(write(texts, tmp_path))
    except WrongRegistryError as error:
        problems = error.problems
    assert {problem.kind for problem in problems} <= rows
