"""What can go wrong with a demo."""

from __future__ import annotations

from fences.problems import FencewatchError


class DemoError(FencewatchError):
    """The demo did not show what it should, or could not go on: one sentence says why."""
