"""docs/rules.md: each rule has examples in numbers, each happens as it stands there, and a changed number is noticed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rules_page import (
    Example,
    NotationError,
    assert_as_on_page,
    assert_happens,
    example_of,
    examples_in,
    rows_of,
    stage,
    step_by_step,
)

PAGE = (Path(__file__).parent.parent / "docs" / "rules.md").read_text()
EXAMPLES = examples_in(PAGE)
RULES = [f"J{number}" for number in range(1, 14)]
NUMBER = re.compile(r"-?\d+(?::\d\d)*(?:\.\d+)?")
BOLD = re.compile(rf"\*\*({NUMBER.pattern})\*\*")
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title.split()[0])


def without_example(page: str) -> list[str]:
    """The rules that a page shows no example of."""
    return [rule for rule in RULES if rule not in {example.rule for example in examples_in(page)}]


def test_every_rule_has_an_example() -> None:
    """J1 to J13, each in its own section, the examples numbered through."""
    assert not without_example(PAGE)
    sections = re.split(r"^## (\w+)\. .*$", PAGE, flags=re.MULTILINE)
    for rule, text in zip(sections[1::2], sections[2::2], strict=True):
        numbers = re.findall(r"^### (\w+)\.(\d+) ", text, re.MULTILINE)
        assert numbers == [(rule, str(k)) for k in range(1, len(numbers) + 1)]


def test_a_missing_example_is_noticed() -> None:
    """Of a rule whose section has none."""
    cut = re.sub(r"^## J4\..*?(?=^## )", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert without_example(cut) == ["J4"]


@pytest.mark.jitless
@each_example
def test_an_example_happens_as_it_stands_there(example: Example, tmp_path: Path) -> None:
    """Through the real dataflow, however it is cut; a live one through judging and shard, with the marks of its clock."""
    assert_happens(example, tmp_path)


@each_example
def test_another_number_of_what_happens_is_noticed(example: Example, tmp_path: Path) -> None:
    """Each number behind the records, one more: times, distances, counts."""
    ready = stage(example, tmp_path)
    played = step_by_step(ready)
    assert_as_on_page(played, ready.rows)
    for changed in changed_outcomes(example):
        with pytest.raises(AssertionError):
            assert_as_on_page(played, list(rows_of(changed)))


def changed_outcomes(example: Example) -> Iterator[Example]:
    """The example with one number of its last columns (what is judged, what happens) otherwise."""
    columns = example.records.columns
    first = next(k for k, column in enumerate(columns) if column.startswith("judged") or column == "what happens")
    begin = example.text.index(f"\n| {columns[0]} ")
    for line in re.finditer(r"^\| [\d*].*$", example.text[begin:], re.MULTILINE):
        bars = [bar.start() for bar in re.finditer(r"\|", line[0])]
        for found in NUMBER.finditer(line[0], bars[first]):
            at = begin + line.start() + found.start()
            yield example_of(example.title, example.text[:at] + other(found[0], 1) + example.text[at + len(found[0]) :])


def bold_numbers() -> list[tuple[Example, re.Match[str]]]:
    """Every bold number of the page, with its example."""
    return [(example, found) for example in EXAMPLES for found in BOLD.finditer(example.text)]


@pytest.mark.parametrize(("example", "found"), bold_numbers(), ids=lambda x: x.title.split()[0] if isinstance(x, Example) else x[1])
def test_a_bold_number_is_one_on_which_the_example_turns(example: Example, found: re.Match[str], tmp_path: Path) -> None:
    """One more or one less (of metres two), and something else happens."""
    start, end = found.span(1)
    step = 2 if is_metres(example.text, start, end) else 1
    changed = [example.text[:start] + other(found[1], sign * step) + example.text[end:] for sign in (1, -1)]
    assert any(is_otherwise(example_of(example.title, text), tmp_path / str(k)) for k, text in enumerate(changed))


def is_otherwise(example: Example, directory: Path) -> bool:
    """Whether an example does not happen as it says."""
    ready = stage(example, directory)
    try:
        assert_as_on_page(step_by_step(ready), ready.rows)
    except AssertionError:
        return True
    return False


def is_metres(text: str, start: int, end: int) -> bool:
    """Whether the number at a place of an example counts metres: a size, a key in metres, a place or an accuracy."""
    if text[start:end].count(":"):
        return False
    before, behind = text[:start].removesuffix("**"), text[end:].removeprefix("**")
    in_records = text.rindex("\n\n|", 0, start) == max(text.find("\n\n| time "), 0)
    return behind.startswith(" m") or before.endswith("_m ") or (in_records and not behind.startswith(" %"))


def other(number: str, step: int) -> str:
    """A number `step` further: a time by seconds, one with a point by tenths."""
    if ":" in number:
        hours, minutes, seconds = map(int, number.partition(".")[0].split(":"))
        at = hours * 3600 + minutes * 60 + seconds + step
        return f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}"
    return f"{float(number) + step / 10:.1f}" if "." in number else str(int(number) + step)


@pytest.mark.parametrize(
    "change",
    [
        ("Li may be in Home", "Li might be in Home"),
        ("Li may be in Home", "Li may be in Home; untill 09:00"),
        ("square of 1000 m", "square of 1000 metres"),
        ("policy", "polity"),
        ("nothing", "all is well"),
        ("red left_area opens", "left_area is open"),
        ("since 08:01:00", "from 08:01:00"),
        ("200 m", "200 metres"),
        ("700, 0", "seven hundred"),
        ("08:02:00", "8 o'clock"),
        ("judged", "verdict"),
    ],
)
def test_what_is_not_in_the_notation_is_refused(change: tuple[str, str], tmp_path: Path) -> None:
    """Not left out, not guessed."""
    text = """
| in this example | |
|---|---|
| area Home | square of 1000 m around 0, 0 |
| rule home | Li may be in Home |
| policy | confirm_fixes 2 |

| time | where | judged | what happens |
|---|---|---|---|
| 08:00:00 | 0, 0 | fine | nothing |
| 08:01:00 | 700, 0 | breach 1 of 2 | nothing |
| 08:02:00 | 700, 0 | breach | red left_area opens, since 08:01:00, 200 m |
"""
    assert_happens(example_of("J0.1 as it is", text), tmp_path / "as it is")
    assert change[0] in text
    with pytest.raises(NotationError):
        stage(example_of("J0.1 otherwise", text.replace(*change)), tmp_path / "otherwise")
