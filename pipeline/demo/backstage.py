"""What the demo starts and must end again: a folder, a Redis, the daemon as a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from pipeline.demo.problems import DemoError
from pipeline.embedded_redis import end_with_parent
from pipeline.worlds.stories import rfc3339

STREAM = "gps"
SOURCE = "gps"
DRAINED_WITHIN_S = 20.0
LAST_LINES = 8
RUN = [sys.executable, "-c", "from pipeline.cli import main; main()", "run", "--config"]
COMPILE = [sys.executable, "-c", "from pipeline.warm_up import warm_up_texts; warm_up_texts()"]
CONFIGURATION = """\
deployment = "demo"
state_dir = "state"
registry = "registry"

[redis]
url = "{redis}"

[[sources]]
name = "{source}"
kind = "redis"
streams = ["{stream}"]

[http]
listen = "{listen}"

[clock]
demo = true
start = "{start}"
speed = {speed}
"""

Metrics = dict[str, list[tuple[dict[str, str], float]]]
"""Samples by name: their labels and value."""


class Daemon:
    """`fencewatch run` as a process of its own, with its log in a file."""

    def __init__(self, folder: Path, redis_url: str, start_ms: int, speed: float) -> None:
        """Started at once; `folder` holds the registry. `start_ms` is the first instant of its clock, UTC milliseconds."""
        self._log = folder / "daemon.log"
        self.address = f"127.0.0.1:{_free_port()}"
        configuration = folder / "fencewatch.toml"
        configuration.write_text(
            CONFIGURATION.format(
                redis=redis_url, source=SOURCE, stream=STREAM, listen=self.address, start=rfc3339(start_ms), speed=speed
            ),
            encoding="utf-8",
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*RUN, str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us, who tell it to end when we are done with it; should we be killed, it goes with us.
                start_new_session=True,
                preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call, resolved before the fork
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def must_live(self, while_what: str) -> None:
        """Raises DemoError with its last words where it has ended."""
        code = self._process.poll()
        if code is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise DemoError(f"the daemon {how} {while_what}.{self.last_words()}")

    def metrics(self) -> Metrics:
        """What it counts; empty where it does not answer."""
        try:
            with urlopen(f"http://{self.address}/metrics", timeout=1.0) as answer:
                text = answer.read().decode()
        except (URLError, OSError):
            return {}
        found: Metrics = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        return found

    def drain(self) -> None:
        """Tell it to stop, as an operator would. Raises DemoError where it does not end well."""
        self._process.terminate()
        try:
            code = self._process.wait(DRAINED_WITHIN_S)
        except subprocess.TimeoutExpired:
            raise DemoError(f"the daemon did not drain within {DRAINED_WITHIN_S:g} s of SIGTERM.{self.last_words()}") from None
        if code != 0:
            raise DemoError(f"the daemon ended with exit code {code} when it was told to stop.{self.last_words()}")

    def end(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def last_words(self) -> str:
        """The end of its log, to stand behind a sentence."""
        with suppress(OSError):
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LAST_LINES:]
            if lines:
                return "\nIts last log lines:\n  " + "\n  ".join(lines)
        return " It left no log."


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fencewatch-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def daemon_running(folder: Path, redis_url: str, start_ms: int, speed: float) -> Iterator[Daemon]:
    """The daemon, which does not outlive this."""
    daemon = Daemon(folder, redis_url, start_ms, speed)
    try:
        yield daemon
    finally:
        daemon.end()


@contextmanager
def second_compiler() -> Iterator[None]:
    """A process that compiles a part of what the daemon needs, beside it, into the same cache: a first start is shorter by that."""
    process = subprocess.Popen(  # noqa: S603 - our own code
        COMPILE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=end_with_parent(),  # noqa: PLW1509 - as above
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def total(metrics: Metrics, name: str) -> int:
    """The sum of a counter over its labels."""
    return int(sum(value for _, value in metrics.get(name, [])))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: Any = probe.getsockname()[1]
    return int(port)
