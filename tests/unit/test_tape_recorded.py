"""Recorded bars as published: what is known of them by hand is what the loader finds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from pathlib import Path

import pytest

from daemon.core.units import SECOND_NS
from daemon.feeds.calendar import Calendar, load_calendar
from daemon.feeds.expected import each_expected_session
from daemon.feeds.times import zone_text
from replay.tapes import PlainTapeSpec, Tape, open_tape

pytestmark = pytest.mark.data
NEW_YORK = "America/New_York"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def xnys(state: Path) -> Calendar:
    return load_calendar(state)


def recorded(folder: Path, symbol: str, xnys: Calendar, state: Path) -> Tape:
    path = folder / f"{symbol.lower()}_1h_lean_raw_1998_2021.zip"
    spec = PlainTapeSpec(path, adjustment="raw")
    return open_tape(spec, [symbol], "1h", "clock", xnys, state)


@pytest.fixture(scope="module")
def spy(recorded_data: Path, xnys: Calendar, state: Path) -> Tape:
    return recorded(recorded_data, "SPY", xnys, state)


@pytest.fixture(scope="module")
def aapl(recorded_data: Path, xnys: Calendar, state: Path) -> Tape:
    return recorded(recorded_data, "AAPL", xnys, state)


def messages(tape: Tape, rule: str) -> list[str]:
    return [fault.message for fault in tape.faults if fault.rule.startswith(rule)]


def test_spy_has_exactly_the_expected_bars_of_eleven_years(spy: Tape, xnys: Calendar) -> None:
    columns = spy.columns["SPY"]
    expected = [
        edge
        for session in each_expected_session(xnys, 20100104, 20201231, 3_600 * SECOND_NS, "clock")
        for edge in zip(session.starts, session.ends, strict=True)
    ]
    begin = bisect_left(columns.start, expected[0][0])
    stop = bisect_right(columns.end, expected[-1][1])
    found = zip(columns.start[begin:stop], columns.end[begin:stop], strict=True)
    assert stop - begin == 19_311
    assert list(found) == expected


def test_the_first_row_as_it_stands_in_the_file(spy: Tape) -> None:
    # 19980102 09:00,973100,975300,970300,970300,384500 at five hours behind UTC
    columns = spy.columns["SPY"]
    assert zone_text(columns.start[0], NEW_YORK) == "1998-01-02 09:30"
    assert zone_text(columns.end[0], NEW_YORK) == "1998-01-02 10:00"
    prices = (columns.open[0], columns.high[0], columns.low[0], columns.close[0])
    assert prices == (97.31, 97.53, 97.03, 97.03)
    assert columns.volume[0] == 384_500
    assert spy.understood.prices_moved == 0


def test_every_row_is_accounted_for(spy: Tape, aapl: Tape) -> None:
    for tape, rows in ((spy, 40_832), (aapl, 40_831)):
        understood = tape.understood
        assert understood.rows_read == rows
        assert understood.rows_kept + sum(understood.rows_dropped.values()) == rows
        assert understood.rows_dropped == {"outside the sessions": 47}
        assert not [fault for fault in tape.faults if fault.severity == "error"]


def test_aapl_was_halted_for_two_bars(aapl: Tape) -> None:
    halted = [gap for gap in aapl.gaps("AAPL") if gap.session == 20130822]
    assert [zone_text(gap.start, NEW_YORK)[11:] for gap in halted] == ["13:00", "14:00"]
    assert [gap.outcome for gap in halted] == ["missing", "missing"]
    coverage = aapl.coverage["AAPL"]
    assert (coverage.expected, coverage.received, coverage.missing) == (40_787, 40_784, 3)


def test_bars_after_early_closes_are_unexpected(spy: Tape) -> None:
    assert spy.unexpected.count == 47
    symbol, line, instant = spy.unexpected.first[0]
    assert (symbol, line, zone_text(instant, NEW_YORK)) == ("SPY", 1601, "1998-11-27 13:00")


def test_bad_ticks_warn_with_their_evidence_and_stay(spy: Tape, aapl: Tape) -> None:
    spikes = messages(spy, "T14")
    assert any(text.startswith("1999-05-21 13:00: low 119.58 is 10.2 %") for text in spikes)
    assert any(text.startswith("2002-04-02 15:00: high 144.12 is 26.5 %") for text in spikes)
    assert 119.58 in spy.columns["SPY"].low.tolist()
    assert any("low 10.59 is 94.2 % outside open 184.44" in text for text in messages(aapl, "T14"))


def test_split_ratios_fire_on_splits_alone(spy: Tape, aapl: Tape) -> None:
    found = [text[:10] for text in messages(aapl, "T15")]
    # Not on -48 % of 2000-09-29, whose ratio is 1.9.
    assert found == ["2000-06-21", "2005-02-28", "2014-06-09", "2020-08-31"]
    assert "as a 7:1 split would" in messages(aapl, "T15")[2]
    assert messages(spy, "T15") == []


def test_the_volume_of_2000_09_29_is_a_regime(aapl: Tape) -> None:
    assert any(text.startswith("2000-09-29: volume 134,102,300 is 24 times")
               for text in messages(aapl, "T11"))  # fmt: skip


def test_raw_prices_are_not_taken_for_adjusted(spy: Tape, aapl: Tape) -> None:
    for tape in (spy, aapl):
        assert not tape.costs_distorted
        assert messages(tape, "T17") == []


def test_yahoo_five_minutes_with_early_and_late_trading(
    recorded_data: Path, xnys: Calendar, state: Path
) -> None:
    path = recorded_data / "dialects" / "yfinance_prepost_zero_volume_nvda_5min.csv"
    tape = open_tape(PlainTapeSpec(path), ["NVDA"], "5m", "session", xnys, state)
    assert tape.understood.dialect == "yfinance"
    assert len(tape.columns["NVDA"]) == 78  # 6.5 hours
    assert tape.unexpected.count == 192 - 78
    assert "T09" not in tape.fault_counts


def test_yahoo_hours_with_rows_at_the_close(
    recorded_data: Path, xnys: Calendar, state: Path
) -> None:
    path = recorded_data / "dialects" / "yfinance_utc_amount_trailing_rows_nvda_1h.csv"
    tape = open_tape(PlainTapeSpec(path), ["NVDA"], "1h", "session", xnys, state)
    coverage = tape.coverage["NVDA"]
    assert (coverage.received, coverage.expected, coverage.unexpected) == (1_736, 1_748, 4)
    assert tape.columns["NVDA"].open[0] == 138.99
    # On three half days the row of 12:30 is absent and an empty one stands at 13:00.
    last_bars = [
        gap.session for gap in tape.gaps("NVDA") if zone_text(gap.start, NEW_YORK)[11:] == "12:30"
    ]
    assert last_bars[:3] == [20250703, 20251128, 20251224]
