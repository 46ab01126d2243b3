"""Whose track a file is that does not say so itself (GPX, PLT)."""

from __future__ import annotations

from pathlib import Path

GEOLIFE_FOLDER = "Trajectory"
"""GeoLife keeps a user's tracks in `<user>/Trajectory/`."""

COMPRESSIONS = {".gz", ".gzip", ".zst", ".zstd"}


def subject_of(path: str, subject: str | None) -> str:
    """The subject given, else GeoLife's user folder, else the file's stem (without the ending of a compression either)."""
    if subject is not None:
        return subject
    file = Path(path)
    if file.parent.name == GEOLIFE_FOLDER and file.parent.parent.name:
        return file.parent.parent.name
    return (file.with_suffix("") if file.suffix.lower() in COMPRESSIONS else file).stem
