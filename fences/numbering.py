"""Which number stands for which subject and which rule: state is kept by numbers, and found again by the ids behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from fences.registry import Registry


class Ids(NamedTuple):
    """The ids by which state is kept: those of subjects and of rules, in the order of their numbers."""

    subjects: list[str]
    rules: list[str]


def ids_of(registry: Registry) -> Ids:
    """The ids of a registry."""
    return Ids(list(registry.subject_ids), list(registry.rule_ids))


def numbering_of(ids: tuple[Sequence[str], Sequence[str]]) -> str:
    """The name of a numbering: 32 hex digits, equal only where the same ids have the same numbers."""
    text = "\x1e".join("\x1f".join(names) for names in ids)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
