"""C17: levels from the average fill, rounded away; bars held; bars to cool down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.strategies.threshold import Threshold
from tests.harness import Quote, Result, play, rules
from tests.rules.tools import E4, fills, flat, target

LONG: dict[str, Any] = {"enter_long_bps": 10.0, "quantity": 10}
SHORT: dict[str, Any] = {"enter_short_bps": -10.0, "quantity": 10}


def run(
    values_bps: Sequence[float | None],
    bars: Sequence[Quote | None] | None = None,
    **params: Any,
) -> Result:
    rows = {("NVDA", i): v / 10_000 for i, v in enumerate(values_bps) if v is not None}
    strategy = Threshold(Threshold.Params(**params), ("NVDA",))
    quotes = bars or [flat(100.0)] * (len(values_bps) + 1)
    return play({"NVDA": quotes}, strategy=strategy, predictions=rows)


def moves(result: Result) -> list[tuple[int, int]]:
    return [(i, q) for i, q, _ in fills(result)]


def levels(result: Result) -> list[tuple[str, float]]:
    """What protects: (stop | limit, level in dollars)."""
    found = []
    for accepted in result.orders:
        if str(accepted.origin) == "protective":
            if accepted.stop_e4 is not None:
                found.append(("stop", accepted.stop_e4 / E4))
            if accepted.limit_e4 is not None:
                found.append(("limit", accepted.limit_e4 / E4))
    return sorted(found)


@pytest.mark.parametrize(
    ("sign", "entry", "stop_pct", "take_pct", "stop", "take"),
    [
        (1, 100.0, 5.0, 10.0, 95.0, 110.0),
        (-1, 100.0, 5.0, 10.0, 105.0, 90.0),
        (1, 100.01, 5.0, 10.0, 95.00, 110.02),  # 95.0095 down, 110.011 up: away
        (-1, 100.01, 5.0, 10.0, 105.02, 90.00),  # 105.0105 up, 90.009 down
        (1, 33.33, 1.5, 2.5, 32.83, 34.17),  # 32.83005, 34.16325
        (-1, 33.33, 1.5, 2.5, 33.83, 32.49),  # 33.82995, 32.49675
        (1, 100.0, 0.01, 0.01, 99.99, 100.01),
        (1, 7.77, 0.1, 0.1, 7.76, 7.78),  # 7.76223, 7.77777
    ],
)
def test_levels(
    sign: int, entry: float, stop_pct: float, take_pct: float, stop: float, take: float
) -> None:
    result = run(
        [11 * sign, None],
        [flat(entry)] * 3,
        **(LONG if sign > 0 else SHORT),
        stop_loss_pct=stop_pct,
        take_profit_pct=take_pct,
    )
    assert levels(result) == [("limit", take), ("stop", stop)]


def test_levels_count_from_the_price_paid_not_from_the_reference() -> None:
    """Open 100, 1 % of slippage: paid 101; stop 5 % under it: 95.95."""
    rows = {("NVDA", 0): 0.0011}
    result = play(
        {"NVDA": [flat(100.0)] * 2},
        strategy=Threshold(Threshold.Params(**LONG, stop_loss_pct=5.0), ("NVDA",)),
        predictions=rows,
        pricing=rules(slippage_ppm=10_000),
    )
    assert levels(result) == [("stop", 95.95)]


@pytest.mark.parametrize(
    ("sign", "first", "second"),
    [
        # 60 at 100 and 40 at 101: 100.40; its 5 % stop: 95.38
        (1, 95.0, 95.38),
        # the short: 105.42 (100.4 x 1.05)
        (-1, 105.0, 105.42),
    ],
)
def test_the_average_of_an_entry_in_parts(sign: int, first: float, second: float) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 600), flat(101.0), flat(101.0)]},
        at={0: [target(100 * sign, stop_loss_pct=5.0)]},
        pricing=rules(participation_ppm=100_000),
    )
    made = [(o.quantity, o.stop_e4) for o in result.orders if str(o.origin) == "protective"]
    assert made == [(60, round(first * E4)), (100, round(second * E4))]


def test_an_average_that_is_no_whole_price() -> None:
    """1 at 100.00 and 2 at 100.01: 100.00666…; 5 % off: 95.00633… -> 95.00; 10 % on: 110.0073…
    -> 110.01."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 10), flat(100.01), flat(100.0)]},
        at={0: [target(3, stop_loss_pct=5.0, take_profit_pct=10.0)]},
        pricing=rules(participation_ppm=100_000),
    )
    assert levels(result)[-1] == ("stop", 95.0)
    assert ("limit", 110.01) in levels(result)


@pytest.mark.parametrize("sign", [1, -1])
def test_trailing_counts_from_the_close_of_the_entry_bar(sign: int) -> None:
    """Entry at 100, close 110 (90): 5 % of that is 104.50 (94.50)."""
    close = 100.0 + 10 * sign
    bars = [
        flat(100.0),
        (100.0, max(100.0, close), min(100.0, close), close),
        flat(104.50 if sign > 0 else 94.50),
    ]
    result = run([11 * sign, None], bars, **(LONG if sign > 0 else SHORT), trailing_stop_pct=5.0)
    assert moves(result) == [(1, 10 * sign), (2, -10 * sign)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("held", "out_in"), [(1, 2), (2, 3), (3, 4), (5, 6)])
def test_max_holding_bars(sign: int, held: int, out_in: int) -> None:
    """Filled in bar 1, whose close is 1: after `held` closes the exit is decided."""
    result = run(
        [11 * sign, *([None] * 8)],
        **(LONG if sign > 0 else SHORT),
        max_holding_bars=held,
    )
    assert moves(result) == [(1, 10 * sign), (out_in, -10 * sign)]


def test_max_holding_bars_while_the_value_stays_high() -> None:
    """Out after two closes; the value lets it in again at the close that sees it flat."""
    result = run([11] * 7, **LONG, max_holding_bars=2)
    # in 1; closes of 1, 2; out in 3; at the close of 3 flat and in again: 4; out in 6
    assert moves(result) == [(1, 10), (3, -10), (4, 10), (6, -10), (7, 10)]


def test_a_missing_bar_is_no_close() -> None:
    """Held two closes: those of bars 1 and 3."""
    bars = [flat(100.0), flat(100.0), None, flat(100.0), flat(100.0), flat(100.0)]
    result = run([11, None, None, None, None], bars, **LONG, max_holding_bars=2)
    assert moves(result) == [(1, 10), (4, -10)]


@pytest.mark.parametrize(
    ("cooldown", "in_again"),
    [(None, 4), (1, 5), (2, 6), (3, 7)],
)
def test_cooldown_after_a_held_out_exit(cooldown: int | None, in_again: int) -> None:
    """Out in bar 3, whose close is 1: with 2, the closes of bars 3 and 4 may not enter."""
    result = run([11] * 7, **LONG, max_holding_bars=2, cooldown_bars=cooldown)
    assert moves(result)[:3] == [(1, 10), (3, -10), (in_again, 10)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("cooldown", "in_again"), [(None, 3), (1, 4), (2, 5), (4, 7)])
def test_cooldown_after_a_stop(sign: int, cooldown: int | None, in_again: int) -> None:
    """Stopped out in bar 2."""
    low, high = (94.0, 100.0) if sign > 0 else (100.0, 106.0)
    bars = [flat(100.0), flat(100.0), (100.0, high, low, 100.0), *([flat(100.0)] * 6)]
    result = run(
        [11 * sign] * 8,
        bars,
        **(LONG if sign > 0 else SHORT),
        stop_loss_pct=5.0,
        cooldown_bars=cooldown,
    )
    assert moves(result)[:3] == [(1, 10 * sign), (2, -10 * sign), (in_again, 10 * sign)]


def test_cooldown_does_not_block_exits() -> None:
    """The part sold by a thin bar counts as an exit; what is left still goes out."""
    bars = [flat(100.0), flat(100.0), flat(100.0, 40), flat(100.0), flat(100.0)]
    rows = {("NVDA", 0): 0.0011, ("NVDA", 1): -0.001, ("NVDA", 2): -0.001, ("NVDA", 3): 0.0011}
    params: Any = {**LONG, "exit_long_bps": 0.0, "cooldown_bars": 3}
    result = play(
        {"NVDA": bars},
        strategy=Threshold(Threshold.Params(**params), ("NVDA",)),
        predictions=rows,
        pricing=rules(participation_ppm=100_000),
    )
    assert moves(result) == [(1, 10), (2, -4), (3, -6)]


def test_cooldown_blocks_the_other_side_too() -> None:
    """Stopped out long in bar 2; a short signal at the closes of 2 and 3 waits, at 4 it goes."""
    bars = [flat(100.0), flat(100.0), (100.0, 100.0, 94.0, 96.0), *([flat(96.0)] * 4)]
    params = {**LONG, "enter_short_bps": -10.0, "stop_loss_pct": 5.0, "cooldown_bars": 2}
    result = run([11, None, -11, -11, -11], bars, **params)
    assert moves(result) == [(1, 10), (2, -10), (5, -10)]
