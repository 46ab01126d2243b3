"""Metrics, health and explanations over HTTP on loopback: /metrics, /livez, /readyz, /explain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from fences.problems import FencewatchError
from pipeline.explain.from_daemon import Answerer
from sinks.metrics import Metrics

STALE_AFTER_S = 30.0
"""A flow that has not gone round for so long is not alive."""
WAITING_FOR = ("redis", "source")
"""Reasons not to be ready that are not the flow's own: what it waits for."""


class HealthServerError(FencewatchError):
    """The address cannot be listened on."""


class Health:
    """What the probes answer. `beat` is called by the flow as it goes round."""

    def __init__(self) -> None:
        self._beat = time.monotonic()
        self._reasons: dict[str, str] = {"start": "not started yet"}

    def beat(self) -> None:
        """The flow went round."""
        self._beat = time.monotonic()
        self._reasons.pop("start", None)

    def not_ready(self, what: str, reason: str | None) -> None:
        """Why the lane is not ready (None: this reason is gone)."""
        if reason is None:
            self._reasons.pop(what, None)
        else:
            self._reasons[what] = reason

    def alive(self) -> tuple[bool, str]:
        """Whether the flow goes round, and the text that says so."""
        age = time.monotonic() - self._beat
        # While it waits for a server it does not go round, and to restart it would not help.
        waits = any(what in self._reasons for what in WAITING_FOR)
        return age < STALE_AFTER_S or waits, f"the flow went round {age:.1f} s ago\n"

    def ready(self) -> tuple[bool, str]:
        """Whether records are judged and alerts delivered, and the text that says why not."""
        alive, text = self.alive()
        reasons = list(self._reasons.values())
        return alive and not reasons, "ready\n" if alive and not reasons else "; ".join(reasons or [text.strip()]) + "\n"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the form of the one it replaces
        """Say nothing: a probe every few seconds is no news."""


def serve(address: tuple[str, int], metrics: Metrics, health: Health, refresh: Callable[[], None], answerer: Answerer) -> _Server:
    """Listen in a thread; `refresh` is called before metrics are given, `answerer` explains. Raises HealthServerError."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        kind, status = "text/plain; charset=utf-8", "200 OK"
        if path == "/metrics":
            refresh()
            body, kind = metrics.text(), "text/plain; version=0.0.4; charset=utf-8"
        elif path in ("/livez", "/readyz"):
            good, text = health.alive() if path == "/livez" else health.ready()
            body, status = text.encode(), status if good else "503 Service Unavailable"
        elif path == "/explain":
            status, body = answerer.answer(environ.get("QUERY_STRING", ""), environ.get("HTTP_AUTHORIZATION", ""))
        else:
            body, status = b"there are /metrics, /livez and /readyz\n", "404 Not Found"
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    try:
        server = make_server(*address, application, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        raise HealthServerError(f"cannot listen on {where}: {error.strerror}; write another [http] listen.") from error
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
