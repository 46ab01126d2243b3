"""What a running daemon does about its registry: it says what was loaded or refused, tells everybody what is in force now, tidies.

The reading itself is the keeper's (`pipeline.keeper`), the taking effect the flow's (`pipeline.sources.with_versions`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

import structlog

from fences.fence_set import FenceSet
from fences.problems import Problem, describe
from pipeline.keeper.kept import KeptRegistries
from pipeline.keeper.link import Keeper
from pipeline.keeper.messages import Loaded, Message, Ready, Refused
from sinks.metrics import Metrics

log = structlog.get_logger()

SAVES_BEHIND = 3
"""A kept registry is removed when so many saves were made under a newer one: no restart goes back so far."""


@dataclass(slots=True)
class Reloading:
    """Between the keeper and the rest of the daemon. `in_force`: the number of the kept registry that is in force."""

    metrics: Metrics
    kept: KeptRegistries
    in_force: int
    saved_under: deque[int] = field(default_factory=deque)

    def listen(self, keeper: Keeper) -> None:
        """Take what the keeper says from now on."""
        for loaded in keeper.coming:
            self.said(loaded)
        keeper.listen(self.said, self._ended)

    def said(self, message: Message) -> None:
        """The keeper says something; in its thread."""
        if isinstance(message, Ready):
            return
        good = not isinstance(message, Refused)
        if isinstance(message, Loaded):
            registry = message.rules.fence_set.registry
            log.info("registry loaded", rules_version=registry.version, seconds=round(message.seconds, 3))
            tell_problems(message.warnings)
        elif isinstance(message, Refused):
            wrong = sum(problem.count for problem in message.problems if not problem.warning)
            log.error("registry refused; the rules in force stay", problems=wrong)
            tell_problems(message.problems)
        else:
            log.info("registry read; it says what was loaded last")
        self.metrics.reload(good=good, at_ms=round(time.time() * 1000))

    def took_effect(self, fence_set: FenceSet) -> None:
        """A version has gone through the flow."""
        self.in_force += 1
        self.metrics.rules(fence_set.version)
        log.info("rules in force", rules_version=fence_set.version, subjects=fence_set.subject_count)

    def saved(self) -> None:
        """Position and state are being saved."""
        self.saved_under.append(self.in_force)
        if len(self.saved_under) > SAVES_BEHIND:
            oldest = self.saved_under.popleft()
            if oldest < self.saved_under[0]:
                # Perhaps thousands of links: nobody should wait for that.
                threading.Thread(target=self.kept.forget, kwargs={"before": self.saved_under[0]}, daemon=True).start()

    def _ended(self) -> None:
        log.error("the process that loads the registry has ended: changes are not seen until a restart")
        self.metrics.reload(good=False, at_ms=round(time.time() * 1000))


def tell_problems(problems: list[Problem]) -> None:
    """Each problem is a line of the log."""
    for problem in problems:
        (log.warning if problem.warning else log.error)("registry", problem=next(describe([problem])))
