"""DESIGN 6: a week of everything that can happen to a bar, on one account, worked out by hand.

Bar i is flat at 100 + i dollars, seven a session from 2 January 2024; nothing costs anything.
The clock is tape time, so each deadline falls where it should however fast the tape is played:
60 s to decide, 120 s of silence to a pause, 120 s of a stable feed to its end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, flat
from tests.replay.workshop import rows

BARS = 42
FAST = "3600000"

FAULTS = """
    {kind: withhold, bar: 2024-01-02 10:30, for_s: 60},
    {kind: withhold, bar: 2024-01-02 11:30, for_s: 61},
    {kind: withhold, bar: 2024-01-02 13:30, for_s: 119},
    {kind: withhold, bar: 2024-01-02 14:30, for_s: 180},
    {kind: drop, bar: 2024-01-03 10:30},
    {kind: duplicate, bar: 2024-01-03 11:30},
    {kind: revise, bar: 2024-01-03 12:30, close: 250},
    {kind: quarantine, bar: 2024-01-03 13:30},
    {kind: lost, at: 2024-01-04 12:15, for_s: 1800},
    {kind: silent, at: 2024-01-05 12:15, for_s: 7200},
    {kind: silent, at: 2024-01-05 17:00, for_s: 200000},
    {kind: withhold, bar: 2024-01-08 11:30, for_s: 4000},
    {kind: withhold, bar: 2024-01-08 15:30, for_s: 300}
"""

TARGETS = {
    0: 10, 1: 20, 2: 30, 3: 30, 4: 40, 5: 40, 6: 40, 7: 50, 10: 60,  # 2 and 3 January
    15: 70, 16: 80, 17: 80, 22: 0, 23: 10, 24: 10, 25: 10,  # 4 and 5 January
    29: 0, 31: 5, 32: 5, 34: 0, 35: 0,  # 8 and 9 January
}  # fmt: skip

FILLS = [
    (1, 10, 101.0),
    (2, 10, 102.0),  # bar 1 was in hand 60 s after its end: it decides
    (4, 10, 104.0),  # bar 4 came 119 s late: what worked filled in it all the same
    (7, 10, 107.0),  # bar 5 was denied; ordered at bar 6, for the next open
    (9, 10, 109.0),  # bar 8 does not exist: the order waited for the next
    (12, 10, 112.0),  # bar 11 cannot be true: likewise
    (16, 10, 116.0),  # bar 16 ended while the feed was away
    (18, 10, 118.0),
    (23, -80, 123.0),  # an exit that worked fills in a silent feed's bar
    (26, 10, 126.0),
    (31, -10, 131.0),  # bar 30 was given up when bar 31 came
    (33, 5, 133.0),
    (36, -5, 136.0),
]
DENIALS = [
    (2, 10, "TOO_LATE"),
    (4, 10, "TOO_LATE"),
    (5, 10, "PAUSED"),
    (16, 10, "PAUSED"),
    (23, 10, "PAUSED"),
    (24, 10, "PAUSED"),
    (31, 5, "PAUSED"),  # the hold of bar 30 ends 120 s after bar 31 has come
    (34, -5, "PAUSED"),  # late data and a lost feed deny exits as well
]
LEDGER = [
    (2, "backfilled"),
    (4, "backfilled"),
    (5, "backfilled"),
    (8, "missing"),
    (10, "revised"),
    (11, "quarantined"),
    (16, "backfilled"),
    (23, "backfilled"),
    (24, "backfilled"),
    (30, "missing"),
    (30, "late"),
    (34, "backfilled"),
]
# when the feed's hold was set and lifted, New York's time (5 h behind UTC in January)
HOLDS = [
    ("02 15:32", "02 15:35"),  # bar 5 ends 15:30, comes 15:33
    ("04 12:17", "04 12:47"),  # away from 12:15 to 12:45
    ("05 12:32", "05 14:17"),  # silent: bar 23 is due at 12:30; alive again at 14:15
    ("08 12:32", "08 13:32"),  # bar 30 is due at 12:30; bar 31 comes at 13:30
    ("08 16:02", "08 16:07"),  # the last bar is due at 16:00 and comes at 16:05
]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return live(begun(tmp_path_factory.mktemp("week")), BARS - 1)


def begun(folder: Path) -> Stage:
    quotes = {"AAA": [flat(100.0 + i) for i in range(BARS)]}
    plan = {bar: f"TargetPosition('AAA', {wanted})" for bar, wanted in TARGETS.items()}
    return Stage(folder / "stage", quotes, plan)


def live(stage: Stage, to: int) -> Stage:
    return stage.play(to, pace=FAST, faults=" ".join(FAULTS.split()))


def new_york(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(UTC) - timedelta(hours=5):%d %H:%M}"


def test_fills(week: Stage) -> None:
    assert week.fills() == FILLS


def test_denials(week: Stage) -> None:
    assert week.denials() == DENIALS


def test_the_equity_at_the_end(week: Stage) -> None:
    """8 x 10 shares for 8,690, sold at 123 for 9,840; 10 from 126 to 131; 5 from 133 to 136."""
    assert week.equity()[-1] == 100_000 + 1_150 + 50 + 15


def test_the_ledger_has_each_bar_that_was_not_simply_received(week: Stage) -> None:
    assert week.gaps() == LEDGER


def test_the_ledger_says_how_late(week: Stage) -> None:
    """61, 119, 180; bar 16 at 12:45; bars 23 and 24 at 14:15; bar 34 at 16:05."""
    found = week.query("SELECT start, reason FROM gaps WHERE outcome = 'backfilled'")
    late = {week.number(start): int(reason.split(" s ")[0]) for start, reason in found}
    assert late == {2: 61, 4: 119, 5: 180, 16: 900, 23: 6300, 24: 2700, 34: 300}


def test_the_feeds_holds_have_their_hours(week: Stage) -> None:
    found = week.query("SELECT ts, state, source, lifted FROM state_changes")
    assert {source for _, _, source, _ in found} == {"feed"}
    times = [new_york(ts) for ts, *_ in found]
    assert list(zip(times[::2], times[1::2], strict=True)) == HOLDS
    assert [(state, lifted) for _, state, _, lifted in found] == [("PAUSED", 0), ("ACTIVE", 1)] * 5


def test_silence_when_nothing_is_due_is_normal(week: Stage) -> None:
    """Nothing came from Friday 17:00 to Monday 00:33, and nothing was due."""
    events = week.query("SELECT ts, event FROM feed_events")
    weekend = [e for ts, e in events if "2024-01-05T21:30" < ts < "2024-01-08T17:00"]
    assert weekend == []
    quiet, away = ["silent", "alive"], ["lost", "restored"]
    assert [e for _, e in events] == quiet + away + quiet * 3


def test_each_bar_is_one_slices_and_none_twice(week: Stage) -> None:
    found = week.query("SELECT start, close, outcome FROM bars ORDER BY seq")
    numbers = [week.number(start) for start, _, _ in found]
    assert numbers == [i for i in range(BARS) if i not in {8, 11, 30}]
    assert [close for _, close, _ in found] == [100.0 + i for i in numbers]  # 250 is nowhere
    late = [week.number(start) for start, _, outcome in found if outcome == "backfilled"]
    assert late == [2, 4, 5, 16, 23, 24, 34]


def test_a_missing_bar_has_a_row_of_equity_with_the_mark_carried(week: Stage) -> None:
    """At the close of bar 7 40 shares are worth 107 each, and so they are after bar 8."""
    equity = week.equity()
    assert len(equity) == BARS
    cost = 10 * (101 + 102 + 104 + 107)
    assert equity[7] == equity[8] == 100_000 + 40 * 107 - cost
    assert equity[9] == 100_000 + 50 * 109 - cost - 10 * 109


def test_fills_after_a_gap_are_known_for_it(week: Stage) -> None:
    found = week.query("SELECT json_extract(body, '$.effective') FROM outputs WHERE type = 'Fill'"
                 " AND json_extract(body, '$.after_gap')")  # fmt: skip
    assert [week.starts.index(effective) for (effective,) in found] == [9, 12, 31]


def test_a_session_has_its_two_ticks_whatever_the_feed_does(week: Stage) -> None:
    found = week.query("SELECT instant, json_extract(input, '$.kind') FROM turns "
                 "WHERE kind = 'tick' ORDER BY seq")  # fmt: skip
    days = [week.starts[7 * day] for day in range(6)]
    half_past_six = 6 * 3600 * 10**9 + 1800 * 10**9
    expected = [x for opens in days for x in ((opens, "opens"), (opens + half_past_six, "closes"))]
    assert found == expected


def test_gaps_tells_the_same(week: Stage) -> None:
    document = week.read("gaps")
    told = [(week.number(gap["start"]), gap["outcome"]) for gap in document["gaps"]]
    assert told == LEDGER
    today = week.read("gaps", "--today")
    assert today["gaps"] == []  # 9 January had none


def test_status_counts_them(week: Stage) -> None:
    """Each bar once, as it ended: bar 30 was missing first, and then late."""
    assert week.read("status")["feed"]["gaps"] == {
        "backfilled": 7, "missing": 1, "revised": 1, "quarantined": 1, "late": 1,
    }  # fmt: skip


def test_the_as_lived_record_plays_again(week: Stage) -> None:
    """The same holds, denials and fills come of what was recorded; and so does the report.

    The ledger has an entry whenever something became of a bar, the report how each one ended.
    """
    assert week.proved()
    out = week.folder / "report"
    week.done("report", "--out", str(out))
    assert [(row["state"], row["ts"]) for row in rows(out / "state_changes.csv")] == week.query(
        "SELECT state, ts FROM state_changes"
    )
    ends = [(bar, outcome) for bar, outcome in LEDGER if (bar, outcome) != (30, "missing")]
    assert [(week.number(row["start"]), row["outcome"]) for row in rows(out / "gaps.csv")] == ends
    assert [float(row["equity"]) for row in rows(out / "equity.csv")] == week.equity()


def test_a_restart_in_a_silence_lives_the_same_week(tmp_path: Path) -> None:
    """Stopped in order in the silence of 5 January, it trades the same."""
    made = begun(tmp_path)
    for bar in (23, BARS - 1):
        live(made, bar)
    assert made.fills() == FILLS
    assert made.denials() == DENIALS
    assert made.proved()
