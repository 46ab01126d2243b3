"""Alerts to deliver: those of the worked cases, and as many invented ones as a test wants."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from operators.alert import TYPE, Alert, Change, alert_id, episode_id
from sinks.alert_json import encode_alert

CASES = Path(__file__).parent.parent / "cases"
DEPLOYMENT = "case"
ONSET_MS = 1_700_000_000_000

Encoded = list[tuple[Alert, bytes]]


def case_lines() -> list[bytes]:
    """Every expected alert of every worked case, as it stands there."""
    return [line for file in sorted(CASES.glob("*/expected-alerts.jsonl")) for line in file.read_bytes().splitlines() if line]


def alert_of(event: dict[str, Any]) -> Alert:
    """The record behind a CloudEvent."""
    data = event["data"]
    rule = data["rule"]
    slot = f"rule:{rule}" if rule else {"left_area": "area", "overstay": "area"}.get(data["kind"], data["kind"])
    return Alert(
        id=event["id"],
        change=event["type"].removeprefix(TYPE),
        time_ms=_ms(event["time"]),
        subject=event["subject"],
        slot=slot,
        kind=data["kind"],
        level=data["level"],
        episode=data["episode"],
        rule=rule,
        onset_ms=_ms(data["onset"]),
        reason=data["reason"],
        lon=data["lon"],
        lat=data["lat"],
        accuracy_m=data["accuracy_m"],
        distance_m=data["distance_m"],
        home_region=data["home_region"],
        found_region=data["found_region"],
        rules_version=data["rules_version"],
        late=data["late"],
        received_ms=None if data["received"] is None else _ms(data["received"]),
        regions=tuple(data["regions"]),
    )


def alert(
    number: int = 0,
    change: Change = "opened",
    regions: tuple[str, ...] = ("north", "west"),
    **other: Any,  # noqa: ANN401 - whatever the record has
) -> Alert:
    """An alert of subject `p-<number>`; the same number and change is the same alert."""
    subject, slot = f"p-{number:06d}", "area"
    found = regions[-1] if regions else None
    values: dict[str, Any] = {
        "id": alert_id(subject, slot, ONSET_MS, change, found if change == "moved" else None),
        "change": change,
        "time_ms": ONSET_MS + 60_000,
        "subject": subject,
        "slot": slot,
        "kind": "left_area",
        "level": "red",
        "episode": episode_id(subject, slot, ONSET_MS),
        "rule": None,
        "onset_ms": ONSET_MS,
        "reason": "returned" if change == "cleared" else None,
        "lon": 121.25,
        "lat": 31.375,
        "accuracy_m": 12.5,
        "distance_m": 812.25 if change == "opened" else None,
        "home_region": regions[0] if regions else None,
        "found_region": found,
        "rules_version": "0123456789ab",
        "late": False,
        "received_ms": ONSET_MS + 60_500,
        "regions": regions,
    }
    return Alert(**{**values, **other})


def encoded(alerts: Iterable[Alert]) -> Encoded:
    """What a sink is given."""
    return [(one, encode_alert(one, DEPLOYMENT)) for one in alerts]


def _ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
