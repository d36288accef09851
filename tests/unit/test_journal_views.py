"""The views of a live journal, each row worked out by hand."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import (
    Dividend,
    Halt,
    Note,
    OrderType,
    Outcome,
    Prediction,
    Side,
    Split,
    TimeInForce,
)
from daemon.core.orders import OrderStatus
from daemon.core.outputs import (
    ActionApplied,
    Denial,
    DividendPaid,
    OrderAccepted,
    OrderUpdated,
    Origin,
    Output,
    Reason,
    StateChanged,
    TradeClosed,
)
from daemon.core.turn import Turn
from daemon.core.units import HOUR_NS, MICROS_PER_USD
from daemon.journal.ledger import LedgerRow
from daemon.journal.store import LiveJournal
from tests.live_journals import CONNECTED, MANIFEST, OPENING, OPENS, WALL, fill, market

TEN, ELEVEN = "2024-01-02T15:30:00Z", "2024-01-02T16:30:00Z"
"""The ends of the first two bars."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path


def stored(state: Path, *turns: Turn, facts: Sequence[LedgerRow] = ()) -> Path:
    """A journal of these turns, the facts with the first of them."""

    async def write() -> None:
        journal = await LiveJournal.open(state / "journal.db")
        await journal.open_segment(1, "start", MANIFEST, OPENING)
        for place, turn in enumerate(turns):
            await journal.commit(turn, [] if place else facts, WALL)
        await journal.close()

    asyncio.run(write())
    return state / "journal.db"


def view(path: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a view by the names of its columns."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608 - a name from below


def slice_turn(
    seq: int,
    at: int,
    *outputs: Output,
    equity_usd: float | None = None,
    predictions: Sequence[Prediction] = (),
    **changes: Any,
) -> Turn:
    """The turn of an hour's slice."""
    item = market(at, **changes)
    equity = None if equity_usd is None else round(equity_usd * MICROS_PER_USD)
    return Turn(seq, item.end, item, outputs, tuple(predictions), None, equity)


def test_bars(state: Path) -> None:
    path = stored(state, slice_turn(1, 0, outcome=Outcome.WARMUP), slice_turn(2, 1))
    first, second = view(path, "bars")
    assert first == {
        "seq": 1, "symbol": "NVDA", "start": "2024-01-02T14:30:00Z", "end": TEN, "open": 10.0,
        "high": 11.0, "low": 9.75, "close": 10.5, "volume": 1000, "outcome": "warmup",
    }  # fmt: skip
    assert (second["start"], second["volume"], second["outcome"]) == (TEN, 1001, "received")


def test_predictions(state: Path) -> None:
    made = [Prediction("NVDA", 0.25), Prediction("AMD", None, "NaN")]
    path = stored(state, slice_turn(1, 0, predictions=made), slice_turn(2, 1))
    assert view(path, "predictions") == [
        {"ts": TEN, "symbol": "NVDA", "value": 0.25, "failure": None},
        {"ts": TEN, "symbol": "AMD", "value": None, "failure": "NaN"},
    ]


def test_equity_with_its_cash_and_drawdown(state: Path) -> None:
    # 1,000 dollars; 2 bought at 10: 20 and 1.000006 of fees; 1 sold: +10 and 1.000006 again
    path = stored(
        state,
        slice_turn(1, 0, outcome=Outcome.WARMUP),
        slice_turn(2, 1, fill(1, at=1), equity_usd=1_100),
        Turn(3, OPENS, Note(OPENS, "operator", "x"), ()),
        slice_turn(4, 2, equity_usd=990),
        slice_turn(5, 3, fill(2, side=Side.SELL, quantity=1, at=3), equity_usd=1_045),
    )
    rows = view(path, "equity")
    assert [row["ts"][11:16] for row in rows] == ["16:30", "17:30", "18:30"]
    assert [row["equity"] for row in rows] == [1_100.0, 990.0, 1_045.0]
    assert [row["cash"] for row in rows] == pytest.approx([978.999994, 978.999994, 987.999988])
    assert [row["position_value"] for row in rows] == pytest.approx(
        [121.000006, 11.000006, 57.000012]
    )
    assert [row["drawdown_pct"] for row in rows] == pytest.approx([0.0, -10.0, -5.0])


def test_the_peak_begins_with_the_starting_cash(state: Path) -> None:
    (row,) = view(stored(state, slice_turn(1, 0, equity_usd=900)), "equity")
    assert row["drawdown_pct"] == pytest.approx(-10.0)


def test_splits_and_dividends_in_cash_and_positions(state: Path) -> None:
    split = Split("NVDA", 20240102, 10, 1)
    dividend = Dividend("NVDA", 20240102, 20240103, 250_000)
    path = stored(
        state,
        slice_turn(1, 0, fill(1), equity_usd=1_000),
        slice_turn(2, 1, ActionApplied(OPENS, dividend, 2, 500_000), equity_usd=1_000),
        slice_turn(3, 2, ActionApplied(OPENS, split, 20, 3), fill(2, at=2), equity_usd=1_000),
        slice_turn(4, 3, DividendPaid(OPENS, "NVDA", 500_000), equity_usd=1_000),
    )
    # the dividend is owed until it is paid; the split pays three micro-dollars for a fraction
    assert [row["cash"] for row in view(path, "equity")] == pytest.approx(
        [978.999994, 978.999994, 957.999991, 958.499991]
    )
    assert view(path, "positions") == [{"symbol": "NVDA", "quantity": 22}]


def test_cash_begins_anew_with_a_segment(state: Path) -> None:
    async def write() -> None:
        journal = await LiveJournal.open(state / "journal.db")
        await journal.open_segment(1, "start", MANIFEST, OPENING)
        await journal.commit(slice_turn(1, 0, fill(1), equity_usd=1_000), [], WALL)
        opening = {"values": {"portfolio": {"cash_micros": 500 * MICROS_PER_USD}}}
        await journal.open_segment(2, "mismatch", MANIFEST, opening)
        await journal.commit(slice_turn(2, 1, equity_usd=1_000), [], WALL)
        await journal.close()

    asyncio.run(write())
    assert [row["cash"] for row in view(state / "journal.db", "equity")] == [978.999994, 500.0]
    assert [row["reason"] for row in view(state / "journal.db", "segments")] == [
        "start",
        "mismatch",
    ]


def test_gaps_and_feed_events(state: Path) -> None:
    gap = LedgerRow("gap", OPENS + HOUR_NS, "NVDA", OPENS, OPENS + HOUR_NS, "late", "3 s")
    path = stored(state, slice_turn(1, 0), facts=[CONNECTED, gap])
    assert view(path, "gaps") == [
        {
            "symbol": "NVDA", "start": "2024-01-02T14:30:00Z", "end": TEN, "session": 20240102,
            "outcome": "late", "reason": "3 s",
        }
    ]  # fmt: skip
    assert view(path, "feed_events") == [
        {
            "seq": 1, "ts": "2024-01-02T14:30:00Z", "event": "connected", "symbol": "",
            "detail": "127.0.0.1",
        }
    ]  # fmt: skip


def test_commands_and_notes(state: Path) -> None:
    path = stored(
        state,
        Turn(1, OPENS, Halt(OPENS, "signal", "SIGUSR1"), ()),
        Turn(2, OPENS, Note(OPENS, "operator", "it's quiet"), ()),
    )
    at = {"ts": "2024-01-02T14:30:00Z"}
    assert view(path, "commands") == [
        {"seq": 1, **at, "command": "Halt", "source": "signal", "reason": "SIGUSR1"},
        {"seq": 2, **at, "command": "Note", "source": "operator", "reason": "it's quiet"},
    ]
    assert view(path, "notes") == [{"seq": 2, **at, "source": "operator", "text": "it's quiet"}]


def test_orders_fills_denials_states_and_trades(state: Path) -> None:
    end = OPENS + HOUR_NS
    accepted = [
        OrderAccepted(number, "NVDA", Side.BUY, 5, OrderType.LIMIT, TimeInForce.DAY,
            Origin.TARGET, end, end, limit_e4=101_000)
        for number in (1, 2, 3, 4)
    ]  # fmt: skip
    cancelled = OrderUpdated(2, "NVDA", OrderStatus.CANCELLED, Reason.REQUESTED, 5, end)
    resized = OrderUpdated(4, "NVDA", OrderStatus.WORKING, Reason.RESIZED, 7, end, None, 99_000)
    path = stored(
        state,
        slice_turn(1, 0, *accepted, Denial(end, "NVDA", Reason.MIN_CASH, -3, Origin.TARGET, "x")),
        slice_turn(2, 1, fill(1, quantity=5, at=1), cancelled, fill(3, at=1), resized),
        slice_turn(
            3, 2,
            StateChanged(end, "HALTED", "ACTIVE", "latch", "HALTED", False, "SIGUSR1"),
            TradeClosed(1, "NVDA", "long", 5, OPENS, 100_000.0, end, 110_000.0, 4_000_000,
                1_000_000, 2, -5_000, 100_000, 0.5, "in", "out"),
        ),
    )  # fmt: skip
    orders = view(path, "orders")
    assert [(row["order_id"], row["status"], row["reason"]) for row in orders] == [
        (1, "filled", ""), (2, "cancelled", "REQUESTED"), (3, "partially_filled", ""),
        (4, "working", "RESIZED"),
    ]  # fmt: skip
    assert [(row["quantity"], row["filled_quantity"]) for row in orders] == [
        (5, 5), (5, 0), (5, 2), (7, 0)
    ]  # fmt: skip
    assert [row["limit_price"] for row in orders] == [10.1, 10.1, 10.1, 9.9]
    assert [row["fill_id"] for row in view(path, "fills")] == [1, 3]
    (denial,) = view(path, "denials")
    assert (denial["ts"], denial["reason"], denial["quantity"]) == (TEN, "MIN_CASH", -3)
    (change,) = view(path, "state_changes")
    assert (change["state"], change["previous"], change["source"]) == ("HALTED", "ACTIVE", "latch")
    (trade,) = view(path, "trades")
    assert (trade["pnl"], trade["return_pct"], trade["mae_pct"]) == (4.0, 8.0, -0.5)
