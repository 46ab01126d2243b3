"""Pieces of whole lines: nothing is lost or torn, wherever the reads end."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources import lines as source_lines
from pipeline.sources.lines import LONGEST_KEPT, pieces

TEXTS = st.lists(st.sampled_from([b"", b"a", b'{"subject":"s-1"}', b"x" * 1500, b"\r", b'"', b'"quoted\nline feed"']), max_size=30)


def _reading(data: bytes, sizes: list[int]) -> Callable[[int], bytes]:
    """A `read` that gives the sizes in turn, as a pipe does, then all."""
    stream, left = io.BytesIO(data), iter(sizes)
    return lambda n: stream.read(min(n, next(left, n)))


@settings(deadline=None)  # The first example compiles.
@given(texts=TEXTS, lines=st.integers(1, 7), sizes=st.lists(st.integers(1, 2000), max_size=40), ended=st.booleans())
def test_pieces_are_the_lines_again(texts: list[bytes], lines: int, sizes: list[int], *, ended: bool) -> None:
    """Joined they are the input, their offsets follow, and each but the last holds exactly the number of lines asked for."""
    data = b"\n".join(texts) + (b"\n" if ended else b"")
    got = [(offset, bytes(piece)) for offset, piece in pieces(_reading(data, sizes), lines)]
    assert b"".join(piece for _, piece in got) == data
    assert [offset for offset, _ in got] == [sum(len(piece) for _, piece in got[:k]) for k in range(len(got))]
    assert all(piece.count(b"\n") == lines and piece.endswith(b"\n") for _, piece in got[:-1])
    assert all(piece and piece.count(b"\n") <= lines for _, piece in got)


@given(texts=TEXTS, lines=st.integers(1, 5), sizes=st.lists(st.integers(1, 2000), max_size=40), ended=st.booleans())
def test_pieces_of_many_lines_are_whole_lines_too(texts: list[bytes], lines: int, sizes: list[int], *, ended: bool) -> None:
    """Cut by size, they still join to the input, their offsets follow, and each but the last ends with a line feed."""
    data = b"\n".join(texts) + (b"\n" if ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_lines, "MANY_LINES", 1)
        got = [(offset, bytes(piece)) for offset, piece in pieces(_reading(data, sizes), lines)]
    assert b"".join(piece for _, piece in got) == data
    assert [offset for offset, _ in got] == [sum(len(piece) for _, piece in got[:k]) for k in range(len(got))]
    assert all(piece.endswith(b"\n") for _, piece in got[:-1])


def test_pieces_of_many_lines_have_about_so_many() -> None:
    """Of lines of like length they hold the number asked for, give or take one in a hundred, also over the ends of reads."""
    data = b"".join(b'{"subject":"s-%d"}\n' % (k % 1000) for k in range(1_000_000))
    counts = [bytes(piece).count(b"\n") for _, piece in pieces(io.BytesIO(data).read, 4096)]
    assert sum(counts) == 1_000_000
    assert all(abs(count - 4096) < 41 for count in counts[:-1])


@settings(deadline=None)  # The first example compiles.
@given(texts=TEXTS, lines=st.integers(1, 3), sizes=st.lists(st.integers(1, 50), max_size=40))
def test_a_line_feed_between_quotes_ends_no_line(texts: list[bytes], lines: int, sizes: list[int]) -> None:
    """With `quotes` a piece ends only where the quotes before it are even in number, and has the lines asked for."""
    data = b"\n".join(texts) + b"\n"
    got = [bytes(piece) for _, piece in pieces(_reading(data, sizes), lines, quotes=True)]
    assert b"".join(got) == data
    assert all(piece.count(b'"') % 2 == 0 for piece in got[:-1])


@pytest.mark.parametrize("before", [b"", b"one\ntwo\n"])
@pytest.mark.parametrize(("quotes", "many"), [(False, 2048), (True, 2048), (False, 1)])
def test_a_line_without_end_is_cut_and_the_rest_read_on(
    monkeypatch: pytest.MonkeyPatch, before: bytes, many: int, *, quotes: bool
) -> None:
    """Of a line of megabytes the beginning is given as a line; the lines before and behind it are there with their offsets."""
    monkeypatch.setattr(source_lines, "READ_BYTES", LONGEST_KEPT // 2)
    monkeypatch.setattr(source_lines, "MANY_LINES", many)
    endless = (b'"' if quotes else b"") + b"y" * (5 * LONGEST_KEPT)
    data = before + endless + b"\nthree\nfour"
    got = [(offset, bytes(piece)) for offset, piece in pieces(io.BytesIO(data).read, 100, quotes=quotes)]
    cut = [piece for _, piece in got if len(piece) > LONGEST_KEPT]
    assert cut == [endless[:LONGEST_KEPT] + b"\n"]
    assert b"".join(piece for _, piece in got if piece not in cut) == before + b"three\nfour"
    assert got[-1] == (len(before) + len(endless) + 1, b"three\nfour")


def test_a_quote_too_many_costs_one_record_only() -> None:
    """A quote that is never closed swallows lines only up to the length that no record may have."""
    data = b'a,"stray\n' + b"b,1\n" * LONGEST_KEPT
    got = [bytes(piece) for _, piece in pieces(io.BytesIO(data).read, 1, quotes=True)]
    assert len(got[0]) < LONGEST_KEPT + 10
    assert set(got[1:]) == {b"b,1\n"}
    assert b"".join(got) == data
