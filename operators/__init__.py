"""Columns in, verdicts and alerts out. Does no I/O."""
