"""Delivery beside the flow: while a server writes and syncs, the next batches are judged already.

The flow hands over what is to go out and goes on; a thread of its own delivers, in order. Nothing counts as saved before it is out:
a snapshot waits for all that was handed over, and what could not be delivered ends the run as it would without the thread.
"""

from __future__ import annotations

import threading
from queue import Queue

from pipeline.delivery import Delivery
from pipeline.items import Outgoing
from sinks.redis_patience import Undelivered

AHEAD = 4
"""So many calls may wait; then the flow waits, as it would without the thread."""


class DeliveryThread:
    """A `Delivery` in a thread of its own. The methods are called by the flow's thread alone."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._waiting: Queue[list[Outgoing] | None] = Queue(AHEAD)
        self._failure: BaseException | None = None
        self._left = 0
        self._thread = threading.Thread(target=self._work, name="delivery", daemon=True)
        self._thread.start()

    def deliver(self, items: list[Outgoing]) -> None:
        """Hand over. Raises what an earlier delivery raised."""
        self._waiting.put(items)
        if self._failure is not None:
            self._settle()

    def saved(self) -> None:
        """Wait until all is out. Raises what a delivery raised."""
        self._settle()
        self._delivery.saved()

    def close(self) -> None:
        """The same, and let go of the files."""
        self._waiting.put(None)
        self._thread.join()
        self._delivery.close()
        self._settle()

    def _settle(self) -> None:
        self._waiting.join()
        failure = self._failure
        if isinstance(failure, Undelivered) and self._left:
            # Those behind it wait for the same server.
            failure = failure.with_more(self._left)
        if failure is not None:
            raise failure

    def _work(self) -> None:
        while True:
            items = self._waiting.get()
            try:
                if items is None:
                    return
                if self._failure is None:
                    self._delivery.deliver(items)
                else:
                    self._left += sum(len(item.alerts) for item in items)
            except BaseException as error:  # noqa: BLE001 - raised again in the flow's thread
                self._failure = error
            finally:
                self._waiting.task_done()
