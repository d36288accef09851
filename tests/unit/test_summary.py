"""The summary: every figure by hand, what is not available, and bytes that never change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import Outcome, Side, Split
from daemon.core.orders import OrderStatus
from daemon.core.outputs import Denial, LimitBreached, Origin, Reason, StateChanged
from daemon.core.units import HOUR_NS
from replay.record import GapRow, PredictionRow, RunRecord
from replay.summary.figures import FIGURE_OF, FIGURES, TABLES, TOLERANCES, Better, Tolerance, Unit
from replay.summary.summarise import summarise, summary_json
from replay.summary.values import SummaryValues
from tests.factories import (
    CONFIG,
    MadeColumns,
    equity_record,
    make_fill,
    make_order,
    make_record,
    make_trade,
    slots,
)


def summary_of(record: RunRecord) -> dict[str, Any]:
    """A summary that went through its file."""
    loaded: dict[str, Any] = json.loads(summary_json(summarise(record)))
    return loaded


def empty_record() -> RunRecord:
    return RunRecord(
        manifest={}, config=CONFIG, symbols=["NVDA"], starting_cash_micros=1_000_000_000
    )


# --- the table of figures -------------------------------------------------------------------------


def test_a_summary_has_exactly_the_keys_of_the_tables_in_their_order() -> None:
    keys = list(summarise(make_record(5)))
    assert keys[: len(FIGURES)] == [figure.key for figure in FIGURES]
    assert set(keys[len(FIGURES) :]) == set(TABLES)
    assert len(set(keys)) == len(keys)


def test_the_figures_of_the_design_are_there() -> None:
    design = """final_equity_usd total_return_pct cagr_pct sharpe sortino calmar max_drawdown_pct
        trades win_rate_pct profit_factor exposure_pct turnover_usd fees_usd
        buy_and_hold_return_pct bars coverage_pct ambiguous_fills costs_distorted"""
    assert set(design.split()) <= set(FIGURE_OF)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: str(figure.key))
def test_a_key_says_its_unit(figure: Any) -> None:
    unit_of = {"_usd": Unit.USD, "_pct": Unit.PCT, "_bps": Unit.BPS, "_days": Unit.DAYS}
    unit_of |= {"_hours": Unit.HOURS, "_date": Unit.DATE}
    for suffix, unit in unit_of.items():
        assert figure.key.endswith(suffix) == (figure.unit is unit)
    assert figure.label
    assert figure.meaning
    assert figure.tolerance in TOLERANCES


def test_directions_and_tolerances() -> None:
    assert FIGURE_OF["max_drawdown_pct"].better is Better.HIGHER  # it is below 0
    assert FIGURE_OF["fees_usd"].better is Better.LOWER
    assert FIGURE_OF["turnover_usd"].better is Better.NEITHER
    assert FIGURE_OF["trades"].tolerance is Tolerance.EXACT
    assert FIGURE_OF["final_equity_usd"].tolerance is Tolerance.MONEY
    assert FIGURE_OF["worst_intrabar_drawdown_pct"].label == "Max drawdown, within a bar"


def test_a_figure_that_is_unknown_or_set_twice_is_a_bug() -> None:
    values = SummaryValues()
    values.set(trades=1)
    with pytest.raises(AssertionError, match="trades is set twice"):
        values.set(trades=2)
    with pytest.raises(AssertionError, match="sharp is no figure"):
        values.set(sharp=2)
    with pytest.raises(AssertionError, match="never infinite"):
        values.set(sharpe=float("inf"))
    with pytest.raises(AssertionError, match="figures not set: name, bar_size"):
        values.finished()


# --- bytes ----------------------------------------------------------------------------------------

PRINT_A_SUMMARY = """
from replay.summary.summarise import summarise, summary_json
from tests.factories import make_record
print(summary_json(summarise(make_record(80, symbols=("NVDA", "SPY"), predictions=True))), end="")
"""


def test_the_same_record_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    texts = set()
    for seed in ("0", "1", "random"):
        done = subprocess.run(
            [sys.executable, "-c", PRINT_A_SUMMARY],
            check=True,
            capture_output=True,
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        texts.add(done.stdout)
    here = make_record(80, symbols=("NVDA", "SPY"), predictions=True)
    assert texts == {summary_json(summarise(here)).encode()}


def test_summarising_leaves_the_record_as_it_was() -> None:
    record, same = make_record(30), make_record(30)
    summarise(record)
    assert record.equity == same.equity
    assert record.trades == same.trades
    assert record.notes == {}


# --- result and risk ------------------------------------------------------------------------------


def test_a_simulated_run_adds_up() -> None:
    found = summary_of(make_record(200, symbols=("NVDA", "SPY")))
    made = found["expectancy_usd"] * found["trades"] + found["open_profit_usd"]
    assert made == pytest.approx(found["profit_usd"], abs=1e-3)
    assert found["long_profit_usd"] + found["short_profit_usd"] == pytest.approx(
        found["profit_usd"] - found["open_profit_usd"], abs=1e-6
    )
    assert found["final_equity_usd"] == pytest.approx(100_000 + found["profit_usd"], abs=1e-6)
    assert (
        found["winning_trades"] + found["even_trades"] + found["losing_trades"] == (found["trades"])
    )
    assert sum(row["trades"] for row in found["by_symbol"]) == found["trades"]
    sessions = found["winning_sessions"] + found["flat_sessions"] + found["losing_sessions"]
    assert sessions == found["sessions"] == 200
    assert found["costs_usd"] == found["fees_usd"] + found["slippage_usd"]
    assert found["commission_usd"] == found["fills"]  # one dollar each
    deepest = found["max_drawdown_pct"]
    assert found["worst_intrabar_drawdown_pct"] <= deepest < 0
    assert deepest <= found["max_drawdown_session_close_pct"]
    assert found["drawdowns"][0]["depth_pct"] == deepest


def test_period_and_result_by_hand() -> None:
    found = summary_of(equity_record([1_100, 990, 1_188]))
    assert found["first_bar_start"] == "2019-01-02T14:30:00Z"
    assert found["last_bar_end"] == "2019-01-04T21:00:00Z"
    assert found["elapsed_days"] == pytest.approx(2 + 6.5 / 24, abs=1e-6)
    assert (found["sessions"], found["bars"], found["slices"]) == (3, 3, 3)
    assert found["starting_cash_usd"] == 1_000
    assert found["final_equity_usd"] == 1_188
    assert found["profit_usd"] == 188
    assert found["total_return_pct"] == pytest.approx(18.8)
    assert found["average_session_profit_usd"] == pytest.approx(188 / 3, abs=1e-6)
    assert (found["best_session_pct"], found["best_session_date"]) == (20, "2019-01-04")
    assert (found["worst_session_pct"], found["worst_session_date"]) == (-10, "2019-01-03")
    assert (found["lowest_equity_usd"], found["highest_equity_usd"]) == (990, 1_188)


def test_drawdown_by_hand() -> None:
    record = equity_record([1_100, 990, 1_188, 594], minutes=195)  # two slices a session
    record.worst = array("q", [1_000_000_000, 880_000_000, 900_000_000, 500_000_000])
    found = summary_of(record)
    assert found["max_drawdown_pct"] == -50
    assert found["worst_intrabar_drawdown_pct"] == pytest.approx((500 / 1188 - 1) * 100, abs=1e-6)
    assert found["max_drawdown_session_close_pct"] == pytest.approx(-40.6)  # 594 of 1,000
    assert found["max_drawdown_usd"] == -594
    assert found["profit_at_drawdown_start_usd"] == 188
    assert found["profit_at_drawdown_trough_usd"] == -406
    assert found["drawdown_start"] == "2019-01-03T17:45:00Z"
    assert found["drawdown_trough"] == "2019-01-03T21:00:00Z"
    assert found["drawdown_end"] is None
    assert found["not_available"]["drawdown_end"] == "not recovered by the end of the run"
    assert found["drawdown_days"] == pytest.approx(3.25 / 24, abs=1e-6)
    # 990 after 1,100: from the first slice's end to the third's, over the night
    assert found["longest_drawdown_days"] == 1
    assert [row["depth_pct"] for row in found["drawdowns"]] == [-50, -10]
    assert found["drawdowns"][1]["end"] == "2019-01-03T17:45:00Z"


def test_monthly_and_yearly_returns_by_hand() -> None:
    record = equity_record([1_100.0] * 22 + [1_045.0] + [1_045.0])  # 23 weekdays to the 1st of Feb
    found = summary_of(record)
    assert found["monthly_returns"] == [
        {"month": "2019-01", "return_pct": 10.0, "sessions": 22},
        {"month": "2019-02", "return_pct": -5.0, "sessions": 2},
    ]
    assert found["yearly_returns"] == [{"year": "2019", "return_pct": 4.5, "sessions": 24}]


def test_exposure_is_the_share_of_slices_with_a_position() -> None:
    record = equity_record([1_000] * 8)
    record.held = bytearray([0, 1, 1, 0, 0, 0, 0, 0])
    assert summary_of(record)["exposure_pct"] == 25


def test_a_short_run_is_not_annualised() -> None:
    found = summary_of(make_record(59))
    annual = ("sharpe", "sortino", "cagr_pct", "calmar", "volatility_pct", "sharpe_bars")
    held = ("buy_and_hold_sharpe", "buy_and_hold_cagr_pct")
    for key in (*annual, *held, "sharpe_standard_error"):
        assert found[key] is None
        assert found["not_available"][key] == "59 sessions; nothing is annualised under 60"
    assert found["sharpe_interval"] is None
    assert found["buy_and_hold_return_pct"] is not None
    longer = summary_of(make_record(60))
    low, high = longer["sharpe_interval"]
    assert low < longer["sharpe"] < high
    assert not set(annual) & set(longer["not_available"])


def test_a_run_that_does_not_trade() -> None:
    found = summary_of(make_record(70, trade_chance=0))
    assert found["final_equity_usd"] == 100_000
    assert found["cagr_pct"] == found["max_drawdown_pct"] == found["longest_drawdown_days"] == 0
    assert found["not_available"]["sharpe"] == "the returns do not vary"
    assert found["not_available"]["sortino"] == "no session lost"
    assert found["not_available"]["calmar"] == "no drawdown"
    for key in ("win_rate_pct", "profit_factor", "expectancy_usd", "sqn", "best_trade_pct"):
        assert found["not_available"][key] == "no closed trade"
    assert found["flat_sessions"] == 70
    assert found["warnings"] == ["No order was filled."]


def test_a_run_without_bars_is_still_a_summary() -> None:
    found = summary_of(empty_record())
    assert found["final_equity_usd"] == 1_000
    assert found["sessions"] == found["bars"] == found["trades"] == 0
    reasons = found["not_available"]
    assert reasons["coverage_pct"] == "the calendar expects no bar"
    assert reasons["first_bar_start"] == reasons["exposure_pct"] == "the run has no bar"
    assert reasons["buy_and_hold_return_pct"] == "no bar to buy at"
    assert reasons["sharpe"] == "0 sessions; nothing is annualised under 60"


def test_a_ruined_account_has_no_ratios() -> None:
    found = summary_of(equity_record([1_000, -50] + [900] * 70))
    for key in ("sharpe", "cagr_pct", "sortino", "best_session_pct", "skewness"):
        assert found["not_available"][key] == "equity fell to zero or below"
    assert found["max_drawdown_pct"] == -105
    assert "Equity fell to zero or below: no ratio has a meaning." in found["warnings"]


def test_buy_and_hold_is_of_the_same_tape() -> None:
    record = equity_record([1_000, 1_050])
    places, made = slots(2, 390), MadeColumns()
    made.add(places[0].start, places[0].end, (50.0, 61.0, 39.0, 40.0))
    made.add(places[1].start, places[1].end, (41.0, 60.0, 41.0, 60.0))
    record.bars = {"NVDA": made}
    found = summary_of(record)
    assert found["buy_and_hold_return_pct"] == pytest.approx(20)
    assert found["excess_return_pct"] == pytest.approx(5 - 20)
    assert found["buy_and_hold_max_drawdown_pct"] == pytest.approx(-20)


# --- trades ---------------------------------------------------------------------------------------


def trades_summary(*profits: float) -> dict[str, Any]:
    record = equity_record([1_000] * 4)
    record.trades = [make_trade(profit) for profit in profits]
    return summary_of(record)


def test_trades_by_hand() -> None:
    # entry value 10 x 100.00 = 1,000 each
    found = trades_summary(30, -10, 0, 20, 20, -20)
    assert (found["winning_trades"], found["even_trades"], found["losing_trades"]) == (3, 1, 2)
    assert found["win_rate_pct"] == 50  # an even trade is not won
    assert found["profit_factor"] == pytest.approx(70 / 30, abs=1e-6)
    assert found["expectancy_usd"] == pytest.approx(40 / 6, abs=1e-6)
    assert found["expectancy_ratio"] == pytest.approx((1 + (70 / 3) / 15) * 0.5 - 1, abs=1e-6)
    assert found["average_win_usd"] == pytest.approx(70 / 3, abs=1e-6)
    assert found["average_loss_usd"] == -15
    assert found["average_trade_pct"] == pytest.approx(4 / 6, abs=1e-6)
    assert (found["best_trade_pct"], found["worst_trade_pct"]) == (3, -2)
    assert (found["best_trade_usd"], found["worst_trade_usd"]) == (30, -20)
    assert (found["max_consecutive_wins"], found["max_consecutive_losses"]) == (2, 1)
    assert found["trades_per_session"] == 1.5
    # mean 20/3; squares 1,800 - 6 (20/3)^2 + ... = 2,200 - 1,600/6, over 5
    deviation = ((900 + 100 + 0 + 400 + 400 + 400 - 1600 / 6) / 5) ** 0.5
    assert found["sqn"] == pytest.approx(6**0.5 * (40 / 6) / deviation, abs=1e-6)


def test_a_single_winning_trade() -> None:
    found = trades_summary(30)
    assert (found["trades"], found["win_rate_pct"], found["expectancy_usd"]) == (1, 100, 30)
    assert found["profit_factor"] is None
    assert found["not_available"]["profit_factor"] == "no trade lost"
    assert found["not_available"]["average_loser_hours"] == "no trade lost"
    assert found["not_available"]["sqn"] == "fewer than two closed trades"
    assert found["best_trade_pct"] == found["worst_trade_pct"] == 3


def test_a_single_losing_trade() -> None:
    found = trades_summary(-30)
    assert (found["win_rate_pct"], found["profit_factor"]) == (0, 0)
    assert found["expectancy_ratio"] == -1
    assert found["not_available"]["average_win_usd"] == "no trade won"


def test_durations_by_hand() -> None:
    record = equity_record([1_000])
    record.trades = [
        make_trade(1, exit=HOUR_NS, bars_held=1),
        make_trade(1, exit=30 * HOUR_NS, bars_held=8),
        make_trade(-1, exit=5 * HOUR_NS, bars_held=3),
    ]
    found = summary_of(record)
    assert found["average_trade_bars"] == 4
    assert found["average_trade_hours"] == 12
    keys = ("shortest_winner_hours", "average_winner_hours", "longest_winner_hours")
    assert [found[key] for key in keys] == [1, 15.5, 30]
    assert found["shortest_loser_hours"] == found["longest_loser_hours"] == 5


def test_directions_reasons_and_symbols() -> None:
    record = equity_record([1_000])
    record.symbols = ["NVDA", "SPY", "AAPL"]
    record.trades = [
        make_trade(30, exit_reason="take_profit"),
        make_trade(-10, exit_reason="stop", direction="short", symbol="SPY"),
        make_trade(-5, exit_reason="stop", entry_reason=""),
    ]
    found = summary_of(record)
    assert (found["long_trades"], found["long_profit_usd"]) == (2, 25)
    assert (found["short_trades"], found["short_profit_usd"]) == (1, -10)
    assert found["by_exit_reason"] == [
        {
            "reason": "stop",
            "trades": 2,
            "winning_trades": 0,
            "win_rate_pct": 0.0,
            "profit_usd": -15.0,
            "average_trade_pct": -0.75,
        },
        {
            "reason": "take_profit",
            "trades": 1,
            "winning_trades": 1,
            "win_rate_pct": 100.0,
            "profit_usd": 30.0,
            "average_trade_pct": 3.0,
        },
    ]
    assert [row["reason"] for row in found["by_entry_reason"]] == ["signal", "(none)"]
    symbols = [(row["symbol"], row["trades"], row["profit_usd"]) for row in found["by_symbol"]]
    assert symbols == [("NVDA", 2, 25), ("SPY", 1, -10), ("AAPL", 0, 0)]
    assert found["by_symbol"][2]["win_rate_pct"] is None
    free = "Shorts are free of borrow fees: execution.short_borrow_rate_pct is not set."
    assert free in found["warnings"]


def test_open_trades_are_listed_apart() -> None:
    record = equity_record([1_000, 1_030])
    record.trades = [make_trade(10)]
    record.open_trades = [make_trade(20, exit_e4=1_020_000.0)]
    found = summary_of(record)
    assert (found["trades"], found["open_trades"], found["open_profit_usd"]) == (1, 1, 20)
    assert found["expectancy_usd"] == 10
    row = found["open_trade_list"][0]
    assert (row["mark_price_usd"], row["return_pct"], row["quantity"]) == (102, 2, 10)
    assert any("1 trade still open at the end" in warning for warning in found["warnings"])


# --- costs, orders, data --------------------------------------------------------------------------


def test_costs_by_kind_by_hand() -> None:
    record = equity_record([1_000])
    fees = {"commission_micros": 1_000_000, "sec_micros": 30_000}
    fees |= {"taf_micros": 1_950, "cat_micros": 30}
    record.fills = [
        make_fill(Side.BUY, 1_000_200, 10, reference_e4=1_000_000),
        make_fill(Side.SELL, 1_009_900, 10, reference_e4=1_010_000, **fees),
    ]
    found = summary_of(record)
    assert found["turnover_usd"] == pytest.approx(1_000.20 + 1_009.90)
    assert found["slippage_usd"] == pytest.approx(0.20 + 0.10)
    assert found["commission_usd"] == 1
    keys = ("sec_fees_usd", "taf_fees_usd", "cat_fees_usd", "regulatory_fees_usd")
    assert [found[key] for key in keys] == [0.03, 0.00195, 0.00003, 0.03198]
    assert found["fees_usd"] == 1.03198
    assert found["costs_usd"] == 1.33198
    assert found["costs_bps"] == pytest.approx(1.33198 / 2010.1 * 10_000, abs=1e-6)


def test_ambiguous_fills_and_the_profit_they_decide() -> None:
    record = equity_record([1_000])
    record.fills = [
        make_fill(Side.SELL, 990_000, 10, ambiguous=True, other_e4=1_020_000),  # stop, not target
        make_fill(Side.BUY, 1_000_000, 10, ambiguous=True, other_e4=1_005_000),
        make_fill(Side.BUY, 1_000_000, 10, ambiguous=True, after_gap=True),
        make_fill(Side.SELL, 1_000_000, 10),
    ]
    record.notes["ambiguous_cancels"] = [object(), object()]
    found = summary_of(record)
    assert found["ambiguous_fills"] == 3
    assert found["ambiguous_profit_usd"] == pytest.approx(-30 + 5)
    assert found["ambiguous_stake_usd"] == pytest.approx(30 + 5)
    assert found["ambiguous_cancels"] == 2
    assert found["fills_after_gap"] == 1
    assert found["warnings"][0].startswith("Ambiguous: 3 of 4 fills")
    assert "-25.00 USD" in found["warnings"][0]


def test_orders_denials_and_states() -> None:
    record = equity_record([1_000])
    record.orders = [
        make_order(10, 10, OrderStatus.FILLED),
        make_order(10, 4, OrderStatus.EXPIRED, "DAY_ENDED"),
        make_order(10, 0, OrderStatus.EXPIRED, "DAY_ENDED"),
        make_order(10, 0, OrderStatus.CANCELLED, "OCO"),
        make_order(10, 0, OrderStatus.WORKING),
    ]
    record.denials = [
        Denial(0, "NVDA", reason, 1, Origin.TARGET)
        for reason in (Reason.HALTED, Reason.MIN_CASH, Reason.MIN_CASH)
    ]
    record.states = [
        StateChanged(1_000, "PAUSED", "ACTIVE", "limit:max_orders_per_hour", "PAUSED", False, ""),
        StateChanged(2_000, "ACTIVE", "PAUSED", "limit:max_orders_per_hour", "PAUSED", True, ""),
        StateChanged(3 * 10**9, "HALTED", "ACTIVE", "operator", "HALTED", False, "drill"),
    ]
    found = summary_of(record)
    assert (found["orders"], found["orders_unfilled"], found["denials"]) == (5, 4, 3)
    assert found["orders_by_end"] == {"expired": 2, "cancelled": 1, "filled": 1, "working": 1}
    assert found["orders_unfilled_by_reason"] == {"DAY_ENDED": 2, "OCO": 1, "WORKING": 1}
    assert list(found["denials_by_reason"].items()) == [("MIN_CASH", 2), ("HALTED", 1)]
    assert found["limits_hit"] == 1
    assert found["holds_by_source"] == {"limit:max_orders_per_hour": 1, "operator": 1}
    assert found["trading_state"] == "HALTED"
    assert found["warnings"][0] == (
        "Trading ended HALTED, since 1970-01-01T00:00:03Z (operator: drill)."
    )
    assert found["warnings"][-1] == (
        "No order was filled; the most frequent denial is MIN_CASH (2)."
    )


def test_the_final_state_counts_from_when_it_began() -> None:
    record = equity_record([1_000])
    record.states = [
        StateChanged(1 * 10**9, "HALTED", "ACTIVE", "operator", "HALTED", False, "drill"),
        StateChanged(2 * 10**9, "ACTIVE", "HALTED", "operator", "HALTED", True, ""),
        StateChanged(3 * 10**9, "PAUSED", "ACTIVE", "feed", "PAUSED", False, "silence"),
        StateChanged(4 * 10**9, "PAUSED", "PAUSED", "operator", "PAUSED", False, "look"),
    ]
    said = summary_of(record)["warnings"][0]
    assert said == "Trading ended PAUSED, since 1970-01-01T00:00:03Z (feed: silence)."
    record.states = record.states[:2]
    assert not any("Trading ended" in warning for warning in summary_of(record)["warnings"])


def test_buy_and_hold_follows_the_actions_that_were_applied() -> None:
    places, made = slots(2, 390), MadeColumns()
    made.add(places[0].start, places[0].end, (80.0, 80.0, 80.0, 80.0))
    made.add(places[1].start, places[1].end, (10.0, 10.0, 10.0, 10.0))
    split = Split("NVDA", places[1].date, 8, 1)
    found = {}
    for adjustment in ("raw", "splits"):
        record = equity_record([1_000, 1_000], tape={"adjustment": adjustment})
        applied = [split] if adjustment == "raw" else []
        record.bars, record.notes = {"NVDA": made}, {"actions": applied}
        found[adjustment] = summary_of(record)
    assert found["raw"]["buy_and_hold_return_pct"] == 0
    assert found["raw"]["corporate_actions"] == {"splits": 1, "dividends": 0}
    assert found["splits"]["buy_and_hold_return_pct"] == -87.5
    assert not any("Raw prices" in warning for warning in found["raw"]["warnings"])


def test_limits_that_could_not_be_kept_are_said() -> None:
    record = equity_record([1_000])
    record.notes["breaches"] = [
        LimitBreached(10**9, "flat_before_close", "NVDA", "20 shares stay"),
        LimitBreached(2 * 10**9, "flat_before_close", "NVDA", "10 shares stay"),
    ]
    assert summary_of(record)["warnings"][0] == (
        "A limit could not be kept 2 times, first flat_before_close of NVDA at "
        "1970-01-01T00:00:01Z: 20 shares stay."
    )


def test_coverage_and_gaps() -> None:
    record = equity_record([1_000] * 50)
    record.symbols = ["NVDA", "SPY"]
    record.expected_bars = {"NVDA": 50, "SPY": 50}
    record.received_bars = {"NVDA": 50, "SPY": 45}
    outcomes = [Outcome.MISSING] * 4 + [Outcome.QUARANTINED, Outcome.UNEXPECTED, Outcome.LATE]
    record.gaps = [
        GapRow("SPY", 0, 1, 20190102 + index // 2, outcome, "")
        for index, outcome in enumerate(outcomes)
    ]
    record.notes["unexpected_bars"] = 2
    found = summary_of(record)
    assert found["bars"] == 95
    assert found["coverage_pct"] == 95
    assert (found["missing_bars"], found["quarantined_bars"]) == (4, 1)
    assert found["unexpected_bars"] == 3
    assert found["incomplete_sessions"] == 3
    assert found["coverage"][0]["gaps_by_outcome"] == {}
    assert found["coverage"][1] == {
        "symbol": "SPY",
        "expected_bars": 50,
        "received_bars": 45,
        "coverage_pct": 90.0,
        "gaps_by_outcome": {"missing": 4, "late": 1, "quarantined": 1, "unexpected": 1},
    }
    assert found["warnings"][0] == (
        "Coverage is 95.00 %: 4 bars missing, 1 quarantined, in 3 sessions; the ratios leave "
        "none out."
    )


def test_predictions_against_the_next_bar() -> None:
    record = equity_record([1_000] * 5, model={"kind": "baseline"})
    places, made = slots(5, 390), MadeColumns()
    for place, close in zip(places, (100.0, 110.0, 99.0, 99.0, 108.9), strict=True):
        made.add(place.start, place.end, (close, close, close, close))
    record.bars = {"NVDA": made}
    values = [0.01, 0.02, 0.03, None]  # next returns: +10 %, -10 %, 0, (+10 %)
    record.predictions = [
        PredictionRow(place.end, "NVDA", value, None if value else "time-out")
        for place, value in zip(places, values, strict=False)
    ]
    found = summary_of(record)
    assert (found["predictions"], found["prediction_failures"]) == (3, 1)
    assert found["predictions_missing"] == 1  # of five bars
    assert found["prediction_hit_rate_pct"] == 50  # a return of 0 has no direction
    # deviations (-1, 0, 1) and (10, -10, 0): -10 / sqrt(2 x 200)
    assert found["information_coefficient"] == pytest.approx(-0.5)
    failed = "1 prediction failed and 1 bar had none; neither is a trade."
    assert failed in found["warnings"]


def test_without_a_model_nothing_is_missing() -> None:
    found = summary_of(make_record(5))
    assert found["predictions"] == found["predictions_missing"] == 0
    assert found["not_available"]["prediction_hit_rate_pct"] == "no model"


def test_distorted_costs_and_raw_tapes_are_said() -> None:
    record = equity_record([1_000])
    record.notes |= {"costs_distorted": True, "suspected_factor": 40.0, "synthetic": True}
    found = summary_of(record)
    assert found["costs_distorted"] is True
    assert found["suspected_factor"] == 40
    assert found["warnings"][0] == "The tape is synthetic: made by a program, not by a market."
    assert found["warnings"][1].startswith("Costs are distorted")
    assert "the largest factor suspected is 40." in found["warnings"][1]
    raw = summary_of(equity_record([1_000], tape={"adjustment": "raw"}))
    assert raw["adjustment"] == "raw"
    assert raw["warnings"][0].startswith("Raw prices without corporate actions")
    assert raw["corporate_actions"] == {"splits": 0, "dividends": 0}


def test_conventions_name_what_the_config_assumes() -> None:
    said = "\n".join(summary_of(equity_record([1_000]))["conventions"])
    for words in ("x sqrt(252)", "365.25", "Lo (2002)", "under 60 sessions", "slippage 1.0 bps"):
        assert words in said
    assert "Shorts: free of borrow fees, which this version does not charge." in said
