"""Running a dataflow to its end or to a stop: in a thread of its own, so that signals are heard and a bar can move.

A process that waits inside Bytewax hears no signal, and its own handlers stop it abruptly; so the main thread keeps the handlers,
asks for the stop, and waits for the flow to close its epoch.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from fences.problems import FencewatchError

_P = ParamSpec("_P")
_R = TypeVar("_R")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
THREAD = "dataflow"
"""Name of the thread of the flow. While it lives, the interpreter must not be wound up under it: see `pipeline.cli.main`."""


class DrainError(FencewatchError):
    """The flow did not end in time after it was told to stop."""


class Run:
    """One run of a flow. `stop` asks for its end; `failure` is what ended it otherwise."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self.done = threading.Event()
        self._held = False
        self._signals = 0

    def fail(self, error: BaseException) -> None:
        """Remember what ended the run; the first counts."""
        if self.failure is None:
            self.failure = error

    def hold(self, error: BaseException) -> None:
        """End the run by an error from inside the flow, without closing the epoch: never returns, the flow's thread waits here.

        What could not be delivered must not count as done. An exception would do the same, but Bytewax makes of it a panic that
        fills the screen; the sentence of the error says more.
        """
        self.fail(error)
        self._held = True
        self.done.set()
        threading.Event().wait()

    def guard(self, call: Callable[_P, _R]) -> Callable[_P, _R]:
        """`call`, remembering its exception: what Bytewax passes on of it is a panic without a cause."""

        def guarded(*args: _P.args, **options: _P.kwargs) -> _R:
            try:
                return call(*args, **options)
            except StopIteration:
                raise
            except BaseException as error:
                self.fail(error)
                raise

        return guarded

    @classmethod
    def heard(cls) -> Run:
        """A run that hears stop signals from now on, also before there is a flow to stop."""
        run = cls()
        run.listen()
        return run

    def listen(self) -> dict[signal.Signals, Any]:
        """Hear stop signals from now on; gives the handlers that were there."""
        return {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}

    def go(
        self,
        flow: Dataflow,
        *,
        workers: int,
        epoch: timedelta,
        recovery: RecoveryConfig | None,
        while_running: Callable[[], None] | None = None,
        grace_s: float = 60.0,
    ) -> None:
        """Run until the input ends or a stop is asked for; `while_running` is called ten times a second.

        Raises what a reader, a step or a sink raised. A second stop signal, or a drain longer than `grace_s`, ends the process.
        """
        before = self.listen()
        sys.setswitchinterval(1e-4)
        # What was loaded stays: the collector of cycles must not walk through a registry again and again.
        gc.freeze()
        thread = threading.Thread(target=self._work, args=(flow, workers, epoch, recovery), name=THREAD, daemon=True)
        thread.start()
        asked_at: float | None = None
        try:
            while not self.done.wait(0.1):
                if while_running is not None:
                    while_running()
                if self.stop.is_set():
                    asked_at = asked_at or time.monotonic()
                    if time.monotonic() - asked_at > grace_s:
                        raise DrainError(f"the dataflow did not end within {grace_s:g} s after it was told to stop.")
        finally:
            gc.unfreeze()
            for number, handler in before.items():
                signal.signal(number, handler)
        if not self._held:
            thread.join()
        if self.failure is not None:
            raise self.failure

    def _work(self, flow: Dataflow, workers: int, epoch: timedelta, recovery: RecoveryConfig | None) -> None:
        try:
            # Bytewax has no types for it.
            cli_main(flow, workers_per_process=workers, epoch_interval=epoch, recovery_config=recovery)  # type: ignore[no-untyped-call]
        except BaseException as error:  # noqa: BLE001 - Bytewax passes Rust panics on, which are no Exceptions
            self.fail(error)
        finally:
            self.done.set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals > 1:
            raise SystemExit(128 + number)
        self.stop.set()
