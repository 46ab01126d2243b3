"""Which names are IANA time zones."""

from __future__ import annotations

import functools
import zoneinfo

from fences.findings import meant, shown

ADVICE = 'write an IANA time zone such as "Asia/Shanghai"'


@functools.cache
def known_timezones() -> frozenset[str]:
    """Every time zone of the system and of the package `tzdata`."""
    return frozenset(zoneinfo.available_timezones())


def timezone_fault(name: object) -> str | None:
    """What is wrong with the name of a time zone, as a sentence; None where nothing is."""
    if isinstance(name, str) and name in known_timezones():
        return None
    return f"{shown(name)} is no time zone{meant(name, known_timezones()) if isinstance(name, str) else ''}"
