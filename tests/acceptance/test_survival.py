"""What must survive a SIGKILL: brackets, cooldowns, waiting orders, pending fills, numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.stage import Quote, Stage, flat
from tests.replay.workshop import rows

COSTS = (
    "{slippage_bps: 10, commission: {per_share_usd: 0.01, minimum_usd: 1}, regulatory_fees: false}"
)

# bar 3 falls to 94: the stop at 95.09 (5 % under 100.10, away from the entry by the tick)
QUOTES: list[Quote] = [
    *[flat(100.0)] * 3,
    (100.0, 100.5, 94.0, 96.0, 1_000_000),
    *[flat(96.0)] * 3,
    flat(97.0),
    (97.0, 110.0, 97.0, 108.0, 1_000_000),
    flat(108.0),
]
STRATEGY = (
    "{kind: threshold, params: {enter_long_bps: 50, exit_long_bps: -1000, quantity: 10, "
    "stop_loss_pct: 5, take_profit_pct: 10, cooldown_bars: 2}}"
)


def made(folder: Path) -> Stage:
    """Every bar is predicted to gain 1 %, so that only exits and cooldowns keep it out."""
    stage = Stage(folder / "stage", {"AAA": QUOTES}, {}, strategy=STRATEGY, execution=COSTS)
    stage.write_predictions([0.01] * len(QUOTES))
    return stage


@pytest.fixture(scope="module")
def often_killed(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A SIGKILL while the bracket rests, and one within the cooldown."""
    stage = made(tmp_path_factory.mktemp("killed"))
    for bar in (1, 4):
        stage.play(bar)
        stage.hold()
        stage.kill_9()
    return stage.play()


def test_the_bracket_and_the_cooldown_are_those_of_an_undisturbed_life(often_killed: Stage) -> None:
    """Decided at bar 0, bought at 100 + 10 bps = 100.10. Stop: 100.10 x 0.95 = 95.095, so 95.09.

    Bar 3 trades through it: 95.09 less 10 bps is 94.99491, so 94.99. Closes 3 and 4 count for the
    cooldown of 2; decided at bar 5, bought at 96 + 10 bps = 96.096, so 96.10. The target is
    105.71, a limit; bar 8 trades through it. Its close and that of bar 9 are the next cooldown.
    """
    assert often_killed.fills() == [
        (1, 10, 100.10),
        (3, -10, 94.99),
        (6, 10, 96.10),
        (8, -10, 105.71),
    ]


def test_the_books_to_the_cent(often_killed: Stage) -> None:
    """Each order is 10 x 0.01 = 0.10, at least 1 dollar: four dollars.

    Two closes were held each time: bars 1 and 2, bars 6 and 7.
    (94.99 - 100.10) x 10 = -51.10 and (105.71 - 96.10) x 10 = 96.10: +45.00 - 4.00.
    """
    assert often_killed.equity()[-1] == pytest.approx(100_041.00, abs=1e-9)
    found = often_killed.query("SELECT pnl, fees, bars_held, exit_reason FROM trades")
    assert [(round(pnl, 6), fees, held, why) for pnl, fees, held, why in found] == [
        (-53.1, 2.0, 2, "stop_loss"),
        (94.1, 2.0, 2, "take_profit"),
    ]


def test_numbers_run_on(often_killed: Stage) -> None:
    """Entry, stop, profit; entry, stop, profit: each once, whatever was started how often."""
    ids = [number for (number,) in often_killed.query("SELECT order_id FROM orders ORDER BY 1")]
    assert ids == list(range(1, 7))
    assert often_killed.query("SELECT fill_id FROM fills ORDER BY 1") == [(1,), (2,), (3,), (4,)]
    status = sorted(status for _, status, _ in often_killed.orders("AAA"))
    assert status == ["cancelled"] * 2 + ["filled"] * 4


def test_it_equals_a_replay_row_for_row(often_killed: Stage) -> None:
    run = often_killed.replay("--out", str(often_killed.folder / "replayed"))
    report = often_killed.folder / "report"
    often_killed.done("report", "--out", str(report))
    for name in ("fills", "trades", "orders", "denials", "equity", "predictions", "gaps"):
        assert rows(report / f"{name}.csv") == rows(run / f"{name}.csv"), name
    assert len(rows(run / "equity.csv")) == len(QUOTES)
    assert often_killed.proved()


def test_a_fill_that_is_pending_at_a_sigkill_comes_once(tmp_path: Path) -> None:
    """Market order of bar 0, killed in bar 1, started again in bar 1: filled at bar 1's open."""
    stage = Stage(
        tmp_path / "stage",
        {"AAA": [flat(100.0 + i) for i in range(4)]},
        {0: "TargetPosition('AAA', 10)"},
    ).play(0)
    stage.hold()
    assert "FILL_PENDING, known at 2024-01-02 11:30" in stage.done("status")
    stage.kill_9()
    stage.play()
    assert stage.fills() == [(1, 10, 101.0)]


def test_orders_over_the_night_survive_a_sigkill(tmp_path: Path) -> None:
    """A day order of the last bar belongs to the next session; a gtc limit waits for days."""
    quotes = [*[flat(100.0)] * 13, (100.0, 100.0, 89.0, 92.0), flat(92.0)]
    plan = {
        5: "OrderRequest('AAA', Side.BUY, 3, OrderType.LIMIT, limit_price=90.0, "
        "time_in_force=TimeInForce.GTC), "
        "OrderRequest('AAA', Side.BUY, 4, OrderType.LIMIT, limit_price=90.0)",
        6: "TargetPosition('AAA', 10)",
    }
    stage = Stage(tmp_path / "stage", {"AAA": quotes}, plan)
    stage.die(7)
    stage.play()
    # the day limit has gone with the session of bar 6
    assert stage.fills() == [(7, 10, 100.0), (13, 3, 90.0)]
    assert stage.orders("AAA")[1] == ("explicit", "expired", "NOT_REACHED")
