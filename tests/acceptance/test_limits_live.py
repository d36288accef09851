"""Limits of a daemon that lives on over restarts: daily loss, drawdown, orders a day."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, flat

EACH_BAR = {i: f"TargetPosition('AAA', {10 * (i + 1)})" for i in range(9)}


def prices(*closes: float) -> dict[str, list[tuple[float, ...]]]:
    return {"AAA": [flat(price) for price in closes]}


def test_the_days_loss_counts_from_the_last_close(tmp_path: Path) -> None:
    """100 shares, a limit of 1,000 dollars from the previous session's close.

    On the 2nd it loses 900 (100 to 91). The night costs 500 more: 1,400 since the entry, 500
    today; a SIGKILL there changes nothing. At the close of bar 8 it is 400 below bar 7, so 900
    today; at that of bar 9 100 more: 1,000 is the limit. Flattened at the open of bar 10.
    """
    closes = (100, 100, 98, 96, 94, 92, 91, 86, 82, 81, 80, 79)
    made = Stage(
        tmp_path / "stage",
        prices(*closes),
        {0: "TargetPosition('AAA', 100)"},
        risk="{max_daily_loss_usd: 1000}",
    )
    made.die(7)
    made.die(9)
    made.play()
    assert made.states() == [("HALTED", "limit:max_daily_loss_usd", 0)]
    assert made.query("SELECT ts FROM state_changes") == [(made.end(9),)]
    assert (made.state / "HALT").exists()
    assert made.fills() == [(1, 100, 100.0), (10, -100, 80.0)]
    # from 100 to 80 with 100 shares
    assert made.equity()[-1] == 98_000
    assert made.read("status")["day_pnl_usd"] == -1_100  # 91 to 80
    assert made.proved()


def test_limits_are_told_with_their_use(tmp_path: Path) -> None:
    """100 shares, 3 dollars down: 300 of 1,000; a drawdown of 300 of 100,000."""
    made = Stage(
        tmp_path / "stage",
        prices(100, 100, 97),
        {0: "TargetPosition('AAA', 100)"},
        risk="{max_daily_loss_usd: 1000, max_drawdown_pct: 15, max_position_shares: 400, "
        "max_orders_per_day: 12}",
    ).play()
    told = {limit["name"]: limit for limit in made.read("status")["limits"]}
    assert told["max_daily_loss_usd"]["current"] == 300
    assert told["max_daily_loss_usd"]["limit"] == 1000
    assert told["max_daily_loss_usd"]["use"] == pytest.approx(0.3)
    assert told["max_drawdown_pct"]["current"] == pytest.approx(0.3)
    assert told["max_orders_per_day"]["current"] == 1


def test_orders_a_day_are_counted_over_restarts(tmp_path: Path) -> None:
    """Three a day: bars 0, 1, 2 order, the rest of the session is denied; bar 7 is another day.

    A SIGKILL in the decision of bar 5.

    A target that was denied is caught up with: 80 - 30 = 50 at bar 7.
    """
    made = Stage(
        tmp_path / "stage",
        prices(*range(100, 110)),
        EACH_BAR,
        risk="{max_orders_per_day: {limit: 3, action: deny}}",
    )
    made.die(5)
    made.play()
    assert made.fills() == [
        (1, 10, 101.0), (2, 10, 102.0), (3, 10, 103.0), (8, 50, 108.0), (9, 10, 109.0),
    ]  # fmt: skip
    assert [(bar, reason) for bar, _, reason in made.denials()] == [
        (bar, "MAX_ORDERS_PER_DAY") for bar in (3, 4, 5, 6)
    ]
    assert made.proved()


def test_the_daily_number_halts_by_default(tmp_path: Path) -> None:
    """Two a day; the third is one too many, and nobody but a person goes on."""
    made = Stage(
        tmp_path / "stage", prices(*range(100, 110)), EACH_BAR, risk="{max_orders_per_day: 2}"
    )
    made.die(4)
    assert made.states() == [("HALTED", "limit:max_orders_per_day", 0)]
    made.play()
    assert made.fills() == [(1, 10, 101.0), (2, 10, 102.0)]  # a new day lifts no halt
    assert "ACTIVE" in made.done("reset", "--reason", "looked")


def test_a_floor_of_drawdown_knows_its_peak_after_a_sigkill(tmp_path: Path) -> None:
    """Peak 102,000 (100 shares at 120); 2 % of it is 2,040: 99,960 or less. 99.5 makes 99,950."""
    made = Stage(
        tmp_path / "stage",
        prices(100, 100, 120, 110, 100, 99.7, 99.5, 99),
        {0: "TargetPosition('AAA', 100)"},
        risk="{max_drawdown_pct: {limit: 2, action: reduce}}",
    )
    made.die(3)
    made.play()
    assert made.query("SELECT ts FROM state_changes") == [(made.end(6),)]  # bar 5: 1.99 % below
    assert made.states() == [("REDUCING", "limit:max_drawdown_pct", 0)]
    assert not (made.state / "HALT").exists()


def test_flat_before_close_on_a_half_day_over_a_restart(tmp_path: Path) -> None:
    """3 July: bars 0 to 3, the last at 12:30. Sold at its open, ordered at the close of bar 2."""
    made = Stage(
        tmp_path / "stage",
        prices(100, 101, 102, 103, 104, 105),
        {0: "TargetPosition('AAA', 10)", 2: "TargetPosition('AAA', 20)"},
        risk="{flat_before_close: true}",
        first=20240703,
        last=20240708,
    )
    made.die(3)
    made.play()
    assert made.fills() == [(1, 10, 101.0), (3, -10, 103.0)]
    assert [(bar, reason) for bar, _, reason in made.denials()] == [(2, "NEAR_CLOSE")]
