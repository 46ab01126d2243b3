"""`fencewatch run` as a process of its own, with what an operator has of it: its configuration, its probes, its log."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.pipeline.commands import LATEST_S, start
from tests.pipeline.listeners import until
from tests.pipeline.meadow import Record


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def xadd(client: Any, stream: str, records: Sequence[Record], *, packed: int = 0) -> None:  # noqa: ANN401 - Redis
    """Records into a stream: an entry each, or JSON lines of so many an entry."""
    pipe = client.pipeline(transaction=False)
    if packed:
        for begin in range(0, len(records), packed):
            payload = b"\n".join(orjson.dumps(record) for record in records[begin : begin + packed])
            pipe.xadd(stream, {"payload": payload})
    else:
        for record in records:
            pipe.xadd(stream, {name: str(value) for name, value in record.items()})
    pipe.execute()


class Daemon:
    """A daemon, its configuration in `folder`; start and stop it as often as you like."""

    def __init__(
        self, folder: Path, registry: Path, streams: Sequence[str], *, redis_url: str | None, more: str = "", top: str = ""
    ) -> None:
        """`top`: lines of the configuration before its sections, `more`: after them."""
        self.port = free_port()
        self.config = folder / "fencewatch.toml"
        self.state = folder / "state"
        redis = f'[redis]\nurl = "{redis_url}"\n' if redis_url is not None else ""
        self.config.write_text(
            f'deployment = "test"\nstate_dir = "state"\nregistry = "{registry}"\n{top}\n{redis}'
            f'[[sources]]\nname = "gps"\nkind = "redis"\nstreams = {list(streams)}\n'
            f'[http]\nlisten = "127.0.0.1:{self.port}"\n{more}'
        )
        self.lines: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Daemon:
        """Start it and wait until it is ready."""
        self.launch()
        until(lambda: self.ready or self.ended)
        assert not self.ended, self.lines
        return self

    def launch(self) -> None:
        """Start it, whatever comes of it."""
        self._process = start("run", "--config", self.config, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: Any) -> None:  # noqa: ANN401 - a pipe
        for line in stream:
            self.lines.append(line.decode().rstrip("\n"))

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self._process is None or self._process.poll() is not None

    @property
    def ready(self) -> bool:
        """What /readyz says."""
        return self.get("/readyz")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, line: str) -> float:
        """The value of a metric, 0 where it is not there."""
        for found in self.get("/metrics")[1].splitlines():
            name, _, value = found.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0

    def read(self, fixes: int) -> None:
        """Wait until it has judged so many records since its start."""
        until(lambda: self.metric('fencewatch_fixes_total{source="gps"}') >= fixes or self.ended)
        assert not self.ended, self.lines

    def signal_only(self, number: signal.Signals) -> None:
        """Send a signal that it survives."""
        assert self._process is not None
        self._process.send_signal(number)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self._process is None:
            return 0
        if not self.ended:
            self._process.send_signal(number)
        code = self._process.wait(LATEST_S)
        self._reader.join(10)
        return code

    def stop(self) -> int:
        """As systemd does."""
        return self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self.signal(signal.SIGKILL)
