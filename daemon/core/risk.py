"""Risk: the account is assessed before anything is decided, every intent reviewed after.

`review` decides and does not act: it returns what the gate may carry out. What only shrinks a
position passes every limit (C8); where a flip's growing part breaks one, the shrinking part goes
on and the rest is denied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from daemon.core.control import Control
from daemon.core.events import Intent, MarketSlice, Outcome, TargetPosition, TimeInForce
from daemon.core.exposure import Exposure
from daemon.core.limits import Action, Limit, Limits
from daemon.core.outputs import LimitBreached, Origin, Reason
from daemon.core.portfolio import Portfolio
from daemon.core.review import Approved, Review, Verdict
from daemon.core.share_limits import ShareLimits
from daemon.core.units import HOUR_NS, MICROS_PER_E4, MICROS_PER_USD, PPM
from daemon.core.values import RiskValues
from daemon.core.venue import Venue
from daemon.core.working_order import OrderSpec, sign_of

_NEVER = 1 << 62

# Before Python 3.12 a member looked up in its class costs a call, and every order asks for these.
_WARMUP, _BACKFILLED = Outcome.WARMUP, Outcome.BACKFILLED
_COUNTED = frozenset({Origin.TARGET, Origin.EXPLICIT})


class _Case(Struct, frozen=True, gc=False):
    """One order before its limits; the counts of orders include it."""

    spec: OrderSpec
    shares_after: int
    close_micros: int
    orders_in_hour: int
    orders_in_day: int


def _collar_ppm(case: _Case) -> int:
    """How far an order's own prices are from the last close; a market order has none."""
    spec, close = case.spec, case.close_micros
    prices = [price * MICROS_PER_E4 for price in (spec.limit_e4, spec.stop_e4) if price is not None]
    if not prices or close == 0:
        return 0
    return max(abs(price - close) * PPM // close for price in prices)


_MEASURED: tuple[tuple[str, Callable[[_Case], int], int], ...] = (
    ("max_position_shares", lambda case: case.shares_after, 1),
    ("max_position_usd", lambda case: case.shares_after * case.close_micros, MICROS_PER_USD),
    ("max_order_usd", lambda case: case.spec.quantity * case.close_micros, MICROS_PER_USD),
    ("price_collar_pct", _collar_ppm, 10_000),
    ("max_orders_per_hour", lambda case: case.orders_in_hour, 1),
    ("max_orders_per_day", lambda case: case.orders_in_day, 1),
)
"""Limits on one order in the order they are looked at: name, value, and its printed unit."""

_REASONS: dict[str, Reason] = {
    "max_position_shares": Reason.MAX_POSITION_SHARES,
    "max_position_usd": Reason.MAX_POSITION_USD,
    "max_order_usd": Reason.MAX_ORDER_USD,
    "max_gross_leverage": Reason.MAX_GROSS_LEVERAGE,
    "price_collar_pct": Reason.PRICE_COLLAR,
    "min_cash_usd": Reason.MIN_CASH,
    "max_orders_per_hour": Reason.MAX_ORDERS_PER_HOUR,
    "max_orders_per_day": Reason.MAX_ORDERS_PER_DAY,
    "max_daily_loss_usd": Reason.MAX_DAILY_LOSS,
    "max_drawdown_pct": Reason.MAX_DRAWDOWN,
}


class Risk:
    """The limits, the account's peak and baseline, and the orders counted against the rates."""

    def __init__(
        self,
        limits: Limits,
        portfolio: Portfolio,
        venue: Venue,
        control: Control,
        outputs: list[Any],
    ) -> None:
        self.starting_cash_micros = portfolio.cash_micros
        self.peak_micros = portfolio.cash_micros
        self.baseline_micros = portfolio.cash_micros
        self._portfolio = portfolio
        self._venue = venue
        self._control = control
        self._outputs = outputs
        self._accepted: deque[int] = deque()
        self._accepted_today = 0
        self._breached: dict[str, Limit] = {}
        self.shares = ShareLimits()
        self.floor_micros = -_NEVER
        self.ceiling_micros = self.peak_micros
        self.obey(limits)

    def obey(self, limits: Limits) -> None:
        """Go by these limits from now on; nothing that was counted is forgotten.

        A limit that is not set any more cannot be breached.
        """
        self.limits = limits
        shares = limits.max_position_shares
        self.shares.obey(None if shares is None else shares.value)
        self._measured = [
            (name, limit, measure, unit)
            for name, measure, unit in _MEASURED
            if (limit := getattr(limits, name)) is not None
        ]
        self._set_breached(self._breached)
        self._set_bounds()

    def _set_breached(self, names: Iterable[str]) -> None:
        limits = ((name, getattr(self.limits, name)) for name in names)
        self._breached = {name: limit for name, limit in limits if limit is not None}

    # --- the account --------------------------------------------------------------------------

    def open_session(self) -> None:
        """C8: a new session counts its own orders and losses, from the equity it starts with."""
        self.baseline_micros = self._portfolio.equity_micros
        self._accepted_today = 0
        self._breached.clear()
        self._set_bounds()

    def assess(self, market: MarketSlice) -> None:
        """Compare the marked account with its limits; carries out the action of what is reached."""
        if market.outcome is _WARMUP:
            return
        equity = self._portfolio.equity_micros
        if equity > self.ceiling_micros:
            self.peak_micros = equity
            self._set_bounds()
        if equity <= self.floor_micros:
            self._assess_account(equity, market.end)
        is_latest = market is self._venue.book.last
        if self.limits.flat_before_close and market.remaining == 0 and is_latest:
            self._report_remainders(market)

    def _set_bounds(self) -> None:
        loss, drawdown = self.limits.max_daily_loss_usd, self.limits.max_drawdown_pct
        floors = [-_NEVER]
        if loss is not None:
            floors.append(self.baseline_micros - loss.value)
        if drawdown is not None:
            floors.append(self._drawdown_floor(drawdown))
        if self._breached:
            floors.append(_NEVER)  # assessed at every slice until it has recovered
        self.floor_micros = max(floors)
        self.ceiling_micros = self.peak_micros  # kept without a limit too: one may be set later

    def _drawdown_floor(self, drawdown: Limit) -> int:
        return self.peak_micros * (PPM - drawdown.value) // PPM

    def _assess_account(self, equity: int, instant: int) -> None:
        standing = self._standing(equity)
        reached = [name for name in standing if name not in self._breached]
        self._breached = {name: limit for name, (limit, _) in standing.items()}
        self._set_bounds()
        for name in reached:
            limit, detail = standing[name]
            self._control.trip(name, limit.action, detail, instant)

    def _standing(self, equity: int) -> dict[str, tuple[Limit, str]]:
        """The account limits that are reached now, with their action's text."""
        loss, drawdown = self.limits.max_daily_loss_usd, self.limits.max_drawdown_pct
        found: dict[str, tuple[Limit, str]] = {}
        if loss is not None and equity <= self.baseline_micros - loss.value:
            lost = (self.baseline_micros - equity) / MICROS_PER_USD
            limit_usd = loss.value / MICROS_PER_USD
            text = f"lost {lost:.2f} USD since the last close, limit {limit_usd:.2f}"
            found["max_daily_loss_usd"] = (loss, text)
        if drawdown is not None and equity <= self._drawdown_floor(drawdown):
            fell = 100 * (self.peak_micros - equity) / self.peak_micros
            text = f"{fell:.2f} % below the peak, limit {drawdown.value / 10_000:.2f} %"
            found["max_drawdown_pct"] = (drawdown, text)
        return found

    def standing_halts(self) -> dict[str, str]:
        """The limits whose breach persists, with the word that accepts them in a reset."""
        flags = {"max_daily_loss_usd": "loss", "max_drawdown_pct": "drawdown"}
        return {name: flags[name] for name in self._standing(self._portfolio.equity_micros)}

    def accept(self, causes: Collection[str]) -> None:
        """An operator has accepted standing causes: count from here."""
        if "loss" in causes:
            self.baseline_micros = self._portfolio.equity_micros
        if "drawdown" in causes:
            self.peak_micros = self._portfolio.equity_micros
        self._breached.clear()
        self._set_bounds()

    def values(self) -> RiskValues:
        """What the limits count from, by value."""
        last = self._venue.book.last
        since = -_NEVER if last is None else last.end - HOUR_NS  # whatever comes next is later
        return RiskValues(
            starting_cash_micros=self.starting_cash_micros,
            peak_micros=self.peak_micros,
            baseline_micros=self.baseline_micros,
            accepted=tuple(instant for instant in self._accepted if instant > since),
            accepted_today=self._accepted_today,
            breached=tuple(self._breached),
            shares_limit=self.shares.limit,
            rescaled=tuple(self.shares.rescaled.items()),
        )

    def restore(self, values: RiskValues) -> None:
        """Count on from these."""
        self.starting_cash_micros = values.starting_cash_micros
        self.peak_micros = values.peak_micros
        self.baseline_micros = values.baseline_micros
        self._accepted.extend(values.accepted)
        self._accepted_today = values.accepted_today
        self._set_breached(values.breached)
        self._set_bounds()
        self.shares.restore(values.shares_limit, values.rescaled)

    def _report_remainders(self, market: MarketSlice) -> None:
        for symbol, position in self._portfolio.positions.items():
            if position.quantity:
                detail = f"{position.quantity:+d} held past the close"
                self._outputs.append(LimitBreached(market.end, "flat_before_close", symbol, detail))

    # --- the intents --------------------------------------------------------------------------

    def review(self, market: MarketSlice, intents: Sequence[Intent] | None) -> list[Approved]:
        """What of the intents, and of the exits that limits demand, the gate may carry out."""
        if market.outcome is _WARMUP or self._nothing_to_do(intents):
            return []
        on_time = market.outcome is not _BACKFILLED
        review = Review(self._portfolio, self._venue, self._outputs, market.end, on_time=on_time)
        is_latest = market is self._venue.book.last
        ends_soon = self.limits.flat_before_close and market.remaining == 1 and is_latest
        if ends_soon:
            review.withdraw_entries()
        for intent in intents or ():
            review.plan(intent)
        review.settle(partial(self._judge, market))
        if ends_soon and on_time and Origin.LIMIT in self._control.holds.permissions.shrink:
            review.close_positions(Origin.LIMIT, "flat_before_close", TimeInForce.DAY)
        return review.approved

    def _nothing_to_do(self, intents: Sequence[Intent] | None) -> bool:
        """The quiet case: every target is what is held, and nothing is working."""
        if self._venue.book.working or self.limits.flat_before_close:
            return False
        positions = self._portfolio.positions
        for intent in intents or ():
            if type(intent) is not TargetPosition:
                return False
            position = positions.get(intent.symbol)
            if position is None or position.quantity != intent.quantity or intent.bracket:
                return False
        return True

    def flatten(self, instant: int) -> list[Approved]:
        """Orders that close what is held and not being closed yet, until everything is flat."""
        review = Review(self._portfolio, self._venue, self._outputs, instant)
        review.close_positions(Origin.FLATTEN, "flatten", TimeInForce.GTC)
        flat = all(position.quantity == 0 for position in self._portfolio.positions.values())
        if flat and not self._venue.book.working:  # nothing that the market may still fill
            self._control.flattening = False
        return review.approved

    def count(self, spec: OrderSpec, instant: int) -> None:
        """An order of the strategy exists now: it counts against the rates."""
        if spec.origin in _COUNTED:
            self._accepted.append(instant)
            self._accepted_today += 1

    def _judge(
        self,
        market: MarketSlice,
        spec: OrderSpec,
        shrink: int,
        exposure: Callable[[], Exposure],
        approved: int,
    ) -> Verdict:
        """The trading state, the data and the clock first, then the limits."""
        permissions = self._control.holds.permissions
        if spec.origin not in permissions.shrink:
            return Verdict(0, permissions.denial)
        if market.outcome is _BACKFILLED:
            return Verdict(0, Reason.TOO_LATE)
        if shrink == spec.quantity:
            return Verdict(shrink)
        if spec.origin not in permissions.grow:
            return Verdict(shrink, permissions.denial)
        if not self.limits.overnight_orders and market.remaining == 0:
            return Verdict(shrink, Reason.MARKET_CLOSED)
        if self.limits.flat_before_close and market.remaining == 1:
            return Verdict(shrink, Reason.NEAR_CLOSE)
        broken = self._first_broken(spec, exposure(), market.end, approved)
        if broken is None:
            return Verdict(spec.quantity)
        name, detail, limit = broken
        if limit is None:
            return Verdict(shrink, Reason.SHORT_NOT_ALLOWED, detail)
        self._control.trip(name, limit.action, detail, market.end)
        return Verdict(shrink, _REASONS[name], detail)

    def _first_broken(
        self, spec: OrderSpec, exposure: Exposure, instant: int, approved: int
    ) -> tuple[str, str, Limit | None] | None:
        """The first limit that the whole order would break: its name, the figures and itself."""
        limits, change = self.limits, sign_of(spec.side) * spec.quantity
        if not limits.allow_short and exposure.after(spec.symbol, change) < 0:
            return "allow_short", "allow_short is false", None
        for name, limit in self._breached.items():
            if limit.action is Action.DENY:
                return name, "reached", limit
        case = _Case(
            spec,
            abs(exposure.after(spec.symbol, change)),
            self._portfolio.positions[spec.symbol].close_e4 * MICROS_PER_E4,
            self._orders_since(instant - HOUR_NS) + approved + 1,
            self._accepted_today + approved + 1,
        )
        for name, limit, measure, unit in self._measured:
            value, allowed = measure(case), limit.value
            if name == "max_position_shares":
                allowed = self.shares.rescaled.get(spec.symbol, allowed)
            if value > allowed:
                return name, f"{value / unit:g} against {allowed / unit:g}", limit
        equity, leverage = self._portfolio.equity_micros, limits.max_gross_leverage
        if leverage is not None:
            gross = exposure.gross_micros_after(spec.symbol, change)
            if gross > equity * leverage.value // PPM:
                detail = f"{gross / max(equity, 1):.3f} against {leverage.value / PPM:g}"
                return "max_gross_leverage", detail, leverage
        least = limits.min_cash_usd
        if least is not None and change > 0:
            cash = exposure.cash_micros_after(spec.symbol, change)
            if cash < least.value:
                detail = f"{cash / MICROS_PER_USD:.2f} against {least.value / MICROS_PER_USD:.2f}"
                return "min_cash_usd", detail, least
        return None

    def _orders_since(self, instant: int) -> int:
        """Orders accepted after an instant; forgets the earlier ones."""
        while self._accepted and self._accepted[0] <= instant:
            self._accepted.popleft()
        return len(self._accepted)
