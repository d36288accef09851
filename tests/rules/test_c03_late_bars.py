"""A bar that comes after its slice was closed makes one of its own, of an earlier or equal instant.

What the account has seen last does not go back, orders of other symbols and of later instants are
not touched, and what is decided on it is decided after the next bar has started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from daemon.core.account import Account
from daemon.core.events import (
    Bar,
    Bracket,
    CancelRequest,
    Dividend,
    Halt,
    Input,
    MarketSlice,
    Outcome,
    Prediction,
    Split,
    TargetPosition,
)
from daemon.core.fold import Fold
from daemon.core.limits import Action, Limit, Limits
from daemon.core.outputs import CancelAmbiguous, Denial, Fill, LimitBreached, OrderUpdated
from daemon.core.split_factors import SplitFactors
from daemon.core.turn import Turn
from daemon.core.values import restore, values_of
from daemon.pipeline import Pipeline
from daemon.supervisor import supervise
from tests.harness import VOLUME, Quote, Scripted, rules, sessions
from tests.property.turn_by_turn import Listed
from tests.rules.tools import GTC, HALF_HOUR_NS, USD, flat, limits, order, target

PER_SESSION = 4
LATE = Outcome.BACKFILLED


def market(
    number: int, quotes: Mapping[str, Quote], outcome: Outcome = Outcome.RECEIVED, **more: Any
) -> MarketSlice:
    """The slice of that number with these bars; on time, NVDA or AMD without one is missing."""
    day, index = divmod(number, PER_SESSION)
    expected = sessions(day + 1, PER_SESSION)[day]
    start, end = expected.starts[index], expected.ends[index]
    bars = tuple(
        Bar(symbol, start, end, quote[0], quote[1], quote[2], quote[3], int((*quote, VOLUME)[4]))
        for symbol, quote in quotes.items()
    )
    on_time = outcome is Outcome.RECEIVED
    missing = tuple(s for s in ("NVDA", "AMD") if on_time and s not in quotes)
    return MarketSlice(start, end, bars, missing, expected.session, index, outcome, **more)


def both(number: int, price: float = 100.0) -> MarketSlice:
    return market(number, {"NVDA": flat(price), "AMD": flat(price)})


def end_of(number: int) -> int:
    return market(number, {}).end


@dataclass
class Run:
    account: Account
    turns: list[Turn] = field(default_factory=list)
    every_turn: bool = True

    def keep(self, turn: Turn) -> None:
        self.turns.append(turn)

    def flush(self) -> None:
        """Turns are kept in memory."""

    def of(self, kind: type) -> list[Any]:
        return [output for turn in self.turns for output in turn.outputs if type(output) is kind]

    @property
    def fills(self) -> list[tuple[int, str, int, float]]:
        """(turn from 0, symbol, signed shares, dollars)."""
        return [
            (place, f.symbol, f.quantity if f.side == "buy" else -f.quantity, f.price_e4 / 10_000)
            for place, turn in enumerate(self.turns)
            for f in turn.outputs
            if isinstance(f, Fill)
        ]

    @property
    def last(self) -> int:
        last = self.account.venue.book.last
        assert last is not None
        return last.end


class Foretelling:
    """The same prediction for every bar of a slice: its number in the sequence of questions."""

    warmup_bars = 0
    sha256 = ""

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, market: MarketSlice) -> list[Prediction]:
        self.asked += 1
        return [Prediction(bar.symbol, float(self.asked)) for bar in market.bars]


def run(
    inputs: Sequence[Input],
    plan: Mapping[int, Sequence[Any]] | None = None,
    *,
    limits: Limits | None = None,
    account: Account | None = None,
    predictor: Any = None,
    decide: Callable[..., Any] | None = None,
    **pricing: Any,
) -> Run:
    """Play inputs as they are; `plan` says by the input's place what is wanted after it."""
    limits = limits or Limits(allow_short=True)
    opened = account or Account(("NVDA", "AMD"), 10_000 * USD, rules(**pricing), limits)
    places = {id(item): place for place, item in enumerate(inputs)}
    strategy = Scripted({}, decide or (lambda market, *_: (plan or {}).get(places[id(market)])))
    played = Run(opened)
    fold = Fold(values_of(opened))
    pipeline = Pipeline(opened, strategy, predictor, played)
    asyncio.run(supervise(pipeline, Listed(inputs)))
    for turn in played.turns:  # a second witness: what is recorded tells the same
        fold.add(turn)
    assert fold.values().portfolio == values_of(opened).portfolio
    assert fold.values().book.last == opened.venue.book.last
    return played


# --- what was seen last ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1])
def test_what_was_seen_last_does_not_go_back(number: int) -> None:
    """AMD lacks bars 0 and 1; one of them comes after slice 1: equity goes on with its close."""
    items = [
        market(0, {"NVDA": flat(100.0)}),
        market(1, {"NVDA": flat(101.0)}),
        market(number, {"AMD": flat(50.0)}, LATE),
    ]
    played = run(items)
    assert played.account.venue.book.last is items[1]
    position = played.account.portfolio.positions["AMD"]
    assert (position.close, position.bars) == (50.0, 1)


def test_a_late_slice_that_is_the_newest_is_what_was_seen_last() -> None:
    items = [both(0), market(1, {"NVDA": flat(100.0), "AMD": flat(100.0)}, LATE)]
    assert run(items).last == items[1].end


def test_only_a_late_slice_may_go_back() -> None:
    with pytest.raises(Exception, match="a slice of"):
        run([both(1), both(0)])


def test_a_halt_still_knows_which_bar_has_started() -> None:
    """NVDA is ordered at slice 1. AMD's bar 0 comes then; a halt inside bar 2 cannot recall it."""
    items: list[Input] = [
        market(0, {"NVDA": flat(100.0)}),
        market(1, {"NVDA": flat(100.0)}),
        market(0, {"AMD": flat(50.0)}, LATE),
        Halt(end_of(1) + HALF_HOUR_NS, "operator", "stop"),
        both(2, 103.0),
    ]
    assert run(items, {1: [target(10)]}).fills == [(4, "NVDA", 10, 103.0)]


# --- matching -------------------------------------------------------------------------------------


def test_it_fills_what_waited_for_it_and_says_so() -> None:
    """AMD is ordered at slice 0 and its bar 1 comes late: filled at its own open, after no gap."""
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0)}),
        market(1, {"AMD": flat(51.0)}, LATE),
        both(2),
    ]
    played = run(items, {0: [target(10, "AMD")]})
    assert played.fills == [(2, "AMD", 10, 51.0)]
    (fill,) = played.of(Fill)
    assert (fill.effective, fill.known, fill.after_gap) == (items[1].start, items[1].end, False)


def test_a_bar_after_the_late_one_that_never_came_is_after_a_gap() -> None:
    """Bars 1 and 2 are missing; 2 comes late, and the order has met no bar before it."""
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0)}),
        market(2, {"NVDA": flat(100.0)}),
        market(2, {"AMD": flat(52.0)}, LATE),
    ]
    played = run(items, {0: [target(10, "AMD")]})
    assert played.fills == [(3, "AMD", 10, 52.0)]
    assert played.of(Fill)[0].after_gap


def test_an_order_decided_since_does_not_meet_it() -> None:
    """AMD's bar 1 comes after slice 2, at which AMD was ordered: it fills in bar 3."""
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0)}),
        market(2, {"NVDA": flat(100.0)}),
        market(1, {"AMD": flat(51.0)}, LATE),
        both(3, 104.0),
    ]
    assert run(items, {2: [target(10, "AMD")]}).fills == [(4, "AMD", 10, 104.0)]


def test_exits_of_another_symbol_born_at_that_instant_are_left_alone() -> None:
    """NVDA's stop is born in slice 1; AMD's bar 1 is a slice of the same instant, without NVDA."""
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0)}),
        market(1, {"AMD": flat(50.0)}, LATE),
        market(2, {"NVDA": (100.0, 100.0, 90.0, 92.0), "AMD": flat(50.0)}),
    ]
    played = run(items, {0: [target(10, stop_price=95.0)]})
    assert played.fills == [(1, "NVDA", 10, 100.0), (3, "NVDA", -10, 95.0)]


def test_exits_that_were_moved_at_that_instant_do_not_meet_it() -> None:
    """AMD's stop goes up to 98 at slice 2, whose own bar of AMD opens at 97 and comes late.

    The old stop was at 90: neither is hit in bar 2; the new one is at the open of bar 3.
    """
    items = [
        both(0),
        both(1),
        market(2, {"NVDA": flat(100.0)}),
        market(2, {"AMD": (97.0, 97.0, 96.0, 97.0)}, LATE),
        both(3, 97.5),
    ]
    plan = {0: [target(10, "AMD", stop_price=90.0)], 2: [target(10, "AMD", stop_price=98.0)]}
    assert run(items, plan).fills == [(1, "AMD", 10, 100.0), (4, "AMD", -10, 97.5)]


def test_a_trailing_stop_made_since_does_not_follow_it() -> None:
    """AMD's 10 % stop starts at 100 at slice 2; bar 1, with a high of 120, is older than it."""
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0)}),
        market(2, {"NVDA": flat(100.0)}),
        market(1, {"AMD": (100.0, 120.0, 100.0, 100.0)}, LATE),
    ]
    played = run(items, {2: [order(-10, "AMD", trail_pct=10.0, time_in_force=GTC)]})
    (working,) = played.account.venue.book.working.values()
    assert working.stop_e4 == 90_0000


def test_prices_are_worked_out_on_its_own_day() -> None:
    """A tape adjusted for a 10:1 split on the second day; before it a tick is 1/10 cent on it.

    AMD's last bar of the first day comes in the second session: a buy at 50.0031 is rounded up to
    50.004, not to 50.01; 1 % below that is 49.50396, and the stop is at 49.503, not at 49.50.
    """
    factors = SplitFactors([Split("AMD", 20240103, 10, 1)])
    items = [
        *[both(number) for number in range(3)],
        market(3, {"NVDA": flat(100.0)}),
        market(4, {"NVDA": flat(100.0)}),
        market(3, {"AMD": flat(50.0031)}, LATE),
    ]
    # a GTC entry, since one for the day would have expired with the first session
    plan = {2: [order(10, "AMD", bracket=Bracket(stop_loss_pct=1.0), time_in_force=GTC)]}
    played = run(items, plan, factors=factors)
    assert played.fills == [(5, "AMD", 10, 50.004)]
    (stop,) = played.account.venue.book.working.values()
    assert stop.stop_e4 == 49_5030


# --- withdrawn orders -----------------------------------------------------------------------------


def test_the_bar_that_contained_a_withdrawal_is_judged_when_it_comes() -> None:
    """A limit buy at 98 for AMD, halted inside bar 2. Slice 2 has no AMD; its bar touched 97."""
    items: list[Input] = [
        both(0),
        both(1),
        Halt(end_of(1) + HALF_HOUR_NS, "operator", "stop"),
        market(2, {"NVDA": flat(100.0)}),
        market(2, {"AMD": (100.0, 100.0, 97.0, 99.0)}, LATE),
        both(3),
    ]
    played = run(items, {0: [order(10, "AMD", limit_price=98.0, time_in_force=GTC)]})
    (found,) = played.of(CancelAmbiguous)
    assert (found.price_e4, found.quantity) == (98_0000, 10)
    assert played.account.venue.book.withdrawn == []


def test_two_late_bars_that_touched_it_are_one_guess() -> None:
    items: list[Input] = [
        both(0),
        Halt(end_of(2) + HALF_HOUR_NS, "operator", "stop"),
        *[
            market(n, {"NVDA": flat(100.0), "AMD": (100.0, 100.0, 97.0, 99.0)}, LATE)
            for n in (1, 2, 3)
        ],
    ]
    played = run(items, {0: [order(10, "AMD", limit_price=98.0, time_in_force=GTC)]})
    assert len(played.of(CancelAmbiguous)) == 1


def test_every_bar_that_had_started_may_fill_a_market_order() -> None:
    """100 shares, 40 a bar; the halt inside bar 3 comes before bars 1 to 3 are known.

    Bar 3 had started: 40, 40 and 20. The rest of bar 2's would be cancelled by a halt inside it.
    """
    thin = {"NVDA": flat(100.0, 400), "AMD": flat(100.0)}
    late = [market(n, thin, LATE) for n in (1, 2, 3)]
    options: dict[str, Any] = {"plan": {0: [target(100)]}, "participation_ppm": 100_000}
    halt = Halt(end_of(2) + HALF_HOUR_NS, "operator", "stop")
    assert [f[2] for f in run([both(0), halt, *late], **options).fills] == [40, 40, 20]
    earlier = Halt(end_of(1) + HALF_HOUR_NS, "operator", "stop")
    assert [f[2] for f in run([both(0), earlier, *late], **options).fills] == [40, 40]


# --- decisions ------------------------------------------------------------------------------------


def test_a_cancel_that_is_decided_late_recalls_no_market_order() -> None:
    """NVDA is ordered at slice 1; on AMD's late bar 1 it is cancelled: NVDA's bar 2 has started."""
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0)}),
        market(1, {"AMD": flat(50.0)}, LATE),
        both(2, 102.0),
    ]
    played = run(items, {1: [order(10)], 2: [CancelRequest(1)]})
    assert played.fills == [(3, "NVDA", 10, 102.0)]


def test_a_resting_order_that_is_cancelled_late_is_judged_by_the_bar_that_has_started() -> None:
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0)}),
        market(1, {"AMD": flat(50.0)}, LATE),
        market(2, {"NVDA": (100.0, 100.0, 94.0, 96.0), "AMD": flat(50.0)}),
    ]
    played = run(
        items, {0: [order(10, limit_price=95.0, time_in_force=GTC)], 2: [CancelRequest(1)]}
    )
    assert played.fills == []
    (found,) = played.of(CancelAmbiguous)
    assert found.price_e4 == 95_0000


def test_a_limit_that_is_reached_late_recalls_no_market_order() -> None:
    """AMD falls by 1,000 in its late bar 1; NVDA, ordered at slice 1, fills in bar 2 and stays."""
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0), "AMD": flat(100.0)}),
        market(2, {"NVDA": flat(100.0)}),
        market(2, {"AMD": flat(80.0)}, LATE),
        both(3, 80.0),
        both(4, 80.0),
    ]
    played = run(
        items,
        {0: [target(50, "AMD")], 2: [target(10)]},
        limits=limits(max_daily_loss_usd=Limit(1_000 * USD, Action.HALT)),
    )
    assert played.account.control.state.name == "HALTED"
    assert played.fills == [(1, "AMD", 50, 100.0), (4, "NVDA", 10, 80.0)]


def test_exits_are_not_moved_on_late_data() -> None:
    items = [both(0), both(1), market(2, {"NVDA": flat(97.0), "AMD": flat(100.0)}, LATE), both(3)]
    plan = {0: [target(10, stop_price=90.0)], 2: [target(10, stop_price=96.0)]}
    played = run(items, plan)
    (denial,) = played.of(Denial)
    assert (denial.reason, denial.quantity, denial.symbol) == ("TOO_LATE", 0, "NVDA")
    (stop,) = played.account.venue.book.working.values()
    assert stop.stop_e4 == 90_0000


FLAT_AT_CLOSE = limits(flat_before_close=True)


def test_an_older_slice_is_not_the_time_before_the_close() -> None:
    """AMD's bar 2, the last but one of its session, comes in the next: today's entry rests on."""
    items = [
        *[both(number) for number in range(2)],
        market(2, {"NVDA": flat(100.0)}),
        market(3, {"NVDA": flat(100.0)}),
        market(4, {"NVDA": flat(100.0)}),
        market(2, {"AMD": flat(50.0)}, LATE),
    ]
    played = run(items, {4: [order(10, limit_price=95.0)]}, limits=FLAT_AT_CLOSE)
    assert [working.order_id for working in played.account.venue.book.working.values()] == [1]


@pytest.mark.parametrize("number", [3, 4])
def test_what_is_held_past_the_close_is_said_once(number: int) -> None:
    """NVDA is held past the close of slice 3; AMD's bar 3 comes right after it, or the day after.

    The thin bar 3 lets nothing out, so it is a breach.
    """
    items: list[MarketSlice] = [
        *[both(n) for n in range(3)],
        market(3, {"NVDA": flat(100.0, 0)}),
    ]
    if number == 4:
        items.append(market(4, {"NVDA": flat(100.0, 0)}))
    items.append(market(3, {"AMD": flat(50.0)}, LATE))
    played = run(items, {0: [target(10)]}, limits=FLAT_AT_CLOSE)
    assert len(played.of(LimitBreached)) == 1


def test_what_other_symbols_were_predicted_with_is_kept() -> None:
    """NVDA is ordered with the second prediction; AMD's late bar is asked about third."""
    items = [
        both(0),
        market(1, {"NVDA": flat(100.0)}),
        market(1, {"AMD": flat(50.0)}, LATE),
        both(2),
    ]
    played = run(items, {1: [target(10)], 2: []}, predictor=Foretelling())
    trade = played.account.portfolio.positions["NVDA"].trade
    assert trade is not None
    assert trade.entry_prediction == 2.0
    assert run(items[:3], predictor=Foretelling()).account.portfolio.predictions == {
        "NVDA": 2.0,
        "AMD": 3.0,
    }


# --- warm-up of an account that has lived ---------------------------------------------------------


def test_warm_up_of_before_its_last_slice_leaves_an_account_alone() -> None:
    """A new segment warms its strategy up with bars that the account has lived through."""
    items = [both(0), both(1), market(2, {"NVDA": (100.0, 106.0, 99.0, 105.0), "AMD": flat(100.0)})]
    first = run(
        items,
        {0: [target(10, trailing_stop_pct=10.0, stop_price=50.0), order(5, "AMD")]},
        predictor=Foretelling(),
    )
    before = values_of(first.account)
    account = Account(("NVDA", "AMD"), 1, rules(), FLAT_AT_CLOSE)
    restore(account, before)
    pay = Dividend("NVDA", 20240102, 20240102, 10_000)
    warm_up = [
        replace(market(n, {"NVDA": (100.0, 300.0, 1.0, 200.0)}, Outcome.WARMUP), actions=(pay,))
        for n in range(3)
    ]
    seen: list[int] = []

    def decide(market: MarketSlice, *_: Any) -> list[TargetPosition]:
        seen.append(market.end)
        return [TargetPosition("NVDA", 0)]

    warmed = run(warm_up, account=account, decide=decide, predictor=Foretelling())
    assert seen == [item.end for item in warm_up]
    assert warmed.of(OrderUpdated) == warmed.of(LimitBreached) == []
    assert values_of(account) == before
