"""The data that the report's charts and table are drawn from."""

from __future__ import annotations

import base64
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.events import Outcome
from daemon.core.outputs import StateChanged
from daemon.core.units import HOUR_NS
from replay.record import GapRow
from replay.report import data
from tests.report_records import Columns, flat_record, make_record


def unpack(column: dict[str, Any]) -> list[float]:
    """What the page's script does with a packed column."""
    if column["first"] is None:
        return []
    steps = column["data"]
    if column["kind"] != "list":
        steps = array(column["kind"], base64.b64decode(column["data"]))
    values = [column["first"]]
    for step in steps:
        values.append(values[-1] + step)
    return [value / column["per"] for value in values]


@given(st.lists(st.integers(-(2**31), 2**31)), st.sampled_from([1, 100]))
def test_packed_columns_come_back(values: list[int], per: int) -> None:
    assert unpack(data.pack(values, per)) == [value / per for value in values]


@pytest.mark.parametrize(
    ("values", "kind"),
    [([5, 5 + 32_767], "h"), ([5, 5 + 32_768], "i"), ([0, 2**31], "list"), ([7], "h")],
)
def test_a_column_takes_the_narrowest_kind_that_holds_its_steps(
    values: list[int], kind: str
) -> None:
    assert data.pack(values)["kind"] == kind


def test_prices_are_exact_to_four_decimals_where_steps_are_flat_record() -> None:
    packed = data.pack_prices([3.5001, 3.4999, 6.7])
    assert (packed["kind"], unpack(packed)) == ("h", [3.5001, 3.4999, 6.7])


def test_prices_with_large_steps_are_kept_to_a_tenth_of_a_cent() -> None:
    packed = data.pack_prices([180.25, 190.255])
    assert (packed["kind"], packed["per"], unpack(packed)) == ("h", 1_000, [180.25, 190.255])


def test_drawdown_starts_from_the_starting_cash() -> None:
    # 950 is 5 % under 1,000; 1,100 is a new peak; 990 is 10 % under it
    assert data.drawdowns([950, 1_100, 990], 1_000) == [-500, 0, -1_000]


def test_thinned_rows_keep_every_bucket_s_ends_and_extremes_and_the_sessions_ends() -> None:
    # ten buckets of a hundred rows, each with its highest value at 40 and its lowest at 60
    values = [{40: 9, 60: -9}.get(row % 100, 0) for row in range(1_000)]
    kept = data.thinned(1_000, (values,), [449, 999], limit=80)
    each = {100 * bucket + place for bucket in range(10) for place in (0, 40, 60, 99)}
    assert list(kept) == sorted(each | {449, 450})


def test_a_short_run_is_not_thinned() -> None:
    assert data.thinned(50, ([0] * 50,), [49]) == range(50)


def test_prices_above_the_limit_become_buckets_with_their_extremes() -> None:
    record = flat_record([1_000] * 5)
    bars = record.bars["NVDA"]
    assert isinstance(bars, Columns)
    bars.open[:] = array("d", [1.0, 2.0, 3.0, 4.0, 5.0])
    bars.high[:] = array("d", [6.0, 9.0, 6.0, 6.0, 6.0])
    bars.low[:] = array("d", [0.5, 0.5, 0.25, 0.5, 0.5])
    bars.close[:] = array("d", [2.0, 3.0, 4.0, 5.0, 5.5])
    symbol = data._symbol(record, "NVDA", limit=3)  # five bars in threes: two, two, one
    assert symbol["bucket"] == 2
    assert unpack(symbol["x"]) == [1, 3, 4]
    assert unpack(symbol["open"]) == [1, 3, 5]
    assert unpack(symbol["high"]) == [9, 6, 6]
    assert unpack(symbol["low"]) == [0.5, 0.25, 0.5]
    assert unpack(symbol["close"]) == [3, 5, 5.5]


def test_bars_outside_the_run_are_not_drawn() -> None:
    record = flat_record([1_000] * 4)
    record.first_start, record.last_end = HOUR_NS, 3 * HOUR_NS
    record.ends = record.ends[1:3]
    assert unpack(data._symbol(record, "NVDA", limit=99)["x"]) == [0, 1]


def test_neighbouring_gaps_of_one_kind_are_one_span() -> None:
    ends = [HOUR_NS * (at + 1) for at in range(6)]
    rows = [
        GapRow(symbol, ends[at] - HOUR_NS, ends[at], 20240102, outcome, "")
        for symbol, at, outcome in (
            ("NVDA", 1, Outcome.MISSING),
            ("NVDA", 2, Outcome.MISSING),
            ("AMD", 3, Outcome.MISSING),
            ("NVDA", 3, Outcome.QUARANTINED),
            ("NVDA", 4, Outcome.BACKFILLED),
        )
    ]
    assert data.gap_spans(rows, "NVDA", ends) == [[1, 2, "missing"], [3, 3, "quarantined"]]


def test_state_spans_leave_active_stretches_out() -> None:
    record = flat_record([1_000] * 6)
    record.states = [
        StateChanged(2 * HOUR_NS, "HALTED", "ACTIVE", "limit", "HALTED", False, "loss"),
        StateChanged(4 * HOUR_NS, "ACTIVE", "HALTED", "limit", "HALTED", True, "reset"),
        StateChanged(6 * HOUR_NS, "PAUSED", "ACTIVE", "feed", "PAUSED", False, "silent"),
    ]
    assert data.state_spans(record) == [[1, 3, "HALTED", "loss"], [5, 5, "PAUSED", "silent"]]


def test_trades_stand_at_the_slices_of_their_bars() -> None:
    record = make_record(1_400)
    columns = data.trade_columns(record)
    first = record.trades[0]
    bars = record.bars["NVDA"]
    assert unpack(columns["entryX"])[0] == list(bars.start).index(first.entry)
    assert unpack(columns["pnl"])[0] == pytest.approx(first.pnl_micros / 1_000_000, abs=0.005)
    assert columns["words"][columns["exitReason"][0]] == first.exit_reason
    assert columns["count"] == len(record.trades) + len(record.open_trades)


def test_only_the_latest_of_too_many_trades_are_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    record = make_record(1_400)
    monkeypatch.setattr(data, "MAX_TRADES", 3)
    columns = data.trade_columns(record)
    assert columns["leftOut"] == len(record.trades) - 3
    assert unpack(columns["id"])[:3] == [trade.trade_id for trade in record.trades[-3:]]
