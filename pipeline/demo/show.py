"""The demo from its first step to its last: start everything, feed, watch, check, tell, tidy up."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing
from typing import Any

import orjson
from redis.exceptions import RedisError
from rich.console import Console

from pipeline.alert_lines import Event
from pipeline.demo.backstage import STREAM, Daemon, Metrics, daemon_running, second_compiler, total, work_folder
from pipeline.demo.figures import Rate, latencies_s
from pipeline.demo.map_picture import Look, MapPicture
from pipeline.demo.moment import Moment
from pipeline.demo.problems import DemoError
from pipeline.demo.scenario_clock import Lane, ScenarioClock
from pipeline.demo.screen import Screen
from pipeline.demo.stop_signals import stop_signals
from pipeline.demo.story import (
    LEAD_MS,
    SPEED,
    SUBJECTS,
    Tracks,
    demo_world,
    forbidden_places,
    notices_of,
    of_the_play,
    regions_of,
    tracks_of,
    write_registry,
)
from pipeline.demo.summary import Figures, next_steps, tell, while_it_runs
from pipeline.demo.threads import Feeder, Listener
from pipeline.demo.verdict import compare, shown_and_stream
from pipeline.demo.views import LiveView, PlainView, View
from pipeline.embedded_redis import EmbeddedRedis
from pipeline.worlds.world import World
from sinks.lane_sign import LaneWatch
from sinks.redis_connection import connect
from sinks.redis_names import RedisNames

FRAME_S = 0.12
COMPILES_AFTER_S = 4.0
"""A start that takes longer compiles."""
READY_WITHIN_S = 300.0
JUDGED_WITHIN_S = 20.0
HEARD_WITHIN_S = COUNTED_WITHIN_S = 3.0
COUNT_EVERY_S = 0.5
NAMES = RedisNames()
READ, JUDGED, REJECTED = "fencewatch_fixes_total", "fencewatch_fixes_judged_total", "rejected"
NOT_JUDGED = {
    "late": "fencewatch_late_fixes_total",
    "twice": "fencewatch_duplicates_total",
    "in conflict": "fencewatch_conflicts_total",
    REJECTED: "fencewatch_rejects_total",
}


def run_demo(seed: int, console: Console, *, serve: bool) -> None:
    """Play it.

    Raises DemoError where the alerts shown are not exactly those of the stream and of the script, and where it cannot go on.
    """
    with stop_signals() as asked, ExitStack() as ends:
        console.print(f"fencewatch demo, seed {seed}", highlight=False)
        world = demo_world(seed)
        view = _view(console, world, seed)
        ends.callback(view.close)
        view.say(f"starting a Redis of our own, inviting {SUBJECTS} people into three regions")
        folder = ends.enter_context(work_folder())
        write_registry(world, folder / "registry")
        redis = ends.enter_context(EmbeddedRedis())
        client = ends.enter_context(closing(connect(redis.url)))
        try:
            listener = Listener(client, NAMES.alerts)
            ends.callback(listener.end)
            daemon = ends.enter_context(daemon_running(folder, redis.url, world.start_ms - LEAD_MS, SPEED))
            ends.enter_context(second_compiler())
            tracks = tracks_of(world)
            feeder = Feeder(client, STREAM, tracks)
            ends.callback(feeder.end)
            play = _Play(world, tracks, view, daemon, client, listener, feeder, asked)
            figures = play.play()
            view.close()
            verdict = compare(world.breaches, play.moment.events)
            tell(console, verdict, play.moment.events, figures)
            problem = verdict.problem() or play.problem(figures)
            if problem is not None:
                raise DemoError(problem)
            if serve:
                _print(console, while_it_runs(redis.url, daemon.address))
                play.serve()
            daemon.drain()
            console.print("The daemon has drained and ended; Redis and all files of this demo go with it.")
        except RedisError as error:
            raise DemoError(f"the demo's Redis does not answer: {error}.") from error
        if not serve:
            _print(console, next_steps(seed))


def _print(console: Console, lines: list[str]) -> None:
    """As they are: a URL must not be broken."""
    console.print("\n".join(["", *lines]), highlight=False, markup=False, soft_wrap=True)


def _view(console: Console, world: World, seed: int) -> View:
    if not console.is_terminal or console.is_dumb_terminal:
        return PlainView()
    look = Look(
        colours=not console.no_color and console.color_system not in (None, "standard"), unicode=console.encoding.startswith("utf")
    )
    picture = MapPicture(regions_of(world), forbidden_places(world), look)
    return LiveView(console, Screen(picture, look, world.subject_ids, seed, SPEED))


class _Play:
    """Everything is started; now it is played and watched."""

    def __init__(
        self,
        world: World,
        tracks: Tracks,
        view: View,
        daemon: Daemon,
        client: Any,  # noqa: ANN401 - redis-py's client
        listener: Listener,
        feeder: Feeder,
        asked: threading.Event,
    ) -> None:
        self._world, self._tracks, self._view, self._daemon, self._client = world, tracks, view, daemon, client
        self._listener, self._feeder, self._asked = listener, feeder, asked
        self._lane = Lane(LaneWatch(client, NAMES), SPEED)
        self._rate, self._counted_at = Rate(), 0.0
        self._notices = notices_of(world)
        self.moment = Moment(world.start_ms, len(tracks), feeder.place)

    def play(self) -> Figures:
        """From the daemon's start to the last alert. Raises DemoError, RedisError."""
        self._listener.start()
        clock = self._wait_until_ready()
        began = time.monotonic()
        self._view.say(f"the daemon is ready (process {self._daemon.pid}); the tracks begin")
        self._feeder.start(clock)
        while not self._feeder.done.is_set():
            self._frame(clock)
        seconds = time.monotonic() - began
        self._feeder.check()
        self._wait_until_judged(clock)
        counts = self._counts()
        return Figures(
            fed=self._feeder.fed,
            read=total(counts, READ),
            judged=total(counts, JUDGED),
            not_judged={what: total(counts, name) for what, name in NOT_JUDGED.items()},
            seconds=seconds,
            latencies_s=latencies_s(self._tracks, self._feeder.sent_s, list(self._listener.heard)),
        )

    def problem(self, figures: Figures) -> str | None:
        """What was fed and not read, or shown and not in the stream, or the reverse, as a sentence. Raises RedisError."""
        if figures.read != figures.fed:
            return f"the daemon read {figures.read:,} of the {figures.fed:,} fixes that were fed."
        if figures.not_judged[REJECTED]:
            return f"the daemon rejected {figures.not_judged[REJECTED]:,} of the {figures.fed:,} fixes."
        return shown_and_stream([event["id"] for event in self.moment.events], self._ids_in_stream())

    def serve(self) -> None:
        """Until a stop is asked for. Raises DemoError where the daemon ends first."""
        while not self._asked.wait(FRAME_S):
            self._daemon.must_live("while it was served")

    def _wait_until_ready(self) -> ScenarioClock:
        began = time.monotonic()
        told = False
        self._view.say("starting the daemon")
        while True:
            clock = self._lane.clock()
            if clock is not None:
                return clock
            self._must_go_on("before it was ready")
            waited_s = time.monotonic() - began
            if waited_s > READY_WITHIN_S:
                raise DemoError(f"the daemon was not ready within {READY_WITHIN_S:g} s.{self._daemon.last_words()}")
            if waited_s > COMPILES_AFTER_S and not told:
                told = True
                self._view.say("starting the daemon; its loops are compiled, the first time only: up to a minute")
            time.sleep(0.005)

    def _frame(self, clock: ScenarioClock) -> None:
        """Look, show, and wait for the next time."""
        self._must_go_on(f"when {self._feeder.fed:,} of {len(self._tracks):,} fixes were fed")
        moment, before = self.moment, len(self.moment.shown)
        moment.now_ms, moment.fed = min(clock.now_ms(), self._world.end_ms), self._feeder.fed
        while self._notices and self._notices[0].at_ms <= moment.now_ms:
            moment.note(self._notices.pop(0))
        for event in self._heard()[len(moment.events) :]:
            moment.take(event)
        if time.monotonic() - self._counted_at > COUNT_EVERY_S:
            self._counted_at = time.monotonic()
            moment.counted_fed = self._feeder.fed
            moment.judged = total(self._daemon.metrics(), JUDGED) or moment.judged
            moment.judged_rate = self._rate.at(moment.judged)
            moment.behind_s = self._lane.behind_s()
        self._view.show(moment, moment.shown[before:])
        self._asked.wait(FRAME_S)

    def _wait_until_judged(self, clock: ScenarioClock) -> None:
        """Until the lane's clock has passed the last fix and the channel has brought what the stream holds."""
        self._view.say("all tracks are fed; waiting for the daemon's word that all of them are judged")
        last_ms = clock.now_ms()
        until = time.monotonic() + JUDGED_WITHIN_S
        while (self._lane.judged_until_ms() or 0) <= last_ms:
            if time.monotonic() > until:
                late = f"{JUDGED_WITHIN_S:g} s after the last one"
                raise DemoError(f"the daemon had not judged all fixes {late}.{self._daemon.last_words()}")
            self._frame(clock)
        until = time.monotonic() + HEARD_WITHIN_S
        while len(self._heard()) < len(self._ids_in_stream()) and time.monotonic() < until:
            self._frame(clock)
        self._frame(clock)

    def _counts(self) -> Metrics:
        """What the daemon counts once it has counted all that was fed, or does not come to it."""
        until = time.monotonic() + COUNTED_WITHIN_S
        while True:
            counts = self._daemon.metrics()
            if total(counts, READ) == self._feeder.fed or time.monotonic() > until:
                return counts
            self._must_go_on("when all fixes were fed")
            time.sleep(FRAME_S)

    def _must_go_on(self, when: str) -> None:
        if self._asked.is_set():
            raise DemoError("stopped before the end; nothing was checked.")
        self._daemon.must_live(when)
        self._feeder.check()
        self._listener.check()

    def _heard(self) -> list[Event]:
        return of_the_play(self._world, [one.event for one in self._listener.heard])

    def _ids_in_stream(self) -> list[str]:
        events = [orjson.loads(fields[b"event"]) for _, fields in self._client.xrange(NAMES.alerts)]
        return [event["id"] for event in of_the_play(self._world, events)]
