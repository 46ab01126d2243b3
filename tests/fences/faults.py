"""Single faults to break a good registry with: each in a record of its own, so that many can be put in at once.

A fault knows the file and the line it must be found at (the line that holds `marker` once everything is broken) and words that the
problem must say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.fences.good_registry import (
    AREAS,
    POLICY,
    REGIONS,
    RULES,
    SUBJECTS,
    Json,
    Texts,
    square,
)


@dataclass(frozen=True)
class Fault:
    """One thing to break and how it must be told."""

    name: str
    file: str
    marker: str
    break_: Callable[[Texts], None]
    says: str
    alone: bool = False
    warning: bool = False

    def line(self, texts: Texts) -> int | None:
        """The line on which the broken registry must be found wrong; None where the file is gone."""
        if self.file not in texts:
            return None
        return next(number for number, line in enumerate(texts[self.file].split("\n"), 1) if self.marker in line)


def _edited(file: str, id_: str, edit: Callable[[Json], object]) -> Callable[[Texts], None]:
    """Changes one record of a file; `edit` changes it in place, or answers the text to stand in its place."""

    def break_(texts: Texts) -> None:
        lines = texts[file].split("\n")
        [i] = [i for i, line in enumerate(lines) if f'"id": "{id_}"' in line]
        comma = "," if lines[i].endswith(",") else ""
        record = json.loads(lines[i].removesuffix(","))
        answer = edit(record)
        lines[i] = (answer if isinstance(answer, str) else json.dumps(record)) + comma
        texts[file] = "\n".join(lines)

    return break_


def _replaced(file: str, old: str, new: str) -> Callable[[Texts], None]:
    def break_(texts: Texts) -> None:
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new, 1)

    return break_


def _appended(file: str, text: str) -> Callable[[Texts], None]:
    def break_(texts: Texts) -> None:
        texts[file] = texts.get(file, "") + text

    return break_


def _gone(file: str) -> Callable[[Texts], None]:
    def break_(texts: Texts) -> None:
        del texts[file]

    return break_


def _without(key: str) -> Callable[[Json], object]:
    def edit(record: Json) -> None:
        del record[key]

    return edit


def _with(**values: object) -> Callable[[Json], object]:
    """Sets keys; a trailing underscore of a name is left out (`from_`)."""

    def edit(record: Json) -> None:
        record.update({key.removesuffix("_"): value for key, value in values.items()})

    return edit


def _shaped(coordinates: object, kind: str = "Polygon", **properties: object) -> Callable[[Json], object]:
    def edit(record: Json) -> None:
        record["geometry"] = {"type": kind, "coordinates": coordinates}
        record["properties"] |= properties

    return edit


def _properties(**values: object) -> Callable[[Json], object]:
    def edit(record: Json) -> None:
        record["properties"] |= values

    return edit


def _subject(number: int, name: str, edit: Callable[[Json], object], says: str, marker: str | None = None) -> Fault:
    id_ = f"p-{number:02d}"
    return Fault(f"subject: {name}", SUBJECTS, marker or f'"{id_}"', _edited(SUBJECTS, id_, edit), says)


def _rule(
    number: int, name: str, edit: Callable[[Json], object], says: str, marker: str | None = None, *, warning: bool = False
) -> Fault:
    id_ = f"rule-{number:02d}"
    return Fault(f"rule: {name}", RULES, marker or f'"{id_}"', _edited(RULES, id_, edit), says, warning=warning)


def _area(
    number: int, name: str, edit: Callable[[Json], object], says: str, marker: str | None = None, *, warning: bool = False
) -> Fault:
    id_ = f"area-{number:02d}"
    return Fault(f"area: {name}", AREAS, marker or f'"{id_}"', _edited(AREAS, id_, edit), says, warning=warning)


def _region(number: int, name: str, edit: Callable[[Json], object], says: str) -> Fault:
    id_ = f"region-{number}"
    return Fault(f"region: {name}", REGIONS, f'"{id_}"', _edited(REGIONS, id_, edit), says)


def _policy(name: str, old: str, new: str, says: str) -> Fault:
    return Fault(f"policy: {name}", POLICY, new, _replaced(POLICY, old, new), says)


def _cut(record: Json) -> str:
    return json.dumps(record)[:-8]


def _followed(record: Json) -> str:
    return json.dumps(record) + " ]"


def _key_twice(record: Json) -> str:
    return json.dumps(record)[:-1] + ', "groups": []}'


def _not_utf8(record: Json) -> str:
    return json.dumps(record)[:-1] + ', "name": "\udcff"}'


def _in_a_list(record: Json) -> str:
    return json.dumps([record])


def _span(**span: object) -> Callable[[Json], object]:
    return _with(schedule=[{"from": "08:00", "to": "17:00"}, {key.removesuffix("_"): value for key, value in span.items()}])


BOW_TIE = [[120.0, 31.0], [120.1, 31.1], [120.1, 31.0], [120.0, 31.1], [120.0, 31.0]]
NOTCHED = [
    [121.0, 31.5],
    [121.2, 31.5],
    [121.2, 31.6],
    [121.1005, 31.6],
    [121.1, 31.500002],
    [121.0995, 31.6],
    [121.0, 31.6],
    [121.0, 31.5],
]
"""Valid in GCJ-02; once converted, its long southern edge has passed the point of the notch."""

_FAULTS_OF_SUBJECTS = [
    _subject(10, "unknown key", _with(home="region-0"), 'no key "home"'),
    _subject(11, "id of 65 bytes", _with(id="å" * 32 + "x", name="long"), "is no id (65 bytes)", '"long"'),
    _subject(12, "control character in the id", _with(id="p\u0007", name="bell"), "is no id", '"bell"'),
    Fault("subject: id given twice", SUBJECTS, "twin", _appended(SUBJECTS, '{"id": "p-13", "name": "twin"}\n'), "given twice"),
    _subject(14, "no id", lambda record: record.pop("id") and record.update(name="nameless"), 'needs "id"', "nameless"),
    _subject(15, "unknown home region", _with(home_region="region-9"), 'no region "region-9"'),
    _subject(16, "home is an area", _with(home_region="shop"), "that is an area"),
    _subject(17, "groups are a word", _with(groups="youth"), "does not belong here"),
    _subject(18, "silent after nothing", _with(silent_after_s=0), "no waiting time"),
    _subject(19, "line cut off", _cut, "no JSON"),
    _subject(20, "something after the record", _followed, "no JSON: trailing characters"),
    _subject(21, "a list", _in_a_list, "must be one JSON object"),
    _subject(22, "key given twice", _key_twice, 'key "groups" is given twice'),
    _subject(23, "not UTF-8", _not_utf8, "not UTF-8"),
    _subject(24, "silent after a word", _with(silent_after_s="soon"), '"soon" does not belong here'),
    _subject(25, "id of null", lambda record: record.update(id=None, name="null id"), "null does not belong here", "null id"),
]
_FAULTS_OF_RULES = [
    _rule(0, "unknown key", _with(untill="2026-10-01T00:00:00Z"), '"untill" (did you mean "until"?)'),
    _rule(1, "unknown effect", _with(effect="alow"), '"alow" does not belong here'),
    _rule(2, "no effect", _without("effect"), 'needs "effect"'),
    _rule(3, "areas empty", _with(areas=[]), "needs an area"),
    _rule(4, "no areas", _without("areas"), 'needs "areas"'),
    _rule(5, "unknown area", _with(areas=["shop", "shpo"]), 'no area or region "shpo" (did you mean "shop"?)'),
    _rule(6, "unknown subject", _with(subjects=["p-99"]), 'no subject "p-99"'),
    _rule(7, "local time", _with(from_="2026-03-02T08:00:00"), "this is no time"),
    _rule(8, "before 1990", _with(from_=0), "not from 1990 on"),
    _rule(9, "in 2100", _with(until="2100-01-01T00:00:00Z"), "before 2100"),
    _rule(10, "until before from", _with(from_=1772416800001, until="2026-03-02T10:00:00+08:00"), "before it begins"),
    _rule(11, "no time zone", _with(timezone="Asia/Shangai"), '(did you mean "Asia/Shanghai"?)'),
    _rule(12, "schedule empty", _with(schedule=[]), "without a span"),
    _rule(13, "no day of the week", _span(days="mon-fry", from_="08:00", to="09:00"), '"mon-fry" is no day'),
    _rule(14, "no time of day", _span(from_="08:00", to="25:00"), '"25:00" is no time of day'),
    _rule(15, "from 24:00", _span(from_="24:00", to="06:00"), '"24:00" is no time of day'),
    _rule(16, "unknown key of a span", _span(from_="08:00", to="09:00", day="mon"), 'no key "day"'),
    _rule(17, "span without end", _span(from_="08:00"), 'needs "to"'),
    _rule(18, "except without schedule", _with(except_=["2026-10-01"]), "no schedule"),
    _rule(19, "except of no date", _with(schedule=[{"from": "08:00", "to": "09:00"}], except_=["2026-02-30"]), "is no date"),
    _rule(20, "confirm_fixes 0", _with(confirm_fixes=0), "0 is out of range"),
    _rule(21, "confirm_fixes 1.5", _with(confirm_fixes=1.5), "1.5 does not belong here"),
    _rule(22, "confirm_s over a day", _with(confirm_s=86401), "86401.0 is out of range"),
    _rule(23, "negative tolerance", _with(tolerance_m=-1), "-1.0 is out of range"),
    _rule(24, "accuracy_factor 10.5", _with(accuracy_factor=10.5), "10.5 is out of range"),
    _rule(25, "unknown level", _with(level="orange"), '"orange" does not belong here'),
    _rule(26, "clear_fixes 21", _with(clear_fixes=21), "21 is out of range"),
    _rule(27, "everyone is a word", _with(everyone="yes"), '"yes" does not belong here'),
    Fault(
        "rule: id given twice in rules.d",
        "rules.d/more.jsonl",
        '"rule-28"',
        _appended("rules.d/more.jsonl", '{"id": "rule-28", "effect": "allow", "everyone": true, "areas": ["shop"]}\n'),
        "given twice, first at",
    ),
]
_FAULTS_OF_AREAS = [
    _area(0, "ring crosses itself", _shaped([BOW_TIE]), "crosses or overlaps"),
    _area(1, "ring not closed", _shaped([square(120, 31)[:-1]]), "is not closed"),
    _area(2, "three positions", _shaped([[[120, 31], [120.1, 31], [120, 31]]]), "a ring of 3 positions"),
    _area(3, "latitude before longitude", _shaped([[[31, 120], [31.1, 120], [31.1, 120.1], [31, 120]]]), "latitude is beyond 90"),
    _area(4, "edge over the antimeridian", _shaped([[[179, 1], [-179, 1], [-179, 2], [179, 1]]]), "more than 180 degrees"),
    _area(5, "beyond the antimeridian", _shaped([[[179, 1], [181, 1], [181, 2], [179, 2], [179, 1]]]), "beyond the antimeridian"),
    _area(6, "round a pole", _shaped([[[-120, 80], [0, 80], [120, 80], [-120, 80]]]), "goes round a pole"),
    _area(7, "up to a pole", _shaped([[[0, 80], [90, 80], [45, 90], [0, 80]]]), "reaches a pole"),
    _area(8, "empty", _shaped([]), "is empty"),
    _area(9, "no geometry", lambda record: record.update(geometry=None), "there is no shape"),
    _area(10, "a line", _shaped([[120, 31], [121, 31]], "LineString"), '"LineString" is no shape'),
    _area(11, "point without radius", _shaped([120, 31], "Point"), "needs radius_m"),
    _area(12, "negative radius", _shaped([120, 31], "Point", radius_m=-5), "-5 is no radius"),
    _area(13, "parts overlap", _shaped([[square(120, 31)], [square(120.005, 31.005)]], "MultiPolygon"), "crosses or overlaps"),
    _area(14, "hole outside", _shaped([square(120, 31), square(120.5, 31)]), "outside its outer ring"),
    _area(15, "unknown datum", _properties(datum="gcj2"), '(did you mean "gcj02"?)'),
    _area(16, "no id", lambda record: record.update(properties={"name": "unnamed"}), 'needs "id"', "unnamed"),
    _area(17, "id of a region", _properties(id="region-1", name="same"), "given twice, first at", '"same"'),
    _area(18, "circle over a pole", _shaped([10, 89.9], "Point", radius_m=20000), "covers or touches a pole"),
    _area(19, "circle over the antimeridian", _shaped([179.99, 10], "Point", radius_m=5000), "crosses the antimeridian"),
    _area(20, "position of one number", _shaped([[[120], [121, 31], [121, 32], [120]]]), "needs a longitude and a latitude"),
    _area(21, "coordinates are words", _shaped([[["120", "31"]]]), "this is no Polygon"),
    _area(22, "crosses itself once converted", _shaped([NOTCHED], datum="gcj02"), "once converted from gcj02"),
    _area(23, "a part is empty", _shaped([[square(120, 31)], []], "MultiPolygon"), "a part of the shape is empty"),
    _area(24, "no feature", lambda record: record.update(type="Area"), 'the type is "Area"'),
    _area(25, "control character in the id", _properties(id="\u0000x", name="silent"), "is no id", '"silent"'),
    _region(3, "no time zone", lambda record: record["properties"].update(timezone=None), "needs a time zone"),
    _region(4, "unknown time zone", _properties(timezone="China/Beijing"), "is no time zone"),
    _region(5, "hole across its border", _shaped([square(125, 31, 1), square(125.5, 31.5, 1)]), "crosses or overlaps"),
]
_FAULTS_OF_POLICY = [
    _policy("confirm_fixes 0", "confirm_fixes = 3", "confirm_fixes = 0", "0 does not belong here"),
    _policy("unknown key", "confirm_s", "confirms_s", 'no key "confirms_s" (did you mean "confirm_s"?)'),
    _policy("unknown level", '"yellow"', '"orange"', '"orange" does not belong here'),
    _policy("no speed", "max_speed_mps = 80.0", "max_speed_mps = 0", "0 does not belong here"),
    _policy("a truth value", "silent_after_s = 1200", "silent_after_s = true", "true does not belong here"),
    _policy("key of [policy] in a section", "tolerance_m = 40", "min_jump_m = 40", "[policy.allow] has no key"),
    _policy("half a fix", "clear_fixes = 2", "clear_fixes = 2.5", "2.5 does not belong here"),
    Fault("policy: unknown section", POLICY, "[polcy]", _appended(POLICY, "[polcy]\n"), 'section "polcy" (did you mean "policy"?)'),
]
COMBINED = [*_FAULTS_OF_SUBJECTS, *_FAULTS_OF_RULES, *_FAULTS_OF_AREAS, *_FAULTS_OF_POLICY]
"""Faults that may be put in together: each is told, and nothing else."""

ALONE = [
    *(Fault(f"no {file}", file, "", _gone(file), "there is no such file") for file in (SUBJECTS, RULES, AREAS, REGIONS)),
    Fault("GeoJSON cut off", AREAS, "]  ", _replaced(AREAS, "\n]}", "\n]  "), "no JSON: the end comes too early"),
    Fault("GeoJSON followed by more", REGIONS, "]},", _replaced(REGIONS, "\n]}", "\n]},"), "no JSON: trailing characters"),
    Fault("a comma missing", AREAS, '"area-05"', _replaced(AREAS, '"id": "area-05",', '"id": "area-05"'), "no JSON"),
    Fault("no FeatureCollection", AREAS, "Features", _replaced(AREAS, "FeatureCollection", "Features"), 'this is a "Features"'),
    Fault("unknown datum of all", AREAS, "wgs48", _replaced(AREAS, "{", '{"datum": "wgs48", '), '"wgs48" is no datum'),
    Fault("no TOML", POLICY, "confirm_s", _replaced(POLICY, "confirm_s = 0", "confirm_s 0"), "no TOML"),
    Fault("TOML key twice", POLICY, "confirm_fixes = 4", _replaced(POLICY, "confirm_s = 0", "confirm_fixes = 4"), "no TOML"),
    Fault("policy is a number", POLICY, "policy = 3", lambda texts: texts.update({POLICY: "policy = 3\n"}), "no section"),
]
"""Faults that leave a file unread, so that nothing else can be told of it."""

WARNINGS = [
    _rule(30, "binds nobody", _with(groups=[]), "binds nobody", warning=True),
    _rule(31, "its only group is empty", _with(groups=["yout"]), 'nobody is in the group "yout"', warning=True),
    _rule(32, "one of its groups is empty", _with(groups=["youth", "adults"]), 'nobody is in the group "adults"', warning=True),
    _rule(
        33,
        "forbids a kiosk",
        _with(effect="forbid", accuracy_factor=10, areas=["kiosk", "shop"]),
        '"kiosk" is nowhere 300 m deep',
        '"rule-33"',
        warning=True,
    ),
    _area(31, "region nobody knows", _properties(region="region-7"), 'no region "region-7"', warning=True),
    _area(32, "polygon with a radius", _properties(radius_m=5), "radius_m means nothing", warning=True),
    _area(33, "long edge in a foreign datum", _shaped([square(121, 31, 0.2)], datum="bd09"), "off once converted", warning=True),
]
