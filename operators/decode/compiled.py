"""The decoders' loops are compiled like all others: see `fences.compiled`."""

from fences.compiled import compiled, inlined

__all__ = ["compiled", "inlined"]
