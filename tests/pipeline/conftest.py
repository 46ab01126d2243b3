"""Simulated worlds that several test files replay: made once a session."""

from __future__ import annotations

import pytest

from tests.pipeline.short_day import short_day  # noqa: F401 - fixtures are found where conftest.py has their names
from tests.pipeline.world_folder import WorldFolder


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> WorldFolder:
    """20 people over 24 hours, most of them in a story: for batches of a single record."""
    return WorldFolder.make(tmp_path_factory.mktemp("small-world"), seed=71, subjects=20, hours=24, stories=2)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldFolder:
    """300 people over 24 hours, a third of them in a story."""
    return WorldFolder.make(tmp_path_factory.mktemp("world"), seed=72, subjects=300, hours=24, stories=12)
