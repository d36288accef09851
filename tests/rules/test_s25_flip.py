"""S25: a flip is one fill; it closes one trade and opens the next, and splits its fee."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.limits import Limits
from daemon.fees import load_fee_tables
from tests.harness import plan, play, rules
from tests.rules.tools import USD, fills, flat, target

BARS = [flat(100.0), flat(100.0), flat(110.0), flat(104.0), flat(104.0)]
TABLES = load_fee_tables()


@pytest.mark.parametrize("sign", [1, -1])
def test_one_fill_two_legs(sign: int) -> None:
    """+60 at 100, sell 100 at 110: 600 realised; −40 at 110, bought back at 104: 240."""
    seen: list[Any] = []
    plan_: dict[int, Any] = {0: [target(60 * sign)], 1: [target(-40 * sign)], 2: [target(0)]}

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        seen.append((portfolio.position("NVDA"), portfolio.average_entry_usd("NVDA")))
        return plan_.get(market.index)

    result = play({"NVDA": BARS}, decide=decide)
    assert fills(result) == [
        (1, 60 * sign, 100.0),
        (2, -100 * sign, 110.0),
        (3, 40 * sign, 104.0),
    ]
    assert len(result.orders) == 3
    assert seen[2] == (-40 * sign, 110.0)
    first, second = result.trades
    assert (first.quantity, first.entry_e4, first.exit_e4) == (60, 1_000_000, 1_100_000)
    assert (second.quantity, second.entry_e4, second.exit_e4) == (40, 1_100_000, 1_040_000)
    assert [first.direction, second.direction] == (
        ["long", "short"] if sign > 0 else ["short", "long"]
    )
    assert (first.pnl_micros, second.pnl_micros) == (600 * sign * USD, 240 * sign * USD)
    assert first.exit == second.entry == result.slice_starts[2]


def test_the_fee_is_split_by_quantity() -> None:
    """0.01 a share: 0.60 in; the flip's 1.00 is 0.60 out and 0.40 in; 0.40 out."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(60)], 1: [target(-40)], 2: [target(0)]},
        pricing=rules(commission=plan("0.01")),
    )
    first, second = result.trades
    assert (first.fees_micros, second.fees_micros) == (1_200_000, 800_000)
    assert (first.pnl_micros, second.pnl_micros) == (598_800_000, 239_200_000)


@pytest.mark.parametrize(
    ("held", "after", "per_share", "first_fees", "second_fees"),
    [
        # 0.05 micro-dollars a share; half-even: 50 shares 2 (2.5), 100 shares 5, 150 shares 8 (7.5)
        # +50 to −50: in 2; the flip's 5 are 2 (2.5) and the other 3; out 2
        (50, -50, "0.00000005", 4, 5),
        # +50 to −100: the flip's 150 cost 8 (7.5): a third is 2.67 -> 3, the rest 5; out 5
        (50, -100, "0.00000005", 5, 10),
        # +30 to −50: in 2 (1.5); 80 cost 4, 30/80 of it is 1.5 -> 2, rest 2; out 2 (2.5)
        (30, -50, "0.00000005", 4, 4),
    ],
)
def test_the_split_is_half_to_even_and_loses_nothing(
    held: int, after: int, per_share: str, first_fees: int, second_fees: int
) -> None:
    result = play(
        {"NVDA": BARS},
        at={0: [target(held)], 1: [target(after)], 2: [target(0)]},
        pricing=rules(commission=plan(per_share)),
    )
    first, second = result.trades
    assert (first.fees_micros, second.fees_micros) == (first_fees, second_fees)
    assert first_fees + second_fees == sum(f.commission_micros for f in result.fills)


def test_regulatory_fees_are_split_too() -> None:
    """Sell 100 at 110 on 2024-01-02: SEC 0.088, TAF 0.0166: 0.1046 in all, 60 % is 0.06276."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(60)], 1: [target(-40)], 2: [target(0)]},
        pricing=rules(tables=TABLES.regulatory),
    )
    first, second = result.trades
    assert (first.fees_micros, second.fees_micros) == (62_760, 41_840)


def test_where_shorts_are_not_allowed_the_order_is_cut() -> None:
    result = play({"NVDA": BARS}, at={0: [target(60)], 1: [target(-40)]}, limits=Limits())
    assert fills(result) == [(1, 60, 100.0), (2, -60, 110.0)]
    assert len(result.trades) == 1


def test_a_flip_in_parts_crosses_zero_once() -> None:
    """Sell 100 of +60 with budgets 50, 30, 20: +10, −20, −40."""
    bars = [flat(100.0), flat(100.0), flat(110.0, 500), flat(112.0, 300), flat(111.0, 200)]
    seen: list[int] = []
    plan_: dict[int, Any] = {0: [target(60)], 1: [target(-40)]}

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        seen.append(portfolio.position("NVDA"))
        return plan_.get(market.index)

    result = play({"NVDA": bars}, decide=decide, pricing=rules(participation_ppm=100_000))
    assert seen == [0, 60, 10, -20, -40]
    (trade,) = result.trades
    # out: 50 at 110 and 10 at 112
    assert trade.pnl_micros == (50 * 10 + 10 * 12) * USD
    assert trade.exit_e4 == pytest.approx((50 * 1_100_000 + 10 * 1_120_000) / 60)
    # the short: 20 at 112 and 20 at 111
    assert result.account.portfolio.positions["NVDA"].quantity == -40


def test_bars_held_start_again_with_a_flip() -> None:
    seen: list[tuple[int, int | None]] = []
    plan_: dict[int, Any] = {0: [target(60)], 2: [target(-40)]}

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        seen.append((portfolio.bars_held("NVDA"), portfolio.bars_since_exit("NVDA")))
        return plan_.get(market.index)

    play({"NVDA": BARS}, decide=decide)
    assert seen == [(0, None), (1, None), (2, None), (1, 1), (2, 2)]
