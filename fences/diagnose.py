"""What exactly is wrong with a line that is no record: found field by field, so that one mistake does not hide the next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fences.findings import Fault, meant, shown
from fences.records import RuleRecord, SpanRecord, SubjectRecord

Form = type[SubjectRecord] | type[RuleRecord] | type[SpanRecord]

_id_in = re.compile(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)').search
_PLACEHOLDER: dict[str, Any] = {"effect": "allow", "areas": [], "from": "", "to": ""}


@dataclass(slots=True)
class Diagnosis:
    """What could be saved of a line (`values`, wrong ones left out), which keys are wrong, and the faults with their paths.

    `values` is None where not even its id could be saved: then nobody can name the record either.
    """

    values: dict[str, Any] | None
    wrong: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)


def diagnose(line: bytes, form: Form) -> Diagnosis:
    """Everything that is wrong with the form of a line."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _unreadable(line, form, error)
    if not isinstance(value, dict):
        what = f"a line must be one JSON object, this is {shown(value)}"
        return Diagnosis(None, faults=[Fault("no object", "", what, f"write the {form.NOUN} as {{...}} on a line of its own")])
    return _diagnose_object(value, form, "")


def repeated_keys(line: bytes) -> list[str]:
    """Keys that an object of the line gives twice (a decoder takes the last of them, which nobody sees), in order."""
    repeated: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        seen = set()
        for key, _ in pairs:
            if key in seen:
                repeated.append(key)
            seen.add(key)

    json.loads(line, object_pairs_hook=note)
    return repeated


def unreadable(error: Exception, source: bytes) -> tuple[str, int]:
    """What a decoder said of JSON it could not read, as a phrase, and the byte at which it stopped."""
    if isinstance(error, UnicodeDecodeError):
        # msgspec checks the encoding string by string: its position is one in the string, not in the file.
        try:
            source.decode()
        except UnicodeDecodeError as in_source:
            return "a byte that is not UTF-8", in_source.start
        return "text that is not Unicode", 0
    if isinstance(error, RecursionError):
        return "brackets nested too deeply", 0
    text = str(error)
    found = re.search(r"^(?:JSON is malformed: )?(.*?)(?: \(byte (\d+)\))?$", text, re.DOTALL)
    phrase, at = (found[1], found[2]) if found else (text, None)
    if phrase == "Input data was truncated":
        return "the end comes too early", len(source.rstrip())
    return phrase[:1].lower() + phrase[1:], int(at) if at else 0


def _unreadable(line: bytes, form: Form, error: Exception) -> Diagnosis:
    phrase, byte = unreadable(error, line)
    what = f"no JSON: {phrase} at column {len(line[:byte].decode(errors='replace')) + 1}"
    diagnosis = Diagnosis(None, faults=[Fault("no JSON", "", what, "write one JSON object a line")])
    found = _id_in(line)
    if found:
        # Its rest is lost, but those who name it should not be told that it does not exist.
        try:
            diagnosis.values = {**_needed(form), "id": msgspec.json.decode(found[1])}
        except (msgspec.DecodeError, UnicodeDecodeError):
            return diagnosis
        diagnosis.wrong = {"*"}
    return diagnosis


def _needed(form: Form) -> dict[str, Any]:
    """Something to stand in each field that a record must have."""
    return {item.name: _PLACEHOLDER.get(item.encode_name) for item in msgspec.structs.fields(form) if item.required}


def _diagnose_object(value: dict[str, Any], form: Form, path: str) -> Diagnosis:
    fields = {item.encode_name: item for item in msgspec.structs.fields(form)}
    diagnosis = Diagnosis({})
    values: dict[str, Any] = {}
    for key in value:
        if key not in fields:
            guess = meant(key, fields)
            advice = "leave it out or mend its name" if guess else f"leave it out or write one of {', '.join(fields)}"
            diagnosis.faults.append(Fault("unknown key", path + key, f"a {form.NOUN} has no key {shown(key)}{guess}", advice))
    for key, item in fields.items():
        if key not in value:
            if item.required:
                diagnosis.faults.append(Fault("missing key", path + key, f"a {form.NOUN} needs {shown(key)}", form.ADVICE[key]))
                diagnosis.wrong.add(key)
                values[item.name] = _PLACEHOLDER.get(key)
            continue
        if key == "schedule" and isinstance(value[key], list):
            values[item.name] = _spans(value[key], diagnosis)
            continue
        try:
            values[item.name] = msgspec.convert(value[key], type=item.type)
        except msgspec.ValidationError as error:
            inner = str(error).rpartition(" - at `$")[2].rstrip("`") if " - at `$" in str(error) else ""
            what = f"{shown(_inside(value[key], inner))} does not belong here"
            diagnosis.faults.append(Fault("wrong value", path + key + inner, what, form.ADVICE[key]))
            diagnosis.wrong.add(key)
            values[item.name] = _PLACEHOLDER.get(key)
    if values.get("id", "") is None:
        given = value.get("id")
        diagnosis.values = None if given is None or isinstance(given, bool | list | dict) else {**values, "id": str(given)}
    else:
        diagnosis.values = values
    return diagnosis


def _spans(spans: Iterable[Any], diagnosis: Diagnosis) -> list[SpanRecord] | None:
    """The spans of a schedule, each diagnosed on its own; None where one is wrong."""
    good = []
    for i, span in enumerate(spans):
        path = f"schedule[{i}]"
        if not isinstance(span, dict):
            advice = RuleRecord.ADVICE["schedule"]
            diagnosis.faults.append(Fault("wrong value", path, f"{shown(span)} does not belong here", advice))
            diagnosis.wrong.add("schedule")
            continue
        inner = _diagnose_object(span, SpanRecord, f"{path}.")
        diagnosis.faults += inner.faults
        if inner.wrong or inner.faults:
            diagnosis.wrong.add("schedule")
        elif inner.values is not None:
            good.append(SpanRecord(**inner.values))
    return None if "schedule" in diagnosis.wrong else good


def _inside(value: Any, path: str) -> Any:  # noqa: ANN401 - a piece of decoded JSON may be anything
    """The part of decoded JSON at a path such as `[3]`."""
    for index in re.findall(r"\[(\d+)\]", path):
        value = value[int(index)]
    return value
