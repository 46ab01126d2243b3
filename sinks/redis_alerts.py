"""Alerts to Redis: each alert in one atomic step to its streams, channels and hashes, and each id once.

One script call carries up to 200 alerts. For each it asks the memory of told ids first; only a new one is remembered and told.
Whatever is sent twice - by a restart that judges records again, by a lost reply, by a failover - is thus told once.

Measured with `python -m benchmarks.redis_sink` (valkey-server 9.1.2 of the wheel, an alert of 600 bytes told to two regions, so
three streams, channels and hashes), microseconds per alert, lowest and highest of four runs on two cores that other work kept
busy, so rough:

    alerts a call              1       10      100      200
    appendfsync always  1078-3870   62-517   33-120    31-96
    everysec               81-279    32-76    29-71    34-87

Told again and known by its id: 8-15. In Redis an alert is 660 bytes in each stream, its id 93 in the memory of told ids.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from redis.exceptions import NoScriptError, RedisError, ResponseError

from operators.alert import Alert
from sinks.redis_connection import connect, place_of
from sinks.redis_names import RedisNames
from sinks.redis_patience import OnState, Patience

log = structlog.get_logger()

CHUNK = 200
"""Alerts a script call: above it a call costs no less per alert, and the server serves nobody else meanwhile (2 ms)."""
KNOWN_AT_LEAST_DAYS = 7.0
TIDY_AFTER_S = 600.0
DAY_MS = 86_400_000

SCRIPT = """
-- KEYS: known ids, all alerts, all open episodes; then for each region of this call its alerts and its open episodes.
-- ARGV: ms the streams keep, ms an id stays known, '1' where the server ended with this call under way; then for each alert: id,
-- event, episode, '1' while its episode is open or '0', how many regions it goes to, and for each where in KEYS it stands.
local known = KEYS[1]
-- A script is not rolled back: a key that is somebody else's must stop it before its first write.
for k = 1, #KEYS do
  local found = redis.call('TYPE', KEYS[k]).ok
  local wanted = k == 1 and 'zset' or k % 2 == 0 and 'stream' or 'hash'
  if found ~= 'none' and found ~= wanted then
    return redis.error_reply('WRONGTYPE ' .. KEYS[k] .. ' should be a ' .. wanted .. ' and is a ' .. found)
  end
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', now_ms)
local oldest = string.format('%.0f', math.max(0, now_ms - ARGV[1]))
local told, refused = 0, ''

local function tell(place, id, event, episode, is_open)
  local stream, open = KEYS[place], KEYS[place + 1]
  redis.call('XADD', stream, 'MINID', '~', oldest, '*', 'id', id, 'event', event)
  if is_open == '1' then redis.call('HSET', open, episode, event) else redis.call('HDEL', open, episode) end
  -- A channel that the server's rules forbid must not leave the rest of the step undone.
  local heard = redis.pcall('PUBLISH', stream, event)
  if type(heard) == 'table' and heard.err then refused = heard.err end
end

local i = 4
while i <= #ARGV do
  local id, event, episode, is_open, regions = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  -- The first write of all: a server that is full or read-only refuses here, before anything is out.
  if redis.call('ZADD', known, 'NX', now, id) == 1 then
    tell(2, id, event, episode, is_open)
    for r = 1, regions do
      tell(tonumber(ARGV[i + 4 + r]), id, event, episode, is_open)
    end
    told = told + 1
  elseif ARGV[3] == '1' then
    -- It was written, and the server ended before anybody heard of it.
    redis.pcall('PUBLISH', KEYS[2], event)
    for r = 1, regions do redis.pcall('PUBLISH', KEYS[tonumber(ARGV[i + 4 + r])], event) end
  end
  i = i + 5 + regions
end
if told > 0 then redis.call('PEXPIRE', known, ARGV[2]) end
return {told, refused}
"""
AGAIN = 2
"""Place of the third of the script's values."""
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class RedisAlerts:
    """Delivers encoded alerts in their order, each id once.

    `client_or_url`: a client of `sinks.redis_connection.connect` (or a cluster's), or a URL. `part` names the memory of told ids:
    where two writers may tell the same alert (a subject that moves to another worker after a restart) they must share it, so the
    deployment's name is a good one. The streams keep `keep_days`, the memory as long (a week at least): a start from an old
    backup or a replay that is run again under its name tells nothing twice that is still to be read in the stream.

    The memory costs about 5 % of the streams it stands behind. Pruning it by snapshots instead (three back, say) would be
    smaller, but unsafe: after a crash the records are judged again in other portions, and an id would be forgotten before the
    judging has come back to it.

    Not for two threads at once.
    """

    def __init__(
        self,
        client_or_url: Any,  # noqa: ANN401 - a cluster's client shares no base with Redis
        names: RedisNames,
        keep_days: float,
        part: str,
        give_up_after_s: float = 30.0,
        *,
        on_state: OnState | None = None,
        stop: threading.Event | None = None,
        regions: Iterable[str] = (),
    ) -> None:
        """`regions`: those whose streams are trimmed by age even while nothing is told to them."""
        self._client: Any = connect(client_or_url) if isinstance(client_or_url, str) else client_or_url
        self._owns_client = isinstance(client_or_url, str)
        self._names = names
        self._known = names.known(part)
        self._keep_ms = round(keep_days * DAY_MS)
        self._known_ms = round(max(keep_days, KNOWN_AT_LEAST_DAYS) * DAY_MS)
        self._regions = set(regions)
        self._refused = ""
        self._server: str | None = None
        self._under_way: list[str | bytes | int] | None = None
        self._tidy_at = time.monotonic()
        self._patience = Patience(
            place_of(self._client), "alerts", give_up_after_s, probe=self._client.ping, on_state=on_state, stop=stop
        )

    def deliver(self, batch: Sequence[tuple[Alert, bytes]]) -> int:
        """Tell these alerts, in order; returns how many were new.

        An alert whose reply was lost and that is found told at the next attempt does not count as new. Raises `Undelivered` with
        the number not known to be told when Redis takes no writes for `give_up_after_s`, or at once where waiting cannot help.
        """
        told = 0
        for first in range(0, len(batch), CHUNK):
            keys, values = self._arguments(batch[first : first + CHUNK])
            told += self._patience.write(lambda: self._run(keys, values), len(batch) - first)  # noqa: B023 - called at once
        return told

    def tidy(self) -> None:
        """Forget what is too old, in the memory of ids and in the streams; called at each snapshot, does it now and then.

        A failure is left for the next time: nothing is lost by keeping more.
        """
        if time.monotonic() < self._tidy_at:
            return
        self._tidy_at = time.monotonic() + TIDY_AFTER_S
        try:
            seconds, micros = self._client.time()
            now_ms = int(seconds) * 1000 + int(micros) // 1000
            self._client.zremrangebyscore(self._known, "-inf", now_ms - self._known_ms)
            # XADD trims only the stream it adds to, and only by whole nodes: a quiet region's old alerts would stay for ever.
            for stream in (self._names.alerts, *map(self._names.alerts_of, sorted(self._regions))):
                self._client.xtrim(stream, minid=max(0, now_ms - self._keep_ms), approximate=False)
        except RedisError as error:
            log.warning("old alerts not trimmed", error=str(error))

    def know_regions(self, regions: Iterable[str]) -> None:
        """More regions whose streams are trimmed by age even while nothing is told to them; those of before stay known."""
        self._regions.update(regions)

    def close(self) -> None:
        """Close the connection where it was opened here."""
        if self._owns_client:
            self._client.close()

    def _arguments(self, chunk: Sequence[tuple[Alert, bytes]]) -> tuple[list[str], list[str | bytes | int]]:
        keys = [self._known, self._names.alerts, self._names.open]
        values: list[str | bytes | int] = [self._keep_ms, self._known_ms, "0"]
        place: dict[str, int] = {}
        for alert, event in chunk:
            for region in alert.regions:
                if region not in place:
                    place[region] = len(keys) + 1
                    keys += (self._names.alerts_of(region), self._names.open_of(region))
            is_open = "0" if alert.change == "cleared" else "1"
            values += (alert.id, event, alert.episode, is_open, len(alert.regions), *(place[region] for region in alert.regions))
        self._regions.update(place)
        return keys, values

    def _run(self, keys: list[str], values: list[str | bytes | int]) -> int:
        if self._under_way is values:
            # A server sends nothing to anybody before its file holds the write. One that was killed in between has the alerts, and
            # their ids, but nobody was woken; one that lives has told them, and only its reply to us was lost.
            values[AGAIN] = "1" if self._server != self._run_id() else "0"
        elif self._server is None:
            self._server = self._run_id()
        self._under_way = values
        told = self._called(keys, values)
        if values[AGAIN] == "1":
            self._server = self._run_id()
        return told

    def _run_id(self) -> str:
        """Which run of the server this is; empty where it may not be asked, or where there are many (a cluster)."""
        try:
            return str(self._client.info("server").get("run_id", ""))
        except ResponseError:
            return ""

    def _called(self, keys: list[str], values: list[str | bytes | int]) -> int:
        try:
            told, refused = self._client.evalsha(SHA, len(keys), *keys, *values)
        except NoScriptError:
            # After a restart or a failover; EVAL makes it known again.
            told, refused = self._client.eval(SCRIPT, len(keys), *keys, *values)
        if refused and refused != self._refused:
            self._refused = refused
            text = refused.decode(errors="replace") if isinstance(refused, bytes) else str(refused)
            log.error("alerts are in the stream, but redis refuses the channel: no screen is woken", error=text)
        return int(told)
