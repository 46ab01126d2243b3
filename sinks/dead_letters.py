"""Dead letters: records that could not be judged, with the reason and their place, to a file or to a Redis stream.

Section 6 of the contract. A letter is a line of JSON whose text depends on the record and its place alone, so the same record
rejected again after a restart makes the same line.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from sinks.alert_files import open_lines
from sinks.redis_connection import place_of
from sinks.redis_names import RedisNames
from sinks.redis_patience import OnState, Patience

RAW_AT_MOST_BYTES = 64 * 1024
STREAM_AT_MOST = 100_000
LETTERS_A_CALL = 100


def dead_letter(reason: str, source: str, place: Mapping[str, int | str], raw: bytes) -> bytes:
    """The JSON of one letter without a line end.

    `source`: file as given, stream or topic; `place`: what `FixBatch.place` gave; `raw` is cut to 64 KiB.
    """
    letter = {"reason": reason, "source": source, **place, "raw": base64.b64encode(raw[:RAW_AT_MOST_BYTES]).decode("ascii")}
    return orjson.dumps(letter, option=orjson.OPT_SERIALIZE_NUMPY)


class DeadLetterFile:
    """Appends letters to a JSON-lines file, flushed at the end of each call.

    `resume`: go on with the file of an earlier run, where a letter that is in it already is not written again; else the file
    starts empty. Raises OSError.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self._file, lines = open_lines(path, resume=resume)
        self._known = {hash(line) for line in lines}

    def write(self, letters: Sequence[bytes]) -> int:
        """Write those that are new; returns how many."""
        new = [letter for letter in letters if hash(letter) not in self._known] if self._known else letters
        self._file.write(b"".join(letter + b"\n" for letter in new))
        self._file.flush()
        return len(new)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class DeadLetterStream:
    """Adds letters to the stream `<prefix>dead` (field `letter`), which keeps about the last 100,000.

    At least once: a letter may stand there twice after a lost reply or a restart. Raises `Undelivered` like the alerts.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - a cluster's client, too
        names: RedisNames,
        give_up_after_s: float = 30.0,
        *,
        on_state: OnState | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._client = client
        self._key = names.dead
        self._patience = Patience(
            place_of(client), "dead letters", give_up_after_s, probe=client.ping, on_state=on_state, stop=stop
        )

    def write(self, letters: Sequence[bytes]) -> int:
        """Add them in order; returns how many."""
        for first in range(0, len(letters), LETTERS_A_CALL):
            some = letters[first : first + LETTERS_A_CALL]
            self._patience.write(lambda: self._add(some), len(letters) - first)  # noqa: B023 - called at once
        return len(letters)

    def close(self) -> None:
        """Nothing to close: the client is the caller's."""

    def _add(self, letters: Sequence[bytes]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for letter in letters:
            pipeline.xadd(self._key, {"letter": letter}, maxlen=STREAM_AT_MOST, approximate=True)
        pipeline.execute()
