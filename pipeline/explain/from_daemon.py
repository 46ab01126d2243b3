"""Asking a running daemon what it knows of a subject now; and what the daemon answers.

Where people are is nobody's business but of those who may read the state folder: the daemon writes a word there at its start, and
answers who can say it.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, quote
from urllib.request import Request, urlopen

import msgspec

from fences.findings import shown
from operators.facts import Facts
from pipeline.configuration import Configuration
from pipeline.explain.from_files import UnexplainedError
from pipeline.explain.story import Explanation

WORD_FILE = "explain.word"
ANSWERED_WITHIN_S = 30.0
Answer = tuple[str, bytes]
"""Status and body."""


class Answerer:
    """The daemon's side. `facts(subject)` is asked in the thread of the request."""

    def __init__(self, state_dir: Path, facts: Callable[[str], Facts | None]) -> None:
        """Writes the word of this run."""
        self._facts = facts
        self._word = secrets.token_urlsafe(32)
        file = state_dir / WORD_FILE
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(self._word)
        new.replace(file)

    def answer(self, query: str, authorization: str) -> Answer:
        """What a request gets; `query` is `subject=...`."""
        if not hmac.compare_digest(authorization.encode(), f"Bearer {self._word}".encode()):
            return "403 Forbidden", b"only who can read the state folder may ask: fencewatch explain --config FILE --subject S\n"
        subject = parse_qs(query).get("subject", [""])[0]
        facts = self._facts(subject)
        if facts is None:
            return "503 Service Unavailable", b"the flow has not begun yet\n"
        if not facts.registered:
            return (
                "404 Not Found",
                f"there is no subject {shown(subject)} in the registry in force ({facts.rules_version})\n".encode(),
            )
        return "200 OK", msgspec.json.encode(Explanation(facts, "daemon"))


def ask_daemon(configuration: Configuration, subject: str) -> Explanation:
    """What the daemon of a configuration knows now. Raises UnexplainedError where it does not answer, or knows no such subject."""
    host, port = configuration.http.host_and_port
    # Where it listens on every address it is asked on loopback.
    address = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - not listened on
    file = configuration.state_dir / WORD_FILE
    try:
        word = file.read_text()
    except FileNotFoundError as error:
        raise UnexplainedError(f"{file} is not there: no daemon ran with this configuration yet.") from error
    except OSError as error:
        raise UnexplainedError(f"{file} cannot be read: {error.strerror}; ask as the user whom the daemon runs as.") from error
    try:
        url = f"http://{address}:{port}/explain?subject={quote(subject, safe='')}"
        request = Request(url, headers={"Authorization": f"Bearer {word}"})
        with urlopen(request, timeout=ANSWERED_WITHIN_S) as reply:  # noqa: S310 - always http
            return msgspec.json.decode(reply.read(), type=Explanation)
    except HTTPError as error:
        raise UnexplainedError(f"{error.read().decode().strip().rstrip('.')}.") from error
    except (URLError, OSError) as error:
        why = getattr(error, "reason", error)
        raise UnexplainedError(
            f"no daemon answers at {address}:{port} ({why}); start it, or name an instant with --at: the streams are judged again."
        ) from error
