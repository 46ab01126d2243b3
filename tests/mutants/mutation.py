"""A mutation: one place of judge, step or rules is wrong, and some tests must notice it."""

from __future__ import annotations

from dataclasses import dataclass

JUDGE = "tests/operators/test_judge.py"
STEP = "tests/operators/test_step.py"
ORDER = "tests/operators/test_order.py"
ALERTS = "tests/operators/test_raise_alerts.py"
SNAPSHOT = "tests/operators/test_snapshot.py"
LATE = "tests/operators/test_late.py"
DEVICE = "tests/operators/test_device.py"
ACCEPTANCE = "tests/operators/test_acceptance.py"
ZONES = "tests/fences/test_zone_index.py"
FENCE_SET = "tests/fences/test_fence_set.py"
SIDES = "tests/fences/test_orientation.py"
KNOWN_POINTS = "tests/fences/test_shapes.py::test_covers_where_it_is_known"
MANY_AREAS = "tests/fences/test_shapes.py::test_many_areas_do_not_mix"
BESIDE_AXES = "tests/fences/test_shapes.py::test_beside_the_axes_as_geos_rounds_it"
BESIDE_EDGE = "tests/fences/test_shapes.py::test_a_point_beside_a_long_edge_is_judged_as_geos_rounds_it"
BORDERS = "tests/fences/test_shapes.py::test_a_border_beyond_the_limit_is_not_found"
DATE_LINE = "tests/fences/test_shapes.py::test_the_border_on_the_other_side_of_the_date_line_is_near"
PROMISES = "tests/fences/test_shapes.py::test_a_cell_promises_no_more_than_is_true"
CASES = "tests/pipeline/test_cases.py::test_a_case_comes_out_equal"


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old`, which stands exactly once in `file`, becomes `new`; `tests` must fail then.

    `jit`: they run compiled, as they would take too long as plain Python.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    jit: bool = False


def in_file(file: str, tests: str, *broken: tuple[str, str, str], jit: bool = False) -> tuple[Mutation, ...]:
    """Mutations of one file that the same tests must find: name, old text, new text."""
    return tuple(Mutation(name, file, old, new, tests, jit) for name, old, new in broken)
