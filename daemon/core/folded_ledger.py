"""The ledger once more, from recorded facts alone: what recovery holds the first one against.

`Portfolio` books what the venue does; this books what the outputs of turns say was done. It
shares no code with it, so that a mistake in one of them shows.
"""

from __future__ import annotations

from fractions import Fraction

from msgspec.structs import replace

from daemon.core.events import Bar, Dividend, Side
from daemon.core.outputs import ActionApplied, DividendPaid, Fill
from daemon.core.values import PortfolioValues, TradeValues

MICROS_PER_E4 = 100
E4_PER_USD = 10_000


class FoldedLedger:
    """Cash, positions, trades and receivables; `predictions` are those of the last decision."""

    def __init__(self, opening: PortfolioValues) -> None:
        self.predictions = dict(opening.predictions)
        self._cash = opening.cash_micros
        self._positions = {each.symbol: each for each in opening.positions}
        self._receivables = list(opening.receivables)
        self._next_fill_id = opening.next_fill_id
        self._next_trade_id = opening.next_trade_id

    @property
    def equity_micros(self) -> int:
        """Cash + positions at their last close + receivables."""
        held = sum(one.quantity * _e4(one.close) for one in self._positions.values())
        owed = sum(amount for _, _, amount in self._receivables)
        return self._cash + held * MICROS_PER_E4 + owed

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return not any(one.quantity for one in self._positions.values())

    def values(self) -> PortfolioValues:
        """The ledger by value."""
        return PortfolioValues(
            cash_micros=self._cash,
            positions=tuple(self._positions.values()),
            predictions=dict(self.predictions),
            receivables=tuple(self._receivables),
            next_fill_id=self._next_fill_id,
            next_trade_id=self._next_trade_id,
        )

    def mark(self, bars: tuple[Bar, ...]) -> None:
        """Each bar is one more close, and a low and a high for the trade that is open."""
        for bar in bars:
            position = self._positions[bar.symbol]
            trade = position.trade
            if trade is not None:
                trade = replace(trade, low=min(trade.low, bar.low), high=max(trade.high, bar.high))
            self._positions[bar.symbol] = replace(
                position, close=bar.close, bars=position.bars + 1, trade=trade
            )

    # --- fills --------------------------------------------------------------------------------

    def fill(self, fill: Fill) -> None:
        """Cash by the whole fill; shares and fees by the leg that closes and the leg that opens."""
        bought = fill.quantity if fill.side is Side.BUY else -fill.quantity
        fees = fill.commission_micros + fill.sec_micros + fill.taf_micros + fill.cat_micros
        self._cash -= bought * fill.price_e4 * MICROS_PER_E4
        self._cash -= fees
        self._next_fill_id = max(self._next_fill_id, fill.fill_id + 1)
        held = self._positions[fill.symbol].quantity
        closes = min(abs(bought), abs(held)) if held * bought < 0 else 0
        of_closing = round(Fraction(fees * closes, fill.quantity))
        if closes:
            self._close(fill, closes, of_closing)
        if closes < fill.quantity:
            self._open(fill, bought, fill.quantity - closes, fees - of_closing)

    def _close(self, fill: Fill, shares: int, fees: int) -> None:
        position = self._positions[fill.symbol]
        trade, held = position.trade, position.quantity
        assert trade is not None, f"fill {fill.fill_id} closes shares that nobody bought"
        left = abs(held) - shares
        price = fill.price_e4 / E4_PER_USD
        trade = replace(
            trade,
            exit_notional_e4=trade.exit_notional_e4 + shares * fill.price_e4,
            exit_quantity=trade.exit_quantity + shares,
            fees_micros=trade.fees_micros + fees,
            low=min(trade.low, price),
            high=max(trade.high, price),
        )
        self._positions[fill.symbol] = replace(
            position,
            quantity=left if held > 0 else -left,
            cost_e4=position.cost_e4 - position.cost_e4 * shares // abs(held),
            exit_at=position.bars,
            trade=trade if left else None,
        )

    def _open(self, fill: Fill, bought: int, shares: int, fees: int) -> None:
        position = self._positions[fill.symbol]
        trade = position.trade
        if trade is None:
            trade = self._new_trade(fill, 1 if bought > 0 else -1, position.bars)
        trade = replace(
            trade,
            entry_notional_e4=trade.entry_notional_e4 + shares * fill.price_e4,
            entry_quantity=trade.entry_quantity + shares,
            fees_micros=trade.fees_micros + fees,
        )
        self._positions[fill.symbol] = replace(
            position,
            quantity=position.quantity + (shares if bought > 0 else -shares),
            cost_e4=position.cost_e4 + shares * fill.price_e4,
            trade=trade,
        )

    def _new_trade(self, fill: Fill, sign: int, bars: int) -> TradeValues:
        self._next_trade_id += 1
        return TradeValues(
            trade_id=self._next_trade_id - 1,
            sign=sign,
            entry=fill.effective,
            entry_at=bars,
            entry_notional_e4=0,
            entry_quantity=0,
            exit_notional_e4=0,
            exit_quantity=0,
            fees_micros=0,
            low=fill.price_e4 / E4_PER_USD,
            high=fill.price_e4 / E4_PER_USD,
            entry_reason=fill.reason,
            entry_prediction=self.predictions.get(fill.symbol),
        )

    # --- corporate actions --------------------------------------------------------------------

    def act(self, applied: ActionApplied) -> None:
        """A dividend is owed; a split leaves the shares and pays the cash that it says."""
        action = applied.action
        if isinstance(action, Dividend):
            self._receivables.append((action.pay_date, action.symbol, applied.cash_micros))
            return
        self._cash += applied.cash_micros
        position = self._positions[action.symbol]
        many, one = action.numerator, action.denominator
        trade, held = position.trade, applied.quantity
        if trade is not None:
            paid_e4 = abs(applied.cash_micros) // MICROS_PER_E4
            trade = replace(
                trade,
                entry_quantity=max(1, trade.entry_quantity * many // one),
                exit_quantity=trade.exit_quantity * many // one,
                exit_notional_e4=trade.exit_notional_e4 + paid_e4,
                low=trade.low * (one / many),
                high=trade.high * (one / many),
            )
        paid_out = trade is not None and held == 0
        self._positions[action.symbol] = replace(
            position,
            close=round(position.close * one / many, 4),
            quantity=held,
            cost_e4=0 if paid_out else position.cost_e4,
            exit_at=position.bars if paid_out else position.exit_at,
            trade=None if paid_out else trade,
        )

    def pay(self, paid: DividendPaid) -> None:
        """The earliest receivable of that amount has become cash."""
        due = min(row for row in self._receivables if row[1:] == (paid.symbol, paid.cash_micros))
        self._receivables.remove(due)
        self._cash += paid.cash_micros


def _e4(price_usd: float) -> int:
    return round(price_usd * E4_PER_USD)
