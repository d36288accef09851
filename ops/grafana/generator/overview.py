"""Overview: is it trading, and if not, why not; then the money, the position, the day."""

from __future__ import annotations

from ops.grafana.generator import common
from ops.grafana.generator.model import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Band,
    Column,
    Meaning,
    Page,
    Panel,
    Query,
    Section,
)
from ops.grafana.generator.promql import (
    SEEN,
    TARGET,
    code,
    highest,
    in_range,
    instants,
    total,
)
from ops.grafana.generator.verdict import ALERTS, RECENT, VERDICT, VERDICTS, WEIGHTS, WHY_NOT

FIRST = Band(
    5,
    (
        Panel(
            "stat",
            "Is it trading?",
            "The strictest of what is in force. ACTIVE takes orders; REDUCING lets exits run; "
            "PAUSED keeps protective stops; HALTED takes nothing until `papertape reset`. NO "
            f"ANSWER: the daemon was scraped within {SEEN} and is not now.",
            5,
            (Query(VERDICT),),
            meanings=VERDICTS,
            text="NO ANSWER",
        ),
        Panel(
            "stat",
            "Why not?",
            "Everything that keeps it from trading, or did at the last bars: red stops it, orange "
            f"wants a look (denials and failed predictions of the last {RECENT}), blue is normal. "
            "`papertape status NAME` says since when, `papertape explain SYMBOL T` what came of "
            "a bar.",
            9,
            (Query(WHY_NOT, "{{reason}}"),),
            steps=WEIGHTS,
            named=True,
            text="no answer from the daemon",
        ),
        Panel(
            "stat",
            "Kill switch",
            "Whether the file HALT is in force. It is pressed with `papertape kill NAME "
            "[--flatten]` and lifted with `papertape reset NAME --reason TEXT`; limits and faults "
            "press it too.",
            4,
            (
                Query(
                    f"{highest('papertape_kill_latch')} + {highest('papertape_flattening')}",
                ),
            ),
            meanings=common.LATCH,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Market",
            "What the exchange's calendar says, early closes and closures told late included.",
            3,
            (Query(highest("papertape_market_open")),),
            meanings=common.MARKET,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Next bar",
            "When the next bar of any symbol must be there. With a tape, in tape time.",
            3,
            (Query(instants("papertape_next_bar_timestamp_seconds")),),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text="none known",
        ),
    ),
)

MONEY = Band(
    4,
    (
        Panel(
            "stat",
            "Gain today",
            "Equity against the close of the session before: what the daily-loss limit is about.",
            4,
            (Query(highest("papertape_pnl_day_usd")),),
            unit="currencyUSD",
            decimals=2,
            steps=common.GAIN,
            sparkline=True,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Equity (USD)",
            "Cash, positions at their last close, and receivables.",
            4,
            (Query(highest("papertape_equity_usd")),),
            unit="locale",
            decimals=2,
            steps=common.PLAIN,
            sparkline=True,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Position (shares)",
            "Signed shares by symbol; below 0 is short.",
            4,
            (Query(total("papertape_position_shares", by=("symbol",)), "{{symbol}}"),),
            decimals=0,
            meanings={0: Meaning("flat", BLUE)},
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Open gain",
            "What the open positions would bring at their last close, before the costs of closing.",
            4,
            (Query(highest("papertape_pnl_unrealised_usd")),),
            unit="currencyUSD",
            decimals=2,
            steps=common.GAIN,
            sparkline=True,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Below the peak",
            "Drawdown: how far equity is below its highest.",
            4,
            (Query(highest("papertape_drawdown_ratio")),),
            unit="percentunit",
            decimals=2,
            steps=((None, GREEN), (0.05, ORANGE), (0.1, RED)),
            sparkline=True,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Last bar",
            "End of the last bar that was handled. With a tape, in tape time.",
            4,
            (Query(instants("papertape_last_bar_timestamp_seconds")),),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text="none yet",
        ),
    ),
)

OVER_TIME = Band(
    8,
    (
        Panel(
            "timeseries",
            "Equity",
            "Equity at each bar's close, and the peak that the drawdown counts from.",
            14,
            (
                Query(highest("papertape_equity_usd"), "equity"),
                Query(highest("papertape_equity_peak_usd"), "peak"),
            ),
            unit="locale",
            decimals=0,
        ),
        Panel(
            "timeseries",
            "Position",
            "Signed shares by symbol.",
            10,
            (Query(total("papertape_position_shares", by=("symbol",)), "{{symbol}}"),),
            decimals=0,
            stepped=True,
        ),
    ),
)


LANES = (
    ("Trading", code("papertape_trading_state", "state", common.STATES), common.TRADING),
    ("Kill switch", highest("papertape_kill_latch"), common.LATCH),
    ("Feed", code("papertape_feed_state", "state", common.FEED_STATES), common.FEED),
    ("Market", highest("papertape_market_open"), common.MARKET),
)
"""Each lane has ten numbers of its own, since the meanings of a panel hold for all of it."""

TIMELINE = Band(
    5,
    (
        Panel(
            "timeline",
            "What was in force when",
            "Trading state, kill switch, feed and market one below the other. Where a lane is "
            "blank the daemon did not answer.",
            17,
            tuple(
                Query(f"{10 * place} + {expression}", title)
                for place, (title, expression, _) in enumerate(LANES)
            ),
            meanings={
                10 * place + number: meaning
                for place, (_, _, meanings) in enumerate(LANES)
                for number, meaning in meanings.items()
            },
        ),
        Panel(
            "stat",
            "Alerts",
            "What Prometheus tells of this account now: red pages, orange waits for a day. "
            "ops/runbook.md has a heading for each.",
            7,
            (Query(ALERTS, "{{alertname}}"),),
            steps=WEIGHTS,
            named=True,
            text=common.NOBODY,
        ),
    ),
)

BY_NAME = ("name",)
THIS_ACCOUNT = "/d/papertape-overview?var-name=${__value.raw}&${__url_time_range}"

ACCOUNTS = Panel(
    "table",
    "All accounts",
    "Every daemon that is scraped, whichever account is chosen above.",
    15,
    tuple(
        Query(expression)
        for expression in (
            code("papertape_trading_state", "state", common.STATES, whose=TARGET, by=BY_NAME),
            highest("papertape_pnl_day_usd", whose=TARGET, by=BY_NAME),
            highest("papertape_equity_usd", whose=TARGET, by=BY_NAME),
            total("papertape_position_value_usd", whose=TARGET, by=BY_NAME),
            total("papertape_gap_bars", whose=TARGET, by=BY_NAME),
            instants("papertape_last_bar_timestamp_seconds", whose=TARGET, by=BY_NAME),
        )
    ),
    columns={
        "name": Column("Account", unit="string", link=THIS_ACCOUNT),
        "Value #A": Column("State", meanings=common.TRADING),
        "Value #B": Column("Gain today", unit="currencyUSD", decimals=2, steps=common.GAIN),
        "Value #C": Column("Equity (USD)", unit="locale", decimals=2),
        "Value #D": Column("Position", unit="currencyUSD", decimals=0),
        "Value #E": Column("Bars missing", decimals=0, steps=common.NONE_WANTED),
        "Value #F": Column("Last bar", unit="dateTimeFromNow"),
    },
    text=common.NOBODY,
)

LIMITS = Panel(
    "gauge",
    "Limits in use",
    "The part of each limit that is used; at 100 % it acts. Decisions & risk has the numbers.",
    9,
    (
        Query(
            highest("papertape_limit_use_ratio", by=("limit",)),
            "{{limit}}",
        ),
    ),
    unit="percentunit",
    decimals=0,
    minimum=0,
    maximum=1,
    steps=common.LIMIT_USE,
    text="no limit is set",
)

DONE = Band(
    4,
    (
        Panel(
            "stat",
            "Fills in this time",
            "Fills within the time that the dashboard shows, by symbol and side.",
            8,
            (
                Query(
                    in_range("papertape_fills_total", by=("symbol", "side")),
                    "{{side}} {{symbol}}",
                ),
            ),
            decimals=0,
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Trades in this time",
            "Round trips that ended within the time that the dashboard shows, by their result.",
            8,
            (Query(in_range("papertape_trades_total", by=("result",)), "{{result}}"),),
            decimals=0,
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Costs in this time",
            "Commission, fees and slippage within the time that the dashboard shows.",
            8,
            (Query(in_range("papertape_costs_usd_total")),),
            unit="currencyUSD",
            decimals=2,
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
    ),
)

PAGE = Page(
    "overview",
    "Overview",
    "Is it trading, and if not, why not; gain, position and kill switch.",
    (
        Section((FIRST, MONEY, OVER_TIME, TIMELINE)),
        Section((DONE, Band(8, (ACCOUNTS, LIMITS))), "More"),
    ),
    common.VARIABLES,
    common.MARKS,
)
