"""`fencewatch check`: what it prints and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from pipeline.check_command import EPILOG, check
from tests.fences.faults import BOW_TIE, COMBINED
from tests.fences.good_registry import AREAS, REGIONS, RULES, feature, good_registry, write


def run(*arguments: object) -> Result:
    """The command, run in this process."""
    app = typer.Typer()
    app.command("check", epilog=EPILOG)(check)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_good_registry_ends_with_0_and_a_summary(tmp_path: Path) -> None:
    """How much of everything, and the version."""
    result = run("--registry", write(good_registry(), tmp_path))
    assert result.exit_code == 0
    assert result.output.startswith("Good: 6 regions, 43 areas, 40 subjects, 43 rules, 1 group. Version ")


def test_warnings_are_shown_and_end_with_0(tmp_path: Path) -> None:
    """The registry may be used."""
    texts = good_registry()
    texts[RULES] += '{"id": "idle", "effect": "allow", "areas": ["shop"]}\n'
    result = run("--registry", write(texts, tmp_path))
    assert result.exit_code == 0
    first, last = result.output.splitlines()
    assert first.startswith(f"{tmp_path / RULES}:43: warning: the rule binds nobody")
    assert last.startswith("Good, with 1 warning: ")


def test_every_problem_is_a_line_and_the_end_is_78(tmp_path: Path) -> None:
    """File, line, path, what and what to write; then how many."""
    texts = good_registry()
    for fault in COMBINED[:12]:
        fault.break_(texts)
    result = run("--registry", write(texts, tmp_path))
    assert result.exit_code == 78
    *problems, last = result.output.splitlines()
    assert len(problems) == 12
    assert last == "12 problems: fencewatch would not start with this."
    assert f'{tmp_path / "subjects.jsonl"}:11: home: a subject has no key "home"' in problems[0]


def test_a_directory_that_is_missing_ends_with_78(tmp_path: Path) -> None:
    """Also where something was to be mended."""
    for more in ((), ("--mend", tmp_path / "mended")):
        result = run("--registry", tmp_path / "nowhere", *more)
        assert result.exit_code == 78
        assert "there is no such directory" in result.output


@pytest.mark.parametrize("arguments", [(), ("--registry", ".", "--config", "x.toml"), ("--mend", "x")])
def test_neither_or_both_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Ends with 2."""
    assert run(*arguments).exit_code == 2


def test_mending_tells_the_square_metres_and_checks_again(tmp_path: Path) -> None:
    """The bow tie is mended and the registry good; a second time the directory is not empty."""
    texts = good_registry()
    texts[AREAS] = texts[AREAS].replace("\n]}", f",\n{feature('bow', [BOW_TIE])}\n]}}".replace("'", '"'))
    source = write(texts, tmp_path / "drawn")
    result = run("--registry", source, "--mend", tmp_path / "mended")
    assert result.exit_code == 0
    mended, again, good = result.output.splitlines()
    assert mended.startswith(f"{source / AREAS}:45: ")
    assert "m2" in mended
    assert again.startswith("1 shape mended")
    assert good.startswith("Good: 6 regions, 44 areas")
    assert run("--registry", source, "--mend", tmp_path / "mended").exit_code == 2


def test_help_has_examples() -> None:
    """Of both ways to use it."""
    text = run("--help").output
    assert "Examples" in text
    assert "--mend" in text


def test_borders_that_do_not_fit_are_told_with_the_tolerance_they_need(tmp_path: Path) -> None:
    """A gap 76 m wide between two regions, and a strip in which two others overlap; still 0."""
    texts = good_registry()
    dent = "[121.0, 31.9], [121.0008, 31.8], [121.0008, 31.6], [121.0, 31.5]"
    texts[REGIONS] = texts[REGIONS].replace(
        "[122.0, 32.0], [121.0, 32.0], [121.0, 31.0]", f"[122.0, 32.0], [121.0, 32.0], {dent}, [121.0, 31.0]"
    )
    texts[REGIONS] = (
        texts[REGIONS].replace("[[[122.0, 31.0]", "[[[121.9999, 31.0]").replace("[122.0, 31.0]]]", "[121.9999, 31.0]]]")
    )
    result = run("--registry", write(texts, tmp_path))
    assert result.exit_code == 0
    _, gap, overlap, summary = result.output.splitlines()
    assert gap.startswith("gap between region-0, region-1: ")
    assert "76 m wide" in gap
    assert overlap.startswith("overlap between region-1, region-2: ")
    assert summary.startswith("Borders of regions: 1 gap and 1 overlap; tolerance_m = 40 of allow reaches")


CONFIGURATION = """\
deployment = "here"
state_dir = "state"
registry = "registry"
[[sources]]
name = "gps"
kind = "redis"
streams = ["gps:0"]
"""


def test_a_configuration_is_checked_with_its_registry(tmp_path: Path) -> None:
    """Good both: 0; a fault in each: both are told, and 78."""
    texts = good_registry()
    write(texts, tmp_path / "registry")
    config = tmp_path / "fencewatch.toml"
    config.write_text(CONFIGURATION)
    result = run("--config", config)
    assert (result.exit_code, result.output.startswith("Good: 6 regions")) == (0, True)
    COMBINED[0].break_(texts)
    write(texts, tmp_path / "registry")
    config.write_text('stat_dir = "x"\n' + CONFIGURATION)
    result = run("--config", config)
    assert result.exit_code == 78
    of_config, of_registry, last = result.output.splitlines()
    assert of_config.startswith(str(config))
    assert "stat_dir" in of_config
    assert 'no key "home"' in of_registry
    assert last.startswith("2 problems")


def test_a_wrong_configuration_is_refused_though_its_registry_is_good(tmp_path: Path) -> None:
    """A good registry does not make up for it; a file that is none names none."""
    write(good_registry(), tmp_path / "registry")
    config = tmp_path / "fencewatch.toml"
    config.write_text(CONFIGURATION.replace("deployment", "deploiment"))
    assert run("--config", config).exit_code == 78
    config.write_text("deployment =")
    assert run("--config", config).exit_code == 78
    assert run("--config", tmp_path / "nowhere").exit_code == 78
