"""`fencewatch explain` on recorded files: for every way in which an instant can lie, the sentence, and the facts behind it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.operators.small_registry import START_MS, Json, make_plan, place
from tests.pipeline.commands import Outcome, fencewatch
from tests.pipeline.scripted import milliseconds
from tests.pipeline.short_day import ShortDay
from tests.strategies.registries import Plan

HOME, OUT, NEAR, POND, SCHOOL = (2.5, 2.5), (8.0, 3.0), (4.6, 3.0), (4.5, 4.5), (5.5, 5.5)
"""At home; 370 m out; 56 m out; in the pond and out of home; at school. The clocks of `west` say 16:00 at second 0."""
P: Json = {"subjects": ["p"]}
STAY: Json = {"id": "stay", "effect": "allow", "areas": ["home"], **P}
DRY: Json = {"id": "dry", "effect": "forbid", "areas": ["pond"], "everyone": True}


def local(seconds: float) -> str:
    """Seconds after the start as the clocks of the region show them."""
    total = 16 * 3600 + round(seconds)
    return f"{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}"


def time_of(seconds: float) -> str:
    """Seconds after the start as an option wants them."""
    return str(START_MS + round(seconds * 1000))


def record(seconds: float, at: tuple[float, float] | None, **more: object) -> Json:
    """A record of p."""
    lon, lat = place(at)
    here = {} if at is None else {"lon": lon, "lat": lat}
    return {"subject": "p", "time": START_MS + round(seconds * 1000), **here, **more}


class Case:
    """A registry and some records in a folder."""

    def __init__(self, folder: Path, plan: Plan, records: list[Json]) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        plan.write(folder / "registry")
        (folder / "fixes.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))

    def run(self, at: float, *more: object, subject: str = "p") -> Outcome:
        """As a user calls it."""
        options = ("--registry", self.folder / "registry", "--subject", subject, "--at", time_of(at))
        return fencewatch("explain", self.folder / "fixes.jsonl", *options, *more)

    def told(self, at: float, *more: object) -> dict[str, Any]:
        """The JSON."""
        outcome = self.run(at, "--json", *more)
        assert outcome.code == 0, outcome.err
        told = orjson.loads(outcome.out)
        assert isinstance(told, dict)
        return told

    def slot(self, at: float, name: str) -> dict[str, Any]:
        """A slot at an instant."""
        return next(slot for slot in self.told(at)["facts"]["slots"] if slot["slot"] == name)


def case(folder: Path, *rules: Json, records: list[Json], policy: Json | None = None) -> Case:
    """One subject, p of west, some rules, some records."""
    return Case(folder, make_plan(*rules, policy=policy), records)


@pytest.fixture
def walk(tmp_path: Path) -> Case:
    """Home at 0, out at 60 and 120, home again at 180 and 240."""
    records = [record(60 * k, at, accuracy_m=5.0) for k, at in enumerate((HOME, OUT, OUT, HOME, HOME))]
    return case(tmp_path, STAY, DRY, records=records)


def test_before_the_first_record(walk: Case) -> None:
    """Nothing is known, and that is said; his rules all the same."""
    told = walk.told(-10)
    assert told["sentence"].startswith("No alert: nothing had been heard of p by then")
    assert f"His first record arrived at {local(0)}." in told["sentence"]
    assert told["records"] == []
    assert [rule["id"] for rule in told["facts"]["rules"] if rule["active"]] == ["stay", "dry"]
    assert told["facts"]["position"] is None


def test_where_he_may_be(walk: Case) -> None:
    """Inside, by which rule; the page says the same first."""
    outcome = walk.run(30)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "No alert: he was inside home (rule stay)."
    assert lines[2].startswith("p at 2026-06-01T16:00:30+08:00, home west, rules ")
    assert "last position of 16:00:00: 121.002441 31.002441, accuracy 5 m, in west" in lines
    assert next(line.split() for line in lines if line.startswith("  stay"))[:4] == ["stay", "allow", "name", "yes"]


def test_a_pending_breach(walk: Case) -> None:
    """How far, since when, and how many fixes are wanted."""
    told = walk.told(61)
    assert told["sentence"].startswith(f"No alert yet: left_area is pending since {local(60)}, 1 of 2 fixes say so: he was ")
    assert "outside of home (rule stay); 30 m are tolerated, the accuracy was 5 m." in told["sentence"]
    slot = walk.slot(61, "area")
    assert (slot["state"], slot["verdict"], slot["count"], slot["confirm_fixes"], slot["kind"]) == (
        "pending",
        "breach",
        1,
        2,
        "left_area",
    )
    stay = next(rule for rule in told["facts"]["rules"] if rule["id"] == "stay")
    assert (stay["nearest_area"], stay["inside_m"]) == ("home", None)
    assert stay["outside_m"] == pytest.approx(told["records"][-1]["distance_m"])
    assert stay["outside_m"] == pytest.approx(373, abs=1)


def test_an_open_episode(walk: Case) -> None:
    """Open, then on its way to a clear, then cleared; the alerts as a replay tells them."""
    assert walk.told(121)["sentence"].startswith(f"Red alert left_area is open since {local(60)}: he was ")
    assert "1 of 2 fine fixes say so, then it is cleared." in walk.told(181)["sentence"]
    told = walk.told(241)
    assert (
        told["sentence"] == f"No alert: he was inside home (rule stay). The left_area of {local(60)} was cleared at {local(240)}."
    )
    assert [(a["change"], milliseconds(a["time"]) - START_MS) for a in told["alerts"]] == [
        ("opened", 120_000),
        ("cleared", 240_000),
    ]
    assert [r["verdicts"]["area"] for r in told["records"]] == ["fine", "breach", "breach", "fine", "fine"]


def test_an_uncertain_fix(tmp_path: Path) -> None:
    """56 m out with 50 m of accuracy: neither counts nor resets."""
    there = case(tmp_path, STAY, records=[record(0, HOME), record(60, NEAR, accuracy_m=50.0)])
    told = there.told(90)
    assert told["sentence"].startswith(
        "No alert: he was 56 m outside of home (rule stay), which the 30 m that are tolerated and the "
    )
    assert "accuracy of 50 m leave open: it neither counts nor resets." in told["sentence"]
    assert there.slot(90, "area")["verdict"] == "uncertain"


def test_a_forbidden_area_and_the_end_of_its_rule(tmp_path: Path) -> None:
    """Entered; then the rule ends without a fix, and the alert with it."""
    until = {"until": "2026-06-01T08:05:00Z"}
    there = case(tmp_path, DRY | until, records=[record(0, SCHOOL), record(60, POND)])
    told = there.told(61)
    assert told["sentence"].startswith(f"Red alert entered_forbidden is open since {local(60)}: he was ")
    assert "inside pond, forbidden by rule dry." in told["sentence"]
    assert told["facts"]["next_edge"] == "2026-06-01T08:05:00.000Z"
    told = there.told(300)
    assert (
        f"The entered_forbidden of {local(60)} was cleared at {local(300)}, because its rule was no longer active (rule_ended)."
        in (told["sentence"])
    )
    assert told["sentence"].startswith("No alert: the registry has no rule that allows him anything")
    assert [rule["active"] for rule in told["facts"]["rules"]] == [False]


def test_a_permit_that_ran_out(tmp_path: Path) -> None:
    """Overstay: by which rule he could be there, and that it is over."""
    leave = {"id": "leave", "effect": "allow", "areas": ["school"], "until": "2026-06-01T08:02:00Z", "confirm_fixes": 1, **P}
    there = case(tmp_path, STAY, leave, records=[record(0, SCHOOL), record(60, SCHOOL), record(180, SCHOOL)])
    assert there.told(60)["sentence"] == "No alert: he was inside school (rule leave)."
    pending = there.told(121)["sentence"]
    assert pending.startswith(f"No alert yet: overstay is pending since {local(120)}, 1 of 2 fixes say so: he was ")
    told = there.told(181)
    assert told["sentence"].startswith(f"Red alert overstay is open since {local(120)}")
    assert f"rule leave had allowed it until {local(120)}." in told["sentence"]


@pytest.mark.parametrize(
    ("extra", "became", "said"),
    [
        (record(120, OUT), "duplicate", "was a duplicate and moves nothing"),
        (record(120, HOME), "conflict", "was in conflict with another of the same time and moves nothing"),
        (record(90, HOME, received=START_MS + 130_000), "late", "is late and moves nothing"),
        (record(99_999, HOME, received=START_MS + 130_000), "rejected: future", "was rejected: future and moves nothing"),
    ],
)
def test_records_that_move_nothing(tmp_path: Path, extra: Json, became: str, said: str) -> None:
    """A late, doubled, contradictory or rejected record is shown as what it is; the episode stays as it was."""
    there = case(tmp_path, STAY, records=[record(0, HOME), record(60, OUT), record(120, OUT), extra])
    told = there.told(140)
    assert told["records"][-1]["became"] == became
    assert said in told["sentence"]
    assert there.slot(140, "area")["state"] == "open"


def test_late_evidence(tmp_path: Path) -> None:
    """Told as opened and cleared at once, long after."""
    late = [record(t, OUT, received=START_MS + 4_000_000) for t in (600, 660)]
    there = case(tmp_path, STAY, records=[record(0, HOME), record(3600, HOME), *late])
    told = there.told(4_000)
    assert f"Late fixes showed left_area from {local(600)} to {local(660)}: told as opened and cleared at once." in told["sentence"]


def test_what_arrived_only_later(tmp_path: Path) -> None:
    """It was not known then, and is shown as such."""
    delayed = record(60, OUT, received=START_MS + 500_000)
    there = case(tmp_path, STAY, records=[record(0, HOME), delayed, record(520, HOME)])
    told = there.told(90)
    assert told["sentence"].startswith("No alert: he was inside home (rule stay).")
    assert f"A record of a time up to then came only later: the first, of {local(60)}, at {local(500)}." in told["sentence"]
    assert [r["became"] for r in told["later"]] == ["judged"]
    assert told["later_alerts"] == []
    assert told["next"] == "2026-06-01T08:08:20.000Z"
    assert there.told(501)["records"][-1]["became"] == "judged"


def test_silence(tmp_path: Path) -> None:
    """First that he will count as silent, then that he is."""
    there = case(tmp_path, STAY, records=[record(0, HOME)], policy={"silent_after_s": 300})
    assert f"Nothing has arrived since {local(0)}; he counts as silent from {local(300)} on." in there.told(200)["sentence"]
    assert there.told(300)["sentence"] == (
        f"Yellow alert silent is open since {local(300)}: nothing has arrived since {local(0)}, and 5 min are waited."
    )


def test_flags_and_contacts(tmp_path: Path) -> None:
    """Slots that are no rule's, and a record without a position."""
    records = [record(0, None), record(60, HOME, tamper=True, battery_pct=4), record(120, None)]
    there = case(tmp_path, STAY, records=records)
    assert there.told(30)["sentence"] == "No alert: no record of his had a position yet."
    told = there.told(121)
    assert {(s["slot"], s["state"]) for s in told["facts"]["slots"] if s["state"] == "open"} == {
        ("tamper", "open"),
        ("battery_low", "open"),
        ("battery_critical", "open"),
    }
    assert f"Red alert tamper is open since {local(60)}: the device says that it was tampered with." in told["sentence"]
    assert [r["became"] for r in told["records"]] == ["contact", "judged", "contact"]


def test_a_curfew(tmp_path: Path) -> None:
    """Required by a schedule: not before, pending at its beginning, and until when."""
    curfew = {"id": "night", "effect": "require", "areas": ["home"], "schedule": [{"from": "16:02", "to": "18:00"}], **P}
    there = case(tmp_path, curfew, records=[record(0, OUT), record(90, OUT), record(150, OUT)])
    assert there.told(100)["facts"]["next_edge"] == "2026-06-01T08:02:00.000Z"
    assert "rule:night" not in {slot["slot"] for slot in there.told(100)["facts"]["slots"]}
    assert there.told(121)["sentence"].startswith(
        f"No alert yet: absent is pending since {local(120)}, 1 of 2 fixes say so: he was 373 m"
    )
    told = there.told(151)
    assert told["sentence"].startswith(f"Red alert absent is open since {local(120)}: he was 373 m")
    assert told["facts"]["rules"][0]["changes_at"] == "2026-06-01T10:00:00.000Z"


def test_a_position_too_old_to_judge(tmp_path: Path) -> None:
    """The rules change long after his last fix: nothing is judged, and the sentence says why."""
    leave = {**STAY, "until": "2026-06-01T08:30:00Z"}
    there = case(tmp_path, leave, records=[record(0, HOME)], policy={"silent_after_s": 86_400})
    sentence = there.told(1801)["sentence"]
    assert sentence.startswith(
        "No alert: no rule that allows him a place was active, but his last position, of 16:00:00, was too old "
    )


def test_another_registry_at_an_instant(tmp_path: Path) -> None:
    """`--registry-at`: before it the old rules, at it the new ones, though no record of his own came."""
    there = case(tmp_path / "old", STAY, records=[record(0, HOME), record(60, HOME), {**record(130, HOME), "subject": "q"}])
    wider = make_plan({**STAY, "areas": ["school"], "confirm_fixes": 1}).write(tmp_path / "new")
    option = ("--registry-at", f"{time_of(120)}={wider}")
    assert there.told(119, *option)["sentence"].startswith("No alert: he was inside home")
    told = there.told(121, *option)
    assert told["sentence"].startswith(f"Red alert left_area is open since {local(120)}")
    assert told["facts"]["rules_version"] != there.told(121)["facts"]["rules_version"]


def test_not_registered_any_more(tmp_path: Path) -> None:
    """A version without him: nothing is judged of him, and that is no error."""
    there = case(tmp_path / "old", STAY, records=[record(0, OUT), record(60, OUT)])
    gone = make_plan(subjects=({"id": "q", "home_region": "west", "groups": []},)).write(tmp_path / "new")
    told = there.told(121, "--registry-at", f"{time_of(120)}={gone}")
    assert told["sentence"].startswith("Nothing is judged of p: he was not in the registry then")
    assert (told["alerts"][-1]["change"], told["alerts"][-1]["reason"]) == ("cleared", "rule_ended")


def test_many_rules(tmp_path: Path) -> None:
    """The page shows the nearest, the JSON all."""
    zones = [DRY | {"id": f"dry-{k:02d}"} for k in range(30)]
    there = case(tmp_path, STAY, *zones, records=[record(0, HOME)])
    out = there.run(10).out.splitlines()
    assert sum(line.startswith("  and ") for line in out) == 2
    assert len(there.told(10)["facts"]["rules"]) == 31


def test_other_forms(tmp_path: Path) -> None:
    """CSV under foreign names, a GPX track with whose it is, standard input; times cut off by --from."""
    records = [record(0, HOME), record(60, OUT), record(120, OUT)]
    there = case(tmp_path, STAY, records=records)
    expected = there.told(130)
    with (tmp_path / "fixes.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["user", "ts", "lon", "lat"])
        table.writerows([r["subject"], r["time"], r["lon"], r["lat"]] for r in records)
    points = "".join(
        f'<trkpt lat="{r["lat"]}" lon="{r["lon"]}"><time>2026-06-01T08:0{k}:00Z</time></trkpt>' for k, r in enumerate(records)
    )
    (tmp_path / "track.gpx").write_text(
        f'<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{points}</trkseg></trk></gpx>'
    )
    common = ("--registry", tmp_path / "registry", "--subject", "p", "--at", time_of(130), "--json")
    for words in ((tmp_path / "fixes.csv", "--columns", "subject=user,time=ts"), (tmp_path / "track.gpx", "--track-of", "p")):
        told = orjson.loads(fencewatch("explain", *words, *common).out)
        assert told["sentence"] == expected["sentence"]
    piped = fencewatch("explain", "-", *common, stdin=(tmp_path / "fixes.jsonl").read_bytes())
    assert orjson.loads(piped.out) == expected
    assert there.told(130, "--from", time_of(60))["records_seen"] == 2


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("q", 'there is no subject "q" in the registry'),
        ("pe", 'there is no subject "pe" in the registry (did you mean "p"?)'),
        ("r", 'no record of "r" among the 5 in'),
        ("x" * 65, "there is no subject"),
    ],
)
def test_who_is_not_there(tmp_path: Path, subject: str, said: str) -> None:
    """A sentence on standard error, exit 1, nothing on standard output."""
    people: tuple[Json, ...] = tuple({"id": name, "home_region": "west", "groups": []} for name in ("p", "r"))
    there = Case(tmp_path, make_plan(STAY, subjects=people), [record(60 * k, HOME) for k in range(5)])
    outcome = there.run(60, subject=subject)
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.said) == 1
    assert said in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ("--subject", "p"),
        ("fixes.jsonl", "--subject", "p", "--at", "1780300800000"),
        ("fixes.jsonl", "--registry", "registry", "--subject", "p"),
        ("fixes.jsonl", "--registry", "registry", "--subject", "p", "--at", "yesterday"),
        ("fixes.jsonl", "--config", "fencewatch.toml", "--subject", "p"),
        ("fixes.jsonl", "--registry", "registry", "--at", "1780300800000"),
    ],
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    """Exit 2, with what to write."""
    outcome = fencewatch("explain", *words)
    assert outcome.code == 2
    assert "Usage: fencewatch explain" in outcome.err


def test_a_whole_day_is_told_as_a_replay_tells_it(short_day: ShortDay) -> None:
    """For people with alerts, at the instants around them: the alerts of the explanation are those of the replay, to the letter."""
    replayed = [
        alert for alert in short_day.alerts if alert["data"]["kind"] in ("left_area", "overstay", "entered_forbidden", "absent")
    ]
    subjects = sorted({alert["subject"] for alert in replayed})[:4]
    assert len(subjects) == 4
    for subject in subjects:
        own = [alert for alert in short_day.alerts if alert["subject"] == subject]
        for at_ms in {milliseconds(alert["data"]["received"] or alert["time"]) + shift for alert in own[:3] for shift in (-1, 0)}:
            outcome = fencewatch(
                "explain", short_day.fixes(), "--registry", short_day.registry, "--subject", subject, "--at", at_ms, "--json"
            )
            told = orjson.loads(outcome.out)
            known = [a["id"] for a in own if milliseconds(a["data"]["received"] or a["time"]) <= at_ms]
            again = [a["id"] for a in told["alerts"] if a["id"] in {alert["id"] for alert in own}]
            assert again == known
            opened = {a["data"]["episode"] for a in own if a["id"] in known and a["type"].endswith(".opened")}
            cleared = {a["data"]["episode"] for a in own if a["id"] in known and a["type"].endswith(".cleared")}
            of_rules = [s for s in told["facts"]["slots"] if s["state"] == "open" and (s["slot"] == "area" or s["rule"])]
            rule_kinds = ("left_area", "overstay", "entered_forbidden", "absent")
            still = {a["data"]["episode"] for a in own if a["data"]["kind"] in rule_kinds} & (opened - cleared)
            assert len(of_rules) == len(still)


def test_it_writes_nothing(walk: Case) -> None:
    """No alert goes anywhere, and no file is made."""
    before = sorted(path.name for path in walk.folder.rglob("*"))
    assert walk.run(121).code == 0
    assert sorted(path.name for path in walk.folder.rglob("*")) == before
