"""The daemon's side of the keeper: starts it, takes what it hands over, asks it to look, and ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import structlog

from fences.problems import FencewatchError, WrongRegistryError
from pipeline.keeper.handover import Giver, HandoverEndError, Taker
from pipeline.keeper.messages import LOOK, Loaded, Message, Ready, Refused, Settings

log = structlog.get_logger()

ENDS_WITHIN_S = 2.0


class KeeperError(FencewatchError):
    """The keeper did not come up."""


class Keeper:
    """A keeper at work. `coming`: registries that wait to take effect, in their order."""

    def __init__(self, settings: Settings) -> None:
        """Start it. It loads while the caller does something else; `first` waits for it."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-c", "from pipeline.keeper.process import main; main()", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        self._channel = ours
        self._taker = Taker(ours)
        self._thread: threading.Thread | None = None
        self._ending = False
        self.coming: deque[Loaded] = deque()
        Giver(ours).give(settings)

    def first(self) -> Loaded:
        """The registry to begin with; those that must take effect next are in `coming` then. Raises WrongRegistryError."""
        while True:
            message = self._take()
            if message is None:
                raise KeeperError(f"the process that loads the registry ended with {self._process.wait()}.")
            if isinstance(message, Refused):
                self.close()
                raise WrongRegistryError(message.problems)
            if isinstance(message, Ready):
                return self.coming.popleft()
            if isinstance(message, Loaded):
                self.coming.append(message)

    def listen(self, on_message: Callable[[Message], None], on_end: Callable[[], None]) -> None:
        """Take what comes from now on, in a thread; `on_message` is told of each, `on_end` when none can come any more."""

        def listening() -> None:
            while (message := self._take()) is not None:
                if isinstance(message, Loaded):
                    self.coming.append(message)
                on_message(message)
            if not self._ending:
                on_end()

        self._thread = threading.Thread(target=listening, name="keeper", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Have the registry read now; also out of a signal handler."""
        try:
            self._channel.send(LOOK, socket.MSG_DONTWAIT)
        except OSError:
            log.error(  # noqa: TRY400 - how it failed says no more
                "the registry cannot be reloaded: the process that loads it is not there"
            )

    def let_go(self) -> None:
        """Give memory of earlier registries back; not in the thread that judges."""
        self._taker.let_go()

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._ending = True
        with suppress(OSError):  # it may have ended before
            self._channel.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._thread is not None:
            self._thread.join()
        self._channel.close()

    def _take(self) -> Message | None:
        try:
            message: Message = self._taker.take()
        except (HandoverEndError, OSError):
            return None
        return message
