"""Decisions & risk: what was predicted, ordered, denied and filled, and how near the limits are."""

from __future__ import annotations

from ops.grafana.generator import common
from ops.grafana.generator.model import (
    BLUE,
    GREEN,
    Band,
    Column,
    Meaning,
    Page,
    Panel,
    Query,
    Section,
)
from ops.grafana.generator.promql import highest, in_range, increase, total

BY_SYMBOL = ("symbol",)
BY_LIMIT = ("limit",)
BAR = "15m"
"""The finest column of a chart of counts: decisions come once a bar, so seconds show nothing."""


def _count(title: str, what: str, metric: str, *, wanted: bool = True, bad: bool = False) -> Panel:
    steps = common.PLAIN if wanted else common.NONE_ALLOWED if bad else common.NONE_WANTED
    return Panel(
        "stat",
        title,
        f"{what} within the time that the dashboard shows.",
        3,
        (Query(in_range(metric)),),
        decimals=0,
        steps=steps,
        text=common.NOBODY,
    )


def _columns(title: str, what: str, width: int, query: Query) -> Panel:
    return Panel(
        "bars",
        title,
        what,
        width,
        (query,),
        decimals=0,
        stacked=True,
        coarsest=BAR,
        text="none in this time",
    )


COUNTS = Band(
    4,
    (
        Panel(
            "stat",
            "Orders today",
            "The strategy's orders since the session before closed; `max_orders_per_day` is about "
            "them.",
            3,
            (Query(highest("papertape_orders_day")),),
            decimals=0,
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
        _count("Orders", "Orders that were accepted", "papertape_orders_total"),
        _count("Fills", "Fills of any order", "papertape_fills_total"),
        _count(
            "Denied", "Intents that did not become orders", "papertape_denials_total", wanted=False
        ),
        _count(
            "Failed predictions",
            "Predictions that failed: no number, or not in time",
            "papertape_prediction_failures_total",
            wanted=False,
        ),
        Panel(
            "stat",
            "Failing in a row",
            "Predictions that have failed one after the other; several set a hold.",
            3,
            (Query(highest("papertape_model_failures")),),
            decimals=0,
            steps=common.NONE_WANTED,
            text=common.NOBODY,
        ),
        _count(
            "Limits broken",
            "Limits that could not be kept",
            "papertape_limit_breaches_total",
            wanted=False,
            bad=True,
        ),
        Panel(
            "stat",
            "Working orders",
            "Orders that may still fill, by symbol: those that wait for the next bar, and stops.",
            3,
            (Query(total("papertape_working_orders", by=BY_SYMBOL), "{{symbol}}"),),
            decimals=0,
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
    ),
)

LIMITS = Band(
    8,
    (
        Panel(
            "gauge",
            "Limits in use",
            "The part of each limit that is used; at 100 % its action is taken.",
            8,
            (Query(highest("papertape_limit_use_ratio", by=BY_LIMIT), "{{limit}}"),),
            unit="percentunit",
            decimals=0,
            minimum=0,
            maximum=1,
            steps=common.LIMIT_USE,
            text="no limit is set",
        ),
        Panel(
            "timeseries",
            "Use of the limits",
            "How near each limit has been; the one that reaches 100 % acts.",
            8,
            (Query(highest("papertape_limit_use_ratio", by=BY_LIMIT), "{{limit}}"),),
            unit="percentunit",
            decimals=0,
            minimum=0,
            stepped=True,
            text="no limit is set",
        ),
        Panel(
            "table",
            "Limits in numbers",
            "What each limit is compared with and its value, in the unit that its name ends with.",
            8,
            (
                Query(highest("papertape_limit_current", by=BY_LIMIT)),
                Query(highest("papertape_limit_bound", by=BY_LIMIT)),
                Query(highest("papertape_limit_use_ratio", by=BY_LIMIT)),
            ),
            columns={
                "limit": Column("Limit", unit="string"),
                "Value #A": Column("Now", unit="locale", decimals=2),
                "Value #B": Column("Limit is", unit="locale", decimals=2),
                "Value #C": Column("Used", unit="percentunit", decimals=0, steps=common.LIMIT_USE),
            },
            text="no limit is set",
        ),
    ),
)

PREDICTED = Band(
    7,
    (
        _columns(
            "Predictions",
            "Predictions that a decision could use, by symbol. A strategy without a model asks for "
            "none.",
            8,
            Query(f"{increase('papertape_predictions_total', by=BY_SYMBOL)}", "{{symbol}}"),
        ),
        _columns(
            "Failed predictions by symbol",
            "A failed prediction is no trade; several in a row set a hold.",
            8,
            Query(increase("papertape_prediction_failures_total", by=BY_SYMBOL), "{{symbol}}"),
        ),
        _columns(
            "Turns by input",
            "Everything that was handled: slices of bars, ticks of the calendar, commands.",
            8,
            Query(increase("papertape_turns_total", by=("input",)), "{{input}}"),
        ),
    ),
)

ORDERED = Band(
    8,
    (
        _columns(
            "Orders by origin",
            "target and explicit are the strategy's, protective its stops, limit and flatten exits "
            "that were demanded.",
            8,
            Query(
                f"{increase('papertape_orders_total', by=('side', 'origin'))} > 0",
                "{{side}} {{origin}}",
            ),
        ),
        _columns(
            "Denials by reason",
            "Why intents did not become orders; `papertape explain SYMBOL T` tells of one bar.",
            8,
            Query(f"{increase('papertape_denials_total', by=('reason',))} > 0", "{{reason}}"),
        ),
        _columns(
            "Shares by side",
            "Shares that changed hands.",
            8,
            Query(
                f"{increase('papertape_filled_shares_total', by=('symbol', 'side'))} > 0",
                "{{side}} {{symbol}}",
            ),
        ),
    ),
)

HELD = Band(
    8,
    (
        Panel(
            "timeseries",
            "Where the money is",
            "Cash, and the signed value of each position at its last close.",
            8,
            (
                Query(highest("papertape_cash_usd"), "cash"),
                Query(total("papertape_position_value_usd", by=BY_SYMBOL), "{{symbol}}"),
            ),
            unit="locale",
            decimals=0,
            stepped=True,
        ),
        Panel(
            "timeseries",
            "Gain",
            "Realised: all that closed positions, costs and dividends brought since the account "
            "was opened. Open: what the positions held would bring.",
            8,
            (
                Query(highest("papertape_pnl_realised_usd"), "realised"),
                Query(highest("papertape_pnl_unrealised_usd"), "open"),
                Query(highest("papertape_pnl_day_usd"), "today"),
            ),
            unit="currencyUSD",
            decimals=2,
        ),
        Panel(
            "timeseries",
            "Drawdown",
            "How far equity was below its peak.",
            8,
            (Query(highest("papertape_drawdown_ratio"), "below the peak"),),
            unit="percentunit",
            decimals=2,
            minimum=0,
        ),
    ),
)

ENDED = Band(
    7,
    (
        _columns(
            "Trades by result",
            "Round trips that ended, by what they brought after costs.",
            7,
            Query(
                f"{increase('papertape_trades_total', by=('symbol', 'result'))} > 0",
                "{{symbol}} {{result}}",
            ),
        ),
        Panel(
            "gauge",
            "Costs in this time",
            "What trading cost within the time that the dashboard shows. Slippage is a loss "
            "against the price that the bar showed; a fill that was better counts against it.",
            7,
            (Query(in_range("papertape_costs_usd_total", by=("kind",)), "{{kind}}"),),
            unit="currencyUSD",
            decimals=2,
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Overnight",
            "Whether the config lets a position be held past a close (`flat_before_close`).",
            3,
            (Query(highest("papertape_flat_before_close")),),
            meanings={0: Meaning("MAY HOLD", BLUE), 1: Meaning("FLAT", GREEN)},
            text=common.NOBODY,
        ),
        Panel(
            "timeseries",
            "Holds by source",
            "Who keeps it from trading freely: each line above 0 is a hold that its own source's "
            "rule must lift.",
            7,
            (Query(total("papertape_holds", by=("source",)), "{{source}}"),),
            decimals=0,
            minimum=0,
            stepped=True,
        ),
    ),
)

PAGE = Page(
    "decisions",
    "Decisions & risk",
    "What was predicted, ordered, denied and filled, and how near the limits are.",
    (
        Section((COUNTS, LIMITS)),
        Section((PREDICTED, ORDERED), "Decisions"),
        Section((HELD, ENDED), "Money"),
    ),
    common.VARIABLES,
    common.MARKS,
)
