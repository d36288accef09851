"""Profit and loss by session, from the recorded outputs alone.

Of each session: change = end - start of the account's equity; realised, net of fees, is what is
left of it without the change of what open positions show (`unrealised`, at the last close).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from daemon.core.events import MarketSlice
from daemon.core.fold import Fold
from daemon.core.outputs import Fill, TradeClosed
from daemon.core.portfolio import Portfolio
from daemon.core.turn import Turn
from daemon.core.units import E4_PER_USD, MICROS_PER_E4, MICROS_PER_USD
from daemon.core.values import AccountValues, PortfolioValues, PositionValues
from daemon.feeds.times import date_text
from daemon.journal.reader import JournalReader, SegmentRow
from daemon.live.opening import turn_of
from daemon.live.recovery import is_traded


@dataclass(slots=True)
class Day:
    """One session in micro-dollars; `unrealised` is at its last close."""

    date: int
    start: int
    before: int
    end: int = 0
    unrealised: int = 0
    fees: int = 0
    trades: int = 0


Step = tuple[Fold, Turn]


def steps_of(reader: JournalReader, segments: Iterable[SegmentRow]) -> Iterator[Step]:
    """Every turn with the account before it; the turn is taken when the next one is asked for."""
    for segment in segments:
        fold = Fold(msgspec.convert(segment.opening["values"], AccountValues))
        for row in reader.turns(segment.segment):
            turn = turn_of(row)
            yield fold, turn
            fold.add(turn)


def days_of(steps: Iterable[Step], starting_micros: int) -> list[Day]:
    """The sessions that have a slice, in order; a late bar counts on the day on which it comes."""
    days: list[Day] = []
    fold = None
    for fold, turn in steps:
        item = turn.input
        if not isinstance(item, MarketSlice) or not is_traded(item):
            continue
        if not days or item.session.date > days[-1].date:
            before = _end(days, fold)
            days.append(Day(item.session.date, days[-1].end if days else starting_micros, before))
        day = days[-1]
        assert turn.equity is not None, "a slice without its equity"
        day.end = turn.equity
        for output in turn.outputs:
            if isinstance(output, Fill):
                day.fees += output.commission_micros + output.regulatory_micros
            day.trades += isinstance(output, TradeClosed)
    if fold is not None:
        _end(days, fold)
    return days


def _end(days: list[Day], fold: Fold) -> int:
    """Close the last day; returns what positions show now."""
    unrealised = sum(map(unrealised_micros, fold.values().portfolio.positions))
    if days:
        days[-1].unrealised = unrealised
    return unrealised


def unrealised_micros(position: PositionValues) -> int:
    """What a position is worth at its last close above its cost, fees aside."""
    sign = 1 if position.quantity > 0 else -1
    value_e4 = position.quantity * round(position.close * E4_PER_USD)
    return (value_e4 - sign * position.cost_e4) * MICROS_PER_E4


def session_row(day: Day) -> dict[str, Any]:
    """A day as a row in dollars."""
    return {"date": date_text(day.date), **_figures(day)}


def total_row(days: list[Day]) -> dict[str, Any]:
    """All days as one."""
    first, last = days[0], days[-1]
    fees, trades = sum(day.fees for day in days), sum(day.trades for day in days)
    whole = Day(0, first.start, first.before, last.end, last.unrealised, fees, trades)
    return _figures(whole)


def _figures(day: Day) -> dict[str, Any]:
    change = day.end - day.start
    return {
        "start_equity_usd": day.start / MICROS_PER_USD,
        "end_equity_usd": day.end / MICROS_PER_USD,
        "change_usd": change / MICROS_PER_USD,
        "realised_usd": (change - (day.unrealised - day.before)) / MICROS_PER_USD,
        "unrealised_usd": day.unrealised / MICROS_PER_USD,
        "fees_usd": day.fees / MICROS_PER_USD,
        "trades": day.trades,
    }


def position_rows(portfolio: PortfolioValues) -> list[dict[str, Any]]:
    """What is held, at its last close."""
    return [
        {
            "symbol": one.symbol,
            "quantity": one.quantity,
            "average_usd": one.cost_e4 / abs(one.quantity) / E4_PER_USD,
            "close_usd": one.close,
            "unrealised_usd": unrealised_micros(one) / MICROS_PER_USD,
        }
        for one in portfolio.positions
        if one.quantity
    ]


def portfolio_of(values: PortfolioValues) -> Portfolio:
    """A ledger from its values."""
    symbols = tuple(position.symbol for position in values.positions)
    portfolio = Portfolio(symbols, values.cash_micros, [])
    portfolio.restore(values)
    return portfolio
