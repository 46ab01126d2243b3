"""The JSON Schema (2020-12) of an alert: what a consumer may rely on, and what `fencewatch schema alert` prints.

Strict on purpose: no key more, none less, and what belongs to a kind or a type (a rule's id, a level, a reason) only there.
Lengths stand beside patterns because `$` matches before a final line end in some validators.
"""

from __future__ import annotations

from typing import Any

from operators.alert import LEVELS, TYPE
from sinks.alert_json import DATASCHEMA

Schema = dict[str, Any]

RULE_KINDS = ("entered_forbidden", "absent")
"""Kinds of the slots `rule:<id>`."""
JUDGED_KINDS = ("left_area", "overstay", *RULE_KINDS)
"""Kinds of the slots that follow a position: they alone move, have a distance, come late and take their level from the policy."""
LEVEL_OF_KIND = {
    "silent": "yellow",
    "silent_long": "red",
    "no_position": "yellow",
    "implausible": "yellow",
    "stale": "yellow",
    "tamper": "red",
    "separated": "red",
    "battery_low": "info",
    "battery_critical": "yellow",
    "feed_silent": "red",
}
"""The level of every other kind."""
KINDS = (*JUDGED_KINDS, *LEVEL_OF_KIND)

TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$",
    "maxLength": 24,
}
HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$", "maxLength": 32}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[^\u0000-\u001f\u007f]*$"}
NULL: Schema = {"type": "null"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _where(conditions: Schema, then: Schema, otherwise: Schema | None = None) -> Schema:
    """Where the event has these values (of `type`, or of keys of `data`), it also has those; else the others.

    A condition names its key as required: without it an event that lacks the key would meet every condition.
    """
    rule: Schema = {"if": _values(conditions), "then": _values(then, required=False)}
    if otherwise is not None:
        rule["else"] = _values(otherwise, required=False)
    return rule


def _values(schemas: Schema, *, required: bool = True) -> Schema:
    event: Schema = {"properties": {}, "required": []}
    data: Schema = {"properties": {}, "required": []}
    for key, schema in schemas.items():
        place = event if key == "type" else data
        place["properties"][key] = schema
        place["required"].append(key)
    if data["properties"]:
        event["properties"]["data"] = data
        event["required"].append("data")
    if not required:
        del event["required"], data["required"]
    return event


OPENED, MOVED, CLEARED = ({"const": TYPE + change} for change in ("opened", "moved", "cleared"))
NUMBER: Schema = {"type": "number"}

ALERT_SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": DATASCHEMA,
    "title": "fencewatch alert",
    "description": "One CloudEvent: an episode of a subject was opened, moved into another region, or was cleared.",
    **_object(
        {
            "specversion": {"const": "1.0"},
            "id": {**HASH, "description": "The same alert told again has the same id."},
            "source": {"type": "string", "pattern": "^fencewatch/.", "description": "fencewatch/ and the deployment."},
            "type": {"enum": [TYPE + change for change in ("opened", "moved", "cleared")]},
            "dataschema": {"const": DATASCHEMA},
            "time": {**TIME, "description": "Event time of the judgement that made it."},
            "subject": {**NAME, "description": "The subject's id; of feed_silent the source's name."},
            "data": _object(
                {
                    "kind": {"enum": list(KINDS)},
                    "level": {"enum": list(LEVELS)},
                    "episode": {**HASH, "description": "The same for an opening, its moves and its clear."},
                    "rule": {**_or_null({"type": "string", "minLength": 1}), "description": "Null where no single rule is meant."},
                    "onset": {**TIME, "description": "When the breach began."},
                    "reason": {"enum": ["returned", "rule_ended", None], "description": "Of a clear only."},
                    "lon": _or_null({"type": "number", "minimum": -180, "maximum": 180}),
                    "lat": _or_null({"type": "number", "minimum": -90, "maximum": 90}),
                    "accuracy_m": _or_null({"type": "number", "minimum": 0}),
                    "distance_m": {
                        **_or_null({"type": "number", "minimum": 0}),
                        "description": "Of an opening: how far outside, or how deep inside the deepest forbidden area.",
                    },
                    "home_region": _or_null(NAME),
                    "found_region": _or_null(NAME),
                    "rules_version": {"type": "string", "pattern": "^[0-9a-f]{12}$", "maxLength": 12},
                    "late": {"type": "boolean", "description": "Late evidence: opened and cleared at once."},
                    "received": {**_or_null(TIME), "description": "Of the record that brought it; null for an edge or a deadline."},
                    "regions": {"type": "array", "items": NAME, "uniqueItems": True, "description": "Those it goes to, sorted."},
                }
            ),
        }
    ),
    "allOf": [
        _where({"kind": {"enum": list(RULE_KINDS)}}, {"rule": {"type": "string"}}, {"rule": NULL}),
        _where({"type": CLEARED}, {"reason": {"type": "string"}}, {"reason": NULL}),
        _where({"type": MOVED}, {"found_region": {"type": "string"}, "received": {"type": "string"}, "late": {"const": False}}),
        _where(
            {"kind": {"enum": list(LEVEL_OF_KIND)}},
            {"type": {"enum": [OPENED["const"], CLEARED["const"]]}, "distance_m": NULL, "late": {"const": False}},
        ),
        _where({"distance_m": NUMBER}, {"type": OPENED}),
        _where({"lon": NULL}, {"lat": NULL}, {"lat": NUMBER}),
        *(
            _where({"kind": {"enum": [kind for kind, own in LEVEL_OF_KIND.items() if own == level]}}, {"level": {"const": level}})
            for level in LEVELS
        ),
    ],
}
"""The schema, ready to be printed as JSON or handed to a validator."""
