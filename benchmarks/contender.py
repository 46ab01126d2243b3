"""One contender in a process of its own: it loads a registry once, then runs what it is asked for, one request a line.

    python -m benchmarks.contender KIND REGISTRY      KIND: ours, per_fix, obvious or orjson

A request is JSON: `path`, `fixes`, `warm_up` and `keyed` (of the yardsticks), `redis`, `prefix`, `stages`; `stream` where the fixes
are read from a stream of the server `source` instead. The answer is a line of JSON: `benchmarks.measured.Measured`, or nanoseconds
by stage. Contenders live side by side and take turns, so that a noisy minute of the machine hits all of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from benchmarks.measured import Measured

KINDS = ("ours", "per_fix", "obvious", "orjson")
Answer = Callable[[dict[str, Any]], Any]


class Contender:
    """A contender's process, seen from the one that asks. Use as a context manager."""

    def __init__(self, kind: str, registry: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.contender", kind, str(registry)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._kind = kind

    def __enter__(self) -> Self:
        """Itself; it may still be loading."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate()

    def run(
        self,
        path: Path,
        *,
        fixes: int = 0,
        warm_up: int = 0,
        redis: str | None = None,
        prefix: str = "",
        keyed: bool = False,
    ) -> Measured:
        """One run over a file. Raises RuntimeError where the process has ended."""
        asked = {"path": str(path), "fixes": fixes, "warm_up": warm_up, "redis": redis, "prefix": prefix, "keyed": keyed}
        return Measured(**self._ask(**asked))

    def live(self, source: str, stream: str, *, fixes: int, redis: str, prefix: str) -> Measured:
        """One run over a stream of the Redis server `source`."""
        return Measured(**self._ask(source=source, stream=stream, fixes=fixes, redis=redis, prefix=prefix))

    def stages(self, path: Path, *, redis: str, prefix: str) -> dict[str, float]:
        """Nanoseconds a fix by stage."""
        return dict(self._ask(path=str(path), redis=redis, prefix=prefix, stages=True))

    def _ask(self, **request: object) -> Any:  # noqa: ANN401 - JSON
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the contender {self._kind} has ended with {self._process.wait()}; see above")
        return json.loads(answer)


def main() -> None:
    """Load, then answer until the input ends."""
    kind, registry = sys.argv[1], Path(sys.argv[2])
    answer = {"ours": _ours, "per_fix": _per_fix, "obvious": _obvious, "orjson": _orjson}[kind](registry)
    # Standard output is for answers alone.
    out = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        made = answer(json.loads(line))
        print(json.dumps(asdict(made) if isinstance(made, Measured) else made), file=out, flush=True)


def _ours(directory: Path) -> Answer:
    from benchmarks.ours import live, replay, stages  # noqa: PLC0415 - each kind loads what it needs, so that memory is its own
    from fences.load import load_registry  # noqa: PLC0415

    registry, _ = load_registry(directory)

    def answer(request: dict[str, Any]) -> Measured | dict[str, float]:
        if "stream" in request:
            return live(registry, *(request[name] for name in ("source", "stream", "fixes", "redis", "prefix")))
        run = stages if request.get("stages") else replay
        return run(registry, Path(request["path"]), request["redis"], request["prefix"])

    return answer


def _per_fix(directory: Path) -> Answer:
    from benchmarks.yardsticks.per_fix import PerFixFlow  # noqa: PLC0415
    from fences.load import load_registry  # noqa: PLC0415
    from sinks.redis_alerts import RedisAlerts  # noqa: PLC0415
    from sinks.redis_names import RedisNames  # noqa: PLC0415

    flow = PerFixFlow(load_registry(directory)[0])

    def answer(request: dict[str, Any]) -> Measured:
        sink = RedisAlerts(request["redis"], RedisNames(request["prefix"]), 30, request["prefix"])
        fixes, warm_up = request["fixes"], request["warm_up"]
        measured = flow.run(Path(request["path"]), fixes, warm_up, sink, "yardstick", keyed=request["keyed"])
        sink.close()
        return measured

    return answer


def _obvious(directory: Path) -> Answer:
    from benchmarks.yardsticks.obvious import ObviousFlow  # noqa: PLC0415
    from fences.load import load_registry  # noqa: PLC0415

    flow = ObviousFlow(load_registry(directory)[0])
    return lambda request: flow.run(Path(request["path"]), request["fixes"], request["warm_up"])


def _orjson(_directory: Path) -> Answer:
    from benchmarks.yardsticks.bare_orjson import parse  # noqa: PLC0415

    return lambda request: parse(Path(request["path"]), request["fixes"])


if __name__ == "__main__":
    main()
