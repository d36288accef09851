"""The first row of the overview in PromQL: is it trading, and all that keeps it from it."""

from __future__ import annotations

from ops.grafana.generator import common
from ops.grafana.generator.model import BLUE, GREEN, ORANGE, RED, Meaning, Steps
from ops.grafana.generator.promql import KNOWN, UP, code, highest, label, reason, series

# Ten times the place of the trading state: room for what only matters while ACTIVE.
WAITING, STARTING, SILENT = 1, 40, 90
VERDICT = (
    f"10 * ({code('papertape_trading_state', 'state', common.STATES)})"
    f" + {STARTING} * (1 - {highest('papertape_ready')})"
    f" + {WAITING} * (1 - {highest('papertape_market_open')})"
    f" or {SILENT} + 0 * max({KNOWN})"
)
VERDICTS = {
    0: Meaning("ACTIVE", GREEN),
    WAITING: Meaning("MARKET CLOSED", BLUE),
    **{
        10 * state + waiting: common.TRADING[state]
        for state in (1, 2, 3)
        for waiting in (0, WAITING)
    },
    **{
        STARTING + 10 * state + waiting: Meaning("STARTING", ORANGE)
        for state in range(4)
        for waiting in (0, WAITING)
    },
    SILENT: Meaning("NO ANSWER", RED),
}

TOLD, WANTS_A_LOOK, STOPS = 1, 2, 3
RECENT = "2h"
"""Two hourly bars: long enough to see at the next bar why the last one led to nothing."""


def _recent(metric: str, by: str) -> str:
    return f"(sum by ({by}) (increase({series(metric)}[{RECENT}])) > 0)"


def _found(metric: str, test: str, *matchers: str, by: str = "") -> str:
    grouped = f"max by ({by}) " if by else "max"
    return f"{grouped}({series(metric, *matchers)} {test})"


REASONS = " or ".join(
    (
        reason(
            "no answer from the daemon",
            STOPS,
            f"max(({UP}) == 0)",
        ),
        reason("kill switch: the file HALT", STOPS, _found("papertape_kill_latch", "> 0")),
        reason("flattening every position", STOPS, _found("papertape_flattening", "> 0")),
        reason("the journal cannot be written", STOPS, _found("papertape_journal_blocked", "> 0")),
        reason("the event loop is blocked", STOPS, _found("papertape_loop_lag_seconds", "> 10")),
        reason("held by: $1", STOPS, _found("papertape_holds", "> 0", by="source"), "source"),
        reason(
            "feed: $1",
            STOPS,
            _found("papertape_feed_state", "> 0", 'state!="up"', by="state"),
            "state",
        ),
        reason("still starting", WANTS_A_LOOK, _found("papertape_ready", "== 0")),
        reason(
            "bars missing: $1",
            WANTS_A_LOOK,
            _found("papertape_gap_bars", "> 0", by="symbol"),
            "symbol",
        ),
        reason(
            "predictions fail: $1",
            WANTS_A_LOOK,
            _recent("papertape_prediction_failures_total", "symbol"),
            "symbol",
        ),
        reason(
            "orders denied: $1",
            WANTS_A_LOOK,
            _recent("papertape_denials_total", "reason"),
            "reason",
        ),
        reason(
            "the source states other hours",
            WANTS_A_LOOK,
            _found("papertape_calendar_mismatch", "> 0"),
        ),
        reason("the market is closed", TOLD, _found("papertape_market_open", "== 0")),
    )
)
WHY_NOT = (
    f"max by (reason) ({REASONS})"
    f" or on () {reason('nothing in the way', 0, highest('papertape_ready'))}"
)

WEIGHTS: Steps = ((None, GREEN), (TOLD, BLUE), (WANTS_A_LOOK, ORANGE), (STOPS, RED))


def _firing(severity: str, weight: int) -> str:
    found = f'ALERTS{{alertstate="firing", severity="{severity}", name="$name"}}'
    return f"{weight} * max by (alertname) ({found})"


ALERTS = (
    f"max by (alertname) ({_firing('page', STOPS)} or {_firing('ticket', WANTS_A_LOOK)})"
    f" or on () {label('alertname', 'none', '0 * ' + highest('papertape_ready'))}"
)
