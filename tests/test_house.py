"""The house itself: which room may know which, what every file begins with, and that the project's own lists agree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("fences", "operators", "sinks", "pipeline", "tests", "benchmarks")
SOURCES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py") if ROOT / "tests" / "cases" not in p.parents)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]

FAR_TOO_LONG = 500
"""Lines of a file: 300 is the aim, and nothing is good enough a reason for this many."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _libraries(*extras: str) -> set[str]:
    """The libraries that pyproject.toml names to run the program, and those of some extras."""
    lines = [*PROJECT["project"]["dependencies"]]
    for extra in extras:
        lines += PROJECT["project"]["optional-dependencies"][extra]
    return {_normal(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in lines} - {"fencewatch"}


def _required() -> set[str]:
    """Every library that pyproject.toml names."""
    return _libraries(*PROJECT["project"]["optional-dependencies"]) | {"setuptools"}


def _imported(rooms: tuple[str, ...]) -> set[str]:
    """The libraries that the files of some rooms import."""
    trees = [ast.parse(p.read_bytes()) for p in SOURCES if p.relative_to(ROOT).parts[0] in rooms]
    modules = {name.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {node.module for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) if node.module}
    tops = {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - set(ROOMS)
    known = packages_distributions()
    return {_normal(known[top][0]) if top in known else top for top in tops}


def test_rooms_import_only_what_is_below_them() -> None:
    """Every contract of import-linter in pyproject.toml is kept."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = re.findall(r"^(.*) KEPT(?: \(.*\))?$", done.stdout, re.MULTILINE)
    assert len(kept) == len(PROJECT["tool"]["importlinter"]["contracts"])


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_file_begins_with_its_purpose(path: Path) -> None:
    """The first statement of a file is a docstring that says something."""
    purpose = ast.get_docstring(ast.parse(path.read_bytes()))
    assert purpose, f"{_name(path)} does not say what it is for"
    assert purpose.splitlines()[0].endswith((".", ":")), f"the first line of {_name(path)} is no whole sentence"


def test_no_file_is_a_drawer_for_everything() -> None:
    """A file is named after what it does."""
    drawers = {"util", "utils", "helper", "helpers", "common", "misc", "tools"}
    assert not [_name(p) for p in SOURCES if drawers & {p.stem.strip("_"), *p.relative_to(ROOT).parts[:-1]}]


def test_files_stay_readable() -> None:
    """No file is far too long, and few pass the 300 lines that a file should have."""
    lines = {_name(p): p.read_text().count("\n") for p in SOURCES}
    assert not {name: n for name, n in lines.items() if n > FAR_TOO_LONG}
    assert sum(n > 300 for n in lines.values()) <= len(lines) // 10


def test_packages_only_say_what_they_hold() -> None:
    """An `__init__.py` has a docstring and re-exports, no code of its own."""
    allowed = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign)
    code = {
        _name(p): ast.unparse(node)
        for p in SOURCES
        if p.name == "__init__.py"
        for node in ast.parse(p.read_bytes()).body
        if not isinstance(node, allowed) or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) != "__all__")
    }
    assert not code


def test_nothing_is_left_over() -> None:
    """No note to self, and no path that exists on one machine only."""
    pattern = re.compile(r"\b(?:TODO|FIXME|XXX)\b|\.\./shared\b|(?<![\w.])/(?:work|root|home)/|\bbreakpoint\(")
    kept = [ROOT / name for name in ("Makefile", "pyproject.toml", ".ci/run", ".ci/find-python", "constraints.txt")]
    found = [
        f"{_name(path)}:{number}: {line.strip()}"
        for path in [*SOURCES, *PAGES, *kept]
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found


def test_make_knows_what_the_pages_promise() -> None:
    """Every `make something` in README and docs is a target of the Makefile, and every target is explained by `make help`."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    promised = {
        target
        for page in PAGES
        for code in re.findall(r"`([^`\n]+)`|^ {4}(.+)$", page.read_text(), re.MULTILINE)
        for target in re.findall(r"(?:^|[;&] ?|=\S* )make ([a-z]+)", "".join(code))
    }
    assert {"demo", "test"} <= promised
    assert promised <= targets
    assert explained == targets


def test_pins_are_exact_and_complete() -> None:
    """constraints.txt holds `name==version` lines alone, once for each Python, and every library of pyproject.toml."""
    form = re.compile(r'([A-Za-z0-9._-]+)==[0-9][\w.]*(?: ; python_version (<|>=) "3\.12")?')
    read = [form.fullmatch(line) for line in PINS]
    assert not [line for line, match in zip(PINS, read, strict=True) if not match]
    pinned = [(_normal(m[1]), side) for m in read if m for side in ((m[2],) if m[2] else ("<", ">="))]
    assert len(pinned) == len(set(pinned))
    assert {(name, side) for name in _required() for side in ("<", ">=")} <= set(pinned)


def test_what_is_imported_is_named() -> None:
    """The program imports only libraries that it names itself, not what others happen to bring; likewise tests and benchmarks."""
    assert not _imported(("fences", "operators", "sinks", "pipeline")) - _libraries()
    assert not _imported(("tests",)) - _libraries("test")
    assert not _imported(("benchmarks",)) - _libraries("test", "bench")


def test_every_library_has_its_reason() -> None:
    """docs/dependencies.md has a row for each library that pyproject.toml names, and for no other."""
    rows = re.findall(r"^\| `([\w.-]+)` \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
    assert sorted(map(_normal, rows)) == sorted(_required())
