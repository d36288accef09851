"""Folding recorded outputs: amounts worked out by hand, and what it leaves out."""

from __future__ import annotations

from typing import Any

from daemon.core.events import Bracket, Dividend, Reset, Split, TargetPosition
from daemon.core.fold import Fold
from daemon.core.limits import Action, Limit, Limits
from daemon.core.units import MICROS_PER_USD
from daemon.core.values import AccountValues, restore, values_of
from tests.harness import opens_ns, play, rules
from tests.property.turn_by_turn import Whole, whole_run
from tests.rules.tools import at_end, flat, limits, target
from tests.simulation.day import Model

USD = MICROS_PER_USD
OPERATOR = "operator"


def whole(bars: list[Any], predictor: Any = None, **options: Any) -> Whole:
    options = {
        "bars": {"NVDA": bars},
        "limits": Limits(allow_short=True),
        "pricing": rules(),
        "cash_usd": 10_000,
    } | options
    return whole_run(("NVDA",), predictor, options)


def folded(run: Whole) -> Fold:
    """All turns; after each the ledger is the account's."""
    fold = Fold(values_of(run.fresh()))
    for turn, values in zip(run.turns, run.after, strict=True):
        fold.add(turn)
        assert fold.values().portfolio == values.portfolio
    return fold


def test_a_split_pays_a_fraction_out() -> None:
    """7 shares at 100 become 3 at 200, and half of one at 200 is paid: 100 USD."""
    run = whole(
        [flat(100.0)] * 2 + [flat(200.0)] * 2,
        at={0: [target(7)]},
        per_session=2,
        actions=[Split("NVDA", 20240103, 1, 2)],
    )
    (position,) = folded(run).values().portfolio.positions
    assert (position.quantity, position.cost_e4, position.close) == (3, 7 * 100_0000, 200.0)
    assert position.trade is not None
    assert (position.trade.entry_quantity, position.trade.exit_notional_e4) == (3, 100_0000)
    assert folded(run).values().portfolio.cash_micros == (10_000 - 700 + 100) * USD


def test_a_position_that_a_split_pays_out_is_closed() -> None:
    run = whole(
        [flat(100.0)] * 2 + [flat(1000.0)] * 2,
        at={0: [target(7)]},
        per_session=2,
        actions=[Split("NVDA", 20240103, 1, 10)],
    )
    (position,) = folded(run).values().portfolio.positions
    assert (position.quantity, position.cost_e4, position.trade, position.exit_at) == (
        0,
        0,
        None,
        2,
    )


def test_the_dividend_that_is_due_first_is_paid_first() -> None:
    """Two of 10 USD: the first is owed until the 5th, the second until the 4th of January."""
    run = whole(
        [flat(100.0)] * 8,
        at={0: [target(10)]},
        per_session=2,
        actions=[
            Dividend("NVDA", 20240103, 20240105, USD),
            Dividend("NVDA", 20240104, 20240104, USD),
        ],
    )
    owed = [values.portfolio.receivables for values in run.after]
    assert owed.index(((20240105, "NVDA", 10 * USD), (20240104, "NVDA", 10 * USD))) > 0
    assert folded(run).values().portfolio.cash_micros == (9_000 + 20) * USD


def test_an_accepted_drawdown_is_a_new_peak() -> None:
    run = whole(
        [flat(100.0), flat(100.0), flat(85.0), flat(86.0)],
        at={0: [target(100)]},
        limits=limits(max_drawdown_pct=Limit(150_000, Action.HALT)),
        commands=[Reset(at_end(2), OPERATOR, "go on", accept="drawdown")],
    )
    assert folded(run).values().risk.peak_micros == 8_600 * USD


def test_a_refused_reset_changes_nothing() -> None:
    run = whole(
        [flat(100.0), flat(100.0), flat(85.0), flat(84.0)],
        at={0: [target(100)]},
        limits=limits(max_daily_loss_usd=Limit(1_000 * USD, Action.HALT)),
        commands=[Reset(at_end(2), OPERATOR, "go on", accept="drawdown")],
    )
    values = folded(run).values()
    assert (values.risk.peak_micros, values.risk.baseline_micros) == (10_000 * USD, 10_000 * USD)
    assert [hold.source for hold in values.holds] == ["limit:max_daily_loss_usd"]


def test_the_last_predictions_stay_when_the_strategy_has_failed() -> None:
    """After it raised at slice 1 the model is asked no more: what is known is slice 1's."""

    def decide(market: Any, predictions: Any, portfolio: Any) -> None:
        if market.index == 1:
            raise RuntimeError("once")

    rows: list[Any] = [(100.0, 101.0, 99.0, 100.5), (100.0, 101.0, 99.0, 101.0), flat(90.0)]
    run = whole(rows, Model(), decide=decide)
    assert folded(run).values().portfolio.predictions == {"NVDA": 0.01}


def test_orders_and_brackets_are_dropped_and_numbers_go_on() -> None:
    """An entry (1), its stop (2) and target (3); then a limit order (4)."""
    bracket = Bracket(stop_price=95.0, take_profit_price=110.0)
    run = whole([flat(100.0)] * 3, at={0: [TargetPosition("NVDA", 10, bracket)]})
    fold = folded(run)
    assert fold.dropped == (2, 3)
    values = fold.values()
    assert (values.book.orders, values.book.working, values.protection) == ((), (), ())
    assert (values.book.next_order_id, values.portfolio.next_fill_id) == (4, 2)
    account = run.fresh()
    restore(account, values)
    assert account.venue.book.working == {}
    assert account.portfolio.positions["NVDA"].quantity == 10


def test_orders_that_work_at_the_opening_are_known() -> None:
    """The segment opens with a stop for 10 shares; the fold sees it fill without its beginning."""
    stopped: list[Any] = [flat(100.0), flat(100.0), (100.0, 100.0, 90.0, 91.0), flat(91.0)]
    run = whole(stopped, at={0: [target(10, stop_price=95.0)]})
    opened_with = next(values for values in run.after if values.protection)
    fold = Fold(opened_with)
    assert list(fold.dropped) == [2]
    for turn in run.turns[run.after.index(opened_with) + 1 :]:
        fold.add(turn)
    assert not fold.dropped
    assert fold.values().portfolio == run.after[-1].portfolio
    assert fold.values().portfolio.cash_micros == (10_000 - 50) * USD


def test_nothing_folded_is_the_opening_without_its_orders() -> None:
    played = play({"NVDA": [flat(100.0)] * 3}, at={0: [target(10, stop_price=95.0)]})
    opening: AccountValues = values_of(played.account)
    values = Fold(opening).values()
    assert values.portfolio == opening.portfolio
    assert values.risk == opening.risk
    assert values.book.last is not None
    assert values.book.last.start == opens_ns(0) + 2 * 3600 * 10**9
