"""S24: integers; average cost without fees; fees apart; what is bought and sold adds up."""

from __future__ import annotations

import random
from typing import Any

import pytest

from daemon.fees import load_fee_tables
from tests.harness import plan, play, rules
from tests.rules.tools import USD, flat, order, target

TABLES = load_fee_tables()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_average_cost_of_two_entries(sign: int) -> None:
    """100 at 10.00 and 200 at 10.01: 3002.00 over 300."""
    averages: list[Any] = []

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        averages.append(portfolio.average_entry_usd("NVDA"))
        return {0: [target(100 * sign)], 1: [target(300 * sign)], 2: [target(200 * sign)]}.get(
            len(averages) - 1
        )

    result = play(
        {"NVDA": [flat(10.0), flat(10.0), flat(10.01), flat(11.0), flat(11.0)]}, decide=decide
    )
    assert averages[0] is None
    assert averages[1] == 10.0
    assert averages[2] == pytest.approx(3002 / 300, abs=1e-9)
    # a third is sold: floor(30,020,000 / 3) = 10,006,666 e4 leave; 20,013,334 over 200 stay
    assert result.account.portfolio.positions["NVDA"].cost_e4 == 20_013_334
    assert averages[3] == pytest.approx(2001.3334 / 200, abs=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_cash_and_profit_of_a_round_trip(sign: int) -> None:
    """100 from 50.00 to 52.50 with 0.01 a share: 250 (or −250) less 2.00."""
    result = play(
        {"NVDA": [flat(50.0), flat(50.0), flat(52.5), flat(52.5)]},
        at={0: [target(100 * sign)], 1: [target(0)]},
        pricing=rules(commission=plan("0.01")),
    )
    (trade,) = result.trades
    assert trade.direction == ("long" if sign > 0 else "short")
    assert (trade.quantity, trade.entry_e4, trade.exit_e4) == (100, 500_000, 525_000)
    assert trade.fees_micros == 2 * USD
    assert trade.pnl_micros == (250 * sign - 2) * USD
    assert result.equity[-1] == (1_000_000 + 250 * sign - 2) * USD
    assert result.account.portfolio.cash_micros == result.equity[-1]


def test_the_average_has_no_fees() -> None:
    seen: list[Any] = []

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        seen.append(portfolio.average_entry_usd("NVDA"))
        return [target(1)]

    play({"NVDA": [flat(50.0)] * 2}, decide=decide, pricing=rules(commission=plan("10")))
    assert seen == [None, 50.0]


def test_a_trade_runs_flat_to_flat_with_weighted_prices() -> None:
    """In: 100 at 10, 50 at 13 (11.00); out: 30 at 12, 120 at 15 (14.40)."""
    result = play(
        {"NVDA": [flat(10.0), flat(10.0), flat(13.0), flat(12.0), flat(15.0), flat(15.0)]},
        at={0: [target(100)], 1: [target(150)], 2: [target(120)], 3: [target(0)]},
    )
    (trade,) = result.trades
    assert trade.quantity == 150
    assert (trade.entry_e4, trade.exit_e4) == (110_000, 144_000)
    assert trade.pnl_micros == 510 * USD  # 360 + 1800 − 1650
    assert (trade.entry, trade.exit) == (result.slice_starts[1], result.slice_starts[4])


def test_excursions_and_bars_of_a_trade() -> None:
    """From 100: the closes of bars 1, 2 and 3 are held; low 90, high 120; out at 105 in bar 4.

    The low of 80 in bar 4 comes after the exit at its open.
    """
    result = play(
        {
            "NVDA": [
                flat(100.0),
                (100.0, 110.0, 95.0, 105.0),
                (105.0, 120.0, 100.0, 110.0),
                (110.0, 112.0, 90.0, 100.0),
                (105.0, 130.0, 80.0, 100.0),
            ]
        },
        at={0: [target(10)], 3: [target(0)]},
    )
    (trade,) = result.trades
    assert trade.bars_held == 3
    assert trade.adverse_ppm == -100_000
    assert trade.favourable_ppm == 200_000


@pytest.mark.parametrize("seed", range(10))
def test_every_micro_dollar_is_accounted_for(seed: int) -> None:
    """Cash = start − Σ bought + Σ sold − fees; closed profit + open profit = change of equity."""
    draw = random.Random(seed)
    bars: list[Any] = []
    for _ in range(50):
        low, opens, close, high = sorted(round(draw.uniform(80, 120), 2) for _ in range(4))
        bars.append((opens, high, low, close, draw.choice([100, 999, 5000])))
    intents = {
        i: [
            draw.choice(
                [
                    target(draw.randint(-90, 90), stop_loss_pct=3.0, take_profit_pct=5.0),
                    target(draw.randint(-90, 90)),
                    order(draw.choice([-33, 41]), limit_price=round(draw.uniform(95, 105), 2)),
                ]
            )
        ]
        for i in range(50)
    }
    result = play(
        {"NVDA": bars},
        at=intents,
        pricing=rules(
            commission=TABLES.commission("ibkr_fixed"),
            tables=TABLES.regulatory,
            slippage_ppm=200,
            participation_ppm=30_000,
        ),
    )
    cash, held, fees = 1_000_000 * USD, 0, 0
    for fill in result.fills:
        sign = 1 if str(fill.side) == "buy" else -1
        cash -= sign * fill.quantity * fill.price_e4 * 100
        held += sign * fill.quantity
        fees += fill.commission_micros + fill.regulatory_micros
    cash -= fees
    assert len(result.fills) > 20
    assert result.account.portfolio.cash_micros == cash
    assert result.position() == held
    assert result.equity[-1] == cash + held * round(bars[-1][3] * 10_000) * 100
    if held == 0:
        assert sum(trade.pnl_micros for trade in result.trades) == cash - 1_000_000 * USD
        assert sum(trade.fees_micros for trade in result.trades) == fees
