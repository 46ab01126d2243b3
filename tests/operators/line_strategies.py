"""Lines for hypothesis: mostly usual records, each with some odd value or broken byte that a real sender has produced."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tests.operators.fix_comparison import KNOWN

NUMBERS = """-0 -0.0 0.0 1e2 1E+2 12.5e-1 1e400 01 1. .5 +1 - NaN Infinity 0x1 1_0 121.10526474472135 9007199254740993
    0.1234567890123456789 179.99999999999999999 1e-7 180.00000000000003 8.7e-312 123456789012345678901234567890 31.234567
    12345678.5 1234567.12345678 1234567.1234567"""
TIMES = """1772439327123 17 1772439327123.5 yesterday 2026-02-29T00:00:00Z 2024-02-29T00:00:00Z 2026-03-02_08:15:27z
    2026-03-02t08:15:27Z 2026-03-02 2016-12-31T23:59:60Z 2017-01-01T07:59:60.5+08:00 2026-03-02T08:15:60Z 0000-01-01T00:00:00Z
    99999999999999999999 2026-13-02T08:15:27Z 2026-03-02T24:00:00Z 1989-12-31T23:59:59.999Z 1990-01-01T00:00:00Z
    2099-12-31T23:59:59.999Z 2100-01-01T00:00:00Z"""
WORDS = '"gnss" "cell" "wifi" "guess" "GNSS" "" true false "true" 1 0 null "x"'
ESCAPES = r"""
    "\n" "\u00e9\ud83d\ude00" "\ud83d" "\ude00" "\ud83dx" "\u12" "\x" "\/\\\"" "\ud83d\u0041" "\uD83D\uDE00" "\u0000" "\u07ff"
"""
NESTED = r"""
    [[],{}] {"a":[1,{"b":null}],"c":"d"} [1,] {"a"} {"a":} [1] {,} [[["x\n"]]] {"a":1,"a":2} [01] [1e400] {"a":"\ud800"} ] [}
"""
ODD = 'null true "1.0" "" {} [] {"a":[1,{"b":null}]} "\\u0041" "\x01" nul tru nullx'
SUBJECTS = '7 -12 -0 07 7.0 12345678901234567890 "s\x7f" "\u0085" "é" "" 8'
SCARS = (b"", b'"', b"\\", b"\xff", b"{", b"}", b",", b"\0", b"1", b" ")

blank = st.sampled_from(["", "", "", " ", "\t", " \r "])
number_text = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-180, 180).map(repr),
    st.floats(-1, 400).map(lambda x: f"{x:.2f}"),
    st.integers(-200, 400).map(str),
    st.sampled_from(NUMBERS.split()),
)
time_text = st.one_of(
    st.integers(600_000_000_000, 4_200_000_000_000).map(str),
    st.datetimes().map(lambda t: f'"{t.isoformat()}Z"'),
    st.builds(
        lambda t, zone, digits: f'"{t.isoformat(timespec="seconds")}{digits}{zone}"',
        st.datetimes(),
        st.sampled_from(["Z", "z", "+08:00", "-05:30", "+23:59", "+24:00", "+08", "", "-00:00"]),
        st.sampled_from(["", ".1", ".12", ".123", ".1239", ".123456789012", ".", ",5"]),
    ),
    st.sampled_from(TIMES.split()).map(lambda text: f'"{text.replace("_", " ")}"'),
    st.sampled_from(["1772439327123.9", "1.772439327123e12", '""', "-1", "1e30", "99999999999999999999", "true", "[1]"]),
)
word = st.sampled_from(WORDS.split())
odd = st.sampled_from([*ODD.split(), *ESCAPES.split(), *NESTED.split(), "[" * 70 + "]" * 70])
subject_text = st.one_of(
    st.sampled_from(KNOWN).map(lambda s: json.dumps(s, ensure_ascii=False)),
    st.sampled_from(KNOWN).map(json.dumps),
    st.sampled_from([*SUBJECTS.split(), *ESCAPES.split()]),
    st.text(max_size=70).map(json.dumps),
)
VALUES = {
    "subject": subject_text,
    "time": time_text,
    "received": time_text,
    "positioning": word,
    "tamper": word,
    "separated": word,
    "device": st.one_of(word, number_text),
    **dict.fromkeys(("lon", "lat", "accuracy_m", "speed_mps", "heading_deg", "battery_pct"), number_text),
    "note": st.one_of(word, odd, number_text),
    "": word,
    "longer_than_any_name_that_is_remembered_between_values": word,
}


@st.composite
def json_lines(draw: st.DrawFn) -> bytes:
    """A line that may be a record: usual values for most keys, any order, odd values for some, and now and then broken bytes."""
    usual = {"subject": '"s0000001"', "time": '"2026-03-02T08:15:27.123Z"', "lon": "121.123456", "lat": "31.5"}
    members = list(usual.items())
    for name in draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=4)):
        value = draw(st.one_of(VALUES[name], VALUES[name], odd))
        members = [m for m in members if m[0] != name or draw(st.integers(0, 9)) == 0]
        members.insert(draw(st.integers(0, len(members))), (name, value))
    space = draw(blank)
    text = f"{space},{space}".join(f'"{key}"{space}:{space}{value}' for key, value in members)
    line = bytearray(f"{space}{{{space}{text}{space}}}{space}".encode("utf-8", "surrogatepass"))
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(line) - 1))
        line[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b'"', b"\\", b"\xff", b"{", b"}", b",", b"\0", b"1", b" "])
        )
    return bytes(line)
