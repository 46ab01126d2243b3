"""Who plays in which story: the table of all stories, and a scene for each chosen subject."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from pipeline.worlds import (
    stories_border,
    stories_contact,
    stories_curfew,
    stories_device,
    stories_forbidden,
    stories_late,
    stories_permit,
)
from pipeline.worlds.stories import DoesNotFitError, Scene, Stage, Story

ABOUT_PLACES: tuple[Story, ...] = (*stories_border.STORIES, *stories_forbidden.STORIES)
"""Stories in which no rule begins or ends, and all is reported as it happens."""
STORIES: tuple[Story, ...] = (
    *ABOUT_PLACES,
    *stories_permit.STORIES,
    *stories_curfew.STORIES,
    *stories_contact.STORIES,
    *stories_device.STORIES,
    *stories_late.STORIES,
)
"""In the order in which they are cast: where there are fewer subjects than stories, the first ones play."""
SUBJECTS_A_ROUND = 250
MOST_ROUNDS = 40


def cast(stage: Stage, subject_ids: list[str], rounds: int | None = None, stories: tuple[Story, ...] = STORIES) -> dict[int, Scene]:
    """Scenes by subject (index). Each story is played `rounds` times: by default once for every 250 subjects, from 1 to 40 times.

    A story that does not fit into the span is left out; a world has at most as many scenes as subjects.
    """
    count = len(subject_ids)
    if rounds is None:
        rounds = min(max(count // SUBJECTS_A_ROUND, 1), MOST_ROUNDS)
    actors = stage.rng.permutation(count)[: rounds * len(stories)]
    scenes: dict[int, Scene] = {}
    for k, actor in enumerate(np.sort(actors)):
        with suppress(DoesNotFitError):
            scenes[int(actor)] = stories[k % len(stories)](stage.of(subject_ids[actor]))
    return scenes
