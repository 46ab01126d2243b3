"""The world of an example as a registry directory."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rules_page.example import Clock, NotationError
from tests.rules_page.plane import Plane, geometry

Record = dict[str, Any]
EFFECTS = {"may be in": "allow", "must not enter": "forbid", "must be in": "require"}
LEVELS = ("red", "yellow", "info")
ONLY = "Li"
"""Who is there where nobody is named."""


@dataclass
class World:
    """What an example's first table says; `general`: rows that are no record of the registry."""

    clock: Clock
    plane: Plane = field(default_factory=Plane)
    regions: dict[str, Record] = field(default_factory=dict)
    areas: dict[str, Record] = field(default_factory=dict)
    people: dict[str, Record] = field(default_factory=dict)
    rules: dict[str, Record] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)

    def take(self, rows: tuple[tuple[str, str], ...]) -> World:
        """Add rows; a name once more takes the place of what it stood for, `is gone` takes it away."""
        for name, text in rows:
            kind, _, rest = name.partition(" ")
            if (text, rest) == ("is gone", rest):
                del self._of(kind)[rest]
            elif kind == "centre":
                self.plane = Plane.read(text)
            elif kind == "policy":
                self.policy = policy(text)
            elif kind not in ("clock", "run"):
                read = {"region": self._region, "area": self._area, "person": self._person, "rule": self._rule}.get(kind)
                if read is None:
                    raise NotationError(f"{name!r} is nothing a world has")
                self._of(kind)[rest] = read(rest, text)
        return self

    def write(self, directory: Path) -> Path:
        """Write the registry; the folder is made."""
        directory.mkdir(parents=True)
        for name, features in (("regions", self.regions), ("areas", self.areas)):
            text = json.dumps({"type": "FeatureCollection", "features": list(features.values())})
            (directory / f"{name}.geojson").write_text(text)
        people = self.people or {ONLY: {"id": ONLY}}
        for name, records in (("subjects", people), ("rules", self.rules)):
            (directory / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records.values()))
        lines = ["[policy]", *(f"{key} = {json.dumps(value)}" for key, value in self.policy.items() if not isinstance(value, dict))]
        for section in (key for key, value in self.policy.items() if isinstance(value, dict)):
            lines += [f"[policy.{section}]", *(f"{key} = {json.dumps(value)}" for key, value in self.policy[section].items())]
        (directory / "policy.toml").write_text("\n".join(lines) + "\n")
        return directory

    def _of(self, kind: str) -> dict[str, Record]:
        return {"region": self.regions, "area": self.areas, "person": self.people, "rule": self.rules}[kind]

    def _region(self, name: str, text: str) -> Record:
        shape, _, zone = text.partition("; ")
        return self._area(name, shape, timezone=zone or self.clock.zone)

    def _area(self, name: str, text: str, **also: str) -> Record:
        shape, radius_m = geometry(self.plane, text)
        properties = {"id": name, **also} | ({} if radius_m is None else {"radius_m": radius_m})
        return {"type": "Feature", "properties": properties, "geometry": shape}

    @staticmethod
    def _person(name: str, text: str) -> Record:
        """`lives in West; in group youth; silent after 600 s`, or nothing."""
        record: Record = {"id": name, "groups": []}
        for part in filter(None, text.split("; ")):
            if found := re.fullmatch(r"lives in (\w+)", part):
                record["home_region"] = found[1]
            elif found := re.fullmatch(r"in group (\w+)", part):
                record["groups"].append(found[1])
            elif found := re.fullmatch(r"silent after (\d+) s", part):
                record["silent_after_s"] = int(found[1])
            else:
                raise NotationError(f"{part!r} is nothing that a person has")
        return record

    def _rule(self, name: str, text: str) -> Record:
        """`Li may be in Home and Work; from 08:00; until 18:00; daily 22:00 to 06:00; except 2026-03-03; confirm_fixes 1`."""
        first, *parts = text.split("; ")
        found = re.fullmatch(rf"(everyone|[\w ]+) ({'|'.join(EFFECTS)}) ([\w ]+)", first)
        if found is None:
            raise NotationError(f"{first!r} is no rule")
        record: Record = {"id": name, "effect": EFFECTS[found[2]], "areas": found[3].split(" and ")}
        for whom in found[1].split(" and "):
            if whom == "everyone":
                record["everyone"] = True
            else:
                key, who = ("groups", whom.removeprefix("group ")) if whom.startswith("group ") else ("subjects", whom)
                record.setdefault(key, []).append(who)
        for part in parts:
            self._clause(record, part)
        return record

    def _clause(self, record: Record, part: str) -> None:
        if found := re.fullmatch(r"(from|until) (.+)", part):
            record[found[1]] = self.clock.ms(found[2])
        elif found := re.fullmatch(r"(daily|[a-z,-]+) (\d\d:\d\d) to (\d\d:\d\d)", part):
            days = {} if found[1] == "daily" else {"days": found[1]}
            record.setdefault("schedule", []).append(days | {"from": found[2], "to": found[3]})
        elif found := re.fullmatch(r"except (\d{4}-\d\d-\d\d)", part):
            record.setdefault("except", []).append(found[1])
        elif found := re.fullmatch(r"in (\w+/\w+)", part):
            record["timezone"] = found[1]
        else:
            record |= policy(part)


def policy(text: str) -> dict[str, Any]:
    """`confirm_fixes 2; level yellow; forbid accuracy_factor 1.0`: keys, and those of sections."""
    said: dict[str, Any] = {}
    for part in text.split("; "):
        found = re.fullmatch(r"(?:(allow|forbid|require) )?([a-z_]+) ([\d.]+|red|yellow|info)", part)
        if found is None:
            raise NotationError(f"{part!r} is nothing a policy has")
        section, key, value = found.groups()
        into = said.setdefault(section, {}) if section else said
        into[key] = value if value in LEVELS else float(value) if "." in value else int(value)
    return said
