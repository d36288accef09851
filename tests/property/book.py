"""A second ledger, kept from the fills and the scenario alone, in another way than the engine's.

Positions carry an exact average (a fraction); what is realised is booked at each closing leg.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from daemon.core.events import CorporateAction, Split
from daemon.core.outputs import Fill
from tests.property.tracing import Trace

MICROS_PER_E4 = 100


@dataclass
class Holding:
    """Shares with their exact average price and the last close, both in 1/10,000 dollar."""

    shares: int = 0
    average_e4: Fraction = Fraction(0)
    close_e4: int = 0


@dataclass
class Book:
    """Cash, holdings and what is owed, in micro-dollars."""

    start_micros: int
    symbols: tuple[str, ...]
    cash_micros: int = field(init=False)
    realised_micros: Fraction = Fraction(0)
    owed: list[tuple[int, int]] = field(default_factory=list)
    holdings: dict[str, Holding] = field(init=False)

    def __post_init__(self) -> None:
        self.cash_micros = self.start_micros
        self.holdings = {symbol: Holding() for symbol in self.symbols}

    def fill(self, fill: Fill) -> None:
        holding = self.holdings[fill.symbol]
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        fees = fill.commission_micros + fill.sec_micros + fill.taf_micros + fill.cat_micros
        self.cash_micros += -signed * fill.price_e4 * MICROS_PER_E4 - fees
        self.realised_micros -= fees
        after = holding.shares + signed
        if holding.shares * signed < 0:
            closed = min(abs(signed), abs(holding.shares))
            sign = 1 if holding.shares > 0 else -1
            gain = sign * closed * (fill.price_e4 - holding.average_e4)
            self.realised_micros += gain * MICROS_PER_E4
            if after * holding.shares < 0:
                holding.average_e4 = Fraction(fill.price_e4)
        else:
            paid = abs(holding.shares) * holding.average_e4 + fill.quantity * fill.price_e4
            holding.average_e4 = paid / abs(after)
        holding.shares = after

    def act(self, action: CorporateAction) -> int:
        """Apply a corporate action; the money it booked, in cash or as a receivable."""
        holding = self.holdings[action.symbol]
        if not isinstance(action, Split):
            amount = holding.shares * action.amount_micros
            self.realised_micros += amount
            if amount:
                self.owed.append((action.pay_date, amount))
            return amount
        ratio = Fraction(action.numerator, action.denominator)
        close = holding.close_e4 / 10_000 * action.denominator / action.numerator
        holding.close_e4 = round(round(close, 4) * 10_000)
        exact = abs(holding.shares) * ratio
        sign = 1 if holding.shares >= 0 else -1
        odd = exact - int(exact)
        paid = sign * round(odd * holding.close_e4 * MICROS_PER_E4)
        holding.average_e4 /= ratio
        self.realised_micros += paid - sign * odd * holding.average_e4 * MICROS_PER_E4
        self.cash_micros += paid
        holding.shares = sign * int(exact)
        return paid

    def pay(self, date: int) -> None:
        """What is due by a date becomes cash."""
        self.cash_micros += sum(amount for due, amount in self.owed if due <= date)
        self.owed = [row for row in self.owed if row[0] > date]

    @property
    def receivable_micros(self) -> int:
        return sum(amount for _, amount in self.owed)

    @property
    def equity_micros(self) -> int:
        held = sum(each.shares * each.close_e4 for each in self.holdings.values())
        return self.cash_micros + held * MICROS_PER_E4 + self.receivable_micros

    @property
    def unrealised_micros(self) -> Fraction:
        """What the holdings would gain at their last closes."""
        gains = (each.shares * (each.close_e4 - each.average_e4) for each in self.holdings.values())
        return sum(gains, Fraction(0)) * MICROS_PER_E4

    def gross_micros(self, at: dict[str, int] | None = None) -> int:
        """Sum of |shares| x last close, or the price given for a symbol."""
        prices = at or {}
        return MICROS_PER_E4 * sum(
            abs(each.shares) * prices.get(symbol, each.close_e4)
            for symbol, each in self.holdings.items()
        )


@dataclass(frozen=True)
class BeforeFill:
    """The book just before a fill is entered; marks are those of the slice before."""

    book: Book
    fill: Fill
    number: int


@dataclass(frozen=True)
class Closed:
    """The book at a slice's close, and the engine's own equity there."""

    book: Book
    number: int
    end: int
    equity_micros: int


def story(trace: Trace) -> Iterator[BeforeFill | Closed]:
    """The run told again by the second book: each fill, and each slice's close."""
    scenario = trace.scenario
    book = Book(scenario.cash_usd * 1_000_000, scenario.symbols)
    turns = trace.slice_turns()
    waiting = sorted(scenario.actions, key=lambda action: action.effective)
    for number, end, equity in trace.rows():
        date = trace.dates[number]
        book.pay(date)
        while waiting and waiting[0].effective <= date:
            action = waiting.pop(0)
            if action.symbol in book.holdings:
                book.act(action)
        for output in turns[end].outputs if end in turns else ():
            if isinstance(output, Fill):
                yield BeforeFill(book, output, number)
                book.fill(output)
        for symbol, holding in book.holdings.items():
            bar = trace.bar(symbol, number)
            if bar is not None:
                holding.close_e4 = bar[3]
        yield Closed(book, number, end, equity)
