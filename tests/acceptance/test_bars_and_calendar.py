"""DESIGN 6 on days that are not like others, with several symbols, and with bars set aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, flat

FAST = "3600000"
BUY = "TargetPosition('AAA', 10)"


def ramp(bars: int, price: float = 100.0) -> list[tuple[float, ...]]:
    return [flat(price + i) for i in range(bars)]


# --- sessions -------------------------------------------------------------------------------------


def test_a_half_day_ends_at_one_and_its_silence_is_normal(tmp_path: Path) -> None:
    """3 July 2024: four bars, the last from 12:30 to 13:00; then Friday the 5th.

    The stub is 100 s late: what is decided on it is too late. Nothing is due from 13:00 on. On
    the 5th the feed is away from 08:00 to 09:31: noted, but only a minute of it is of a session.
    """
    plan = {2: BUY, 3: "TargetPosition('AAA', 20)", 4: "TargetPosition('AAA', 20)"}
    made = Stage(tmp_path / "stage", {"AAA": ramp(6)}, plan, first=20240703, last=20240708)
    assert made.starts[3] == made.starts[0] + 3 * 3600 * 10**9
    assert made.start_of(4) == "2024-07-05T13:30:00Z"
    made.play(
        pace=FAST,
        faults="{kind: withhold, bar: 2024-07-03 12:30, for_s: 100}, "
        "{kind: silent, at: 2024-07-03 13:05, for_s: 70000}, "
        "{kind: lost, at: 2024-07-05 08:00, for_s: 5460}",
    )
    assert made.query('SELECT start, "end", outcome, reason FROM gaps') == [
        ("2024-07-03T16:30:00Z", "2024-07-03T17:00:00Z", "backfilled", "100 s after its end")
    ]
    assert made.query("SELECT event FROM feed_events") == [("lost",), ("restored",)]
    assert made.states() == []
    assert made.denials() == [(3, 10, "TOO_LATE")]
    # the day order for bar 3 and, over the holiday, that of bar 4's close for bar 5
    assert made.fills() == [(3, 10, 103.0), (5, 10, 105.0)]
    ticks = made.query("SELECT instant FROM turns WHERE kind = 'tick' ORDER BY seq")
    assert ticks[1] == (made.starts[3] + 1800 * 10**9,)


def test_a_halt_of_the_feed_at_a_half_days_end_is_due_at_one(tmp_path: Path) -> None:
    """The stub of 3 July never comes until the 5th: 13:02 is when the silence is one."""
    made = Stage(tmp_path / "stage", {"AAA": ramp(6)}, {}, first=20240703, last=20240708)
    made.play(pace=FAST, faults="{kind: silent, at: 2024-07-03 12:45, for_s: 8000}")
    found = made.query("SELECT ts, state FROM state_changes")
    # silent until 14:58:20, plus 120 s
    assert found == [("2024-07-03T17:02:00Z", "PAUSED"), ("2024-07-03T19:00:20Z", "ACTIVE")]


@pytest.mark.parametrize(("after", "lifted"), [("backfilled", "18:16"), ("next_bar", "18:30")])
def test_when_a_hold_ends(tmp_path: Path, after: str, lifted: str) -> None:
    """Away from 12:15 to 12:45 (17:45 UTC), and bar 2, due at 12:30, comes at 13:15.

    At 12:46 the feed has been back for the 60 s asked for, but something is lacking; at 12:47 it
    is called silent, at 13:15 alive, and 60 s later all is fetched. Or trading goes on at the next
    bar that is in time, that of 13:30.
    """
    made = Stage(tmp_path / "stage", {"AAA": ramp(7)}, {})
    made.settings["feed.resume"] = f"{{stable_s: 60, after: {after}}}"
    faults = (
        "{kind: lost, at: 2024-01-02 12:15, for_s: 1800}, "
        "{kind: withhold, bar: 2024-01-02 11:30, for_s: 2700}"
    )
    made.play(pace=FAST, faults=faults)
    assert made.query("SELECT ts, lifted FROM state_changes") == [
        ("2024-01-02T17:17:00Z", 0),
        (f"2024-01-02T{lifted}:00Z", 1),
    ]
    assert made.gaps() == [(2, "backfilled")]


@pytest.mark.parametrize(
    ("first", "last", "opens", "due"),
    [
        # Friday in winter time (14:30 UTC), Monday in summer time (13:30 UTC), and back
        (20240308, 20240311, ("14:30", "13:30"), "2024-03-11T14:32:00Z"),
        (20241101, 20241104, ("13:30", "14:30"), "2024-11-04T15:32:00Z"),
    ],
)
def test_over_a_change_of_the_clocks(
    tmp_path: Path, first: int, last: int, opens: tuple[str, str], due: str
) -> None:
    """Seven bars before and after; Monday's first is due at 10:30 in New York, and 180 s late."""
    made = Stage(tmp_path / "stage", {"AAA": ramp(14)}, {6: BUY}, first=first, last=last)
    day = f"{last // 10000}-{last // 100 % 100:02}-{last % 100:02}"
    made.play(pace=FAST, faults=f"{{kind: withhold, bar: {day} 09:30, for_s: 180}}")
    ticks = [
        ts[11:16]
        for (ts,) in made.query(
            "SELECT strftime('%Y-%m-%dT%H:%M', instant / 1000000000, 'unixepoch') FROM turns "
            "WHERE kind = 'tick' AND json_extract(input, '$.kind') = 'opens' ORDER BY seq"
        )
    ]
    assert tuple(ticks) == opens
    assert made.query("SELECT ts FROM state_changes WHERE lifted = 0") == [(due,)]
    assert made.gaps() == [(7, "backfilled")]
    assert made.fills() == [(7, 10, 107.0)]
    assert made.read("gaps")["expected"] == 14


def test_a_closure_told_late_is_no_gap(tmp_path: Path) -> None:
    """3 January is closed by an entry of the operator: an order of the 2nd waits for the 4th."""
    quotes = [*ramp(7), *[None] * 7, *ramp(3, 114.0)]
    made = Stage(tmp_path / "stage", {"AAA": quotes}, {6: BUY})
    made.done("calendar", "add", "2024-01-03", "--reason", "mourning")
    made.play(pace=FAST)
    assert made.gaps() == []
    assert made.states() == []
    assert made.fills() == [(14, 10, 114.0)]
    assert made.read("gaps")["expected"] == 10
    assert made.proved()


# --- several symbols ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """BBB's bar 2 comes 100 s late and breaks the stop at 49 of its 10 shares; AAA's is in time.

    AAA's bar 4 comes again with another close while that of BBB, 30 s late, is waited for.
    """
    quotes = {
        "AAA": ramp(6),
        "BBB": [flat(50.0), flat(50.0), (50.0, 51.0, 48.0, 49.5), *[flat(49.5)] * 3],
    }
    plan = {
        0: "TargetPosition('BBB', 10, Bracket(stop_price=49.0))",
        2: "*([TargetPosition('AAA', 10)] if 'AAA' in bars else []), "
        "*([TargetPosition('BBB', 5)] if 'BBB' in bars else [])",
    }
    made = Stage(tmp_path_factory.mktemp("uneven") / "stage", quotes, plan)
    return made.play(
        pace=FAST,
        faults="{kind: withhold, bar: 2024-01-02 11:30, for_s: 100, symbol: BBB}, "
        "{kind: withhold, bar: 2024-01-02 13:30, for_s: 30, symbol: BBB}, "
        "{kind: revise, bar: 2024-01-02 13:30, close: 250, symbol: AAA}",
    )


def test_one_late_symbol_does_not_hold_up_the_other(uneven: Stage) -> None:
    """Two slices of one instant: AAA's decides, BBB's own one is backfilled and decides nothing."""
    found = uneven.query(
        "SELECT seq, symbol, outcome FROM bars WHERE start = '2024-01-02T16:30:00Z'"
    )
    assert [(symbol, outcome) for _, symbol, outcome in found] == [
        ("AAA", "received"),
        ("BBB", "backfilled"),
    ]
    assert found[0][0] + 1 == found[1][0]
    assert uneven.denials() == [(2, 5, "TOO_LATE")]
    assert uneven.fills("AAA") == [(3, 10, 103.0)]
    assert uneven.states() == []


def test_what_was_seen_first_counts(uneven: Stage) -> None:
    """10 AAA from 103: at the close of bar 4 they are worth 104 each; 10 were lost by BBB."""
    found = uneven.query("SELECT symbol, start FROM gaps WHERE outcome = 'revised'")
    assert found == [("AAA", uneven.start_of(4))]
    closes = uneven.query("SELECT close FROM bars WHERE symbol = 'AAA' ORDER BY seq")
    assert closes[4] == (104.0,)
    assert uneven.equity()[-2] == 100_000 - 10 + 10


def test_a_stop_fills_in_a_bar_that_came_late(uneven: Stage) -> None:
    """It would have filled at its level, so it has: 10 at 49.00 in bar 2."""
    assert uneven.fills("BBB") == [(1, 10, 50.0), (2, -10, 49.0)]
    # AAA: 10 from 103 to 105
    assert uneven.equity()[-1] == 100_000 - 10 + 20
    assert uneven.proved()


# --- bars set aside -------------------------------------------------------------------------------

ASIDE = "{kind: quarantine, bar: 2024-01-02 11:30}"
AWAY = "{kind: lost, at: 2024-01-02 12:40, for_s: 30000000}"  # for longer than a test takes


def aside(folder: Path) -> Stage:
    """Bar 2 cannot be true, and bar 3 never comes; 10 ordered at bar 1 wait for data."""
    made = Stage(folder / "stage", {"AAA": ramp(8)}, {1: BUY, 2: "TargetPosition('AAA', 20)"})
    made.settings["feed"] = f"{{kind: tape, pace: 36000, faults: [{ASIDE}, {AWAY}]}}"
    made.start()
    made.wait_for(lambda: made.query("SELECT 1 FROM state_changes"))
    return made


def test_a_bar_released_in_time_is_a_slice_of_its_own(tmp_path: Path) -> None:
    """Missing until then. Released: the waiting order fills at its open, 102; no new order."""
    made = aside(tmp_path)
    try:
        assert made.gaps() == [(2, "quarantined")]
        assert made.fills() == []
        assert "2024-01-02" in str(made.read("status")["feed"]["quarantined"])
        assert made.say("data", "release", "AAA", "2024-01-02 12:30", "--reason", "x").code != 0
        made.done("data", "release", "AAA", "2024-01-02 11:30", "--reason", "true after all")
        made.wait_for(made.fills)
        assert made.read("status")["feed"]["gaps"] == {"backfilled": 1}  # how it ended
        assert made.say("data", "reject", "AAA", "2024-01-02 11:30", "--reason", "x").code != 0
        assert made.stop() == 0
    finally:
        made.clean_up()
    assert made.fills() == [(2, 10, 102.0)]
    assert made.query("SELECT command, reason FROM commands WHERE command != 'Pause'") == [
        ("Release", "true after all")
    ]
    assert [(bar, quantity) for bar, quantity, _ in made.denials()] == [(2, 10)]
    assert made.proved()


def test_a_bar_rejected_stays_missing(tmp_path: Path) -> None:
    made = aside(tmp_path)
    try:
        made.done("data", "reject", "AAA", "2024-01-02 11:30", "--reason", "a single print")
        assert made.read("status")["feed"]["quarantined"] == []
        assert made.say("data", "release", "AAA", "2024-01-02 11:30", "--reason", "x").code != 0
        assert made.stop() == 0
    finally:
        made.clean_up()
    assert made.fills() == []
    assert made.query("SELECT command FROM commands WHERE command != 'Pause'") == [("Reject",)]
    assert made.proved()
