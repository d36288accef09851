"""The figures of a summary: key, label, unit, which way is better, how near counts as equal.

This table is the one description of `summary.json`'s single values: the console, the report, the
comparison of runs and the documentation read it. Its order is the order in the file. `TABLES`
describes the values that are lists or mappings.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Section(StrEnum):
    """The headings of a summary."""

    PERIOD = "Period and data"
    RESULT = "Result"
    RISK = "Risk"
    TRADES = "Trades"
    COSTS = "Costs"
    QUALITY = "Denials and data quality"


class Unit(StrEnum):
    """What a figure counts."""

    USD = "USD"
    PCT = "%"
    BPS = "bps"
    RATIO = "ratio"
    COUNT = "count"
    DAYS = "days"
    HOURS = "hours"
    BARS = "bars"
    INSTANT = "instant"
    DATE = "date"
    TEXT = "text"
    FLAG = "flag"


class Better(StrEnum):
    """Which direction of a figure is good, if any (a drawdown is below 0: higher is better)."""

    HIGHER = "+"
    LOWER = "-"
    NEITHER = "."


class Tolerance(StrEnum):
    """How two runs' values of a figure are compared; `TOLERANCES` has the numbers."""

    EXACT = "exact"
    MONEY = "money"
    PERCENT = "percent"
    RATIO = "ratio"


# The largest absolute difference that still counts as equal: half a cent; a hundredth of a basis
# point; what shows in the fourth decimal of a ratio.
TOLERANCES: dict[Tolerance, float] = {
    Tolerance.EXACT: 0.0,
    Tolerance.MONEY: 0.005,
    Tolerance.PERCENT: 0.0001,
    Tolerance.RATIO: 0.0001,
}

_TOLERANCE_OF_UNIT = {
    Unit.USD: Tolerance.MONEY,
    Unit.PCT: Tolerance.PERCENT,
    Unit.BPS: Tolerance.RATIO,
    Unit.RATIO: Tolerance.RATIO,
    Unit.DAYS: Tolerance.RATIO,
    Unit.HOURS: Tolerance.RATIO,
    Unit.BARS: Tolerance.RATIO,
}


class Figure(Struct, frozen=True, gc=False):
    """One single value of a summary.

    `parent` is the label of the figure it belongs under, if any.
    """

    key: str
    parent: str
    name: str
    unit: Unit
    section: Section
    better: Better
    meaning: str

    @property
    def label(self) -> str:
        """The name in full: `Max drawdown, within a bar`."""
        return f"{self.parent}, {self.name}" if self.parent else self.name

    @property
    def tolerance(self) -> Tolerance:
        """How two runs' values are compared."""
        return _TOLERANCE_OF_UNIT.get(self.unit, Tolerance.EXACT)


# key | label, after > where it belongs under another | unit | better: + higher, - lower
#     meaning
_TABLE = """
[Period and data]
name | Name | text | .
    the config's name
bar_size | Bar size | text | .
    the config's bar size
first_bar_start | From | instant | .
    start of the first bar (UTC)
last_bar_end | To | instant | .
    end of the last bar (UTC)
elapsed_days | Calendar days | days | .
    last bar end - first bar start
sessions | Sessions | count | .
    exchange sessions with at least one slice
bars | Bars | count | .
    bars that came, over all symbols
slices | Slices | count | .
    instants decided at
coverage_pct | Coverage | % | +
    bars that came / bars the calendar expects
adjustment | Prices | text | .
    raw, splits or splits_dividends, as the config declares
[Result]
starting_cash_usd | Starting cash | USD | .
    cash before the first bar
final_equity_usd | Final equity | USD | +
    cash + marked positions at the end
profit_usd | Absolute profit | USD | +
    final equity - starting cash
total_return_pct | Total profit | % | +
    profit / starting cash
cagr_pct | CAGR | % | +
    compound growth a calendar year of 365.25 days
sortino | Sortino | ratio | +
    session mean / downside deviation, x sqrt(252)
sharpe | Sharpe | ratio | +
    session mean / deviation (ddof 1), x sqrt(252)
sharpe_standard_error | Sharpe standard error | ratio | -
    of the annualised ratio, allowing for autocorrelation
sharpe_bars | Sharpe of bar returns | ratio | +
    secondary; x sqrt(observed bars a year)
calmar | Calmar | ratio | +
    CAGR / |max drawdown|
sqn | SQN | ratio | +
    sqrt(trades) x mean profit / deviation (ddof 1)
profit_factor | Profit factor | ratio | +
    sum of wins / |sum of losses|
expectancy_usd | Expectancy a trade | USD | +
    mean net profit of a trade
expectancy_ratio | Expectancy ratio | ratio | +
    (1 + mean win / |mean loss|) x win rate - 1
average_session_profit_usd | Avg session profit | USD | +
    profit / sessions
buy_and_hold_return_pct | Buy and hold | % | .
    equal weights, first open to last close, no costs
excess_return_pct | Less buy and hold | % | +
    total profit - buy and hold
buy_and_hold_cagr_pct | Buy and hold CAGR | % | .
    as CAGR
buy_and_hold_sharpe | Buy and hold Sharpe | ratio | .
    as Sharpe
buy_and_hold_max_drawdown_pct | Buy and hold max drawdown | % | .
    on bar closes
[Risk]
volatility_pct | Volatility a year | % | -
    session deviation x sqrt(252)
exposure_pct | Exposure | % | .
    share of slices that end with a position
best_session_pct | Best session | % | +
    highest session return
best_session_date | Best session > on | date | .
    its date
worst_session_pct | Worst session | % | +
    lowest session return
worst_session_date | Worst session > on | date | .
    its date
winning_sessions | Sessions won | count | +
    session return > 0
flat_sessions | Sessions flat | count | .
    session return = 0
losing_sessions | Sessions lost | count | -
    session return < 0
skewness | Skewness | ratio | .
    of session returns
excess_kurtosis | Excess kurtosis | ratio | .
    of session returns
lowest_equity_usd | Lowest equity | USD | +
    at a bar's close
highest_equity_usd | Highest equity | USD | +
    at a bar's close
max_drawdown_pct | Max drawdown | % | +
    equity at bar closes below its peak
worst_intrabar_drawdown_pct | Max drawdown > within a bar | % | +
    with longs at the low and shorts at the high of each bar
max_drawdown_session_close_pct | Max drawdown > at session closes | % | +
    what daily data would show
max_drawdown_usd | Max drawdown > in dollars | USD | +
    trough - peak of the max drawdown
profit_at_drawdown_start_usd | Max drawdown > profit at its start | USD | .
    equity at its peak - starting cash
profit_at_drawdown_trough_usd | Max drawdown > profit at its trough | USD | .
    equity at its trough - starting cash
drawdown_start | Max drawdown > peak | instant | .
    end of the bar at the peak (UTC)
drawdown_trough | Max drawdown > trough | instant | .
    end of the bar at the trough (UTC)
drawdown_end | Max drawdown > recovered | instant | .
    end of the bar that reached the peak again (UTC)
drawdown_days | Max drawdown > duration | days | -
    peak to recovery, or to the end
longest_drawdown_days | Longest drawdown | days | -
    longest time from a peak to its recovery, or to the end
[Trades]
trades | Trades | count | .
    closed round trips, flat to flat
trades_per_session | Trades a session | ratio | .
    trades / sessions
open_trades | Open at the end | count | .
    trades not closed, marked at the last close
open_profit_usd | Open at the end > their profit | USD | .
    net of fees so far; not in the other rows
winning_trades | Trades won | count | +
    net profit > 0
even_trades | Trades even | count | .
    net profit = 0
losing_trades | Trades lost | count | -
    net profit < 0
win_rate_pct | Win rate | % | +
    won / trades
long_trades | Long trades | count | .
    trades that bought first
short_trades | Short trades | count | .
    trades that sold first
long_profit_usd | Profit of longs | USD | +
    net
short_profit_usd | Profit of shorts | USD | +
    net
average_trade_pct | Average trade | % | +
    mean of net profit / entry value
average_win_usd | Average win | USD | +
    mean net profit of the trades won
average_loss_usd | Average loss | USD | +
    mean net profit of the trades lost
best_trade_pct | Best trade | % | +
    highest net profit / entry value
best_trade_usd | Best trade > in dollars | USD | +
    highest net profit
worst_trade_pct | Worst trade | % | +
    lowest net profit / entry value
worst_trade_usd | Worst trade > in dollars | USD | +
    lowest net profit
average_trade_bars | Average duration | bars | .
    bars held, the entry's included
average_trade_hours | Average duration > in time | hours | .
    entry to exit, nights included
shortest_winner_hours | Winners > shortest | hours | .
    entry to exit
average_winner_hours | Winners > average | hours | .
    entry to exit
longest_winner_hours | Winners > longest | hours | .
    entry to exit
shortest_loser_hours | Losers > shortest | hours | .
    entry to exit
average_loser_hours | Losers > average | hours | .
    entry to exit
longest_loser_hours | Losers > longest | hours | .
    entry to exit
max_consecutive_wins | Max wins in a row | count | +
    by exit
max_consecutive_losses | Max losses in a row | count | -
    by exit
[Costs]
fills | Fills | count | .
    executions
turnover_usd | Turnover | USD | .
    sum of price x quantity of all fills
commission_usd | Commission | USD | -
    broker's commission
regulatory_fees_usd | Regulatory fees | USD | -
    SEC + TAF + CAT
sec_fees_usd | Regulatory fees > SEC section 31 | USD | -
    on sales, by value
taf_fees_usd | Regulatory fees > FINRA TAF | USD | -
    on sales, by share
cat_fees_usd | Regulatory fees > CAT | USD | -
    on both sides, by share
fees_usd | Fees | USD | -
    commission + regulatory fees
slippage_usd | Slippage | USD | -
    sum of |price - reference price| x quantity, tick rounding included
costs_usd | All costs | USD | -
    fees + slippage
costs_bps | All costs > of turnover | bps | -
    all costs / turnover
[Denials and data quality]
orders | Orders | count | .
    orders accepted
orders_unfilled | Not filled in full | count | .
    orders with a part not filled
denials | Denied intents | count | .
    intents that became no order, or a smaller one
limits_hit | Limits hit | count | -
    holds that limits have set
trading_state | Final trading state | text | .
    at the end of the run
ambiguous_fills | Ambiguous fills | count | -
    fills that rest on a guess about the order of prices within a bar
ambiguous_profit_usd | Ambiguous fills > profit decided | USD | .
    profit of the guesses made, less that of the other guesses
ambiguous_stake_usd | Ambiguous fills > at stake | USD | -
    sum of the absolute differences between the two guesses
ambiguous_cancels | Ambiguous cancels | count | -
    cancelled orders whose level the same bar touched
fills_after_gap | Fills after a gap | count | -
    the expected bar was missing
missing_bars | Missing bars | count | -
    expected, never came
quarantined_bars | Quarantined bars | count | -
    failed a check, not traded
unexpected_bars | Unexpected bars | count | -
    outside the calendar, not traded
incomplete_sessions | Incomplete sessions | count | -
    sessions with a missing or quarantined bar
predictions | Predictions | count | .
    predictions with a value
prediction_failures | Predictions > failed | count | -
    the model gave none, and said why
predictions_missing | Predictions > missing | count | -
    bars without any prediction
prediction_hit_rate_pct | Predictions > right direction | % | +
    of the predictions and next close-to-close returns that are not 0
information_coefficient | Predictions > correlation | ratio | +
    Pearson, prediction against the next bar's close-to-close return
costs_distorted | Costs distorted | flag | .
    adjusted prices without a split table: ticks, per-share fees and volumes are off
suspected_factor | Costs distorted > largest factor | ratio | .
    the largest adjustment factor suspected
"""


def _parsed(table: str) -> tuple[Figure, ...]:
    figures, section = [], Section.PERIOD
    lines = iter(table.strip().splitlines())
    for line in lines:
        if line.startswith("["):
            section = Section(line.strip("[]"))
            continue
        key, label, unit, better = (cell.strip() for cell in line.split("|"))
        parent, _, name = label.rpartition(" > ")
        meaning = next(lines).strip()
        figures.append(Figure(key, parent, name, Unit(unit), section, Better(better), meaning))
    return tuple(figures)


FIGURES: tuple[Figure, ...] = _parsed(_TABLE)

FIGURE_OF: dict[str, Figure] = {figure.key: figure for figure in FIGURES}

TABLES: dict[str, str] = {
    "sharpe_interval": "95 % interval of the Sharpe ratio (Lo 2002): [low, high], or null",
    "symbols": "the symbols traded, in the config's order",
    "by_symbol": "trades, won, profit and average return of each symbol",
    "by_entry_reason": "the same by the reason of the entry",
    "by_exit_reason": "the same by the reason of the exit",
    "open_trade_list": "trades not closed at the end, marked",
    "monthly_returns": "return of each month, from session closes",
    "yearly_returns": "return of each year, from session closes",
    "drawdowns": "the five deepest: depth, peak, trough, recovery, days",
    "orders_by_end": "orders by the status they ended with",
    "orders_unfilled_by_reason": "orders with a part not filled, by reason",
    "denials_by_reason": "denied intents by reason",
    "holds_by_source": "how often each limit or other source restricted trading",
    "coverage": "per symbol: bars expected and received, coverage, gaps by outcome",
    "corporate_actions": "how many splits and dividends were applied; 0 on a raw tape: none known",
    "warnings": "what a reader must know before believing a figure",
    "conventions": "how the figures are computed",
    "not_available": "for each figure that is null: why",
}
