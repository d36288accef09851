"""Feed & data: do bars come, which did not, and is the source well."""

from __future__ import annotations

from ops.grafana.generator import common
from ops.grafana.generator.model import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Band,
    Meaning,
    Page,
    Panel,
    Query,
    Section,
)
from ops.grafana.generator.promql import (
    code,
    highest,
    in_range,
    increase,
    instants,
    series,
    total,
)

BY_SYMBOL = ("symbol",)
IN_TIME = 'outcome="received"'
EXPECTED = 'outcome=~"received|backfilled|missing|quarantined"'
"""What a bar that had to come was at first; late and revised ones are counted a second time."""

NOW = Band(
    4,
    (
        Panel(
            "stat",
            "Feed",
            "UP: bars can be expected. SILENT: connected, and nothing comes though the market is "
            "open. DOWN: lost; the daemon goes on trying.",
            4,
            (Query(code("papertape_feed_state", "state", common.FEED_STATES)),),
            meanings=common.FEED,
            text="not known yet",
        ),
        Panel(
            "stat",
            "Last bar",
            "End of the last bar that was handled, by symbol. With a tape, in tape time.",
            4,
            (
                Query(
                    instants("papertape_last_bar_timestamp_seconds", by=BY_SYMBOL),
                    "{{symbol}}",
                ),
            ),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text="none yet",
        ),
        Panel(
            "stat",
            "Next bar",
            "When the next bar must be there. A time that is past for longer than "
            "`decide_within_s` is a bar that is late.",
            4,
            (Query(instants("papertape_next_bar_timestamp_seconds")),),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text="none known",
        ),
        Panel(
            "stat",
            "Missing now",
            "Expected bars that have not come since the last one that did, by symbol.",
            4,
            (Query(highest("papertape_gap_bars", by=BY_SYMBOL), "{{symbol}}"),),
            decimals=0,
            steps=common.NONE_WANTED,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "In time",
            "The part of the expected bars that came before their decision was due, within the "
            "time that the dashboard shows.",
            4,
            (
                Query(
                    f"{in_range('papertape_bars_total', IN_TIME)}"
                    f" / ({in_range('papertape_bars_total', EXPECTED)} > 0)",
                ),
            ),
            unit="percentunit",
            decimals=1,
            minimum=0,
            maximum=1,
            steps=((None, RED), (0.95, ORANGE), (0.99, GREEN)),
            text="no bar yet",
        ),
        Panel(
            "stat",
            "Reconnections",
            "How often the feed was connected again within the time that the dashboard shows.",
            4,
            (
                Query(
                    f"max(changes({series('papertape_feed_generation')}[$__range]))",
                ),
            ),
            decimals=0,
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
    ),
)

BARS = Band(
    8,
    (
        Panel(
            "bars",
            "Bars by outcome",
            "How each expected bar came: received in time, warmup before the start, backfilled or "
            "late after its time, missing, quarantined by the checks, revised, or unexpected.",
            16,
            (Query(f"{increase('papertape_bars_total', by=('outcome',))} > 0", "{{outcome}}"),),
            decimals=0,
            stacked=True,
            coarsest="15m",
            text="no bar in this time",
        ),
        Panel(
            "gauge",
            "Bars in this time",
            "The same, counted over the time that the dashboard shows.",
            8,
            (
                Query(
                    in_range("papertape_bars_total", by=("outcome",)),
                    "{{outcome}}",
                ),
            ),
            decimals=0,
            minimum=0,
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
    ),
)

OPEN = f"{highest('papertape_market_open')} == 1"

FRESHNESS = Band(
    8,
    (
        Panel(
            "timeseries",
            "Age of the last bar while the market is open",
            "Rises to the size of a bar and falls back with the next one; a line that goes on "
            "rising is a feed that brings nothing. With a tape the age counts from tape time.",
            12,
            (
                Query(
                    "time() - "
                    f"({highest('papertape_last_bar_timestamp_seconds', by=BY_SYMBOL)} > 0)"
                    f" and on () {OPEN}",
                    "{{symbol}}",
                ),
            ),
            unit="s",
            text="the market was closed",
        ),
        Panel(
            "timeseries",
            "Missing bars",
            "Expected bars that had not come, by symbol: how long each gap was.",
            12,
            (Query(highest("papertape_gap_bars", by=BY_SYMBOL), "{{symbol}}"),),
            decimals=0,
            minimum=0,
            stepped=True,
        ),
    ),
)

STATE = Band(
    4,
    (
        Panel(
            "timeline",
            "Feed and market when",
            "The state of the feed, and whether the market was open.",
            16,
            (
                Query(code("papertape_feed_state", "state", common.FEED_STATES), "Feed"),
                Query(f"10 + {highest('papertape_market_open')}", "Market"),
            ),
            meanings={
                **common.FEED,
                **{10 + key: meaning for key, meaning in common.MARKET.items()},
            },
        ),
        Panel(
            "stat",
            "Gaps in this time",
            "Gaps of one or more bars that began within the time that the dashboard shows.",
            8,
            (
                Query(
                    in_range("papertape_gaps_total", by=BY_SYMBOL),
                    "{{symbol}}",
                ),
            ),
            decimals=0,
            steps=common.NONE_WANTED,
            text=common.NOBODY,
        ),
    ),
)

EXCHANGE = Band(
    4,
    (
        Panel(
            "stat",
            "Market",
            "What the exchange's calendar says of the feed's time.",
            3,
            (Query(highest("papertape_market_open")),),
            meanings=common.MARKET,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Next open",
            "The open of the next session, early closes and closures told late included.",
            4,
            (Query(instants("papertape_next_open_timestamp_seconds")),),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text="the calendar ends",
        ),
        Panel(
            "stat",
            "Next close",
            "The close of the session that is open, or else of the next one.",
            4,
            (Query(instants("papertape_next_close_timestamp_seconds")),),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text="the calendar ends",
        ),
        Panel(
            "stat",
            "Last close",
            "The close of the last session that has ended.",
            4,
            (Query(instants("papertape_previous_close_timestamp_seconds")),),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text="none known",
        ),
        Panel(
            "stat",
            "Hours agree",
            "Whether the source of the bars states the hours of our calendar. A tape states none.",
            3,
            (Query(highest("papertape_calendar_mismatch")),),
            meanings={0: Meaning("YES", GREEN), 1: Meaning("NO", RED)},
            text="not stated",
        ),
        Panel(
            "stat",
            "Feed's time",
            "A tape has its own time; whatever compares with the world's clock means nothing then.",
            3,
            (Query(highest("papertape_feed_live")),),
            meanings={0: Meaning("TAPE", BLUE), 1: Meaning("LIVE", GREEN)},
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Bar",
            "The length of a bar.",
            3,
            (Query(highest("papertape_bar_duration_seconds")),),
            unit="s",
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
    ),
)

SOURCE = Band(
    7,
    (
        Panel(
            "timeseries",
            "Requests that the source allows",
            "What is left of the broker's pacing, and all of it. A tape knows no pacing and shows "
            "nothing here.",
            12,
            (
                Query(total("papertape_pacing_budget_requests"), "left"),
                Query(total("papertape_pacing_limit_requests"), "all"),
            ),
            decimals=0,
            minimum=0,
            text="this feed knows no pacing",
        ),
        Panel(
            "timeseries",
            "Connection number",
            "Rises by one with every connection of the feed.",
            12,
            (Query(highest("papertape_feed_generation"), "connection"),),
            decimals=0,
            stepped=True,
        ),
    ),
)

PAGE = Page(
    "feed",
    "Feed & data",
    "Whether bars come, which did not, and whether their source is well.",
    (
        Section((NOW, BARS, FRESHNESS, STATE)),
        Section((EXCHANGE,), "Exchange"),
        Section((SOURCE,), "Source"),
    ),
    common.VARIABLES,
    common.MARKS,
)
