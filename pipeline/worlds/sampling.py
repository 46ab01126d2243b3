"""From paths to fixes: when a device reports, how far off its fix is, what it says of itself, when its report arrives.

The world is cut into tiles, `TILE_SUBJECTS` subjects by `TILE_TICKS` samples; each tile has a random generator of its own. So a
tile is the same whether the world is written by time or by subject, and a world of any length needs the memory of a few tiles.

What a fix may do, and what the rest of the simulator relies on:
- it is off by at most 3.5 sigma (sigma 5 to 30 m by subject), or, one in 200, by a jump of 60 to `JUMP_M[1]` metres;
- a subject within his story (`Subjects.calm_*`) has an open sky: sigma `CALM_SIGMA_M`, no jumps, no gaps, no late uploads;
- arrivals of a subject are never further apart than `LONGEST_GAP_S` plus two samples, but where his story has a device script;
- a fix kept back arrives just after a later one of the subject (a late record); a fix sent twice is the same but for `received`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.worlds.days import DAY_MS, Paths, Times
from pipeline.worlds.devices import Samples, Script, act, twins
from pipeline.worlds.districts import PLANE
from pipeline.worlds.fixes import NO_FLAG, NO_HEADING, Fixes, joined
from pipeline.worlds.plane import Floats

TILE_SUBJECTS = 4096
TILE_TICKS = 16
SIGMA_M = (5.0, 30.0)
CALM_SIGMA_M = 4.0
WORST_SIGMAS = 3.5
JUMP_SHARE = 0.005
JUMP_M = (60.0, 300.0)
JITTER = 0.025
"""How late a sample is taken, at most, as a share of the step."""
DELAY = (0.01, 0.15)
"""How long a report is on its way, as a share of the step (0.6 to 9 s of a minute)."""
LONGEST_GAP_S = 720
SLOT_S = 1800
GAP_SHARE, LATE_SHARE = 0.06, 0.01
"""Share of the half-hours with a gap, and with reports kept back."""
TWICE_SHARE = 0.002
TWICE_LATER = (0.02, 0.08)
"""How long after the first report the second one arrives, as a share of the step."""
PLAIN, GAP, LATE = 0, 1, 2
MOVING_MPS = 0.5


@dataclass(frozen=True, slots=True)
class Subjects:
    """What sampling knows of each subject, a column each. Without a story `calm_until_ms` is not after `calm_from_ms`."""

    phase_ms: Times
    sigma_m: Floats
    battery_phase_ms: Times
    calm_from_ms: Times
    calm_until_ms: Times


@dataclass(frozen=True, slots=True)
class Slots:
    """For a block of subjects, one row each, and every slot of `ticks` samples: what happens, from which tick, for how many."""

    ticks: int
    kind: NDArray[np.int8]
    begin: NDArray[np.int16]
    length: NDArray[np.int16]


class Sampler:
    """Makes the fixes of a tile. `ticks` samples of `step_ms` for each subject, from `start_ms` on; `scripts` by subject."""

    def __init__(
        self,
        seed: int,
        paths: Paths,
        subjects: Subjects,
        start_ms: int,
        step_ms: int,
        ticks: int,
        scripts: Mapping[int, Script] | None = None,
    ) -> None:
        self.seed, self.paths, self.subjects = seed, paths, subjects
        self.start_ms, self.step_ms, self.ticks = start_ms, step_ms, ticks
        self.count = len(subjects.phase_ms)
        self.blocks = -(-self.count // TILE_SUBJECTS)
        self.rows = -(-ticks // TILE_TICKS)
        self._slots: dict[int, Slots] = {}
        self._scripts: dict[int, list[tuple[int, Script]]] = {}
        for subject, script in sorted((scripts or {}).items()):
            self._scripts.setdefault(subject // TILE_SUBJECTS, []).append((subject % TILE_SUBJECTS, script))

    def tile(self, block: int, row: int) -> Fixes:
        """The fixes of subjects `block * TILE_SUBJECTS` on, sampled in ticks `row * TILE_TICKS` on; subject by subject."""
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.seed, 1, block, row))))
        first = block * TILE_SUBJECTS
        who = slice(first, min(first + TILE_SUBJECTS, self.count))
        tick = np.arange(row * TILE_TICKS, min((row + 1) * TILE_TICKS, self.ticks))
        people = self.subjects
        shape = (who.stop - who.start, len(tick))

        due_ms = self.start_ms + people.phase_ms[who, None] + tick * self.step_ms
        time_ms = due_ms + rng.integers(0, max(int(self.step_ms * JITTER), 1), shape)
        calm = (time_ms >= people.calm_from_ms[who, None]) & (time_ms < people.calm_until_ms[who, None])
        x, y, east_mps, north_mps = self.paths.at(first, time_ms)
        off_east, off_north, accuracy_m, jumped = _errors(np.where(calm, CALM_SIGMA_M, people.sigma_m[who, None]), calm, rng)
        speed_mps = np.hypot(east_mps, north_mps)
        heading = np.round(np.degrees(np.arctan2(east_mps, north_mps)) % 360) % 360
        lot = rng.random(shape, np.float32)
        indoors = (speed_mps < MOVING_MPS) & (lot < 0.15)

        delay = DELAY[0] + (DELAY[1] - DELAY[0]) * rng.random(shape, np.float32) ** 3
        received_ms = time_ms + (delay * self.step_ms).astype(np.int64)
        sent, late, late_ms = self._sent(block, tick, due_ms)
        received_ms = np.where(late, late_ms, received_ms)
        samples = Samples(
            due_ms=due_ms,
            time_ms=time_ms,
            received_ms=received_ms,
            sent=sent,
            late=late,
            x=x + off_east,
            y=y + off_north,
            accuracy_m=accuracy_m,
            battery_pct=self._battery_pct(who, time_ms),
            placed=np.ones(shape, bool),
            tamper=np.full(shape, NO_FLAG),
            separated=np.full(shape, NO_FLAG),
        )
        scripts = self._scripts.get(block, [])
        for place, script in scripts:
            act(script, samples.row(place), self.step_ms)
        lon_lat = PLANE.to_degrees(np.stack([samples.x, samples.y], axis=-1))
        fixes = Fixes(
            np.broadcast_to(np.arange(who.start, who.stop, dtype=np.int32)[:, None], shape)[sent],
            samples.time_ms[sent],
            samples.received_ms[sent],
            np.rint(lon_lat[..., 0] * 1e6).astype(np.int32)[sent],
            np.rint(lon_lat[..., 1] * 1e6).astype(np.int32)[sent],
            np.rint(samples.accuracy_m * 10).astype(np.int32)[sent],
            np.rint(np.abs(speed_mps + rng.normal(0, 0.2, shape)) * 10).astype(np.int32)[sent],
            np.where(speed_mps < MOVING_MPS, NO_HEADING, heading).astype(np.int16)[sent],
            samples.battery_pct[sent],
            np.where(jumped & (lot < 0.5), 1, np.where(indoors, 2, 0)).astype(np.int8)[sent],
            samples.placed[sent],
            samples.tamper[sent],
            samples.separated[sent],
        )
        twice = self._with_twice(fixes, late[sent], rng)
        more = twins(fixes, samples, scripts, self.step_ms)
        return joined([twice, *more]) if more else twice

    def due_ms(self, row: int) -> int:
        """When the first sample of this row of tiles may be taken."""
        return self.start_ms + row * TILE_TICKS * self.step_ms

    def _battery_pct(self, who: slice, time_ms: Times) -> NDArray[np.int8]:
        """Full after a charge of three hours, down to 35 % a day later: never low."""
        share = ((time_ms + self.subjects.battery_phase_ms[who, None]) % DAY_MS) / DAY_MS
        charging = share < 0.125
        return np.where(charging, 35 + 65 * share / 0.125, 100 - 65 * (share - 0.125) / 0.875).astype(np.int8)

    def _sent(self, block: int, tick: Times, due_ms: Times) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Times]:
        """Which samples are reported at all, which of them late, and when these arrive."""
        if block not in self._slots:
            self._slots[block] = self._make_slots(block)
        slots = self._slots[block]
        slot, offset = tick // slots.ticks, tick % slots.ticks
        kind, begin, length = slots.kind[:, slot], slots.begin[:, slot], slots.length[:, slot]
        held = (offset >= begin) & (offset < begin + length)
        late = held & (kind == LATE)
        behind = begin + length - offset  # samples until the one with which it is sent
        late_ms = due_ms + behind * self.step_ms + int(0.25 * self.step_ms) + (length - behind) * (self.step_ms // 50)
        return ~(held & (kind == GAP)), late, late_ms

    def _make_slots(self, block: int) -> Slots:
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.seed, 2, block))))
        who = slice(block * TILE_SUBJECTS, min((block + 1) * TILE_SUBJECTS, self.count))
        ticks = max(SLOT_S * 1000 // self.step_ms, 6)
        shape = (who.stop - who.start, -(-self.ticks // ticks))
        longest = max(min(LONGEST_GAP_S * 1000 // self.step_ms - 1, ticks - 4), 1)
        lot = rng.random(shape)
        kind = np.select([lot < GAP_SHARE, lot < GAP_SHARE + LATE_SHARE], [GAP, LATE], PLAIN).astype(np.int8)
        length = np.where(kind == LATE, rng.integers(1, min(longest, 5) + 1, shape), rng.integers(1, longest + 1, shape))
        begin = 2 + (rng.random(shape) * (ticks - 3 - length)).astype(np.int64)  # the first two and the last two are always sent
        from_ms = self.start_ms + np.arange(shape[1]) * ticks * self.step_ms
        until_ms = from_ms + (ticks + 1) * self.step_ms
        calm_from, calm_until = self.subjects.calm_from_ms[who, None], self.subjects.calm_until_ms[who, None]
        kind[(from_ms < calm_until) & (until_ms > calm_from)] = PLAIN
        kind[:, from_ms + ticks * self.step_ms > self.start_ms + self.ticks * self.step_ms] = PLAIN
        return Slots(ticks, kind, begin.astype(np.int16), length.astype(np.int16))

    def _with_twice(self, fixes: Fixes, late: NDArray[np.bool_], rng: np.random.Generator) -> Fixes:
        again = fixes.take((rng.random(len(fixes)) < TWICE_SHARE) & ~late)
        if len(again) == 0:
            return fixes
        again.received_ms[:] += (rng.uniform(*TWICE_LATER, len(again)) * self.step_ms).astype(np.int64)
        return joined([fixes, again])


def _errors(sigma_m: Floats, calm: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """How far off each fix is east and north, the accuracy it reports, and which ones jumped; all (subjects, samples)."""
    shape = sigma_m.shape
    east, north = rng.standard_normal(shape, np.float32) * sigma_m, rng.standard_normal(shape, np.float32) * sigma_m
    shrink = np.minimum(WORST_SIGMAS * sigma_m / np.maximum(np.hypot(east, north), 1e-3), 1.0)
    accuracy_m = sigma_m * np.clip(1.15 + 0.15 * rng.standard_normal(shape, np.float32), 0.8, 1.6)
    jumped = (rng.random(shape, np.float32) < JUMP_SHARE) & ~calm
    far_m = rng.uniform(*JUMP_M, int(jumped.sum()))
    shrink[jumped] = far_m / np.maximum(np.hypot(east, north)[jumped], 1e-3)
    # Half of the jumps are reported as vague, the others pretend to be as good as ever.
    vague = rng.random(len(far_m)) < 0.5
    accuracy_m[jumped] = np.where(vague, far_m * rng.uniform(0.5, 1.2, len(far_m)), accuracy_m[jumped])
    return east * shrink, north * shrink, accuracy_m, jumped
