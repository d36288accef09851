"""Orders, fills, trades and gaps as a daemon's journal tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import Bar, Input, MarketSlice, Outcome
from daemon.core.units import MINUTE_NS
from daemon.errors import RefusedError
from daemon.journal.creation import create_journal
from daemon.journal.ledger import LedgerRow
from daemon.journal.writer import JournalWriter
from daemon.reading.journaled import journal_of
from daemon.reading.verbs import document_of
from tests.lived import SCRIPTED, end_of, inputs_of, lived, script
from tests.rules.tools import flat

ONE_USD = (
    "{slippage_bps: 0, commission: {per_share_usd: 0, minimum_usd: 1}, regulatory_fees: false}"
)
# The order of 11:30 fills at the open of the third bar; the one of the last close overnight, at 99.
DAY_1 = [flat(100), flat(102), flat(103), flat(103), flat(103), flat(103), flat(101)]
DAY_2 = [flat(99), flat(99), flat(99), flat(100), flat(98), flat(98), flat(98)]


def answer(state: Path, verb: str, *, today: bool = False) -> dict[str, Any]:
    """A verb's whole answer."""
    with journal_of(state) as journal:
        return document_of(journal, verb, today=today)


def told(state: Path, verb: str, *, today: bool = False) -> list[dict[str, Any]]:
    """The rows of a verb's answer."""
    rows: list[dict[str, Any]] = answer(state, verb, today=today)[verb]
    return rows


@pytest.fixture
def two_days(tmp_path: Path) -> Path:
    """Return a state directory after two sessions with four orders."""
    lived(tmp_path, inputs_of({"NVDA": [*DAY_1, *DAY_2]}), execution=ONE_USD)
    return tmp_path


# --- what is in the answer ----------------------------------------------------------------------


def test_orders_have_the_columns_of_the_csv(two_days: Path) -> None:
    orders = told(two_days, "orders")
    assert [(row["order_id"], row["side"], row["quantity"], row["status"]) for row in orders] == [
        (1, "buy", 10, "filled"),
        (2, "sell", 20, "filled"),
        (3, "buy", 20, "filled"),
        (4, "sell", 20, "filled"),
    ]
    assert orders[1] == {
        "order_id": 2,
        "ts_decided": "2024-01-02T21:30:00Z",
        "eligible_from": "2024-01-02T21:30:00Z",
        "symbol": "NVDA",
        "side": "sell",
        "type": "market",
        "quantity": 20,
        "filled_quantity": 20,
        "average_price": 99.0,
        "limit_price": None,
        "stop_price": None,
        "time_in_force": "day",
        "origin": "target",
        "status": "filled",
        "reason": "",
    }


def test_todays_orders_are_those_that_moved_today(two_days: Path) -> None:
    # The second was decided yesterday and filled today, the first was over yesterday.
    assert [row["order_id"] for row in told(two_days, "orders", today=True)] == [2, 3, 4]


def test_an_order_that_still_works_is_one_of_todays(tmp_path: Path) -> None:
    limit = "OrderType.LIMIT, 90.0, time_in_force=TimeInForce.GTC"
    script(tmp_path, f'{{0: [OrderRequest("NVDA", Side.BUY, 5, {limit})]}}')
    lived(tmp_path, inputs_of({"NVDA": [flat(100)] * 9}), strategy=SCRIPTED)
    (order,) = told(tmp_path, "orders", today=True)
    assert (order["ts_decided"], order["status"]) == ("2024-01-02T15:30:00Z", "working")


def test_fills_by_the_day_the_market_made_them(two_days: Path) -> None:
    fills = told(two_days, "fills")
    assert [(row["fill_id"], row["price"], row["commission"]) for row in fills] == [
        (1, 103.0, 1.0),
        (2, 99.0, 1.0),
        (3, 98.0, 1.0),
        (4, 98.0, 1.0),
    ]
    assert fills[0]["ambiguous"] is False
    assert fills[0]["ts_effective"] == "2024-01-02T16:30:00Z"
    assert fills[0]["ts_known"] == "2024-01-02T17:30:00Z"
    assert [row["fill_id"] for row in told(two_days, "fills", today=True)] == [2, 3, 4]


def test_trades_and_the_open_one_at_its_last_close(two_days: Path) -> None:
    trades = told(two_days, "trades")
    assert [(row["trade_id"], row["direction"], row["pnl"], row["open"]) for row in trades] == [
        (1, "long", -41.5, False),  # (99 - 103) x 10 - 1 - half of 1
        (2, "short", 9.0, False),  # (99 - 98) x 10 - two halves
        (3, "long", -1.0, False),  # nothing but two halves
        (4, "short", -0.5, True),
    ]
    last = trades[-1]
    assert set(last) == set(trades[0])
    assert (last["entry_price"], last["exit_price"], last["quantity"]) == (98.0, 98.0, 10)
    assert (last["fees"], last["bars_held"], last["exit_reason"]) == (0.5, 2, "open")
    assert last["return_pct"] == pytest.approx(100 * -0.5 / 980)
    assert last["exit_ts"] == "2024-01-03T21:30:00Z"


def test_todays_trades_are_those_that_ended_today_or_are_open(tmp_path: Path) -> None:
    # Day 1: long at 103, out at 101 in its last bar; short since.
    bars = [flat(100), flat(102), flat(103), flat(103), flat(103), flat(101), flat(101), flat(101)]
    lived(tmp_path, inputs_of({"NVDA": bars}))
    assert [row["trade_id"] for row in told(tmp_path, "trades")] == [1, 2]
    assert [row["trade_id"] for row in told(tmp_path, "trades", today=True)] == [2]


def test_the_answer_says_what_it_is_about(two_days: Path) -> None:
    whole, today = answer(two_days, "fills"), answer(two_days, "fills", today=True)
    assert list(whole) == ["state_directory", "name", "event_time", "date", "fills"]
    assert (whole["state_directory"], whole["name"]) == (str(two_days), "lived")
    assert (whole["event_time"], whole["date"]) == ("2024-01-03T21:30:00Z", None)
    assert today["date"] == "2024-01-03"


# --- gaps ---------------------------------------------------------------------------------------


def _backfilled(missing: Input) -> MarketSlice:
    assert isinstance(missing, MarketSlice)
    bar = Bar("NVDA", missing.start, missing.end, 103.0, 104.0, 102.0, 103.0, 1_000)
    return MarketSlice(
        missing.start, missing.end, (bar,), (), missing.session, missing.index, Outcome.BACKFILLED
    )


def _gap(index: int, outcome: str, day: int = 0) -> LedgerRow:
    end = end_of(index, day)
    start = end - 60 * MINUTE_NS
    return LedgerRow("gap", end + MINUTE_NS, "NVDA", start, end, outcome, f"{outcome}, since")


@pytest.fixture
def gappy(tmp_path: Path) -> Path:
    """Return a journal of two days in which every outcome but warm-up occurs."""
    day_2 = [flat(103), flat(103), None, *[flat(103)] * 4]
    inputs = inputs_of({"NVDA": [flat(103), None, None, flat(103), *[flat(103)] * 3, *day_2]})
    turn = next(
        n for n, one in enumerate(inputs, 1) if isinstance(one, MarketSlice) and one.missing
    )
    inputs.insert(turn, _backfilled(inputs[turn - 1]))
    facts = {
        turn: [_gap(1, "missing"), LedgerRow("feed", end_of(1), outcome="lost", detail="away")],
        turn + 1: [_gap(1, "backfilled")],
        turn + 2: [_gap(2, "quarantined")],
        turn + 3: [_gap(3, "revised"), _gap(8, "unexpected"), _gap(8, "unexpected")],
        turn + 12: [
            _gap(2, "missing", 1),
            LedgerRow("feed", end_of(2, 1), outcome="restored"),
        ],
        turn + 13: [_gap(2, "late", 1)],
    }
    lived(tmp_path, inputs, facts=facts)
    return tmp_path


def test_each_bar_counts_as_what_it_ended_as(gappy: Path) -> None:
    found = answer(gappy, "gaps")
    assert found["expected"] == 14
    assert found["outcomes"] == {
        "received": 10,
        "backfilled": 1,
        "late": 1,
        "quarantined": 1,
        "revised": 1,
        "unexpected": 1,
    }


def test_the_rows_are_the_ledgers(gappy: Path) -> None:
    found = answer(gappy, "gaps")
    assert [row["outcome"] for row in found["gaps"]] == [
        "missing", "backfilled", "quarantined", "revised", "unexpected", "unexpected", "missing",
        "late",
    ]  # fmt: skip
    assert found["gaps"][0] == {
        "symbol": "NVDA",
        "start": "2024-01-02T15:30:00Z",
        "end": "2024-01-02T16:30:00Z",
        "session": "2024-01-02",
        "outcome": "missing",
        "reason": "missing, since",
    }
    assert [row["event"] for row in found["feed_events"]] == ["lost", "restored"]


def test_todays_gaps_are_of_todays_session(gappy: Path) -> None:
    found = answer(gappy, "gaps", today=True)
    assert found["date"] == "2024-01-03"
    assert (found["expected"], found["outcomes"]) == (7, {"received": 6, "late": 1})
    assert [row["outcome"] for row in found["gaps"]] == ["missing", "late"]
    assert [row["event"] for row in found["feed_events"]] == ["restored"]


def test_a_bar_that_a_slice_lacks_is_missing_without_a_row_as_well(tmp_path: Path) -> None:
    lived(tmp_path, inputs_of({"NVDA": [flat(103), None, flat(103)]}))
    found = answer(tmp_path, "gaps")
    assert (found["expected"], found["outcomes"]) == (3, {"received": 2, "missing": 1})


def test_a_bar_of_the_warm_up_was_not_expected(tmp_path: Path) -> None:
    inputs = inputs_of({"NVDA": [flat(100)] * 3})
    first, *rest = (one for one in inputs if isinstance(one, MarketSlice))
    warm = MarketSlice(
        first.start, first.end, first.bars, (), first.session, first.index, Outcome.WARMUP
    )
    lived(tmp_path, [warm, *rest])
    found = answer(tmp_path, "gaps")
    assert (found["expected"], found["outcomes"]) == (2, {"received": 2, "warmup": 1})


# --- journals with nothing in them --------------------------------------------------------------


def test_a_journal_that_was_only_created(tmp_path: Path) -> None:
    create_journal(tmp_path / "journal.db")
    head = {"state_directory": str(tmp_path), "name": None, "event_time": None, "date": None}
    for verb in ("orders", "fills", "trades"):
        assert answer(tmp_path, verb, today=True) == {**head, verb: []}
    pnl: dict[str, Any] = {"sessions": [], "total": None, "positions": []}
    assert answer(tmp_path, "pnl") == head | pnl
    gaps: dict[str, Any] = {"expected": 0, "outcomes": {}, "gaps": [], "feed_events": []}
    assert answer(tmp_path, "gaps") == head | gaps


def test_event_time_is_the_latest_though_a_late_bar_was_the_last_turn(tmp_path: Path) -> None:
    inputs = inputs_of({"NVDA": [flat(103), None, flat(103)]})
    missing = next(one for one in inputs if getattr(one, "missing", ()))
    inputs = inputs[: inputs.index(missing) + 2]
    lived(tmp_path, [*inputs, _backfilled(missing)])
    with journal_of(tmp_path) as journal:
        assert journal.now == end_of(2)


def test_no_journal_and_a_replays_journal_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="there is no account yet"), journal_of(tmp_path):
        pass
    JournalWriter(tmp_path / "journal.db").close()
    with pytest.raises(RefusedError, match="`papertape runs show` reads it"), journal_of(tmp_path):
        pass
