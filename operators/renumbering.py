"""Other numbers of subjects and rules for a state: those of another registry, in which each is found again by its id."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled
from fences.fence_set import Fences
from operators.edges import set_next_edge
from operators.events import let_go_told
from operators.fix_batch import ABSENT_MS
from operators.standing import unlink
from operators.state import NEXT_DUE, OPEN, OPEN_EPISODES, Memory, State, empty_rows


def renumber(state: State, subjects: int, subject_to: NDArray[np.int64], rule_to: NDArray[np.int64]) -> None:
    """Give rows and slots their new numbers; rows of subjects who are gone (-1) are dropped, slots of rules that are gone too."""
    m = state.memory
    row, area = empty_rows(subjects)
    stays = np.nonzero(subject_to >= 0)[0]
    row[subject_to[stays]], area[subject_to[stays]] = m.row[stays], m.area[stays]
    held = m.pool.slot["rule"] >= 0
    m.pool.slot["rule"][held] = rule_to[m.pool.slot["rule"][held]]
    state.memory = m._replace(row=row, area=area)
    state.subjects = subjects


@compiled
def _settle(fences: Fences, memory: Memory) -> None:
    for s in range(len(memory.row)):
        row = memory.row[s]
        if row.arrival_ms == ABSENT_MS:
            continue
        before, at = np.int64(-1), np.int64(row.first_slot)
        while at >= 0:
            slot = memory.pool.slot[at]
            following = np.int64(slot.next)
            if slot.rule < 0:
                if slot.state == OPEN:
                    memory.pool.head[OPEN_EPISODES] -= 1
                    let_go_told(memory.pool, slot)
                unlink(memory.pool, row, before, at)
            else:
                before = at
            at = following
        row.area_found = -1
        row.silent_after_ms = fences.silent_after_ms[s]
        set_next_edge(fences, row, s)


def settle(fences: Fences, state: State) -> None:
    """Make a state that was just renumbered, without its old version at hand, one of this fence set: slots without a rule go."""
    _settle(fences, state.memory)
    state.memory.pool.head[NEXT_DUE] = 0
