"""Every metric: its kind, labels and meaning. Units come last in a name and are base units.

Each series also has the label `name`, the config's. An amount of a limit is in the unit that the
limit's own name ends with. A time is an instant (seconds since 1970), never an age: PromQL knows
what `time() - x` is. A label takes only the values that the daemon knows at its start, or that
the code lists, so the number of series does not grow.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """One row of the table."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


def _counter(text: str, *labels: str) -> Metric:
    return Metric("counter", text, labels)


def _gauge(text: str, *labels: str) -> Metric:
    return Metric("gauge", text, labels)


def _histogram(text: str, *labels: str) -> Metric:
    return Metric("histogram", text, labels)


METRICS: dict[str, Metric] = {
    # is it trading, and why not
    "papertape_trading_state": _gauge("1 for the trading state in force, 0 for others.", "state"),
    "papertape_holds": _gauge("Holds in force, by who set them.", "source"),
    "papertape_kill_latch": _gauge("Whether the file HALT is in force."),
    "papertape_flattening": _gauge("Whether every position is being closed."),
    "papertape_ready": _gauge("Whether the daemon has recovered and takes its feed."),
    "papertape_market_open": _gauge("Whether the last calendar instant opened a session."),
    # the exchange's hours around the feed's own time; it is open where the next close comes first
    "papertape_previous_close_timestamp_seconds": _gauge(
        "The close of the last session that has ended; 0 where the calendar knows none."
    ),
    "papertape_next_close_timestamp_seconds": _gauge(
        "The close of the session that is open, or else of the next one; 0 where the calendar ends."
    ),
    "papertape_next_open_timestamp_seconds": _gauge(
        "The open of the next session; 0 where the calendar ends."
    ),
    "papertape_calendar_mismatch": _gauge(
        "Whether the feed's source states other hours; no series where it states none."
    ),
    # bars
    "papertape_last_bar_timestamp_seconds": _gauge(
        "End of the last bar that was handled; 0 before the first.", "symbol"
    ),
    "papertape_next_bar_timestamp_seconds": _gauge(
        "End of the next bar that must come; 0 where none is known.", "symbol"
    ),
    "papertape_bars_total": _counter(
        "Bars by how they came; one that was missing and came later counts twice.",
        "symbol",
        "outcome",
    ),
    "papertape_gaps_total": _counter("Gaps of one or more expected bars that began.", "symbol"),
    "papertape_gap_bars": _gauge(
        "Expected bars that have not come since the last one that did.", "symbol"
    ),
    "papertape_bar_duration_seconds": _gauge("The length of a bar."),
    "papertape_feed_live": _gauge("Whether the feed's time is the world's; a tape has its own."),
    "papertape_feed_state": _gauge("1 for the state of the feed, 0 for others.", "state"),
    "papertape_feed_generation": _gauge("How often the feed has been connected."),
    "papertape_pacing_budget_requests": _gauge("Requests that the feed's source still allows now."),
    "papertape_pacing_limit_requests": _gauge("Requests that the feed's source allows in all."),
    # decisions
    "papertape_turns_total": _counter("Closed turns by their input.", "input"),
    "papertape_predictions_total": _counter("Predictions that a decision could use.", "symbol"),
    "papertape_prediction_failures_total": _counter("Predictions that failed.", "symbol"),
    "papertape_model_failures": _gauge("Predictions that have failed one after the other."),
    "papertape_orders_total": _counter("Orders accepted.", "symbol", "side", "origin"),
    "papertape_orders_day": _gauge("The strategy's orders since the session before closed."),
    "papertape_working_orders": _gauge("Orders that may still fill.", "symbol"),
    "papertape_denials_total": _counter("Intents that did not become orders.", "reason"),
    "papertape_limit_current": _gauge("What a limit is compared with.", "limit"),
    "papertape_limit_bound": _gauge("The value of a limit.", "limit"),
    "papertape_limit_use_ratio": _gauge("The part of a limit that is used; 1 is all.", "limit"),
    "papertape_flat_before_close": _gauge("Whether nothing may be held past a close."),
    "papertape_limit_breaches_total": _counter("Limits that could not be kept.", "limit"),
    # fills and money
    "papertape_fills_total": _counter("Fills.", "symbol", "side"),
    "papertape_filled_shares_total": _counter("Shares that changed hands.", "symbol", "side"),
    "papertape_trades_total": _counter("Round trips that ended.", "symbol", "result"),
    "papertape_costs_usd_total": _counter("What trading cost.", "kind"),
    "papertape_position_shares": _gauge("Signed shares held.", "symbol"),
    "papertape_position_value_usd": _gauge("Signed value at the last close.", "symbol"),
    "papertape_cash_usd": _gauge("Cash."),
    "papertape_equity_usd": _gauge("Cash, positions at their last close, and receivables."),
    "papertape_equity_peak_usd": _gauge("The equity that the drawdown counts from."),
    "papertape_drawdown_ratio": _gauge("How far equity is below its peak."),
    "papertape_pnl_day_usd": _gauge("Gain since the session before closed."),
    "papertape_pnl_realised_usd": _gauge(
        "Gain since the account was opened, open positions apart."
    ),
    "papertape_pnl_unrealised_usd": _gauge("Gain of the positions that are open."),
    # journal and checks
    "papertape_journal_commit_duration_seconds": _histogram("From a turn's end to its commit."),
    "papertape_journal_commit_failures_total": _counter("Commits that failed and were retried."),
    "papertape_journal_blocked": _gauge("Whether an open turn cannot be committed."),
    "papertape_journal_size_bytes": _gauge("Size on disk.", "file"),
    "papertape_state_free_bytes": _gauge("Space left where the state directory is."),
    "papertape_check_success": _gauge("Whether a check passed when it ran last.", "check"),
    "papertape_check_last_run_timestamp_seconds": _gauge(
        "When a check ran last; 0: it never did.", "check"
    ),
    "papertape_check_due_timestamp_seconds": _gauge(
        "When a check has to have run again; no series for one that need not, or never ran.",
        "check",
    ),
    "papertape_reloads_refused_total": _counter("Reloads that left the old config in force."),
    # notifications
    "papertape_notifications_sent_total": _counter("Notices that reached somebody.", "event"),
    "papertape_notifications_failed_total": _counter("Notices that no address took.", "event"),
    "papertape_notifications_dropped_total": _counter(
        "Notices that were too much to be sent.", "event"
    ),
    # the process
    "papertape_build_info": _gauge(
        "1; what runs.", "version", "engine", "python", "sqlite", "config_sha256", "model_sha256"
    ),
    "papertape_step_duration_seconds": _histogram("Time of one step of a turn.", "task"),
    "papertape_turn_duration_seconds": _histogram("Time of all steps of a turn."),
    "papertape_mailbox_depth": _gauge("Jobs that wait for a task.", "task"),
    "papertape_task_failures_total": _counter("Failures attributed to a task.", "task"),
    "papertape_loop_lag_seconds": _gauge("How late the event loop is, a blocked one included."),
    "papertape_loop_seen_timestamp_seconds": _gauge("When the event loop was seen last."),
    "papertape_clock_timestamp_seconds": _gauge("What this machine's clock shows now."),
    "papertape_clock_skew_seconds": _gauge(
        "How far the clock of the feed's source is ahead of ours; no series where it tells no time."
    ),
    "papertape_clock_steps_total": _counter(
        "Jumps of this machine's clock; also when the machine has slept."
    ),
    "papertape_log_lines_dropped_total": _counter("Log lines that could not be written."),
    "papertape_metrics_failures_total": _counter("Faults in counting or in showing metrics."),
    # what every process has, under the names that dashboards know
    "process_start_time_seconds": _gauge("When the process began."),
    "process_cpu_seconds_total": _counter("Processor time spent."),
    "process_resident_memory_bytes": _gauge("Memory in use."),
    "process_open_fds": _gauge("Open files and sockets."),
    "process_max_fds": _gauge("Open files and sockets that are allowed."),
}
