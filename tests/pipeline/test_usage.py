"""What a user writes wrongly: a sentence that helps and the right exit code, before anything runs; never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.pipeline.commands import LATEST_S, Outcome, fencewatch, start
from tests.pipeline.short_day import ShortDay

COMMANDS = (
    ("check",),
    ("run",),
    ("replay",),
    ("feed",),
    ("simulate",),
    ("demo",),
    ("alerts", "open"),
    ("alerts", "tail"),
    ("subjects",),
    ("schema", "alert"),
)
CASE = Path(__file__).parents[1] / "cases" / "basic-1"
FIXES, REGISTRY = CASE / "fixes.jsonl", CASE / "registry"
NOWHERE = "redis://127.0.0.1:1/0"


def replay(*options: object, files: Sequence[object] = (FIXES,)) -> Outcome:
    """A replay of the first case."""
    return fencewatch("replay", *files, "--registry", REGISTRY, *options)


def feed(*options: object) -> Outcome:
    """A feed of the first case to where no server is."""
    return fencewatch("feed", FIXES, *options)


def refused(outcome: Outcome, *words: str) -> None:
    """Wrong usage: code 2, how the command is called, one sentence with these words, nothing like a traceback."""
    assert outcome.code == 2, outcome.err
    assert outcome.said[0].startswith("Usage: fencewatch ")
    assert outcome.said[-1].startswith("Error: ")
    for word in words:
        assert word in outcome.said[-1], outcome.err


def failed(outcome: Outcome, *words: str) -> None:
    """Failed: code 1 and exactly one sentence with these words."""
    assert outcome.code == 1, outcome.err
    assert len(outcome.said) == 1, outcome.err
    assert outcome.said[0].startswith("fencewatch: ")
    assert not outcome.said[0].endswith(".."), "one full stop"
    for word in words:
        assert word in outcome.said[0], outcome.err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_examples(command: tuple[str, ...]) -> None:
    """`--help` of each command says what it does and shows how it is called."""
    for flag in ("--help", "-h"):
        shown = fencewatch(*command, flag)
        assert shown.code == 0
        assert f"Usage: fencewatch {' '.join(command)}" in shown.out
        assert "Example" in shown.out
        assert f"fencewatch {' '.join(command)}" in shown.out.split("Example")[1]


def test_no_command_and_an_unknown_one() -> None:
    """The list of commands, and wrong usage."""
    nothing = fencewatch()
    assert nothing.code == 2
    assert all(command[0] in nothing.out + nothing.err for command in COMMANDS)
    refused(fencewatch("reply"), "reply")
    assert fencewatch("--version").out.startswith("fencewatch ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--redis", "foo://x"), ("--redis", "foo://x", "redis://", "embedded", "none")),
        (("--redis", "127.0.0.1:6379"), ("--redis", "redis://")),
        (("--redis", "redis://127.0.0.1:port/0"), ("--redis", "port")),
        (("--redis", ""), ("--redis", "redis://")),
        (("--speed", "abc"), ("--speed", "max")),
        (("--speed", "0"), ("--speed", "above 0")),
        (("--speed", "-1"), ("--speed", "above 0")),
        (("--speed", "nan"), ("--speed", "above 0")),
        (("--columns", "abc"), ("--columns", "'abc'", "subject=user")),
        (("--columns", "=abc"), ("--columns", "subject=user")),
        (("--columns", "who=abc"), ("--columns", "'who'", "subject", "accuracy_m")),
        (("--columns", "subject=a,subject=b"), ("--columns", "subject", "twice")),
        (("--columns", "lon=a,lat=a"), ("--columns", "'a'")),
        (("--workers", "0"), ("--workers", "1")),
        (("--workers", "two"), ("--workers",)),
        (("--batch", "0"), ("--batch", "1")),
        (("--from", "yesterday"), ("--from", "RFC 3339")),
        (("--to", "2026-01-01T00:00:00"), ("--to", "offset")),
        (("--from", "2026-01-02T00:00:00Z", "--to", "2026-01-02T00:00:00Z"), ("--to", "--from")),
        (("--format", "xml"), ("--format", "jsonl", "parquet")),
        (("--give-up-after-s", "-1"), ("--give-up-after-s",)),
        (("--nonsense",), ("--nonsense",)),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_options_of_replay(options: tuple[str, ...], words: tuple[str, ...], tmp_path: Path) -> None:
    """Each wrong option is named, and nothing was written."""
    out = tmp_path / "alerts.jsonl"
    refused(replay("--alerts-out", out, *options), *words)
    assert not out.exists()


def test_files_to_read(tmp_path: Path) -> None:
    """Missing, without a known ending, empty folders."""
    failed(replay(files=[tmp_path / "no.jsonl"]), str(tmp_path / "no.jsonl"), "no such file")
    (tmp_path / "tracks.foo").write_text("x")
    failed(replay(files=[tmp_path / "tracks.foo"]), "tracks.foo", "--format", "jsonl")
    failed(replay(files=[tmp_path]), str(tmp_path), "no file")
    refused(fencewatch("replay", "--registry", REGISTRY), "FILES")
    refused(fencewatch("replay", FIXES), "--registry")


@pytest.mark.parametrize("option", ["--alerts-out", "--dead-letters", "--report"])
def test_files_to_write(option: str, tmp_path: Path) -> None:
    """A folder that is missing, a folder in place of a file: told before the run, nothing is left behind."""
    state = tmp_path / "state"
    (tmp_path / "folder").mkdir()
    for target, why in (
        (tmp_path / "missing" / "out", "No such file"),
        (tmp_path / "folder", "directory"),
        (FIXES / "out", "ot a dir"),
    ):
        failed(replay(option, target, "--state", state), str(target), option, why)
    assert not state.exists(), "the run had not begun"
    other = "--report" if option != "--report" else "--alerts-out"
    failed(replay(other, tmp_path / "good", option, tmp_path / "folder"), option)
    assert not (tmp_path / "good").exists(), "to try a file leaves nothing behind"


@pytest.mark.parametrize("option", ["--alerts-out", "--dead-letters", "--report"])
def test_an_input_is_not_overwritten(option: str, tmp_path: Path) -> None:
    """Nor by another name of the same file, nor one output by another."""
    fixes = tmp_path / "fixes.jsonl"
    shutil.copy(FIXES, fixes)
    (tmp_path / "link").symlink_to(fixes)
    for target in (fixes, tmp_path / "link", tmp_path / "." / "fixes.jsonl"):
        refused(replay(option, target, files=[tmp_path]), option, "fixes.jsonl")
    assert fixes.read_bytes() == FIXES.read_bytes()
    other = "--report" if option != "--report" else "--alerts-out"
    refused(replay(option, tmp_path / "x", other, tmp_path / "x"), str(tmp_path / "x"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("option", ["--alerts-out", "--dead-letters", "--report"])
def test_a_full_disk(option: str) -> None:
    """One sentence, exit 1, wherever it is noticed; no panic of what runs below."""
    case = CASE.with_name("basic-4")
    command = start(
        "replay",
        case / "fixes.jsonl",
        "--registry",
        case / "registry",
        option,
        "/dev/full",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, said = command.communicate(timeout=LATEST_S)
    assert command.returncode == 1
    *before, sentence = said.decode().splitlines()
    assert sentence.startswith("fencewatch: ")
    assert "cannot be written: No space left on device" in sentence
    assert option == "--report" or not before, "the table of a finished run stands before a report that cannot be written"


def test_the_state_folder(tmp_path: Path) -> None:
    """A file in its place."""
    (tmp_path / "file").write_text("")
    failed(replay("--state", tmp_path / "file"), str(tmp_path / "file"), "state")
    failed(replay("--state", tmp_path / "file" / "below"), str(tmp_path / "file" / "below"), "state")


def test_a_wrong_registry(tmp_path: Path) -> None:
    """Every problem a line, how many, exit 78."""
    missing = fencewatch("replay", FIXES, "--registry", tmp_path / "none")
    assert missing.code == 78
    assert missing.said[-1] == "fencewatch: 1 problem; nothing was started."
    empty = fencewatch("replay", FIXES, "--registry", tmp_path)
    assert empty.code == 78
    assert empty.said[-1] == f"fencewatch: {len(empty.said) - 1} problems; nothing was started."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--stream", "s"), ("--to",)),
        (("--to", NOWHERE), ("--stream",)),
        (("--to", "foo://x", "--stream", "s"), ("--to", "foo://x", "redis://")),
        (("--to", NOWHERE, "--stream", "s", "--rate", "1", "--speed", "1"), ("--rate", "--speed")),
        (("--to", NOWHERE, "--stream", "s", "--rate", "0"), ("--rate",)),
        (("--to", NOWHERE, "--stream", "s", "--packed", "-1"), ("--packed",)),
        (("--to", NOWHERE, "--stream", "s", "--format", "xml"), ("--format", "jsonl")),
        (("--to", NOWHERE, "--stream", "s", "--columns", "abc"), ("--columns", "subject=user")),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_options_of_feed(options: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Each wrong option is named."""
    refused(feed(*options), *words)


def test_feeding_where_no_server_is(tmp_path: Path) -> None:
    """One sentence; a password that cannot be read likewise."""
    failed(feed("--to", NOWHERE, "--stream", "s"), "127.0.0.1:1", "refused")
    failed(feed("--to", NOWHERE, "--stream", "s", "--password-file", tmp_path / "none"), str(tmp_path / "none"), "password")


def test_simulating_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A file in place of the folder; a world that cannot be."""
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        failed(fencewatch("simulate", "--out", out, "--subjects", 2, "--hours", 1), str(out))
    for options in (("--hours", -1), ("--hours", "nan"), ("--start", "soon"), ("--subjects", 0), ("--step-s", 1)):
        wrong = fencewatch("simulate", "--out", tmp_path / "world", *options)
        assert wrong.code == 2
        assert "Traceback" not in wrong.err
    assert not (tmp_path / "world").exists()


def test_asking_for_subjects(tmp_path: Path) -> None:
    """Which list, of what, and a state that is none."""
    refused(fencewatch("subjects"), "--never-heard", "--silent")
    refused(fencewatch("subjects", "--silent", "--never-heard", "--config", "x"), "--never-heard", "--silent")
    refused(fencewatch("subjects", "--silent"), "--config", "--state")
    refused(fencewatch("subjects", "--silent", "--state", tmp_path), "--registry")
    refused(fencewatch("subjects", "--silent", "--state", tmp_path, "--registry", REGISTRY, "--at", "noon"), "--at", "RFC 3339")
    failed(fencewatch("subjects", "--silent", "--state", tmp_path, "--registry", REGISTRY), str(tmp_path), "no state")
    assert fencewatch("subjects", "--silent", "--config", tmp_path / "none.toml").code == 78


def test_asking_for_alerts() -> None:
    """A wrong URL, a server that is not there."""
    refused(fencewatch("alerts", "open", "--redis", "foo://x"), "--redis", "redis://")
    refused(fencewatch("alerts", "tail", "--redis", NOWHERE, "--from-id", "x"), "--from-id", "stream id")
    away = fencewatch("alerts", "open", "--redis", NOWHERE)
    assert away.code == 1
    assert "127.0.0.1:1" in away.err
    assert "Traceback" not in away.err


def test_a_reader_that_leaves(short_day: ShortDay) -> None:
    """`fencewatch replay ... --alerts-out /dev/stdout | head -1`: no traceback."""
    ours, theirs = os.pipe()
    running = start(
        "replay",
        short_day.fixes(),
        "--registry",
        short_day.registry,
        "--alerts-out",
        f"/dev/fd/{theirs}",
        pass_fds=[theirs],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    os.close(ours)
    _, said = running.communicate(timeout=LATEST_S)
    assert running.returncode == 1
    assert [line for line in said.decode().splitlines() if "cannot be written: Broken pipe" in line]
    assert b"Traceback" not in said
    assert b"panicked" not in said
