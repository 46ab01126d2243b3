"""What holds for every test: with FENCEWATCH_REQUIRE_ALL=1 a test that is left out has failed.

A developer without one of the servers may see tests skipped; the check before a change is taken may not, or a missing server
would look like a passing test.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

# Fixtures are found where conftest.py has their names.
from tests.redis_fixtures import _no_keys_left, redis_any, redis_names, redis_oldest, redis_server, start_redis  # noqa: F401 - fixtures, found by their names


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("FENCEWATCH_REQUIRE_ALL") == "1":
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"left out ({why}), though FENCEWATCH_REQUIRE_ALL=1 asks for every test"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test's outcome, with a skip turned into a failure where none is allowed."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file's outcome, for `pytest.importorskip` and the like at its top."""
    report = yield
    _refuse_skip(report)
    return report
