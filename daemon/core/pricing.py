"""What a fill costs: slippage, tick, participation, funds, commission and fees.

On a tape that is adjusted for splits all of these are worked out at the price and quantity as
traded (C14): `factors` says how many adjusted shares one share as traded has become.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor

from msgspec import Struct
from msgspec.structs import replace

from daemon.core.costs import (
    CommissionPlan,
    DatedTable,
    RegulatoryFees,
    RegulatoryTables,
    commission_due,
    regulatory_fees,
)
from daemon.core.events import Bar, MarketSlice, Side
from daemon.core.limits import Limits
from daemon.core.outputs import Fill
from daemon.core.portfolio import Portfolio
from daemon.core.prices import fill_price_e4, level_away_e4, on_tick_e4
from daemon.core.split_factors import SplitFactors
from daemon.core.units import MICROS_PER_E4, PPM
from daemon.core.working_order import WorkingOrder

_NO_FEES = RegulatoryFees(0, 0, 0)

Costs = tuple[int, RegulatoryFees]
"""The commission in micro-dollars, and the fees."""


class Pricing(Struct, frozen=True):
    """The venue's rules that come from the config.

    `participation_ppm` None: no cap on volume. `volume_known` False: the tape has none, so that a
    volume of 0 means nothing. `leverage_ppm` None: no cap on funds. `tables` None: no regulatory
    fees. `factors` None: prices are as traded.
    """

    tick_e4: int
    slippage_ppm: int
    commission: DatedTable[CommissionPlan]
    tables: RegulatoryTables | None = None
    participation_ppm: int | None = None
    volume_known: bool = True
    leverage_ppm: int | None = None
    shorts_allowed: bool = True
    fills_at_close: bool = False
    factors: SplitFactors | None = None

    def under(self, limits: Limits) -> Pricing:
        """The same rules with what these limits say of funds and shorts."""
        leverage = limits.max_gross_leverage
        return replace(
            self,
            shorts_allowed=limits.allow_short,
            leverage_ppm=None if leverage is None else leverage.value,
        )

    def factor(self, symbol: str, date: int) -> Fraction | int:
        """The price as traded per adjusted price on a date; the integer 1 on a raw tape."""
        return 1 if self.factors is None else self.factors.factor(symbol, date)

    def budget(self, bar: Bar, date: int) -> int | None:
        """S16: how many of the bar's shares we may be; None: any number."""
        if self.volume_known and bar.volume <= 0:
            return 0
        if self.participation_ppm is None:
            return None
        factor = self.factor(bar.symbol, date)
        if factor == 1:
            return bar.volume * self.participation_ppm // PPM
        as_traded = floor(Fraction(bar.volume * self.participation_ppm, PPM) / factor)
        return floor(as_traded * factor)

    def price_e4(
        self, symbol: str, date: int, reference_e4: int, side: Side, *, slips: bool
    ) -> int:
        """The price paid for a reference price; a limit's price takes neither slippage nor tick."""
        if not slips:
            return reference_e4
        factor = self.factor(symbol, date)
        return fill_price_e4(reference_e4, side, self.slippage_ppm, self.tick_e4, factor)

    def level_e4(
        self, symbol: str, date: int, total_e4: int, quantity: int, offset_ppm: int
    ) -> int:
        """A level `offset_ppm` from an exact average, on the tick as traded, away from it (C17)."""
        factor = self.factor(symbol, date)
        return level_away_e4(total_e4, quantity, offset_ppm, self.tick_e4, factor)

    def rounded_e4(self, symbol: str, date: int, price: int, *, up: bool) -> int:
        """A price on the tick as traded."""
        return on_tick_e4(price, 1, self.tick_e4, self.factor(symbol, date), up=up)

    def fill(
        self,
        order: WorkingOrder,
        fill_id: int,
        bar: Bar,
        price: int,
        reference_e4: int,
        quantity: int,
        costs: Costs,
        other_e4: int | None,
    ) -> Fill:
        """The fill with its costs; books what the order has been charged so far."""
        commission, fees = costs
        order.charged_micros += commission
        order.notional_micros += quantity * price * MICROS_PER_E4
        return Fill(
            fill_id=fill_id,
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.spec.side,
            quantity=quantity,
            price_e4=price,
            reference_e4=reference_e4,
            effective=bar.start,
            known=bar.end,
            origin=order.spec.origin,
            commission_micros=commission,
            sec_micros=fees.sec_micros,
            taf_micros=fees.taf_micros,
            cat_micros=fees.cat_micros,
            reason=order.spec.reason,
            ambiguous=other_e4 is not None,
            other_e4=other_e4,
            after_gap=order.missed is not None and bar.start > order.missed,
        )

    def _costs(self, order: WorkingOrder, date: int, price: int, quantity: int) -> Costs:
        """Commission on the order's cumulative quantity less what was charged (C12), and fees."""
        factor = self.factor(order.symbol, date)
        notional = quantity * price * MICROS_PER_E4
        plan = self.commission.on(date)
        total = _as_traded(order.filled + quantity, factor)
        commission = commission_due(plan, total, order.notional_micros + notional)
        commission -= order.charged_micros
        if self.tables is None:
            return commission, _NO_FEES
        shares = _as_traded(quantity, factor)
        fees = regulatory_fees(self.tables, date, order.spec.side, shares, price * factor, notional)
        return commission, fees

    def affordable(
        self,
        portfolio: Portfolio,
        order: WorkingOrder,
        price: int,
        quantity: int,
        market: MarketSlice,
    ) -> tuple[int, Costs]:
        """C13: as many shares as keep gross exposure within leverage x equity after this fill.

        Everything but this symbol is valued at its last close, this symbol at the fill's price;
        what only shrinks the position is never capped. With them comes what they cost.
        """
        date = market.session.date
        costs = self._costs(order, date, price, quantity)
        if self.leverage_ppm is None or quantity == 0:
            return quantity, costs
        position = portfolio.positions[order.symbol]
        held = position.quantity
        closing = abs(held) if held * order.sign < 0 else 0
        if quantity <= closing:
            return quantity, costs
        per_share = price * MICROS_PER_E4
        equity = portfolio.equity_now() + held * (price - position.close_e4) * MICROS_PER_E4
        others = portfolio.gross_micros(without=order.symbol)
        kept = 0 if closing else abs(held)
        while quantity > closing:
            commission, fees = costs
            paid = commission + fees.sec_micros + fees.taf_micros + fees.cat_micros
            room = (equity - paid) * self.leverage_ppm // PPM - others
            opening = max(0, room // per_share - kept)
            if quantity <= closing + opening:
                break
            quantity = closing + opening
            costs = self._costs(order, date, price, quantity)
        return quantity, costs


def _as_traded(shares: int, factor: Fraction | int) -> Fraction | int:
    """Adjusted shares as shares on the day; whole numbers stay integers, which are quicker."""
    return shares if factor == 1 else Fraction(shares) / factor
