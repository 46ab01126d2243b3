"""`fencewatch check`: every problem of a registry or a configuration, before anything runs with it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from fences.borders import slivers, tolerance_needed_m
from fences.load import load_registry
from fences.mend import MendTargetError, mend_registry
from fences.problems import Problem, WrongRegistryError, describe
from fences.registry import ALLOW, Registry
from pipeline.exit_codes import DONE, WRONG_REGISTRY
from pipeline.progress import loading

_SLIVERS_SHOWN = 10
EPILOG = "Examples: fencewatch check --registry /etc/fencewatch/registry; fencewatch check --registry drawn --mend mended"


def check(
    registry: Annotated[Path | None, typer.Option(help="The directory of the registry.", metavar="DIR")] = None,
    config: Annotated[
        Path | None, typer.Option(help="The configuration of a daemon; its registry is checked too.", metavar="FILE")
    ] = None,
    mend: Annotated[Path | None, typer.Option(help="Write a copy with invalid shapes mended here.", metavar="DIR")] = None,
) -> None:
    """List every problem of a registry or a configuration: where, what is wrong and what to write.

    Ends with 78 where anything is wrong, with 0 where there are at most warnings.
    """
    if (registry is None) == (config is None):
        raise typer.BadParameter("name a registry (--registry DIR) or a configuration (--config FILE), and not both")
    directory, problems = (registry, []) if registry is not None else _configured_registry(config or Path())
    if directory is None:
        raise typer.Exit(_tell(None, problems))
    if mend is not None and directory.is_dir():
        _mend(directory, mend)
        directory = mend
    raise typer.Exit(_tell(*_checked(directory, problems)))


def _configured_registry(config: Path) -> tuple[Path | None, list[Problem]]:
    """The registry that a configuration names, and what is wrong with the latter; a wrong one may still name a registry."""
    # Here, for pydantic takes 0.3 s to load and only this option needs it.
    from pipeline.configuration import load_configuration

    try:
        return load_configuration(config).registry, []
    except WrongRegistryError as error:
        return _registry_named_in(config), error.problems


def registry_problems(config: Path) -> list[Problem]:
    """What is wrong with the registry of a configuration that is wrong itself: a start lists both."""
    directory = _registry_named_in(config)
    return [] if directory is None else _checked(directory, [])[1]


def _registry_named_in(config: Path) -> Path | None:
    """The registry of a configuration that is wrong elsewhere; None where it names none."""
    try:
        named = tomllib.loads(config.read_text(encoding="utf-8")).get("registry")
    except (OSError, ValueError):
        return None
    return config.resolve().parent / named if isinstance(named, str) else None


def _mend(source: Path, target: Path) -> None:
    try:
        mended = mend_registry(source, target)
    except MendTargetError as error:
        raise typer.BadParameter(str(error), param_hint="--mend") from error
    for shape in mended:
        change = shape.after_m2 - shape.before_m2
        typer.echo(
            f"{shape.place}: {shape.place.path}: mended; it changed by {change:+,.1f} m2, "
            f"from {shape.before_m2:,.1f} m2 as drawn to {shape.after_m2:,.1f} m2"
        )
    typer.echo(f"{_counted(len(mended), 'shape')} mended; all else in {target} is as it was, byte for byte. Checked again:")


def _checked(directory: Path, problems: list[Problem]) -> tuple[Registry | None, list[Problem]]:
    try:
        with loading() as progress:
            registry, warnings = load_registry(directory, progress)
    except WrongRegistryError as error:
        return None, [*problems, *error.problems]
    return (None if problems else registry), [*problems, *warnings]


def _tell(registry: Registry | None, problems: list[Problem]) -> int:
    """Prints the problems and a closing line; answers the exit code."""
    for line in describe(problems):
        typer.echo(line)
    warnings = sum(problem.count for problem in problems if problem.warning)
    errors = sum(problem.count for problem in problems) - warnings
    and_warnings = f" and {_counted(warnings, 'warning')}" if warnings else ""
    if errors or registry is None:
        typer.echo(f"{_counted(errors, 'problem')}{and_warnings}: fencewatch would not start with this.")
        return WRONG_REGISTRY
    groups = len(set(registry.subject_groups.item.tolist()))
    typer.echo(
        f"Good{and_warnings.replace(' and', ', with')}: {_counted(registry.region_count, 'region')}, "
        f"{_counted(len(registry.area_ids) - registry.region_count, 'area')}, {_counted(len(registry.subject_ids), 'subject')}, "
        f"{_counted(len(registry.rule_ids), 'rule')}, {_counted(groups, 'group')}. Version {registry.version}."
    )
    _tell_of_borders(registry)
    return DONE


def _tell_of_borders(registry: Registry) -> None:
    """Where regions do not fit, the largest first, and the tolerance that reaches over every gap."""
    found = slivers(registry)
    for sliver in found[:_SLIVERS_SHOWN]:
        typer.echo(
            f"{sliver.kind} between {', '.join(sliver.regions)}: {sliver.area_m2:,.0f} m2, up to {sliver.width_m:.0f} m wide, "
            f"at {sliver.lon:.6f}, {sliver.lat:.6f}"
        )
    if found:
        gaps = sum(sliver.kind == "gap" for sliver in found)
        needed_m, has_m = tolerance_needed_m(found), float(registry.section_policy.tolerance_m[ALLOW])
        advice = f"tolerance_m = {has_m:g} of allow reaches over every gap"
        if needed_m > has_m:
            advice = f"mend the borders or write tolerance_m = {needed_m} below [policy.allow]: who crosses a gap counts as gone"
        typer.echo(f"Borders of regions: {_counted(gaps, 'gap')} and {_counted(len(found) - gaps, 'overlap')}; {advice}.")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
