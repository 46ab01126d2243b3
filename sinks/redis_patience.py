"""Trying a write again while Redis is away, and saying so once: the only retry loop of the sinks.

A write may have happened although its reply was lost, so only writes that may be repeated belong here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as NoConnectionError
from redis.exceptions import TimeoutError as NoReplyError

from fences.problems import FencewatchError

log = structlog.get_logger()

T = TypeVar("T")
OnState = Callable[[bool, str], None]
"""Called when Redis goes away (False, why) and when it takes writes again (True, "")."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0
REMIND_AFTER_S = 5.0
RETURN_GRACE_S = 1.0
"""After a lost connection the subscribers are given this long to come back before what waited is published."""

PASSING = (NoConnectionError, NoReplyError, OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError)
PASSING_WORDS = ("OOM ", "READONLY ", "MASTERDOWN ", "MISCONF ", "NOREPLICAS ", "BUSY ")
"""A server that will take the write later: away, full, loading, failed over, its disk full, a script in its way.

redis-py has a class for some of the words, and cuts these off; on Redis 6.2 a script's error carries its word inside its text.
"""


class Undelivered(FencewatchError):  # noqa: N818 - the word is the message
    """What could not be delivered: `count` items, and `reason` in words."""

    def __init__(self, count: int, what: str, place: str, after_s: float, reason: str) -> None:
        self.count = count
        self.reason = reason
        self._about = (what, place, after_s, reason)
        waited = f" within {after_s:.0f} s" if after_s >= 1 else ""
        super().__init__(f"{count} {what} could not be delivered to Redis at {place}{waited}: {reason}")

    def with_more(self, count: int) -> Undelivered:
        """The same of so many items more."""
        return Undelivered(self.count + count, *self._about)


def passes(error: RedisError) -> bool:
    """Whether the same write may succeed later without anybody changing a setting."""
    # A wrong password is a ConnectionError to redis-py, but waiting does not mend it.
    if isinstance(error, (AuthenticationError, AuthorizationError, NoPermissionError)):
        return False
    if isinstance(error, PASSING):
        return True
    return isinstance(error, ResponseError) and any(word in str(error) for word in PASSING_WORDS)


class Patience:
    """Repeats a write until it succeeds, for at most `give_up_after_s` since it first failed.

    `what` names the items in messages; `probe` is a harmless command (PING) that fails while the server is away; `stop` is an
    event that ends the waiting early. Not for two threads at once.
    """

    def __init__(
        self,
        place: str,
        what: str,
        give_up_after_s: float,
        *,
        probe: Callable[[], object],
        on_state: OnState | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._place = place
        self._probe = probe
        self._what = what
        self._give_up_after_s = give_up_after_s
        self._on_state = on_state or (lambda _up, _reason: None)
        self._stop = stop or threading.Event()
        self._up = True

    def write(self, attempt: Callable[[], T], waiting: int) -> T:
        """The reply of `attempt`; `waiting` is how many items are undelivered until it succeeds. Raises `Undelivered`."""
        try:
            reply = attempt()
        except RedisError as error:
            reply = self._again(attempt, waiting, error)
        self._state(True, "")  # noqa: FBT003 - the one boolean is what the callback is about
        return reply

    def _again(self, attempt: Callable[[], T], waiting: int, error: RedisError) -> T:
        began = told = time.monotonic()
        wait_s = FIRST_WAIT_S
        self._state(False, str(error))  # noqa: FBT003 - as above
        log.warning("redis does not take writes", place=self._place, waiting=waiting, what=self._what, error=str(error))
        while True:
            waited_s = time.monotonic() - began
            if not passes(error) or waited_s >= self._give_up_after_s or self._stop.is_set():
                raise Undelivered(waiting, self._what, self._place, waited_s, str(error)) from error
            if time.monotonic() - told >= REMIND_AFTER_S:
                told = time.monotonic()
                log.warning("redis still does not take writes", place=self._place, waiting=waiting, waited_s=round(waited_s, 1))
            self._stop.wait(min(wait_s, self._give_up_after_s - waited_s))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            try:
                if isinstance(error, (NoConnectionError, NoReplyError)):
                    self._probe()
                    self._stop.wait(min(RETURN_GRACE_S, self._give_up_after_s / 10))
                reply = attempt()
            except RedisError as again:
                error = again
                continue
            log.info("redis takes writes again", place=self._place, waited_s=round(time.monotonic() - began, 1))
            return reply

    def _state(self, up: bool, why: str) -> None:  # noqa: FBT001 - the form of `OnState`
        if up != self._up:
            self._up = up
            self._on_state(up, why)
