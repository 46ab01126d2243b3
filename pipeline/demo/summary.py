"""What stands on the terminal when a demo is over: what was scripted and found, figures, where to look next."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.alert_lines import Event, change_of
from pipeline.demo.figures import percentile
from pipeline.demo.story import HOURS, ROUNDS, SUBJECTS
from pipeline.demo.verdict import Verdict

STORIES = {
    "no_permit": "works in the neighbouring region without a permit, comes home",
    "stays_away": "leaves and does not come back",
    "moves_on": "leaves for a second region, goes on to the third, comes home",
    "enters_port": "enters a place forbidden to everybody",
    "youth_in_arcade": "of the group `youth`, enters a place forbidden to it",
    "breaks_no_contact": "enters a place forbidden to him alone",
    "overstay": "has a permit for the neighbouring region, stays when it ends, comes home",
    "overstay_for_good": "has a permit, stays when it ends, does not come home",
    "breaks_curfew": "is out when he has to be at home, comes later",
    "sits_out_curfew": "is out all the time that he has to be at home",
    "silent": "is not heard for longer than allowed",
    "silent_long": "is not heard for very long",
    "no_position": "reports without a position",
    "vague_position": "reports positions too vague to count",
    "stale": "sends the same record again and again",
    "tamper": "has his device tampered with",
    "separated": "is not with his device",
    "implausible": "is in two places at once",
    "battery_low": "lets his battery run low",
    "battery_critical": "lets his battery run empty",
    "reports_leaving_late": "leaves while his device is out of reach",
    "reports_entering_late": "enters a forbidden place while his device is out of reach",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one demo: seconds are real, `latencies_s` sorted."""

    fed: int
    read: int
    judged: int
    not_judged: dict[str, int]
    seconds: float
    latencies_s: Sequence[float]


def tell(console: Console, verdict: Verdict, events: Sequence[Event], figures: Figures) -> None:
    """Print both."""
    console.print(_stories(verdict))
    console.print()
    console.print(_figures(verdict, events, figures))


def next_steps(seed: int) -> list[str]:
    """Where to look next, as lines."""
    command = own_name()
    world = f"--seed {seed} --subjects {SUBJECTS} --hours {HOURS:g} --stories {ROUNDS}"
    return [
        "Where to look next",
        "  a world like this one as files, judged as a recording:",
        f"    {command} simulate {world} --out world",
        f"    {command} replay world/fixes.jsonl --registry world/registry",
        "  this demo again, with Redis and the daemon left running to look inside:",
        f"    {command} demo --seed {seed} --serve",
        "  your own data, your own stream:",
        "    README.md, docs/commands.md, docs/operations.md",
    ]


def while_it_runs(redis_url: str, address: str) -> list[str]:
    """How to look at a demo that is kept running, as lines."""
    command = own_name()
    return [
        "Redis and the daemon stay until Ctrl-C. To look inside, in another terminal",
        f"  {command} alerts open --redis {redis_url}",
        f"  {command} alerts tail --from-id 0-0 --redis {redis_url}",
        f"  Redis   {redis_url} (stream and channel fencewatch:alerts)",
        f"  daemon  http://{address}/metrics (also /readyz and /livez)",
    ]


def own_name() -> str:
    """How this command is called from where the user stands."""
    called = Path(sys.argv[0])
    if shutil.which("fencewatch") or called.name != "fencewatch":
        return "fencewatch"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)


def _stories(verdict: Verdict) -> Table:
    table = Table(box=None, pad_edge=False, title="What some people were scripted to do", title_justify="left", title_style="bold")
    table.add_column("story")
    table.add_column("found", justify="right")
    scripted, found = Counter(one.breach.story for one in verdict.found), Counter[str]()
    for one in verdict.found:
        found[one.breach.story] += one.wrong is None
    for story, count in scripted.items():
        good = found[story] == count
        table.add_row(Text(STORIES.get(story, story)), Text(f"{found[story]} of {count}", "green" if good else "bold red"))
    return table


def _figures(verdict: Verdict, events: Sequence[Event], figures: Figures) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column()
    style = "bold green" if verdict.problem() is None else "bold red"
    found = f"{verdict.found_count} of {len(verdict.found)} found, {len(verdict.unscripted) or 'nothing'} else"
    table.add_row("breaches", Text(found, style))
    told = Counter((event["data"]["level"], event["data"]["kind"], change_of(event)) for event in events)
    for level, kind in sorted({(level, kind) for level, kind, _ in told}):
        changes = ", ".join(f"{told[level, kind, c]} {c}" for c in ("opened", "moved", "cleared") if told[level, kind, c])
        table.add_row("alerts", f"{level} {kind}: {changes}")
    rest = "".join(f", {count:,} {what}" for what, count in figures.not_judged.items() if count)
    table.add_row("fixes", f"{figures.fed:,} fed, {figures.judged:,} judged{rest}")
    table.add_row("rate", f"{figures.fed / max(figures.seconds, 1e-9):,.0f} fixes a second, the pace of the tracks")
    if figures.latencies_s:
        p50, p99 = (percentile(figures.latencies_s, share) * 1000 for share in (0.50, 0.99))
        table.add_row("from fix to alert", f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, from XADD to the channel")
    return table
