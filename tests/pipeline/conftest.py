"""Simulated worlds that several test files replay: made once a session."""

from __future__ import annotations

import pytest

from pipeline.worlds.casting import ABOUT_PLACES
from tests.pipeline.short_day import short_day  # noqa: F401 - fixtures are found where conftest.py has their names
from tests.pipeline.world_folder import WorldFolder


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> WorldFolder:
    """28 people over 16 hours, all but two in a story: for batches of a single record."""
    return WorldFolder.make(tmp_path_factory.mktemp("small-world"), seed=71, subjects=28, hours=16, stories=1)


@pytest.fixture(scope="session")
def timeless_world(tmp_path_factory: pytest.TempPathFactory) -> WorldFolder:
    """20 people over 24 hours, most in a story, no rule of which begins or ends: for daemons, by whose clock all is long past."""
    folder = tmp_path_factory.mktemp("timeless-world")
    return WorldFolder.make(folder, seed=71, subjects=20, hours=24, stories=2, table=ABOUT_PLACES)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldFolder:
    """300 people over 24 hours, a third of them in a story."""
    return WorldFolder.make(tmp_path_factory.mktemp("world"), seed=72, subjects=300, hours=24, stories=4)
