"""A shard's state as bytes, and back: also under another registry, where subjects, rules and regions keep theirs by id.

A snapshot does not hold the ids themselves but the name of their numbering; `Ids` of that numbering are written beside it once,
when a run starts with it. A registry's version would not do: it is the same whatever the order of the records.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.fence_set import FenceSet
from fences.registry import Registry
from operators.state import FREE_SLOT, FREE_TOLD, OPEN, OPEN_EPISODES, ROW, SLOT, USED_SLOTS, USED_TOLD, State


class Ids(NamedTuple):
    """The ids by which state is kept: those of subjects, rules and regions, in the order of their numbers."""

    subjects: list[str]
    rules: list[str]
    regions: list[str]


def ids_of(registry: Registry) -> Ids:
    """The ids of a registry."""
    return Ids(list(registry.subject_ids), list(registry.rule_ids), list(registry.area_ids[: registry.region_count]))


def numbering_of(ids: Ids) -> str:
    """The name of a numbering: 32 hex digits, equal only where the same ids have the same numbers."""
    text = "\x1e".join("\x1f".join(names) for names in ids)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def to_snapshot(state: State, numbering: str) -> dict[str, Any]:
    """The state as plain bytes, under the name of its numbering; counters are of a run and are left out."""
    m = state.memory
    return {
        "numbering": numbering,
        "row": m.row.tobytes(),
        "slot": m.slot[: m.head[USED_SLOTS]].tobytes(),
        "told": m.told[: m.head[USED_TOLD]].tobytes(),
        "words": m.told.shape[1],
        "head": m.head.tobytes(),
    }


def from_snapshot(snapshot: dict[str, Any], fence_set: FenceSet, ids: Ids | None = None) -> State:
    """The state of a snapshot; `ids` are those of its numbering, needed where that is not the fence set's (else ValueError)."""
    registry = fence_set.registry
    state = State(0, registry.region_count)
    row = np.frombuffer(snapshot["row"], ROW).copy()
    slot = np.frombuffer(snapshot["slot"], SLOT).copy()
    told = np.frombuffer(snapshot["told"], np.uint64).reshape(-1, snapshot["words"]).copy()
    head = np.frombuffer(snapshot["head"], np.int64).copy()
    state.memory = state.memory._replace(row=row, slot=slot, told=told, head=head)
    new = ids_of(registry)
    if snapshot["numbering"] != numbering_of(new):
        if ids is None:
            raise ValueError(f"the state is of another registry (numbering {snapshot['numbering']}), whose ids are not known")
        state = carried_over(state, ids, new)
    state.make_room(256)
    return state


def _where(old: list[str], new: list[str]) -> NDArray[np.int64]:
    """For each old number the new one, -1 where the id is gone."""
    place = {name: i for i, name in enumerate(new)}
    return np.array([place.get(name, -1) for name in old], np.int64)


def carried_over(state: State, old: Ids, new: Ids) -> State:
    """The state under other numbers. Slots of rules that are gone become calm; who is gone is forgotten."""
    m = state.memory
    subject_to, rule_to, region_to = _where(old.subjects, new.subjects), _where(old.rules, new.rules), _where(old.regions, new.regions)
    out = State(len(new.subjects), len(new.regions))
    n_old, n_new = len(old.subjects), len(new.subjects)
    stays = np.nonzero(subject_to >= 0)[0]
    row, slot = out.memory.row, out.memory.slot
    row[subject_to[stays]] = m.row[stays]
    row["first_slot"] = -1
    found = row["area_found"]
    known = found >= 0
    row["area_found"][known] = region_to[found[known]]
    slot[subject_to[stays]] = m.slot[stays]
    pairs = []
    for s in stays[m.row["first_slot"][stays] >= 0].tolist():
        at = int(m.row["first_slot"][s])
        while at >= 0:
            rule = int(rule_to[m.slot["rule"][at]])
            if rule >= 0:
                pairs.append((int(subject_to[s]), at, rule))
            at = int(m.slot["next"][at])
    out.make_room(len(pairs))
    row, slot = out.memory.row, out.memory.slot
    for k, (s, at, rule) in enumerate(pairs, n_new):
        slot[k] = m.slot[at]
        slot["rule"][k] = rule
        slot["next"][k] = row["first_slot"][s]
        row["first_slot"][s] = k
    out.memory.head[:] = (n_new + len(pairs), -1, 0, -1, 0)
    assert n_old == len(m.row)
    _carry_told(out, m.told, region_to)
    return out


def _carry_told(out: State, told: NDArray[np.uint64], region_to: NDArray[np.int64]) -> None:
    used = int(out.memory.head[USED_SLOTS])
    open_ones = np.nonzero(out.memory.slot["state"][:used] == OPEN)[0]
    out.make_room(len(open_ones))
    for k, s in enumerate(open_ones.tolist()):
        words = told[out.memory.slot["told"][s]].tolist()
        for old, new in enumerate(region_to.tolist()):
            if new >= 0 and words[old >> 6] >> (old & 63) & 1:
                out.memory.told[k, new >> 6] |= np.uint64(1 << (new & 63))
        out.memory.slot["told"][s] = k
    out.memory.head[USED_TOLD] = out.memory.head[OPEN_EPISODES] = len(open_ones)
    out.memory.head[FREE_SLOT] = out.memory.head[FREE_TOLD] = -1
