"""The pages and the command line agree: every command and option is written down, and no page names one that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from pipeline.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
COMMANDS_PAGE = ROOT / "docs" / "commands.md"
CONTRACT = ROOT / "docs" / "contract.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def _commands(group: TyperGroup, words: tuple[str, ...] = ()) -> dict[str, TyperCommand]:
    """The commands below a group by their words (`alerts tail`), without the groups themselves."""
    found: dict[str, TyperCommand] = {}
    context = group.make_context("fencewatch", [], resilient_parsing=True)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, TyperGroup):
            found |= _commands(command, (*words, word))
        elif isinstance(command, TyperCommand):
            found[" ".join((*words, word))] = command
    return found


def _all_commands() -> dict[str, TyperCommand]:
    top = typer.main.get_command(app)
    assert isinstance(top, TyperGroup)
    return _commands(top)


COMMANDS = _all_commands()
BY_NAME = pytest.mark.parametrize("name", sorted(COMMANDS))


def _section(name: str) -> str:
    """What docs/commands.md says under the heading of a command, or of the group it is in."""
    page = COMMANDS_PAGE.read_text()
    for heading in (name, name.split(maxsplit=1)[0]):
        found = re.search(rf"^##+ `(?:fencewatch )?{heading}\b[^\n]*\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        if found:
            return found[0]
    return ""


@BY_NAME
def test_command_is_documented(name: str) -> None:
    """docs/commands.md has a section for the command, with an example that calls it."""
    assert re.search(rf"fencewatch {name}\b", _section(name)), (
        f"docs/commands.md has no section with an example of `fencewatch {name}`"
    )


@BY_NAME
def test_every_option_is_documented(name: str) -> None:
    """Each long option of the command stands in its section."""
    section = _section(name)
    options = [p for p in COMMANDS[name].params if isinstance(p, TyperOption) and not p.hidden]
    longs = {o for p in options for o in [*p.opts, *p.secondary_opts] if o.startswith("--")} - {"--help"}
    assert not [o for o in sorted(longs) if not re.search(rf"{re.escape(o)}(?![\w-])", section)]


@BY_NAME
def test_help_says_what_it_does_and_shows_an_example(name: str) -> None:
    """`--help` of a command says what it does and calls it once, as one would type it."""
    text = " ".join(filter(None, (COMMANDS[name].help, COMMANDS[name].epilog)))
    assert re.search(rf"fencewatch {name.split(maxsplit=1)[0]}\b", text), f"`fencewatch {name} --help` shows no example"


def test_pages_name_no_command_that_is_not_there() -> None:
    """Each `fencewatch something` of README and docs, in code, is a command; the contract alone also names later ones."""
    known = {name.split()[0] for name in COMMANDS}
    for page in PAGES:
        if page == CONTRACT:
            continue
        text = re.sub(r"^```(?:ini|toml|json).*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        code = re.findall(r"`([^`\n]+)`|^ {4}(.+)$", text, re.MULTILINE)
        named = {word for parts in code for word in re.findall(r"(?:^|[|;/] ?)fencewatch ([a-z][a-z-]*)", "".join(parts))}
        assert named <= known, f"{page.name} names {sorted(named - known)}"


def test_readme_shows_the_way_in() -> None:
    """README calls the commands a newcomer needs."""
    text = README.read_text()
    assert not [c for c in ("check", "replay", "run", "alerts") if f"fencewatch {c}" not in text]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link of a page is a file of the project."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert not [link for link in local if not (page.parent / link).exists()]
