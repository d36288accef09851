"""Random days of trading: bars, a script of intents, commands, limits and a venue's rules.

Prices move on a coarse grid around one base price, so that levels are met exactly, missed by one
tick and gapped over far more often than by chance. Hypothesis draws a few strings of bytes, which
are dealt out in records of fixed length: a hundred times quicker than drawing every field, and a
zero is always the plainest choice, so failures still shrink to something short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from msgspec import structs

from daemon.core.costs import FREE, CommissionPlan
from daemon.core.events import (
    Bracket,
    CancelRequest,
    CorporateAction,
    Dividend,
    Flatten,
    Halt,
    Intent,
    Note,
    OrderRequest,
    OrderType,
    Pause,
    Reduce,
    Reset,
    Resume,
    Side,
    Split,
    TargetPosition,
    TimeInForce,
)
from daemon.core.limits import Action, Limit, Limits
from daemon.core.pricing import Pricing
from daemon.core.split_factors import SplitFactors
from daemon.core.units import HOUR_NS, MICROS_PER_USD, PPM
from daemon.fees import load_fee_tables
from tests.harness import Quote, always, rules, sessions

T = TypeVar("T")
Rows = tuple[Quote | None, ...]
AnyCommand = Halt | Pause | Reduce | Resume | Flatten | Reset | Note

SYMBOLS = ("NVDA", "AMD", "SPY")
BASE_E4 = 100_0000
TABLES = load_fee_tables().regulatory
OPERATOR = "operator"
NO_LIMITS = Limits(allow_short=True)

MAX_SLICES = 14
BAR_BYTES, INTENT_BYTES, COMMAND_BYTES, ACTION_BYTES = 6, 18, 4, 4
INTENTS, COMMANDS, ACTIONS = 14, 3, 2

often = settings(max_examples=3 * settings().max_examples)
"""For tests whose cases are many and quick."""


@dataclass(frozen=True)
class Scenario:
    """Everything that `tests.harness.play` needs; `at` says what is wanted at each slice."""

    bars: dict[str, Rows]
    at: dict[int, tuple[Intent, ...]]
    per_session: int
    pricing: Pricing
    limits: Limits
    commands: tuple[AnyCommand, ...] = ()
    actions: tuple[CorporateAction, ...] = ()
    cash_usd: int = 25_000

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.bars)

    @property
    def slices(self) -> int:
        return len(next(iter(self.bars.values())))

    def with_bars(self, bars: dict[str, Rows]) -> Scenario:
        return replace(self, bars=bars)


def edges(per_session: int, slices: int) -> tuple[list[int], list[int], list[int]]:
    """Starts, ends (ns) and exchange dates of the slices."""
    days = sessions(-(-slices // per_session), per_session)
    starts = [start for day in days for start in day.starts][:slices]
    ends = [end for day in days for end in day.ends][:slices]
    dates = [day.session.date for day in days for _ in day.starts][:slices]
    return starts, ends, dates


class Dice:
    """Bytes dealt out one choice at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def roll(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def pick(self, options: Sequence[T]) -> T:
        return options[self.roll() % len(options)]

    def maybe(self, percent: int) -> bool:
        """True so often; never for a zero."""
        return self.roll() >= 256 - 256 * percent // 100

    def records(self, count: int, size: int) -> list[Dice]:
        """So many dice of fixed length, cut from the rest."""
        found = []
        for _ in range(count):
            found.append(Dice(self._data[self._at : self._at + size]))
            self._at += size
        return found


# --- bars -----------------------------------------------------------------------------------------


def rows_of(dice: Dice, count: int, step_e4: int) -> Rows:
    """So many bars, the first and the last of them present."""
    drawn = [_quote(each, step_e4) for each in dice.records(count, BAR_BYTES)]
    rows: list[Quote | None] = []
    for place, (quote, missing) in enumerate(drawn):
        rows.append(None if missing and place not in (0, count - 1) else quote)
    return tuple(rows)


def _quote(dice: Dice, step_e4: int) -> tuple[Quote, bool]:
    moves = (0, 1, -1, 2, -2, 3, -3, 4, -4, 6, -6)
    wicks = (0, 1, 2, 5, 0, 1, 3, 60)
    opens = BASE_E4 + step_e4 * dice.pick(moves)
    closes = BASE_E4 + step_e4 * dice.pick(moves)
    high = max(opens, closes) + step_e4 * dice.pick(wicks)
    low = max(min(opens, closes) - step_e4 * dice.pick(wicks), 100)
    shares = dice.pick((1_000_000, 1_000_000, 2_000, 400, 40, 37, 0))
    prices = tuple(price / 10_000 for price in (opens, high, low, closes))
    return (*prices, shares), dice.maybe(12)


# --- intents --------------------------------------------------------------------------------------

TARGETS = (10, 0, 40, -10, 100, 0, -40, 7, -100, 150)
QUANTITIES = (10, 1, 7, 40, 100, 150, 220)
PERCENTS = (1.0, 0.5, 2.0, 5.0, 0.37)


def _level(dice: Dice, step_e4: int) -> float:
    """A level on the grid of the bars, or a little off it."""
    steps = dice.roll() % 9 - 4
    return (BASE_E4 + step_e4 * steps + dice.pick((0, 0, 0, 0, 100, -100, 3))) / 10_000


def _bracket(dice: Dice, step_e4: int) -> Bracket | None:
    """Stops and targets by price or by percentage, and trailing stops, in every mixture."""
    present, by_price = dice.maybe(50), dice.maybe(50)
    stop, target = _level(dice, step_e4), _level(dice, step_e4)
    has_stop, has_target, trails = dice.maybe(60), dice.maybe(60), dice.maybe(30)
    trail = dice.pick(PERCENTS) if trails else None
    if not (present and (has_stop or has_target or trails)):
        return None
    if by_price:
        return Bracket(
            stop if has_stop else None, target if has_target else None, trailing_stop_pct=trail
        )
    return Bracket(
        stop_loss_pct=0.5 + stop % 2 if has_stop else None,
        take_profit_pct=0.5 + target % 3 if has_target else None,
        trailing_stop_pct=trail,
    )


def _request(dice: Dice, symbol: str, step_e4: int) -> OrderRequest:
    """An explicit order, nearly always one that makes sense."""
    kind = dice.pick(list(OrderType))
    side = dice.pick([Side.BUY, Side.SELL])
    level, other = _level(dice, step_e4), _level(dice, step_e4)
    limit = stop = trail = None
    if kind is OrderType.LIMIT:
        limit = level
    elif kind is OrderType.STOP:
        stop = level
    elif kind is OrderType.STOP_LIMIT:
        low, high = sorted([level, other])
        stop, limit = (low, high) if side is Side.BUY else (high, low)
    elif kind is OrderType.TRAILING_STOP:
        trail = PERCENTS[int(level) % len(PERCENTS)]
    return OrderRequest(
        symbol=symbol,
        side=side,
        quantity=dice.pick(QUANTITIES),
        type=kind,
        limit_price=limit,
        stop_price=stop,
        trail_pct=trail,
        time_in_force=dice.pick(list(TimeInForce)),
        group=dice.pick([None, None, None, f"{symbol} a", f"{symbol} b"]),
        reason="explicit",
    )


def script_of(
    dice: Dice, symbols: tuple[str, ...], slices: int, step_e4: int
) -> dict[int, tuple[Intent, ...]]:
    """What is wanted at some of the slices; at most one target a symbol and slice."""
    script: dict[int, tuple[Intent, ...]] = {}
    for each in dice.records(INTENTS, INTENT_BYTES):
        if not each.maybe(85):
            continue
        at, symbol = each.roll() % slices, each.pick(symbols)
        kind = each.pick("trrtrtrrtrtcrt")
        before = script.get(at, ())
        if kind == "c":
            script[at] = (*before, CancelRequest(1 + each.roll() % 20))
        elif kind == "r":
            request = _request(each, symbol, step_e4)
            if each.maybe(40):
                guard = Bracket(stop_loss_pct=1.0, take_profit_pct=each.pick((None, 1.5)))
                request = structs.replace(request, bracket=guard)
            script[at] = (*before, request)
        elif not any(isinstance(x, TargetPosition) and x.symbol == symbol for x in before):
            quantity, bracket = each.pick(TARGETS), _bracket(each, step_e4)
            script[at] = (*before, TargetPosition(symbol, quantity, bracket, "target"))
    return script


# --- commands, corporate actions, limits, rules ---------------------------------------------------


def commands_of(dice: Dice, starts: list[int], ends: list[int]) -> tuple[AnyCommand, ...]:
    """Commands before, inside, at the edges of and between bars."""
    found: list[AnyCommand] = []
    for each in dice.records(COMMANDS, COMMAND_BYTES):
        if not each.maybe(35):
            continue
        at = each.roll() % len(starts)
        start, end = starts[at], ends[at]
        middle = (start + end) // 2
        instants = (
            middle,
            end,
            middle,
            start,
            end + 1,
            middle,
            end - 1,
            start + 1,
            start - HOUR_NS,
        )
        instant = each.pick(instants)
        kind, word = divmod(each.roll(), 3)
        kinds = (Note, Halt, Flatten, Pause, Reduce, Flatten, Resume, Reset)
        chosen = kinds[kind % len(kinds)]
        if chosen is Reset:
            found.append(Reset(instant, OPERATOR, "drawn", (None, "loss", "drawdown")[word]))
        else:
            found.append(chosen(instant, OPERATOR, "drawn"))
    return tuple(found)


def actions_of(
    dice: Dice, symbols: tuple[str, ...], dates: list[int]
) -> tuple[CorporateAction, ...]:
    """Splits both ways and dividends, owed and paid; one a symbol at most."""
    found: list[CorporateAction] = []
    days = sorted(set(dates))
    for each in dice.records(ACTIONS, ACTION_BYTES):
        kind, day, pay, how = each.roll(), each.pick(days), each.pick(days), each.roll()
        if len(found) == len(symbols) or kind < 150:
            continue
        symbol = symbols[len(found)]
        if kind % 2:
            found.append(Split(symbol, day, *((2, 1), (3, 2), (1, 2), (1, 10))[how % 4]))
        else:
            amount = (240_000, 1, 1_000_003)[how % 3]
            found.append(Dividend(symbol, day, max(day, pay), amount))
    return tuple(found)


ACTIONS_OF_LIMITS = (*[Action.DENY] * 4, *Action)


def limits_of(dice: Dice) -> Limits:
    """Each limit off or on, with any action; amounts near what the scripts ask for."""

    def one(*values: int) -> Limit | None:
        value, action, present = dice.pick(values), dice.pick(ACTIONS_OF_LIMITS), dice.maybe(20)
        return Limit(value, action) if present and any_limits else None

    any_limits, usd = dice.maybe(60), MICROS_PER_USD
    return Limits(
        max_position_shares=one(100, 40, 10, 150),
        max_position_usd=one(10_000 * usd, 4_000 * usd),
        max_order_usd=one(10_000 * usd, 1_000 * usd, 4_100 * usd),
        max_gross_leverage=one(PPM, PPM // 2, 2 * PPM),
        price_collar_pct=one(20_000, 50_000),
        min_cash_usd=one(0, 10_000 * usd),
        max_orders_per_hour=one(1, 2, 4),
        max_orders_per_day=one(2, 5),
        max_daily_loss_usd=one(50 * usd, 400 * usd),
        max_drawdown_pct=one(10_000, 30_000),
        allow_short=dice.pick([True, True, True, False]),
        flat_before_close=dice.maybe(20),
        overnight_orders=not dice.maybe(15),
    )


PLANS = (
    FREE,
    CommissionPlan(Fraction(5000), MICROS_PER_USD, 10_000),
    CommissionPlan(Fraction(10_000, 3), 350_000, None),
)
FACTORS = SplitFactors([Split("NVDA", 20240103, 3, 1), Split("AMD", 20240104, 10, 1)])


def pricing_of(dice: Dice, *, capped: bool) -> Pricing:
    """The venue's rules; not `capped`: every order can fill whole."""
    return rules(
        tick_e4=dice.pick((100, 1, 500)),
        slippage_ppm=dice.pick((0, 100, 5_000)),
        commission=always(dice.pick(PLANS)),
        tables=dice.pick((None, TABLES)),
        participation_ppm=dice.pick((None, None, 25_000, 250_000)) if capped else None,
        volume_known=not dice.maybe(30) if capped else False,
        leverage_ppm=dice.pick((None, None, PPM, 2 * PPM, PPM // 2)) if capped else None,
        fills_at_close=dice.maybe(20),
        factors=dice.pick((None, None, None, FACTORS)),
    )


@st.composite
def scenarios(
    draw: st.DrawFn,
    *,
    limited: bool = True,
    capped: bool = True,
    commanded: bool = True,
    actions: bool = True,
) -> Scenario:
    """A whole scenario; each switch leaves one source of trouble out."""

    def dice(size: int) -> Dice:
        return Dice(draw(st.binary(min_size=size, max_size=size)))

    shape = dice(6)
    symbols = SYMBOLS[: shape.pick((1, 1, 2, 3))]
    per_session, slices = shape.pick((4, 2, 3, 7)), 4 + shape.roll() % (MAX_SLICES - 3)
    step_e4, cash_usd = (
        shape.pick((1_0000, 100, 5000, 137)),
        shape.pick((200_000, 25_000, 25_000, 4_000)),
    )
    starts, ends, dates = edges(per_session, slices)
    return Scenario(
        bars={symbol: rows_of(dice(BAR_BYTES * MAX_SLICES), slices, step_e4) for symbol in symbols},
        at=script_of(dice(INTENTS * INTENT_BYTES), symbols, slices, step_e4),
        per_session=per_session,
        pricing=pricing_of(dice(9), capped=capped),
        limits=limits_of(dice(34)) if limited else NO_LIMITS,
        commands=commands_of(dice(COMMANDS * COMMAND_BYTES), starts, ends) if commanded else (),
        actions=actions_of(dice(ACTIONS * ACTION_BYTES), symbols, dates) if actions else (),
        cash_usd=cash_usd,
    )
