"""J2-J5: how one position lies to the rules that are active: fine, uncertain, or a breach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.reference.areas import Area
from tests.reference.records import Position
from tests.reference.registry import LEVELS, Registry, Rule, Terms

Word = Literal["fine", "uncertain", "breach"]
AREA = "area"


@dataclass(frozen=True)
class Verdict:
    """What is said of a position in one slot. `doubtful`: with distances a metre or 1 % otherwise the word would be another."""

    word: Word
    distance_m: float | None
    doubtful: bool = False


@dataclass(frozen=True)
class Judged:
    """A slot that is judged at an instant: the rules that decide, and the terms in force."""

    slot: str
    effect: str
    rules: tuple[Rule, ...]
    terms: Terms

    @property
    def rule_id(self) -> str | None:
        """The rule of the slot; None of slot `area`."""
        return None if self.slot == AREA else self.rules[0].id

    def verdict(self, position: Position) -> Verdict:
        """J2, J3 or J4."""
        return forbid(self.rules[0], position) if self.effect == "forbid" else allow(self.rules, position)


def judged_slots(registry: Registry, subject_id: str, active: Sequence[Rule]) -> dict[str, Judged]:
    """The slots that live while these rules are active: `area` with any allow rule at all, and one for each other active rule."""
    slots = {}
    if any(rule.effect == "allow" for rule in registry.rules_of(subject_id)):
        allowing = tuple(rule for rule in active if rule.effect == "allow")
        slots[AREA] = Judged(AREA, "allow", allowing, area_terms(registry, allowing))
    for rule in active:
        if rule.effect != "allow":
            slots[f"rule:{rule.id}"] = Judged(f"rule:{rule.id}", rule.effect, (rule,), rule.terms)
    return slots


def area_terms(registry: Registry, allowing: Sequence[Rule]) -> Terms:
    """J5: the largest counts among the active allow rules, the gravest level; with none active those of `[policy.allow]`."""
    terms = [rule.terms for rule in allowing] or [registry.section_terms["allow"]]
    return Terms(
        confirm_fixes=max(t.confirm_fixes for t in terms),
        confirm_ms=max(t.confirm_ms for t in terms),
        clear_fixes=max(t.clear_fixes for t in terms),
        tolerance_m=max(t.tolerance_m for t in terms),
        accuracy_factor=max(t.accuracy_factor for t in terms),
        level=min((t.level for t in terms), key=LEVELS.index),
    )


def allow(rules: Sequence[Rule], position: Position) -> Verdict:
    """J2 (and J4, with one rule). Without a rule a breach whose distance is unknown."""
    if not rules:
        return Verdict("breach", None)
    outside = [(rule, outside_m(area, position), area.slack_m) for rule in rules for area in rule.areas]
    distance_m = min(d for _, d, _ in outside)
    word = allow_word([(rule, d) for rule, d, _ in outside], position)
    words = {allow_word([(rule, moved(d, slack_m, sign)) for rule, d, slack_m in outside], position) for sign in (-1, 1)}
    return Verdict(word, None if word == "fine" else distance_m, doubtful=words != {word})


def allow_word(outside: Sequence[tuple[Rule, float]], position: Position) -> Word:
    """Fine within the tolerance of any area, uncertain within what the accuracy leaves open, else a breach."""
    accuracy_m = position.accuracy_m or 0.0
    if any(within(d, rule.terms.tolerance_m) for rule, d in outside):
        return "fine"
    if any(within(d, rule.terms.tolerance_m + rule.terms.accuracy_factor * accuracy_m) for rule, d in outside):
        return "uncertain"
    return "breach"


def forbid(rule: Rule, position: Position) -> Verdict:
    """J3: how deep he is inside the deepest of the areas that cover him."""
    depths = [(-outside_m(area, position), area.slack_m) for area in rule.areas]
    word = forbid_word(rule, [d for d, _ in depths], position)
    words = {forbid_word(rule, [-moved(-d, slack_m, sign) for d, slack_m in depths], position) for sign in (-1, 1)}
    deepest = max(d for d, _ in depths)
    return Verdict(word, deepest + 0.0 if word == "breach" else None, doubtful=words != {word})


def forbid_word(rule: Rule, depths: Sequence[float], position: Position) -> Word:
    """Breach at a depth of at least what the accuracy leaves open, uncertain when covered less deeply, else fine."""
    needed_m = rule.terms.accuracy_factor * (position.accuracy_m or 0.0)
    covering = [d for d in depths if d >= 0.0]
    if not covering:
        return "fine"
    return "breach" if max(covering) >= needed_m else "uncertain"


JUST_OUTSIDE_M = 1e-9


def outside_m(area: Area, position: Position) -> float:
    """Metres outside an area (always above 0 when it does not cover the point), or minus the depth inside it (then 0 or below)."""
    boundary_m = area.metres_to_boundary(position.lon, position.lat)
    return -boundary_m if area.covers(position.lon, position.lat) else max(boundary_m, JUST_OUTSIDE_M)


def within(outside: float, limit_m: float) -> bool:
    """Covered, or outside by no more than the limit. A limit of 0 is the exact cover test."""
    return outside <= 0.0 or (limit_m > 0.0 and outside <= limit_m)


def moved(outside: float, slack_m: float, sign: int) -> float:
    """A distance as it could be found by other arithmetic: 1 m and 1 % off, but never across the border of an exact shape."""
    other = outside + sign * (slack_m + 1.0 + 0.01 * abs(outside))
    if slack_m > 0.0 and abs(outside) <= slack_m:
        return other
    return max(other, JUST_OUTSIDE_M) if outside > 0.0 else min(other, 0.0)
