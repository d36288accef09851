"""A kill, a pause and a flatten inside a bar of a running daemon, worked out by hand (C2, C3).

One session of 2024-01-02, hourly bars from 09:30; nothing costs anything, the tick is a cent:

    bar      open   high    low   close
    09:30     100    101     99     100
    10:30     102    103    101     102
    11:30     104    105    103     104
    12:30     106    107    105     106
    13:30     108    109    107     108
    14:30     110    111    109     110
    15:30     112    113    111     112   (half an hour)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from daemon.control.latch import Latch
from daemon.core.events import (
    Bracket,
    Flatten,
    Halt,
    MarketSlice,
    OrderRequest,
    OrderType,
    Pause,
    Side,
    TargetPosition,
    TimeInForce,
)
from daemon.core.outputs import CancelAmbiguous, Denial, OrderUpdated, Reason
from daemon.core.turn import instant_of
from daemon.feeds.times import iso_z
from daemon.journal.store import LiveJournal
from tests.daemons.virtual import Lived, at, kill, kill_flat, live, pause
from tests.replay.workshop import Workshop, bar_starts

BUY = [TargetPosition("NVDA", 10)]
FREE = [
    ("execution.slippage_bps", "0"),
    ("execution.commission", "none"),
    ("execution.regulatory_fees", "false"),
    ("execution.participation_fraction", "null"),
    ("risk", "{allow_short: true}"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A workshop whose tape is the table above."""
    made = Workshop(tmp_path)
    rows = ["timestamp,open,high,low,close,volume"]
    for place, start in enumerate(bar_starts(20240102, 20240102)):
        price = 100 + 2 * place
        rows.append(f"{iso_z(start)},{price},{price + 1},{price - 1},{price},1000000")
    (tmp_path / "nvda.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return made


def _prices(lived: Lived) -> list[tuple[int, float, str]]:
    return [
        (
            fill.quantity if fill.side is Side.BUY else -fill.quantity,
            fill.price_e4 / 1e4,
            fill.reason,
        )
        for fill in lived.fills
    ]


def _updates(lived: Lived) -> list[tuple[int, str, str]]:
    return [(u.order_id, u.status.value, u.reason.value) for u in lived.of(OrderUpdated)]


def _command(lived: Lived, kind: type) -> int:
    (found,) = [turn.instant for turn in lived.turns if isinstance(turn.input, kind)]
    return found


def test_a_kill_in_mid_bar_cannot_recall_what_the_market_has_filled(shop: Workshop) -> None:
    """Decided at 10:30; at 10:45 the bar of 10:30 has started: the order has its open, 102."""
    lived = live(shop, {at("10:45"): kill}, {0: BUY}, FREE)
    assert _prices(lived) == [(10, 102.0, "")]
    assert _command(lived, Halt) == at("10:45")
    assert lived.fills[0].effective == at("10:30")
    assert lived.fills[0].known == at("11:30")


def test_a_latch_first_seen_at_the_commit_recalls_the_turns_orders(shop: Workshop) -> None:
    """The strategy throws the latch while it decides at 10:30: its order is accepted by nobody."""

    def throw() -> Sequence[TargetPosition]:
        Latch(shop.state).throw("operator", "while it decided")
        return BUY

    lived = live(shop, {}, {0: throw}, FREE)
    assert lived.orders == []
    assert [denial.reason for denial in lived.of(Denial)] == [Reason.HALTED]
    assert _command(lived, Halt) == at("10:30")
    assert lived.fills == []


def test_a_latch_thrown_between_gate_and_commit(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order exists; the halt has the turn's own instant and recalls it unmatched."""
    commit = LiveJournal.commit

    async def slow(self: LiveJournal, turn: object, *rest: object) -> None:
        if isinstance(turn.input, MarketSlice) and turn.input.index == 0:  # type: ignore[attr-defined]  # a turn
            Latch(shop.state).throw("operator", "before COMMIT")
        await commit(self, turn, *rest)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(LiveJournal, "commit", slow)
    lived = live(shop, {}, {0: BUY}, FREE)
    assert [order.order_id for order in lived.orders] == [1]
    assert _command(lived, Halt) == at("10:30")
    assert _updates(lived) == [(1, "cancelled", "HALTED")]
    assert lived.fills == []
    halted = next(turn for turn in lived.turns if isinstance(turn.input, Halt))
    ordered = next(turn for turn in lived.turns if turn.outputs and turn.input != halted.input)
    assert halted.seq == ordered.seq + 1


def test_a_pause_in_mid_bar_keeps_the_fill_and_the_stop(shop: Workshop) -> None:
    """Entries that are not eligible yet would go; this one has its bar, and its stop stays."""
    bought = [TargetPosition("NVDA", 10, Bracket(stop_price=103.5))]
    lived = live(shop, {at("10:45"): pause}, {0: BUY, 1: bought, 2: [TargetPosition("NVDA", 30)]},
                 FREE)  # fmt: skip
    assert _command(lived, Pause) == at("10:45")
    assert _prices(lived)[0] == (10, 102.0, "")
    assert {denial.reason for denial in lived.of(Denial)} == {Reason.PAUSED}


def test_a_flatten_in_mid_bar_closes_at_the_next_open(shop: Workshop) -> None:
    """Held since 10:30; the flatten of 11:45 may fill in the bar of 12:30, at 106."""
    lived = live(shop, {at("11:45"): kill_flat}, {0: BUY, 3: [TargetPosition("NVDA", 50)]}, FREE)
    assert _command(lived, Flatten) == at("11:45")
    assert _prices(lived) == [(10, 102.0, ""), (-10, 106.0, "flatten")]
    assert lived.fills[1].known == at("13:30")


def test_a_flatten_waits_for_a_fill_that_is_pending(shop: Workshop) -> None:
    """At 10:45 the account is flat on paper and +10 in the market: that is closed at 11:30's open.

    The order of 10:30 is known at 11:30; the flatten order that follows it fills at 104.
    """
    lived = live(shop, {at("10:45"): kill_flat}, {0: BUY}, FREE)
    assert _prices(lived) == [(10, 102.0, ""), (-10, 104.0, "flatten")]


def test_a_limit_recalled_in_a_bar_that_touched_it_is_ambiguous(shop: Workshop) -> None:
    """A sell limit at 104.50 rests from 10:30 on; at 11:45 it is recalled, and the bar of 11:30
    reached 105: it may have been filled, at 104.50."""
    limit = OrderRequest(
        "NVDA", Side.SELL, 10, OrderType.LIMIT, limit_price=104.50,
        time_in_force=TimeInForce.GTC,
    )  # fmt: skip
    lived = live(shop, {at("11:45"): kill}, {0: [limit]}, FREE)
    assert lived.fills == []
    assert _updates(lived) == [(1, "cancelled", "HALTED")]
    (other,) = lived.of(CancelAmbiguous)
    assert (other.order_id, other.price_e4, other.quantity) == (1, 104_5000, 10)


def test_no_order_after_the_latch_whatever_the_strategy_does(shop: Workshop) -> None:
    """Targets up and down, limits, stops, brackets: nothing is accepted after 11:45."""
    every = {
        place: [
            TargetPosition("NVDA", 10 * place),
            OrderRequest("NVDA", Side.BUY, 1, OrderType.LIMIT, limit_price=50.0),
            OrderRequest("NVDA", Side.SELL, 1, OrderType.STOP, stop_price=50.0),
            OrderRequest("NVDA", Side.SELL, 5),
        ]
        for place in range(7)
    }
    lived = live(shop, {at("11:45"): kill}, every, FREE)
    accepted = [turn.instant for turn in lived.turns for x in turn.outputs if x in lived.orders]
    assert accepted
    assert max(accepted) <= at("11:30")
    late = [
        t
        for t in lived.turns
        if isinstance(t.input, MarketSlice) and instant_of(t.input) > at("11:45")
    ]
    assert len(late) == 5
    assert all(any(isinstance(x, Denial) for x in turn.outputs) for turn in late)
