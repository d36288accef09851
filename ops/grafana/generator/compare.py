"""Compare: the paper account against another daemon that plays the same bars from a tape."""

from __future__ import annotations

from collections.abc import Callable

from ops.grafana.generator import common
from ops.grafana.generator.model import (
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
    Steps,
    Variable,
)
from ops.grafana.generator.promql import (
    ACCOUNT,
    BOTH,
    OTHER,
    TARGET,
    highest,
    in_range,
    instants,
    series,
    total,
)

AGAINST = Variable(
    "other",
    "Against",
    f'label_values(papertape_build_info{{{TARGET}, name!="$name"}}, name)',
    "The account to compare with, usually a daemon that plays the recorded bars.",
)

PARITY = 'check="parity"'

WHAT = """\
**$name** against **$other**: two daemons that are scraped, one on live bars, one that plays the \
recorded bars of the same days (`feed: {kind: tape}`). Equal trading is equal lines.

**Parity** is what the check of that name said last: the journal played again as it was lived, \
then against the clean tape.

*Not here yet:* no job runs that check so far, and neither digests nor the figures of \
`papertape replay` are metrics. `papertape verify $name` proves the journal and prints its digest, \
`papertape report $name` makes a run of it, `papertape runs diff` compares that with a replay.
"""

SAME: Steps = ((None, RED), (-0.005, GREEN), (0.005, RED))


def _apart(expression: Callable[[str], str]) -> str:
    return f"{expression(ACCOUNT)} - {expression(OTHER)}"


def _difference(title: str, what: str, unit: str, expression: Callable[[str], str]) -> Panel:
    return Panel(
        "stat",
        title,
        f"{what}: the paper account less the other one. Green is equal.",
        4,
        (Query(_apart(expression)),),
        unit=unit,
        decimals=0 if unit == "none" else 2,
        steps=SAME,
        text="one of both is missing",
    )


def _counted(metric: str) -> Callable[[str], str]:
    return lambda whose: in_range(metric, whose=whose)


def _both(
    title: str, what: str, width: int, unit: str, expression: Callable[[str], str], label: str = ""
) -> Panel:
    return Panel(
        "timeseries",
        title,
        what,
        width,
        (
            Query(expression(ACCOUNT), f"$name {label}".rstrip()),
            Query(expression(OTHER), f"$other {label}".rstrip()),
        ),
        unit=unit,
        decimals=0,
        stepped=bool(label),
    )


def _equity(whose: str) -> str:
    return highest("papertape_equity_usd", whose=whose)


def _position(whose: str) -> str:
    return total("papertape_position_shares", whose=whose, by=("symbol",))


FIRST = Band(
    6,
    (
        Panel("text", "What is compared", "How to read this page.", 10, text=WHAT),
        Panel(
            "stat",
            "Parity of the paper account",
            "What the parity check said when it ran last: whether the journal, played again, gave "
            "the same trading.",
            4,
            (
                Query(
                    f"max({series('papertape_check_success', PARITY)})"
                    f" - 2 * (max({series('papertape_check_last_run_timestamp_seconds', PARITY)})"
                    " == bool 0)",
                ),
            ),
            meanings={
                -2: Meaning("NEVER RAN", ORANGE),
                0: Meaning("BROKEN", RED),
                1: Meaning("EQUAL", GREEN),
            },
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Parity was checked",
            "When the parity check ran last; 30 hours are too long ago on a trading day.",
            3,
            (
                Query(
                    "1000 * (max("
                    f"{series('papertape_check_last_run_timestamp_seconds', PARITY)}) > 0)",
                ),
            ),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text="never",
        ),
        Panel(
            "table",
            "What runs",
            "Both must be of one engine and one model; configs differ in feed and tape, hence in "
            "their hash.",
            7,
            (Query(series("papertape_build_info", whose=BOTH)),),
            columns={
                "name": Column("Account", unit="string"),
                "engine": Column("Engine", unit="string"),
                "version": Column("Version", unit="string"),
                "model_sha256": Column("Model", unit="string"),
            },
            text=common.NOBODY,
        ),
    ),
)

DIFFERENCES = Band(
    4,
    (
        _difference("Equity apart", "Equity now", "currencyUSD", _equity),
        _difference(
            "Shares apart",
            "Signed shares held now, all symbols",
            "none",
            lambda whose: total("papertape_position_shares", whose=whose),
        ),
        _difference(
            "Orders apart",
            "Orders within the time that the dashboard shows",
            "none",
            _counted("papertape_orders_total"),
        ),
        _difference(
            "Fills apart",
            "Fills within the time that the dashboard shows",
            "none",
            _counted("papertape_fills_total"),
        ),
        _difference(
            "Denials apart",
            "Denials within the time that the dashboard shows",
            "none",
            _counted("papertape_denials_total"),
        ),
        _difference(
            "Costs apart",
            "Costs within the time that the dashboard shows",
            "currencyUSD",
            _counted("papertape_costs_usd_total"),
        ),
    ),
)

LINES = Band(
    9,
    (
        _both("Equity of both", "Equity at each bar's close.", 12, "locale", _equity),
        _both(
            "Positions of both",
            "Signed shares by symbol.",
            12,
            "none",
            _position,
            label="{{symbol}}",
        ),
    ),
)

APART = Band(
    8,
    (
        Panel(
            "timeseries",
            "Equity apart over time",
            "A line at 0 is equal trading; a step shows the bar from which both differ. Bars that "
            "are played faster than they came are apart in time, not in trading.",
            12,
            (Query(_apart(_equity), "$name less $other"),),
            unit="currencyUSD",
            decimals=2,
        ),
        Panel(
            "table",
            "Bars of both",
            "What each account has seen: bars by outcome within the time that the dashboard shows, "
            "and where its bars stand.",
            12,
            (
                Query(
                    in_range(
                        "papertape_bars_total",
                        whose=f'{BOTH}, outcome="received"',
                        by=("name",),
                    ),
                ),
                Query(
                    in_range(
                        "papertape_bars_total",
                        whose=f'{BOTH}, outcome!="received"',
                        by=("name",),
                    ),
                ),
                Query(
                    instants(
                        "papertape_last_bar_timestamp_seconds",
                        whose=BOTH,
                        by=("name",),
                    ),
                ),
            ),
            columns={
                "name": Column("Account", unit="string"),
                "Value #A": Column("Received", decimals=0),
                "Value #B": Column("Otherwise", decimals=0),
                "Value #C": Column("Last bar", unit="dateTimeAsIso"),
            },
            text=common.NOBODY,
        ),
    ),
)

PAGE = Page(
    "compare",
    "Compare",
    "The paper account against another daemon that plays the same bars, and the last parity check.",
    (Section((FIRST, DIFFERENCES, LINES, APART)),),
    (
        Variable(common.ACCOUNT.name, "Paper", common.ACCOUNT.query, common.ACCOUNT.description),
        AGAINST,
        common.JOB,
        common.INSTANCE,
    ),
    common.MARKS,
    span="now-7d",
    refresh="1m",
)
