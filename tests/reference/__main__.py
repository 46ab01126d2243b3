"""`python -m tests.reference FIXES --registry DIR [--until T] [--registry-at T=DIR ...] --alerts-out F --report F`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.reference.moments import read_time
from tests.reference.replay import judge_records


def time_argument(text: str) -> int:
    """A time on the command line."""
    ms = read_time(text)
    if ms is None:
        message = f"{text!r} is no time; write RFC 3339 with an offset, or epoch milliseconds"
        raise argparse.ArgumentTypeError(message)
    return ms


def version_argument(text: str) -> tuple[int, Path]:
    """`TIME=DIR`."""
    time, _, directory = text.partition("=")
    return time_argument(time), Path(directory)


def main() -> None:
    """Judge a file of JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description="The reference judge of the contract.")
    parser.add_argument("fixes", type=Path, help="JSON lines")
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--until", type=time_argument)
    parser.add_argument("--registry-at", type=version_argument, action="append", default=[], metavar="TIME=DIR")
    parser.add_argument("--alerts-out", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args()
    with options.fixes.open("rb") as lines:
        alerts, report = judge_records(options.registry, lines, options.until, options.registry_at)
    text = "".join(json.dumps(alert, ensure_ascii=False) + "\n" for alert in alerts)
    options.alerts_out.write_text(text, encoding="utf-8")
    options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
