"""The embedded server keeps its data and port where it should, is gone when we are, and says why it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from pipeline.embedded_redis import EmbeddedRedis, EmbeddedRedisError
from sinks.redis_connection import connect


def answers(url: str) -> bool:
    """Whether a server is there."""
    client = connect(url, timeout_s=2)
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()


def gone_soon(url: str) -> bool:
    """Whether the server ends within the time it may take."""
    until = time.monotonic() + 15
    while answers(url):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_it_is_thrown_away() -> None:
    """A demo's server answers on loopback, and leaves neither process nor files."""
    with EmbeddedRedis() as server:
        assert server.alive()
        assert answers(server.url)
        client = connect(server.url)
        directory = Path(str(client.config_get("dir")["dir"]))
        client.close()
        assert directory.exists()
    assert not server.alive()
    assert gone_soon(server.url)
    assert not directory.exists()


def test_it_listens_on_loopback_alone() -> None:
    """Nobody on the network reaches it."""
    with EmbeddedRedis() as server:
        assert server.url.startswith("redis://127.0.0.1:")
        client = connect(server.url)
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        client.close()


def test_data_and_port_stay(tmp_path: Path) -> None:
    """Every write is on disk when it is answered; the next start finds it on the same port."""
    directory = tmp_path / "state" / "redis"
    with EmbeddedRedis(directory) as server:
        port = server.port
        client = connect(server.url)
        assert client.config_get("append*")["appendonly"] == "yes"
        assert client.config_get("append*")["appendfsync"] == "always"
        client.set("fix", "point")
        client.close()
    with EmbeddedRedis(directory) as server:
        assert server.port == port
        client = connect(server.url)
        assert client.get("fix") == b"point"
        client.close()
    assert directory.stat().st_mode & 0o077 == 0


def test_data_outlives_a_killed_server(tmp_path: Path) -> None:
    """After kill -9 of the server alive() says so, and what was answered is there again."""
    server = EmbeddedRedis(tmp_path).start()
    client = connect(server.url)
    client.set("fix", "point")
    assert server._process is not None
    server._process.kill()
    server._process.wait()
    assert not server.alive()
    server.stop()
    with EmbeddedRedis(tmp_path):
        assert client.get("fix") == b"point"
    client.close()


def test_one_directory_has_one_server(tmp_path: Path) -> None:
    """A second fencewatch is refused, and does the first no harm."""
    with EmbeddedRedis(tmp_path) as server:
        with pytest.raises(EmbeddedRedisError, match="in use by another fencewatch"):
            EmbeddedRedis(tmp_path).start()
        assert answers(server.url)


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """It does not move to another port behind its users' back."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        (tmp_path / "port").write_text(f"{other.getsockname()[1]}\n")
        other.listen()
        started = threading.Thread(target=_hang_up_on_all, args=(other,), daemon=True)
        started.start()
        with pytest.raises(EmbeddedRedisError, match="is taken by another program"):
            EmbeddedRedis(tmp_path).start()


def _hang_up_on_all(listening: socket.socket) -> None:
    while True:
        try:
            listening.accept()[0].close()
        except OSError:
            return


def test_another_redis_on_its_port_is_left_alone(tmp_path: Path) -> None:
    """Only a server with this very directory is one of ours."""
    with EmbeddedRedis() as other:
        (tmp_path / "port").write_text(f"{other.port}\n")
        with pytest.raises(EmbeddedRedisError, match="is taken by another program"):
            EmbeddedRedis(tmp_path).start()
        assert answers(other.url)


@pytest.mark.parametrize("text", ["", "redis", "0", "70000"])
def test_a_broken_port_file_is_said(text: str, tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "port").write_text(text)
    with pytest.raises(EmbeddedRedisError, match="delete it"):
        EmbeddedRedis(tmp_path).start()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Its own last words are in the sentence, and the next try is not locked out."""
    (tmp_path / "appendonlydir").write_text("a file where it wants a folder")
    for _ in range(2):
        with pytest.raises(EmbeddedRedisError, match=r"did not start on port \d+ of 127\.0\.0\.1; its log says: .*append"):
            EmbeddedRedis(tmp_path).start()


START = """
import sys, time
from pathlib import Path
from pipeline.embedded_redis import EmbeddedRedis
directory = Path(sys.argv[1])
server = EmbeddedRedis(directory).start()
print(server.url, server._process.pid, flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("alive" if server.alive() else "dead", flush=True)
    server.stop()
"""


def started(directory: Path) -> tuple[subprocess.Popen[str], str, int]:
    """A process with a server: it, where the server listens, the server's process."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, str(directory)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    url, pid = process.stdout.readline().split()
    return process, url, int(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_it_ends_when_we_are_killed(tmp_path: Path) -> None:
    """A kill -9 of us leaves no server behind."""
    process, url, _ = started(tmp_path)
    assert answers(url)
    process.kill()
    process.wait()
    assert gone_soon(url)


def test_a_start_right_after_we_were_killed(tmp_path: Path) -> None:
    """The old server may still be on its way out, or have stayed: it gives way, and its data is there."""
    process, url, pid = started(tmp_path)
    client = connect(url)
    client.set("fix", "point")
    # Held still, it cannot act on the death of its parent before the next start finds it on its port.
    os.kill(pid, signal.SIGSTOP)
    process.kill()
    process.wait()
    threading.Timer(0.5, os.kill, (pid, signal.SIGCONT)).start()
    with EmbeddedRedis(tmp_path) as server:
        assert server.url == url
        assert client.get("fix") == b"point"
    client.close()


def test_ctrl_c_is_for_us_alone(tmp_path: Path) -> None:
    """The whole group of a terminal gets the signal; the server goes on until we have ended in order."""
    process, url, _ = started(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert out.strip() == "alive"
    assert gone_soon(url)


def test_started_beside_the_main_thread_it_outlives_the_thread() -> None:
    """The kernel would take the end of that thread for ours."""
    server = EmbeddedRedis()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert answers(server.url)
    server.stop()
