"""The schema takes every alert of the worked cases and refuses what an alert must not be."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from sinks.alert_json import alert_event
from sinks.alert_schema import ALERT_SCHEMA, KINDS
from tests.sinks.alert_examples import alert, case_lines

# Through JSON, as it is printed: what a consumer gets is what is tested.
VALIDATOR = Draft202012Validator(orjson.loads(orjson.dumps(ALERT_SCHEMA)))
GOOD = orjson.loads(orjson.dumps(alert_event(alert(), "three-regions")))
CLEARED = orjson.loads(orjson.dumps(alert_event(alert(0, "cleared"), "three-regions")))
MOVED = orjson.loads(orjson.dumps(alert_event(alert(0, "moved"), "three-regions")))
FORBIDDEN = orjson.loads(orjson.dumps(alert_event(alert(kind="entered_forbidden", rule="school"), "three-regions")))

KEYS = [(key,) for key in GOOD] + [("data", key) for key in GOOD["data"]]


def changed(event: dict[str, Any], **values: object) -> dict[str, Any]:
    """The event with other values; a key of `data` is told by its name alone."""
    event = copy.deepcopy(event)
    for key, value in values.items():
        (event["data"] if key in event["data"] else event)[key] = value
    return event


def test_the_schema_is_one() -> None:
    """It is itself valid against the meta-schema of 2020-12."""
    Draft202012Validator.check_schema(ALERT_SCHEMA)


def test_takes_every_alert_of_the_cases() -> None:
    """None of them is refused, and they show all kinds but the one that only a live stream raises."""
    events = [orjson.loads(line) for line in case_lines()]
    assert [error.message for event in events for error in VALIDATOR.iter_errors(event)] == []
    assert {event["data"]["kind"] for event in events} == set(KINDS) - {"feed_silent"}


@pytest.mark.parametrize("event", [GOOD, CLEARED, MOVED, FORBIDDEN])
def test_takes_ours(event: dict[str, Any]) -> None:
    """The examples below are good ones before something is changed in them."""
    assert VALIDATOR.is_valid(event)


@pytest.mark.parametrize("path", KEYS, ids=".".join)
def test_refuses_a_missing_key(path: tuple[str, ...]) -> None:
    """Every key is there, null or not."""
    event = copy.deepcopy(GOOD)
    del (event if len(path) == 1 else event["data"])[path[-1]]
    assert not VALIDATOR.is_valid(event)


def test_refuses_a_key_too_many() -> None:
    """No name or other data beside what the contract says."""
    assert not VALIDATOR.is_valid({**GOOD, "name": "Li"})
    assert not VALIDATOR.is_valid({**GOOD, "data": {**GOOD["data"], "phone": "1"}})


REFUSED = {
    "unknown kind": (GOOD, {"kind": "wandered"}),
    "unknown type": (GOOD, {"type": "fencewatch.alert.closed"}),
    "unknown level": (GOOD, {"level": "orange"}),
    "local time": (GOOD, {"time": "2026-10-24T21:40:46.888+08:00"}),
    "time of no zone": (GOOD, {"time": "2026-10-24T21:40:46.888"}),
    "local onset": (GOOD, {"onset": "2026-10-24T21:40:46.888+08:00"}),
    "local arrival": (GOOD, {"received": "2026-10-24T21:40:46.888+08:00"}),
    "time without milliseconds": (GOOD, {"time": "2026-10-24T21:40:46Z"}),
    "time with microseconds": (GOOD, {"time": "2026-10-24T21:40:46.888000Z"}),
    "hour 24": (GOOD, {"time": "2026-10-24T24:00:00.000Z"}),
    "month 13": (GOOD, {"time": "2026-13-24T21:40:46.888Z"}),
    "a line end behind the time": (GOOD, {"time": "2026-10-24T21:40:46.888Z\n"}),
    "short id": (GOOD, {"id": GOOD["id"][:-1]}),
    "long id": (GOOD, {"id": GOOD["id"] + "0"}),
    "id with a line end": (GOOD, {"id": GOOD["id"] + "\n"}),
    "upper-case id": (GOOD, {"id": "A" + GOOD["id"][1:]}),
    "short episode": (GOOD, {"episode": GOOD["data"]["episode"][:-1]}),
    "other specversion": (GOOD, {"specversion": "0.3"}),
    "other dataschema": (GOOD, {"dataschema": "urn:fencewatch:alert:2"}),
    "other source": (GOOD, {"source": "fencewatch/"}),
    "empty subject": (GOOD, {"subject": ""}),
    "subject with a control character": (GOOD, {"subject": "a\tb"}),
    "number as text": (GOOD, {"lon": "121.25"}),
    "half a position": (GOOD, {"lat": None}),
    "the other half": (GOOD, {"lon": None}),
    "longitude of 181": (GOOD, {"lon": 181}),
    "negative accuracy": (GOOD, {"accuracy_m": -1}),
    "late as text": (GOOD, {"late": "false"}),
    "a region twice": (GOOD, {"regions": ["west", "west"]}),
    "no version": (GOOD, {"rules_version": None}),
    "a rule where none is meant": (GOOD, {"rule": "school"}),
    "no rule where one is meant": (FORBIDDEN, {"rule": None}),
    "a reason of an opening": (GOOD, {"reason": "returned"}),
    "no reason of a clear": (CLEARED, {"reason": None}),
    "an unknown reason": (CLEARED, {"reason": "forgotten"}),
    "a distance of a clear": (CLEARED, {"distance_m": 3.0}),
    "a move to nowhere": (MOVED, {"found_region": None}),
    "a late move": (MOVED, {"late": True}),
    "a red battery": (GOOD, {"kind": "battery_low", "distance_m": None}),
    "a moving battery": (MOVED, {"kind": "battery_low", "level": "info"}),
    "a distance of silence": (GOOD, {"kind": "silent_long"}),
    "late silence": (GOOD, {"kind": "silent_long", "distance_m": None, "late": True}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    """One value that does not belong there is enough."""
    event, values = REFUSED[name]
    assert not VALIDATOR.is_valid(changed(event, **values))


@pytest.mark.parametrize("values", [{"distance_m": None}, {"received": None}, {"regions": []}, {"lon": None, "lat": None}])
def test_takes_what_may_be_missing(values: dict[str, Any]) -> None:
    """An edge has no arrival, an expired permit no distance, a subject of no region no region."""
    assert VALIDATOR.is_valid(changed(GOOD, **values))
