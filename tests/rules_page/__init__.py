"""Examples in numbers as a page shows them, parsed and run: a small world, records, and what happens at each.

The notation is explained at the top of docs/rules.md; what does not follow it is refused, never guessed.
"""

from tests.rules_page.example import Example, NotationError, example_of, examples_in
from tests.rules_page.play import assert_as_on_page, assert_happens, stage, step_by_step
from tests.rules_page.rows import rows_of

__all__ = [
    "Example",
    "NotationError",
    "assert_as_on_page",
    "assert_happens",
    "example_of",
    "examples_in",
    "rows_of",
    "stage",
    "step_by_step",
]
