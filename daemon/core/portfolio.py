"""Positions, cash and trades: the ledger, in integers.

A position carries its cost (entry notional without fees) as an exact integer of 1/10,000 dollar
times shares; a partial exit takes its share of it, rounded down, so that what is realised over a
whole round trip is exact. Fees are booked on their own. Equity = cash + positions at their last
close + dividends receivable.
"""

from __future__ import annotations

from typing import Any

from daemon.core.events import Bar, Dividend, MarketSlice, Split
from daemon.core.outputs import ActionApplied, DividendPaid, Fill, TradeClosed
from daemon.core.units import E4_PER_USD, MICROS_PER_E4, PPM, divide_half_even, price_e4
from daemon.core.values import PortfolioValues, PositionValues, TradeValues, put, taken
from daemon.core.working_order import sign_of

_E4 = float(E4_PER_USD)  # float x float is quicker than float x int; the product is the same


class Trade:
    """A round trip while it is open: sums over its fills and the extremes seen while held."""

    __slots__ = (
        "entry",
        "entry_at",
        "entry_notional_e4",
        "entry_prediction",
        "entry_quantity",
        "entry_reason",
        "exit_notional_e4",
        "exit_quantity",
        "fees_micros",
        "high",
        "low",
        "sign",
        "trade_id",
    )

    def __init__(self, trade_id: int, sign: int, fill: Fill, entry_at: int) -> None:
        self.trade_id = trade_id
        self.sign = sign
        self.entry = fill.effective
        self.entry_at = entry_at
        self.entry_notional_e4 = 0
        self.entry_quantity = 0
        self.exit_notional_e4 = 0
        self.exit_quantity = 0
        self.fees_micros = 0
        self.low = self.high = fill.price_e4 / E4_PER_USD
        self.entry_reason = fill.reason
        self.entry_prediction: float | None = None


class Position:
    """One symbol's shares; `bars` counts the closes seen, `close` is the last of them in USD."""

    __slots__ = ("bars", "close", "cost_e4", "exit_at", "quantity", "symbol", "trade")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.quantity = 0
        self.cost_e4 = 0
        self.close = 0.0
        self.bars = 0
        self.exit_at: int | None = None
        self.trade: Trade | None = None

    @property
    def close_e4(self) -> int:
        """The last close in 1/10,000 dollar (0 before the first)."""
        return price_e4(self.close)

    @property
    def bars_held(self) -> int:
        """Closes since the entry fill's bar, that one included; 0 while flat."""
        return self.bars - self.trade.entry_at if self.trade else 0

    @property
    def bars_since_exit(self) -> int | None:
        """Closes since the last exit fill, its bar's own close included; None before the first."""
        return None if self.exit_at is None else self.bars - self.exit_at


class Portfolio:
    """The account: cash, positions and what is owed to it."""

    def __init__(self, symbols: tuple[str, ...], cash_micros: int, outputs: list[Any]) -> None:
        self.symbols = symbols
        self.cash_micros = cash_micros
        self.equity_micros = cash_micros
        self.positions = {symbol: Position(symbol) for symbol in symbols}
        self._symbols = len(symbols)
        self.predictions: dict[str, float] = {}
        self._outputs = outputs
        self.receivables: list[tuple[int, str, int]] = []
        self._next_fill_id = 1
        self._next_trade_id = 1

    # --- marking ------------------------------------------------------------------------------

    def mark(self, bars: tuple[Bar, ...]) -> int:
        """Mark to the bars' closes; returns the equity. A symbol without a bar keeps its mark."""
        equity = self.cash_micros
        positions = self.positions
        for bar in bars:
            position = positions[bar.symbol]
            position.bars += 1
            position.close = close = bar.close
            trade = position.trade
            if trade is not None:
                equity += position.quantity * round(close * _E4) * MICROS_PER_E4
                if bar.low < trade.low:
                    trade.low = bar.low
                if bar.high > trade.high:
                    trade.high = bar.high
        if len(bars) != self._symbols or self.receivables:
            equity = self.equity_now()
        self.equity_micros = equity
        return equity

    def equity_now(self) -> int:
        """Cash + positions at their last close + receivables, in micro-dollars."""
        held = sum(p.quantity * p.close_e4 for p in self.positions.values() if p.quantity)
        owed = sum(amount for _, _, amount in self.receivables)
        return self.cash_micros + held * MICROS_PER_E4 + owed

    def gross_micros(self, *, without: str | None = None) -> int:
        """Sum of |quantity| x last close over all symbols but `without`."""
        return MICROS_PER_E4 * sum(
            abs(p.quantity) * p.close_e4
            for p in self.positions.values()
            if p.quantity and p.symbol != without
        )

    # --- fills --------------------------------------------------------------------------------

    def next_fill_id(self) -> int:
        """The running number of the account's next fill."""
        number = self._next_fill_id
        self._next_fill_id += 1
        return number

    def apply(self, fill: Fill) -> None:
        """Book a fill: fees and cash, then its closing leg, then its opening leg (S25)."""
        position = self.positions[fill.symbol]
        sign = sign_of(fill.side)
        fees = fill.commission_micros + fill.regulatory_micros
        self.cash_micros -= sign * fill.quantity * fill.price_e4 * MICROS_PER_E4 + fees
        against = position.quantity * sign < 0
        closing = min(fill.quantity, abs(position.quantity)) if against else 0
        opening = fill.quantity - closing
        closing_fees = divide_half_even(fees * closing, fill.quantity) if closing else 0
        if closing:
            self._close_leg(position, fill, closing, closing_fees)
        if opening:
            self._open_leg(position, fill, sign, opening, fees - closing_fees)

    def _open_leg(
        self, position: Position, fill: Fill, sign: int, quantity: int, fees: int
    ) -> None:
        trade = position.trade
        if trade is None:
            trade = position.trade = Trade(self._next_trade_id, sign, fill, position.bars)
            trade.entry_prediction = self.predictions.get(fill.symbol)
            self._next_trade_id += 1
        trade.entry_notional_e4 += quantity * fill.price_e4
        trade.entry_quantity += quantity
        trade.fees_micros += fees
        position.cost_e4 += quantity * fill.price_e4
        position.quantity += sign * quantity

    def _close_leg(self, position: Position, fill: Fill, quantity: int, fees: int) -> None:
        trade = position.trade
        assert trade is not None, "a position without a trade"
        held = abs(position.quantity)
        position.cost_e4 -= position.cost_e4 * quantity // held
        position.quantity -= trade.sign * quantity
        position.exit_at = position.bars
        trade.exit_notional_e4 += quantity * fill.price_e4
        trade.exit_quantity += quantity
        trade.fees_micros += fees
        price_usd = fill.price_e4 / E4_PER_USD
        trade.low = min(trade.low, price_usd)
        trade.high = max(trade.high, price_usd)
        if position.quantity == 0:
            assert position.cost_e4 == 0, "a closed position keeps cost"
            self._outputs.append(closed_trade(position, fill.effective, fill.reason))
            position.trade = None

    # --- corporate actions --------------------------------------------------------------------

    def split(self, action: Split, instant: int) -> None:
        """S26: quantity x k, average / k; a fraction of a share is paid out at the last close."""
        position = self.positions[action.symbol]
        numerator, denominator = action.numerator, action.denominator
        position.close = round(position.close * denominator / numerator, 4)
        held = position.quantity
        whole, fraction = divmod(abs(held) * numerator, denominator)
        sign = 1 if held >= 0 else -1
        cash = sign * divide_half_even(fraction * position.close_e4 * MICROS_PER_E4, denominator)
        self.cash_micros += cash
        position.quantity = sign * whole
        self._outputs.append(ActionApplied(instant, action, position.quantity, cash))
        trade = position.trade
        if trade is None:
            return
        trade.entry_quantity = max(1, trade.entry_quantity * numerator // denominator)
        trade.exit_quantity = trade.exit_quantity * numerator // denominator
        trade.exit_notional_e4 += abs(cash) // MICROS_PER_E4
        trade.low *= denominator / numerator
        trade.high *= denominator / numerator
        if whole == 0:  # a reverse split paid the whole position out
            position.cost_e4 = 0
            position.exit_at = position.bars
            self._outputs.append(closed_trade(position, instant, "split"))
            position.trade = None

    def dividend(self, action: Dividend, instant: int) -> None:
        """S26: what is held at the ex-date's open is owed the dividend; a short owes it."""
        quantity = self.positions[action.symbol].quantity
        if quantity:
            amount = quantity * action.amount_micros
            self.receivables.append((action.pay_date, action.symbol, amount))
            self._outputs.append(ActionApplied(instant, action, quantity, amount))

    def pay(self, market: MarketSlice) -> None:
        """Turn receivables whose pay date has come into cash."""
        due = [row for row in self.receivables if row[0] <= market.session.date]
        for row in due:
            self.receivables.remove(row)
            self.cash_micros += row[2]
            self._outputs.append(DividendPaid(market.start, row[1], row[2]))

    # --- by value -----------------------------------------------------------------------------

    def values(self) -> PortfolioValues:
        """The ledger by value."""
        return PortfolioValues(
            cash_micros=self.cash_micros,
            positions=tuple(map(_position_values, self.positions.values())),
            predictions=dict(self.predictions),
            receivables=tuple(self.receivables),
            next_fill_id=self._next_fill_id,
            next_trade_id=self._next_trade_id,
        )

    def restore(self, values: PortfolioValues) -> None:
        """Take over a ledger; positions of symbols that are not ours are left out."""
        self.cash_micros = values.cash_micros
        for each in values.positions:
            position = self.positions.get(each.symbol)
            if position is not None:
                put(each, position)
                if each.trade is not None:
                    position.trade = put(each.trade, Trade.__new__(Trade))
        self.predictions = dict(values.predictions)
        self.receivables[:] = values.receivables
        self._next_fill_id = values.next_fill_id
        self._next_trade_id = values.next_trade_id
        self.equity_micros = self.equity_now()


def _position_values(position: Position) -> PositionValues:
    trade = position.trade
    return PositionValues(
        symbol=position.symbol,
        quantity=position.quantity,
        cost_e4=position.cost_e4,
        close=position.close,
        bars=position.bars,
        exit_at=position.exit_at,
        trade=None if trade is None else taken(TradeValues, trade),
    )


def closed_trade(position: Position, exit_instant: int, exit_reason: str) -> TradeClosed:
    """The record of a position's trade; an open one is taken as exited at its last close."""
    trade = position.trade
    assert trade is not None, "no trade to record"
    exit_notional = trade.exit_notional_e4 + abs(position.quantity) * position.close_e4
    entry_e4 = trade.entry_notional_e4 / trade.entry_quantity
    low, high = trade.low * E4_PER_USD, trade.high * E4_PER_USD
    adverse, favourable = (low, high) if trade.sign > 0 else (high, low)
    gross = trade.sign * (exit_notional - trade.entry_notional_e4) * MICROS_PER_E4
    return TradeClosed(
        trade_id=trade.trade_id,
        symbol=position.symbol,
        direction="long" if trade.sign > 0 else "short",
        quantity=trade.entry_quantity,
        entry=trade.entry,
        entry_e4=entry_e4,
        exit=exit_instant,
        exit_e4=exit_notional / trade.entry_quantity,
        pnl_micros=gross - trade.fees_micros,
        fees_micros=trade.fees_micros,
        bars_held=position.bars - trade.entry_at,
        adverse_ppm=round(trade.sign * (adverse - entry_e4) / entry_e4 * PPM),
        favourable_ppm=round(trade.sign * (favourable - entry_e4) / entry_e4 * PPM),
        entry_prediction=trade.entry_prediction,
        entry_reason=trade.entry_reason,
        exit_reason=exit_reason,
    )
