"""What exactly is wrong with the form of a GeoJSON feature, found part by part, so that one mistake does not hide the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from fences.datum import DATUMS
from fences.findings import Fault, meant, shown

COLLECTION_ADVICE = 'write {"type": "FeatureCollection", "features": [...]}'
SHAPE_ADVICE = "write a Polygon, a MultiPolygon, or a Point with radius_m"
DATUM_ADVICE = 'write "wgs84", "gcj02" or "bd09"'
_FEATURE_ADVICE = 'write {"type": "Feature", "properties": {...}, "geometry": {...}}'
_ID_ADVICE = "write text of 1-64 bytes without control characters, or an integer"
_SHAPES = ("Polygon", "MultiPolygon", "Point")


def feature_faults(feature: object, geometry_form: Any) -> Iterator[Fault]:  # noqa: ANN401 - a union of types is no type
    """The faults of a feature as decoded from JSON without a form."""
    if not isinstance(feature, dict):
        yield Fault("no feature", "", f"{shown(feature)} is no feature", _FEATURE_ADVICE)
        return
    if feature.get("type") != "Feature":
        yield Fault("no feature", "type", f"the type is {shown(feature.get('type'))}", 'write "type": "Feature"')
    properties = feature.get("properties")
    if isinstance(properties, dict):
        yield from _property_faults(properties)
    else:
        yield Fault("missing key", "properties", 'an area needs properties with an "id"', _FEATURE_ADVICE)
    yield from _geometry_faults(feature.get("geometry"), geometry_form)


def datum_fault(datum: object) -> Fault | None:
    """What is wrong with a datum; None where nothing is, or none is given."""
    if datum is None or datum in DATUMS:
        return None
    guess = meant(datum, DATUMS) if isinstance(datum, str) else ""
    return Fault("datum", "datum", f"{shown(datum)} is no datum{guess}", DATUM_ADVICE)


def id_of(feature: object) -> str | None:
    """The id of a feature whose form is wrong elsewhere, so that those who name it are not told that it does not exist."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    id_ = properties.get("id") if isinstance(properties, dict) else None
    return None if isinstance(id_, bool) or not isinstance(id_, str | int) else str(id_)


def _property_faults(properties: dict[str, Any]) -> Iterator[Fault]:
    if "id" not in properties:
        yield Fault("missing key", "properties.id", 'an area needs "id" among its properties', _ID_ADVICE)
    elif id_of({"properties": properties}) is None:
        yield Fault("wrong value", "properties.id", f"{shown(properties['id'])} is no id", _ID_ADVICE)
    fault = datum_fault(properties.get("datum"))
    if fault is not None:
        yield Fault(fault.kind, f"properties.{fault.path}", fault.what, fault.write)


def _geometry_faults(geometry: object, geometry_form: Any) -> Iterator[Fault]:  # noqa: ANN401 - as above
    if geometry is None:
        yield Fault("empty shape", "geometry", "there is no shape", SHAPE_ADVICE)
        return
    kind = geometry.get("type") if isinstance(geometry, dict) else geometry
    if kind not in _SHAPES:
        yield Fault("shape", "geometry", f"{shown(kind)} is no shape of an area", SHAPE_ADVICE)
        return
    try:
        msgspec.convert(geometry, type=geometry_form)
    except msgspec.ValidationError as error:
        phrase, _, inner = str(error).partition(" - at `$")
        yield Fault("shape", f"geometry{inner.rstrip('`')}", f"this is no {kind} ({phrase[0].lower()}{phrase[1:]})", SHAPE_ADVICE)
