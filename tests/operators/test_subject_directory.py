"""The directory gives each known id its row and nobody else one, whatever the length of the ids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.subject_directory import SubjectDirectory

ids_of_any_length = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20),
        st.integers(1, 64).map(lambda n: "x" * n),
        st.text("ab", min_size=14, max_size=19),
        st.text("ab", min_size=60, max_size=64),
    ).filter(lambda text: len(text.encode()) <= 64),
    unique=True,
    max_size=60,
)


def rows_of(directory: SubjectDirectory, asked: list[bytes], before: bytes = b"") -> list[int]:
    """The rows of some ids, put one behind the other in one buffer behind `before`, the last at its very end."""
    lengths = np.array([len(text) for text in asked], dtype=np.int32)
    starts = len(before) + np.cumsum(np.concatenate([[0], lengths[:-1]])).astype(np.int64)
    rows = directory.rows(np.frombuffer(before + b"".join(asked) or b"\0", dtype=np.uint8), starts, lengths)
    return [int(row) for row in rows]


@settings(max_examples=200, deadline=None)
@given(ids_of_any_length, st.lists(st.binary(max_size=70), max_size=20), st.binary(max_size=9))
def test_known_ids_have_their_row_and_no_other_bytes_have_one(ids: list[str], strange: list[bytes], before: bytes) -> None:
    """Every id has the row of its place; cut, lengthened or other bytes have none unless they are an id."""
    known = {text.encode(): row for row, text in enumerate(ids)}
    asked = [*known, *(b + b"\0" for b in known), *(b[:-1] for b in known), *(b"a" + b[1:] for b in known), *strange]
    assert rows_of(SubjectDirectory(ids), asked, before) == [known.get(text, -1) for text in asked]


def test_an_id_that_only_looks_like_another_in_two_words_is_unknown() -> None:
    """Bytes of 16 whose last says 3, like the inner form of an id of three bytes, are nobody's."""
    directory = SubjectDirectory(["abc", "a" * 16])
    assert rows_of(directory, [b"abc" + b"\0" * 12 + b"\x03", b"abc\0\0\0\0\0", b"abc", b"a" * 16]) == [-1, -1, 0, 1]


def test_many_subjects_are_all_found() -> None:
    """A hundred thousand ids of 8, 16 and 30 bytes keep their rows."""
    ids = [f"{'s' * (k % 3 * 11)}{k:08d}" for k in range(100_000)]
    assert rows_of(SubjectDirectory(ids), [text.encode() for text in ids]) == list(range(100_000))


def test_nobody_is_known_to_an_empty_directory() -> None:
    """A registry without subjects knows none."""
    directory = SubjectDirectory([])
    assert (len(directory), rows_of(directory, [b"a", b""])) == (0, [-1, -1])


@pytest.mark.parametrize("ids", [["a", "b", "a"], [""], ["x" * 65], ["y" * 40, "y" * 40]])
def test_ids_that_cannot_be_are_refused(ids: list[str]) -> None:
    """An id twice, an empty one, one of 65 bytes: the registry would not have let them pass."""
    with pytest.raises(ValueError, match="subject"):
        SubjectDirectory(ids)
