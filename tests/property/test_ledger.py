"""The ledger: money is neither made nor lost, whatever is traded."""

from __future__ import annotations

from hypothesis import given

from daemon.core.events import Dividend, Split
from daemon.core.outputs import ActionApplied, DividendPaid, TradeClosed
from daemon.core.portfolio import closed_trade
from tests.property.book import BeforeFill, story
from tests.property.scenarios import Scenario, often, scenarios
from tests.property.tracing import run


@often
@given(scenarios())
def test_a_second_ledger_agrees_at_every_close(scenario: Scenario) -> None:
    trace = run(scenario)
    rows = 0
    for step in story(trace):
        if isinstance(step, BeforeFill):
            continue
        rows += 1
        book = step.book
        assert book.equity_micros == step.equity_micros
        gained = book.realised_micros + book.unrealised_micros
        assert gained == step.equity_micros - book.start_micros
    assert rows == len(trace.result.pipeline.ends) > 0


@often
@given(scenarios(limited=False))
def test_the_engine_ends_with_the_second_ledgers_positions_and_cash(scenario: Scenario) -> None:
    trace = run(scenario)
    last = list(story(trace))[-1]
    portfolio = trace.result.account.portfolio
    for symbol, holding in last.book.holdings.items():
        position = portfolio.positions[symbol]
        assert position.quantity == holding.shares
        assert position.close_e4 == holding.close_e4
    # what is due is paid at the next slice, so the sum is what must agree at any time
    owed = sum(amount for _, _, amount in portfolio.receivables)
    assert portfolio.cash_micros + owed == last.book.cash_micros + last.book.receivable_micros
    applied = sum(
        output.cash_micros
        for _, output in trace.outputs()
        if isinstance(output, ActionApplied) and isinstance(output.action, Dividend)
    )
    paid = sum(o.cash_micros for _, o in trace.outputs() if isinstance(o, DividendPaid))
    assert applied == paid + owed


@often
@given(scenarios(actions=False))
def test_trades_add_up_to_what_the_account_gained(scenario: Scenario) -> None:
    trace = run(scenario)
    portfolio = trace.result.account.portfolio
    closed = [output for _, output in trace.outputs() if isinstance(output, TradeClosed)]
    still_open = [
        closed_trade(position, 0, "")
        for position in portfolio.positions.values()
        if position.quantity
    ]
    gained = portfolio.equity_micros - scenario.cash_usd * 1_000_000
    assert sum(trade.pnl_micros for trade in [*closed, *still_open]) == gained
    fees = sum(fill.commission_micros + fill.regulatory_micros for fill in trace.result.fills)
    assert sum(trade.fees_micros for trade in [*closed, *still_open]) == fees
    assert [trade.trade_id for trade in closed] == sorted({trade.trade_id for trade in closed}) or (
        len(scenario.symbols) > 1
    )


@often
@given(scenarios())
def test_every_corporate_action_that_moves_something_is_reported(scenario: Scenario) -> None:
    trace = run(scenario)
    reported = [output.action for _, output in trace.outputs() if isinstance(output, ActionApplied)]
    last_date = max(trace.dates[number] for number, _, _ in trace.rows())
    splits = [a for a in scenario.actions if isinstance(a, Split) and a.effective <= last_date]
    assert [a for a in reported if isinstance(a, Split)] == sorted(
        splits, key=lambda action: action.effective
    )


@often
@given(scenarios())
def test_the_strategy_sees_the_second_ledgers_account(scenario: Scenario) -> None:
    trace = run(scenario)
    seen = {each.market.end: each for each in trace.seen}
    for step in story(trace):
        if isinstance(step, BeforeFill) or step.end not in seen:
            continue
        view = seen[step.end]
        assert view.equity_micros == step.equity_micros
        assert view.positions == {s: h.shares for s, h in step.book.holdings.items()}
        assert all(bar.end <= view.market.end for bar in view.market.bars)
