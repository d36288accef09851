"""What all pages share: the drop-downs, the marks on time axes, and what numbers stand for."""

from __future__ import annotations

from ops.grafana.generator.model import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    YELLOW,
    Mark,
    Meaning,
    Steps,
    Variable,
)
from ops.grafana.generator.promql import TARGET, highest, increase, series

ACCOUNT = Variable(
    "name",
    "Account",
    f"label_values(papertape_build_info{{{TARGET}}}, name)",
    "The name in the config of the daemon.",
)
JOB = Variable(
    "job",
    "Job",
    "label_values(papertape_build_info, job)",
    "The job of the scrape config; All unless two of them scrape daemons.",
    several=True,
)
INSTANCE = Variable(
    "instance",
    "Instance",
    'label_values(papertape_build_info{job=~"$job"}, instance)',
    "Host and port that were scraped; All unless two daemons have one name.",
    several=True,
)
VARIABLES = (ACCOUNT, JOB, INSTANCE)

MARKS = (
    Mark(
        "Fills",
        f"{increase('papertape_fills_total', by=('symbol', 'side'))} > 0",
        BLUE,
        "{{side}} {{symbol}}",
        labels="symbol,side",
    ),
    Mark(
        "Halts",
        highest("papertape_trading_state", 'state="HALTED"') + " > 0",
        RED,
        "HALTED: no new orders",
    ),
    Mark(
        "Restarts",
        f"1000 * max({series('process_start_time_seconds')})",
        YELLOW,
        "The daemon was started",
        value_is_time=True,
    ),
    Mark(
        "Gaps",
        f"{highest('papertape_gap_bars', by=('symbol',))} > 0",
        ORANGE,
        "Bars of {{symbol}} are missing",
        labels="symbol",
    ),
)

STATES = ("ACTIVE", "REDUCING", "PAUSED", "HALTED")
FEED_STATES = ("up", "silent", "down")

TRADING = {
    0: Meaning("ACTIVE", GREEN),
    1: Meaning("REDUCING", YELLOW),
    2: Meaning("PAUSED", ORANGE),
    3: Meaning("HALTED", RED),
}
FEED = {0: Meaning("UP", GREEN), 1: Meaning("SILENT", ORANGE), 2: Meaning("DOWN", RED)}
MARKET = {0: Meaning("CLOSED", BLUE), 1: Meaning("OPEN", GREEN)}
LATCH = {
    0: Meaning("not pressed", GREEN),
    1: Meaning("PRESSED", RED),
    2: Meaning("FLATTENING", RED),
}

PLAIN: Steps = ((None, GREY),)
GAIN: Steps = ((None, RED), (0, GREEN))
NONE_WANTED: Steps = ((None, GREEN), (1, ORANGE))
NONE_ALLOWED: Steps = ((None, GREEN), (1, RED))
LIMIT_USE: Steps = ((None, GREEN), (0.8, ORANGE), (1, RED))

NOBODY = "no answer"
"""What a panel says where the daemon was not scraped."""
