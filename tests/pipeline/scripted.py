"""The list of breaches that a simulated world scripted, and the alerts that a judge made of it, laid side by side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.worlds.stories import Breach

Alert = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(text: str) -> int:
    """A time of an alert as UTC milliseconds."""
    moment = datetime.fromisoformat(text) - EPOCH
    return (moment.days * 86_400 + moment.seconds) * 1000 + moment.microseconds // 1000


def differences(alerts: Sequence[Alert], breaches: Sequence[Breach]) -> list[str]:
    """A sentence for everything that was scripted and not found, found and not scripted, or found otherwise."""
    episodes: defaultdict[tuple[str, str, str], list[Alert]] = defaultdict(list)
    for alert in alerts:
        episodes[(*key(alert), alert["data"]["episode"])].append(alert)
    found: defaultdict[tuple[str, str], list[list[Alert]]] = defaultdict(list)
    for (subject, slot, _), episode in episodes.items():
        found[subject, slot].append(episode)
    scripted = {(breach.subject, breach.slot): breach for breach in breaches}
    wrong = [f"{subject} {slot}: not scripted" for subject, slot in found.keys() - scripted.keys()]
    for (subject, slot), breach in scripted.items():
        many = found.get((subject, slot), [])
        what = compared(many[0], breach) if len(many) == 1 else [f"{len(many)} episodes instead of one"]
        wrong += [f"{subject} {slot} ({breach.story}): {text}" for text in what]
    return sorted(wrong)


def key(alert: Alert) -> tuple[str, str]:
    """Subject and slot of an alert."""
    rule, kind = alert["data"]["rule"], alert["data"]["kind"]
    if rule is not None:
        return alert["subject"], f"rule:{rule}"
    return alert["subject"], "area" if kind in ("left_area", "overstay") else kind


def compared(episode: list[Alert], breach: Breach) -> list[str]:
    """What differs between the alerts of an episode and a scripted breach."""
    changes = Counter(alert["type"].removeprefix("fencewatch.alert.") for alert in episode)
    opened = episode[0]["data"]
    cleared = [alert for alert in episode if alert["type"].endswith(".cleared")]
    wrong = []
    if changes["opened"] != 1 or len(cleared) != (breach.cleared_from is not None):
        wrong.append(f"told as {dict(changes)}")
    for name, value in (("kind", breach.kind), ("level", breach.level), ("late", breach.late)):
        if opened[name] != value:
            wrong.append(f"{name} {opened[name]} instead of {value}")
    if not breach.onset_from <= milliseconds(opened["onset"]) <= breach.onset_to:
        wrong.append(f"onset {opened['onset']} out of the span")
    for alert in cleared:
        if not (breach.cleared_from or 0) <= milliseconds(alert["time"]) <= (breach.cleared_to or 0):
            wrong.append(f"cleared at {alert['time']}, out of the span")
        if alert["data"]["reason"] != breach.reason:
            wrong.append(f"cleared as {alert['data']['reason']} instead of {breach.reason}")
        if alert["data"]["regions"] != sorted(breach.regions):
            wrong.append(f"clear told to {alert['data']['regions']}")
    told = sorted({region for alert in episode for region in alert["data"]["regions"]})
    if told != sorted(breach.regions):
        wrong.append(f"told to {told} instead of {sorted(breach.regions)}")
    return wrong


def assert_scripted(alerts: Sequence[Alert], breaches: Sequence[Breach]) -> None:
    """Each scripted breach is one episode, with its onset, clear and regions; there is no other, and no other kind of alert."""
    assert differences(alerts, breaches) == []
