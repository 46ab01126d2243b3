"""A shard's state as bytes, and back: also under another registry, where subjects, rules and regions keep theirs by id.

A snapshot does not hold the ids of subjects and rules but the name of their numbering; `Ids` of that numbering are written beside
it once, when a run starts with it. A registry's version would not do: it is the same whatever the order of the records.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fences.fence_set import FenceSet
from fences.numbering import Ids
from operators.events import let_go_told
from operators.renumbering import renumber, settle
from operators.slot_machine import give_slot_back
from operators.state import OPEN_EPISODES, ROW, SLOT, USED_SLOTS, USED_TOLD, State


def to_snapshot(state: State, numbering: str) -> dict[str, Any]:
    """The state as plain bytes, under the name of its numbering; counters are of a run and are left out."""
    m = state.memory
    return {
        "numbering": numbering,
        "row": m.row[: state.subjects].tobytes(),
        "area": m.area[: state.subjects].tobytes(),
        "slot": m.pool.slot[: m.pool.head[USED_SLOTS]].tobytes(),
        "told": m.pool.told[: m.pool.head[USED_TOLD]].tobytes(),
        "head": m.pool.head.tobytes(),
        "regions": list(state.region_ids),
        "late": pickle.dumps(state.late),
    }


def from_snapshot(snapshot: dict[str, Any], fence_set: FenceSet, ids: Ids | None = None) -> State:
    """The state of a snapshot; `ids` are those of its numbering, needed where that is not the fence set's (else ValueError)."""
    registry = fence_set.registry
    state = State(0, snapshot["regions"])
    state.late = pickle.loads(snapshot["late"])  # noqa: S301 - our own store
    pool = state.memory.pool
    pool = pool._replace(
        slot=np.frombuffer(snapshot["slot"], SLOT).copy(),
        told=np.frombuffer(snapshot["told"], np.uint64).reshape(-1, pool.told.shape[1]).copy(),
        head=np.frombuffer(snapshot["head"], np.int64).copy(),
    )
    row, area = np.frombuffer(snapshot["row"], ROW).copy(), np.frombuffer(snapshot["area"], SLOT).copy()
    state.memory = state.memory._replace(row=row, area=area, pool=pool)
    state.subjects = len(row)
    state.make_room(256)
    if snapshot["numbering"] != fence_set.numbering:
        if ids is None:
            raise ValueError(f"the state is of another registry (numbering {snapshot['numbering']}), whose ids are not known")
        _under_other_numbers(state, ids, fence_set)
    # Equal numbers do not make equal rules: what was kept of them beside the numbers is made anew.
    settle(fence_set.fences, state)
    state.name_regions(registry.area_ids[: registry.region_count])
    # The loops take it that the cell of every last position is known.
    fence_set.fences_for(np.ascontiguousarray(state.memory.row["pos_lon"]), np.ascontiguousarray(state.memory.row["pos_lat"]))
    return state


def _where(old: list[str], new: Sequence[str]) -> NDArray[np.int64]:
    """For each old number the new one, -1 where the id is gone."""
    place = {name: i for i, name in enumerate(new)}
    return np.array([place.get(name, -1) for name in old], np.int64)


def _under_other_numbers(state: State, ids: Ids, fence_set: FenceSet) -> None:
    registry = fence_set.registry
    subject_to = _where(ids.subjects[: state.subjects], registry.subject_ids)
    for subject in np.nonzero(subject_to < 0)[0].tolist():
        _forget(state, subject)
    state.late.forget_subjects({ids.subjects[s] for s in np.nonzero(subject_to < 0)[0].tolist()})
    renumber(state, len(registry.subject_ids), subject_to, _where(ids.rules, registry.rule_ids))


def _forget(state: State, subject: int) -> None:
    """Give back all slots of a subject who is gone."""
    row, area, pool = state.memory.row[subject], state.memory.area[subject], state.memory.pool
    held = [area]
    for first in (int(row["first_slot"]), int(row["first_flag"])):
        at = first
        while at >= 0:
            held.append(pool.slot[at])
            following = int(pool.slot[at]["next"])
            give_slot_back(pool, at)
            at = following
    for slot in held:
        if slot["told"] >= 0:
            pool.head[OPEN_EPISODES] -= 1
            let_go_told(pool, slot)
