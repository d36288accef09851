"""S26: splits before the open, with what is left of a share; dividends receivable, then paid."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Dividend, Split
from daemon.core.limits import Action, Limit, Limits
from daemon.core.outputs import ActionApplied, DividendPaid
from tests.harness import play, rules
from tests.rules.tools import GTC, USD, fills, flat, order, target, why

START = 1_000_000 * USD
DAY_2, DAY_3, DAY_4 = 20240103, 20240104, 20240105


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("shares", "ratio", "close", "after", "held", "cash_usd"),
    [
        (100, (10, 1), 500.0, 50.0, 1000, 0),
        (100, (4, 1), 100.0, 25.0, 400, 0),
        (5, (3, 2), 99.0, 66.0, 7, 33),  # 7.5: half a share at 66
        (100, (1, 8), 10.0, 80.0, 12, 40),  # 12.5: half a share at 80
        (7, (1, 8), 10.0, 80.0, 0, 70),  # nothing but seven eighths of 80
        (8, (1, 8), 10.0, 80.0, 1, 0),
    ],
)
def test_split(
    sign: int,
    shares: int,
    ratio: tuple[int, int],
    close: float,
    after: float,
    held: int,
    cash_usd: int,
) -> None:
    """The position's worth does not change by it."""
    result = play(
        {"NVDA": [flat(close), flat(close), flat(after), flat(after)]},
        at={0: [target(shares * sign)]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, *ratio)],
    )
    assert result.position() == held * sign
    assert result.equity == [START] * 4
    worth = held * sign * round(after * USD)
    assert result.account.portfolio.cash_micros == START - worth
    (applied,) = result.of(ActionApplied)
    assert applied.quantity == held * sign
    assert applied.cash_micros == sign * cash_usd * USD


def test_the_profit_of_a_trade_over_a_split() -> None:
    """100 at 500, split 10:1, 1000 sold at 55: 5000."""
    seen: list[Any] = []
    plan: dict[int, Any] = {0: [target(100)], 2: [target(0)]}

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        seen.append(portfolio.average_entry_usd("NVDA"))
        return plan.get(len(seen) - 1)

    result = play(
        {"NVDA": [flat(500.0), flat(500.0), flat(50.0), flat(55.0)]},
        decide=decide,
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1)],
    )
    assert seen == [None, 500.0, 50.0, None]
    assert fills(result) == [(1, 100, 500.0), (3, -1000, 55.0)]
    (trade,) = result.trades
    assert trade.pnl_micros == 5000 * USD


@pytest.mark.parametrize(
    "intent",
    [target(50), order(50), order(50, limit_price=90.0, time_in_force=GTC)],
)
def test_working_orders_are_cancelled(intent: Any) -> None:
    """An order for the next open does not buy at a tenth of the price."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(10.0), flat(10.0)]},
        at={1: [intent]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1)],
    )
    assert result.fills == []
    assert why(result, 1) == ("cancelled", "SPLIT")


@pytest.mark.parametrize("sign", [1, -1])
def test_protection_is_rescaled(sign: int) -> None:
    """Stop 95 and target 105 become 9.50 and 10.50, for ten times the shares."""
    stop, take = (95.0, 105.0) if sign > 0 else (105.0, 95.0)
    out = 9.50 if sign > 0 else 10.50
    low, high = (9.4, 10.0) if sign > 0 else (10.0, 10.6)
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(10.0), (10.0, high, low, 10.0)]},
        at={0: [target(100 * sign, stop_price=stop, take_profit_price=take)]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1)],
    )
    assert fills(result) == [(1, 100 * sign, 100.0), (3, -1000 * sign, out)]


def test_the_open_after_a_split_is_no_gap_through_the_stop() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(10.0), flat(9.6)]},
        at={0: [target(100, stop_price=95.0)]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1)],
    )
    assert result.position() == 1000


def test_a_trailing_stop_is_rescaled() -> None:
    """The extreme of 110 becomes 11: 10 % off is 9.90."""
    bars = [flat(100.0), (100.0, 110.0, 100.0, 110.0), flat(11.0), (11.0, 11.0, 9.90, 10.0)]
    result = play(
        {"NVDA": bars},
        at={0: [target(100, trailing_stop_pct=10.0)]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1)],
    )
    assert fills(result)[1:] == [(3, -1000, 9.90)]


def test_another_symbol_is_left_alone() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 4, "AAPL": [flat(50.0), flat(50.0), flat(25.0), flat(25.0)]},
        at={0: [target(10), target(20, "AAPL")], 1: [target(15)]},
        per_session=2,
        actions=[Split("AAPL", DAY_2, 2, 1)],
    )
    assert result.position("NVDA") == 15
    assert result.position("AAPL") == 40


# --- dividends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_receivable_on_the_ex_date_cash_on_the_pay_date(sign: int) -> None:
    """100 x 0.16 = 16.00: in equity from session 2, in cash from session 4; a short pays."""
    cash: list[float] = []
    calls = iter(range(10))

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        cash.append(portfolio.cash_usd)
        return [target(100 * sign)] if next(calls) == 0 else None

    result = play(
        {"NVDA": [flat(50.0)] * 8},
        decide=decide,
        per_session=2,
        actions=[Dividend("NVDA", DAY_2, DAY_4, 160_000)],
    )
    gain = 16 * USD * sign
    assert result.equity == [START, START] + [START + gain] * 6
    before = 1_000_000.0 - 5_000 * sign
    assert cash == [1_000_000.0, *([before] * 5), *([before + 16 * sign] * 2)]
    (paid,) = result.of(DividendPaid)
    assert (paid.symbol, paid.cash_micros) == ("NVDA", gain)
    assert paid.instant in {result.slice_starts[6], result.slice_ends[6]}


@pytest.mark.parametrize(
    ("plan", "gain_usd"),
    [
        ({1: 100}, 0),  # bought at the ex-date's open: not entitled
        ({0: 100, 1: 0}, 100),  # sold at the ex-date's open: entitled
        ({0: 100, 1: 60}, 100),
        ({0: 40, 1: 100}, 40),
        ({0: -100, 1: 0}, -100),  # bought back at that open: owes it
        ({0: 100, 1: -50}, 100),
        ({}, 0),
    ],
)
def test_who_holds_before_the_ex_dates_fills(plan: dict[int, int], gain_usd: int) -> None:
    result = play(
        {"NVDA": [flat(50.0)] * 6},
        at={i: [target(q)] for i, q in plan.items()},
        per_session=2,
        actions=[Dividend("NVDA", DAY_2, DAY_3, 1 * USD)],
    )
    assert result.equity[2] == START + gain_usd * USD
    assert result.equity[-1] == START + gain_usd * USD
    assert sum(paid.cash_micros for paid in result.of(DividendPaid)) == gain_usd * USD


@pytest.mark.parametrize(
    ("pay_date", "paid_in"),
    [
        (DAY_2, 2),  # on the ex-date itself
        (DAY_3, 4),
        (20240106, 8),  # a Saturday: on Monday
        (20240107, 8),
        (20240108, 8),
        (20240201, None),  # after the end: stays receivable
    ],
)
def test_the_first_session_on_or_after_the_pay_date(pay_date: int, paid_in: int | None) -> None:
    result = play(
        {"NVDA": [flat(50.0)] * 10},
        at={0: [target(100)]},
        per_session=2,
        actions=[Dividend("NVDA", DAY_2, pay_date, 1 * USD)],
    )
    paid = [p.instant for p in result.of(DividendPaid)]
    if paid_in is None:
        assert paid == []
    else:
        assert len(paid) == 1
        assert result.slice_starts[paid_in] <= paid[0] <= result.slice_ends[paid_in]
    assert result.equity[-1] == START + 100 * USD


def test_paid_after_the_position_is_gone() -> None:
    result = play(
        {"NVDA": [flat(50.0)] * 8},
        at={0: [target(100)], 2: [target(0)]},
        per_session=2,
        actions=[Dividend("NVDA", DAY_2, DAY_4, 1 * USD)],
    )
    assert result.account.portfolio.cash_micros == START + 100 * USD


def test_a_price_that_falls_by_the_dividend_leaves_equity() -> None:
    bars = [flat(50.0), flat(50.0), flat(49.0), flat(49.0)]
    result = play(
        {"NVDA": bars},
        at={0: [target(100)]},
        per_session=2,
        actions=[Dividend("NVDA", DAY_2, DAY_4, 1 * USD)],
    )
    assert result.equity == [START] * 4


def test_a_split_and_a_dividend_of_one_day() -> None:
    """The split first: 1000 shares hold 0.10 each."""
    result = play(
        {"NVDA": [flat(500.0), flat(500.0), flat(50.0), flat(50.0)]},
        at={0: [target(100)]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1), Dividend("NVDA", DAY_2, DAY_2, 100_000)],
    )
    assert result.equity[-1] == START + 100 * USD


def test_a_venue_with_costs_charges_nothing_for_an_action() -> None:
    from tests.harness import plan

    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(10.0), flat(10.0)]},
        at={0: [target(100)]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1)],
        pricing=rules(commission=plan("0.01")),
    )
    assert result.equity == [START, START - USD, START - USD, START - USD]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_split_whose_first_bar_is_missing(sign: int) -> None:
    """The carried mark is split as well, or equity would jump."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), None, flat(10.0)]},
        at={0: [target(100 * sign)]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1)],
    )
    assert result.position() == 1000 * sign
    assert result.equity == [START] * 4


def test_a_loss_limit_does_not_mistake_a_split_for_a_loss() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(10.0), flat(10.0)]},
        at={0: [target(100)]},
        per_session=2,
        actions=[Split("NVDA", DAY_2, 10, 1)],
        limits=Limits(max_daily_loss_usd=Limit(1 * USD, Action.HALT)),
    )
    assert result.states == []


def test_a_dividend_whose_ex_date_bar_is_missing() -> None:
    result = play(
        {"NVDA": [flat(50.0), flat(50.0), None, flat(50.0)]},
        at={0: [target(100)]},
        per_session=2,
        actions=[Dividend("NVDA", DAY_2, DAY_2, 1 * USD)],
    )
    assert result.equity == [START, START, START + 100 * USD, START + 100 * USD]
