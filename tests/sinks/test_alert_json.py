"""The bytes of an alert are those of the worked cases, key by key and digit by digit."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sinks.alert_json import encode_alert, rfc3339
from tests.sinks.alert_examples import DEPLOYMENT, alert, alert_of, case_lines


def test_encodes_every_alert_of_the_cases_byte_for_byte() -> None:
    """Record and back gives the very line that stands in the case."""
    lines = case_lines()
    assert len(lines) > 1000
    for line in lines:
        assert encode_alert(alert_of(orjson.loads(line)), DEPLOYMENT) == line


@given(st.integers(631_152_000_000, 4_102_444_799_999))
def test_times_keep_every_millisecond(time_ms: int) -> None:
    """No time of the contract's range is rounded, and all have the same form."""
    text = rfc3339(time_ms)
    assert len(text) == 24
    assert text.endswith("Z")
    assert int(np.datetime64(text[:-1], "ms").astype(np.int64)) == time_ms


def test_source_names_the_deployment() -> None:
    """The deployment stands behind `fencewatch/`."""
    assert orjson.loads(encode_alert(alert(), "three-regions"))["source"] == "fencewatch/three-regions"


@pytest.mark.parametrize("number", [np.float64(812.5), np.float32(812.5), 812.5])
def test_a_column_s_own_number_type_does_not_stop_an_alert(number: float) -> None:
    """A numpy number that slipped into the record is a number in JSON."""
    event = orjson.loads(encode_alert(replace(alert(), distance_m=number), DEPLOYMENT))
    assert event["data"]["distance_m"] == 812.5
