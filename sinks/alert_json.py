"""Alert -> CloudEvent: the JSON of section 4 of the contract, its keys always in the same order.

The one place that knows how an alert is spelled; streams, channels, hashes and files all carry these bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from operators.alert import TYPE, Alert

DATASCHEMA = "urn:fencewatch:alert:1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(time_ms: int) -> str:
    """A time in UTC milliseconds as RFC 3339 with exactly three digits: `2026-10-24T13:40:46.888Z`."""
    # Added to the epoch rather than divided by 1000: a float of seconds would round some milliseconds down.
    moment = EPOCH + timedelta(milliseconds=int(time_ms))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alert_event(alert: Alert, deployment: str) -> dict[str, Any]:
    """The CloudEvent of an alert as a dict in the order of its keys; `deployment` is the name behind `fencewatch/`."""
    return {
        "specversion": "1.0",
        "id": alert.id,
        "source": f"fencewatch/{deployment}",
        "type": TYPE + alert.change,
        "dataschema": DATASCHEMA,
        "time": rfc3339(alert.time_ms),
        "subject": alert.subject,
        "data": {
            "kind": alert.kind,
            "level": alert.level,
            "episode": alert.episode,
            "rule": alert.rule,
            "onset": rfc3339(alert.onset_ms),
            "reason": alert.reason,
            "lon": alert.lon,
            "lat": alert.lat,
            "accuracy_m": alert.accuracy_m,
            "distance_m": alert.distance_m,
            "home_region": alert.home_region,
            "found_region": alert.found_region,
            "rules_version": alert.rules_version,
            "late": alert.late,
            "received": None if alert.received_ms is None else rfc3339(alert.received_ms),
            "regions": alert.regions,
        },
    }


def encode_alert(alert: Alert, deployment: str) -> bytes:
    """The CloudEvent as UTF-8 JSON without spaces or a line end."""
    # An alert must never fail to leave because a column's own number type slipped into it.
    return orjson.dumps(alert_event(alert, deployment), option=orjson.OPT_SERIALIZE_NUMPY)
