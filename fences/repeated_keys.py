"""Which lines of JSON may give a key twice: found in one pass over the bytes, so that only these are looked at closely.

A decoder takes the last of two equal keys, and nobody sees the other; so the registry refuses them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fences.compiled import compiled

_QUOTE, _BACKSLASH, _COLON, _OPEN, _CLOSE, _LIST, _LIST_END, _NEWLINE = (ord(c) for c in '"\\:{}[]\n')
_SPACES = ord(" ")
MOST_KEYS, DEEPEST = 64, 8
_PRIME, _SEED = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)


def suspects(source: bytes) -> NDArray[np.int64]:
    """The numbers (from 1) of the lines that may give a key twice; every line that does is among them."""
    text = np.frombuffer(source, np.uint8)
    lines = int(np.count_nonzero(text == _NEWLINE)) + 1
    flags = np.zeros(lines, np.bool_)
    keys = np.zeros((DEEPEST, MOST_KEYS), np.uint64)
    with np.errstate(over="ignore"):  # The hash wraps on purpose; without the compiler numpy would warn.
        _flag(text, flags, keys, np.zeros(DEEPEST, np.int64))
    return np.flatnonzero(flags) + 1


@compiled
def _flag(text: NDArray[np.uint8], flags: NDArray[np.bool_], keys: NDArray[np.uint64], used: NDArray[np.int64]) -> None:
    """Flag a line when two keys of one object have equal hashes, or when it is not simple enough to tell."""
    line = depth = 0
    i = 0
    while i < len(text):
        byte = text[i]
        i += 1
        if byte == _NEWLINE:
            line += 1
            depth = 0
        elif byte in (_OPEN, _LIST):
            depth += 1
            if depth >= DEEPEST:
                flags[line] = True
                depth = DEEPEST - 1
            used[depth] = 0
        elif byte in (_CLOSE, _LIST_END):
            depth = max(0, depth - 1)
        elif byte == _QUOTE:
            word, escaped = _SEED, False
            while i < len(text) and text[i] not in (_QUOTE, _NEWLINE):
                if text[i] == _BACKSLASH:
                    escaped = True
                    i += 1
                    if i == len(text) or text[i] == _NEWLINE:
                        break
                word = (word ^ np.uint64(text[i])) * _PRIME
                i += 1
            if i < len(text) and text[i] == _QUOTE:
                i += 1
            after = i
            while after < len(text) and text[after] <= _SPACES and text[after] != _NEWLINE:
                after += 1
            if after < len(text) and text[after] == _COLON:
                n = used[depth]
                if escaped or n == MOST_KEYS:
                    flags[line] = True
                else:
                    for k in range(n):
                        if keys[depth, k] == word:
                            flags[line] = True
                    keys[depth, n] = word
                    used[depth] = n + 1
