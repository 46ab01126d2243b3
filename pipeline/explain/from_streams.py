"""Judging the records that are still in a daemon's streams again, for one subject; the daemon itself is not disturbed.

What it told about him then, and which of its sources were silent, stands in the stream of alerts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson
from redis.exceptions import RedisError

from fences.fence_set import FenceSet
from fences.findings import shown
from fences.problems import FencewatchError
from fences.times import to_ms
from operators.decode.joined import joined
from operators.decode.stamps import stamp_of
from operators.feeds import KIND as FEED_SILENT
from operators.fix_batch import FixBatch
from operators.subject_directory import SubjectDirectory
from pipeline.alert_lines import change_of
from pipeline.configuration import Configuration
from pipeline.embedded_redis import url_of
from pipeline.episodes import Shard
from pipeline.explain.from_files import UnexplainedError, must_be_known
from pipeline.explain.story import AlertFacts, Explanation, Story
from pipeline.items import Chunk, ClockMark, JudgedBatch, RegistryMark
from pipeline.judging import Judging, RuleSet, rule_set_of
from pipeline.selection import selected
from pipeline.sources.configured import servers_of
from pipeline.sources.redis_streams import RedisStreams
from pipeline.totals import Totals
from pipeline.wall_clock import WallClock
from sinks.alert_json import rfc3339
from sinks.redis_connection import connect
from sinks.redis_names import RedisNames

PAGE = 10_000
Event = dict[str, Any]


def explain_streams(
    configuration: Configuration, fence_set: FenceSet, later: Sequence[tuple[int, FenceSet]], subject: str, at_ms: int
) -> Explanation:
    """What a daemon knew of a subject at an instant, by what its streams still hold.

    `later`: registry versions with their instants (UTC milliseconds). Raises UnexplainedError for a subject who is in no registry,
    or of whom the streams hold no record, and FencewatchError where they cannot be read.
    """
    must_be_known(subject, [fence_set, *(version for _, version in later)])
    url = configuration.redis.url or url_of(configuration.state_dir / "redis")
    try:
        pieces, reach_ms = _records_of(subject, configuration, url)
        if not pieces:
            raise UnexplainedError(f"the streams hold no record of {shown(subject)}.")
        told = list(_told(subject, configuration, url, reach_ms))
    except RedisError as error:
        raise FencewatchError(f"the streams cannot be read: {str(error).rstrip('.')}.") from error
    feeds = [feed for feed, batch in pieces for _ in range(len(batch))]
    batch = joined([batch for _, batch in pieces])
    order = np.argsort(batch.stamp_ms, kind="stable")
    batch, feeds = selected(batch, order), [feeds[i] for i in order.tolist()]

    shard = Shard(fence_set, Totals(), feeds=[source.name for source in configuration.sources])
    story = Story(shard, subject, at_ms)
    versions = [(time_ms, rule_set_of(version, 1)) for time_ms, version in sorted(later, key=lambda version: version[0])]
    judging = Judging(rule_set_of(fence_set, 1), 1, keep_dead_letters=False)
    silences = [event for event in told if event["data"]["kind"] == FEED_SILENT]
    for i, (feed, stamp_ms) in enumerate(zip(feeds, batch.stamp_ms.tolist(), strict=True)):
        _bring(story, judging, versions, silences, stamp_ms)
        one = selected(batch, np.array([i]))
        for _, part in judging(Chunk("streams", lambda one=one: one, live=True, feed=feed)):  # type: ignore[misc]  # a default binds it
            if isinstance(part, JudgedBatch):
                story.record(part, 0)
    if not story.ended:
        _bring(story, judging, versions, silences, at_ms + 1)
    story.close(ClockMark(None, at_ms + 1, at_ms + 1))
    return _as_told(story.told("streams", [f"judged again from the streams, which reach back to {rfc3339(reach_ms)}"]), told)


def _bring(story: Story, judging: Judging, versions: list[tuple[int, RuleSet]], silences: list[Event], before_ms: int) -> None:
    """What comes before an instant, as the marks in line brought it: registry versions, silent sources, the clock."""
    before_ms = min(before_ms, story.at_ms + 1)
    while silences and _ms(silences[0]["time"]) < before_ms:
        event = silences.pop(0)
        if not story.shard.feeds.number(event["subject"]):
            continue
        if change_of(event) == "opened":
            story.shard.feeds.hold(event["subject"], _ms(event["time"]))
        else:
            story.shard.feeds.release(event["subject"], _ms(event["time"]))
    while versions and versions[0][0] < before_ms:
        time_ms, judging.rules = versions.pop(0)
        story.mark(RegistryMark(judging.rules.fence_set, time_ms))
    story.mark(ClockMark(None, before_ms, before_ms))


def _as_told(explanation: Explanation, told: list[Event]) -> Explanation:
    """With the alerts that were told then; a note where judging again gives others."""
    at_ms = explanation.facts.at_ms
    own = [event for event in told if event["data"]["kind"] != FEED_SILENT and _ms(event["time"]) <= at_ms]
    ids = {event["id"] for event in own}
    again = {alert.id for alert in explanation.alerts}
    later = [event for event in own if event["id"] not in again and event["at_ms"] > at_ms]
    own = [event for event in own if event not in later]
    notes = list(explanation.notes)
    if again - ids:
        kinds = ", ".join(f"{a.kind} {a.change} {rfc3339(a.time_ms)}" for a in explanation.alerts if a.id not in ids)
        notes.append(f"judged again there would be, but was not told: {kinds}")
    missing = {event["id"] for event in own} - again
    if missing:
        notes.append(
            f"{len(missing):,} of the alerts told then do not come out again: older records are gone, or the rules changed"
        )
    versions = {event["data"]["rules_version"] for event in own[-1:]} - {explanation.facts.rules_version}
    if versions:
        notes.append(f"the last alert was told under rules {versions.pop()}; --registry and --registry-at name the rules of then")
    return msgspec.structs.replace(
        explanation, alerts=[_facts(event) for event in own], later_alerts=[_facts(event) for event in later], notes=notes
    )


def _records_of(subject: str, configuration: Configuration, url: str) -> tuple[list[tuple[str, FixBatch]], int]:
    """His records with the source of each piece, and how far back the streams reach, UTC milliseconds."""
    directory = SubjectDirectory([subject])
    servers = servers_of(configuration, url)
    reader = RedisStreams(servers, WallClock(), None, lambda _away: None)
    pieces: list[tuple[str, FixBatch]] = []
    reach_ms: int | None = None
    try:
        for server in servers:
            server.client.ping()  # the reader would wait for a server that is away
        began_ms, least_ms = WallClock().now_ms(), 0
        while least_ms < began_ms:  # what comes while we read is no concern of ours
            least_ms = began_ms
            for chunk in (item for item in reader.next_items() if isinstance(item, Chunk)):
                batch = chunk.decode()
                if len(batch):
                    first_ms = int(batch.stamp_ms.min())
                    least_ms = min(least_ms, first_ms)
                    reach_ms = first_ms if reach_ms is None else min(reach_ms, first_ms)
                rows = np.nonzero(directory.rows(batch.ids, batch.id_start, batch.id_len) == 0)[0]
                if len(rows):
                    pieces.append((chunk.feed, selected(batch, rows)))
    finally:
        reader.close()
    return pieces, reach_ms or 0


def _told(subject: str, configuration: Configuration, url: str, from_ms: int) -> Iterator[Event]:
    """The alerts about a subject or about a source, in order, from a stamp on; `at_ms`: when it was told."""
    client: Any = connect(url, password_file=configuration.redis.password_file)
    names = RedisNames(configuration.redis.prefix)
    subjects = {subject, *(source.name for source in configuration.sources)}
    marks = [b'"subject":' + orjson.dumps(name) for name in subjects]
    begin: bytes | str = str(from_ms)
    try:
        while page := client.xrange(names.alerts, begin, "+", count=PAGE):
            for entry_id, fields in page:
                if any(mark in fields[b"event"] for mark in marks):
                    event = {**orjson.loads(fields[b"event"]), "at_ms": stamp_of(entry_id)}
                    if event["data"]["kind"] == FEED_SILENT or event["subject"] == subject:
                        yield event
            begin = b"(" + page[-1][0]
    finally:
        client.close()


def _facts(event: Event) -> AlertFacts:
    data = event["data"]
    slot = "area" if data["kind"] in ("left_area", "overstay") else f"rule:{data['rule']}" if data["rule"] else data["kind"]
    return AlertFacts(
        _ms(event["time"]), change_of(event), slot, data["kind"], data["level"], data["rule"], _ms(data["onset"]), data["reason"],
        data["late"], data["regions"], event["id"],
    )  # fmt: skip


def _ms(text: str) -> int:
    return to_ms(text) or 0
