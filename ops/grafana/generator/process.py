"""Journal & process: is what happens written down, and has the machine room for it."""

from __future__ import annotations

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
)
from ops.grafana.generator.promql import (
    UP,
    highest,
    in_range,
    increase,
    instants,
    quantile,
    rate,
    series,
    total,
)

BY_TASK = ("task",)
CLOCK = "papertape_clock_timestamp_seconds"

NOW = Band(
    4,
    (
        Panel(
            "stat",
            "Answers",
            "Whether the daemon answered the last scrape.",
            3,
            (Query(f"max({UP})"),),
            meanings={0: Meaning("NO", RED), 1: Meaning("YES", GREEN)},
            text="unknown",
        ),
        Panel(
            "stat",
            "Ready",
            "Whether the journal has been recovered and the feed is taken.",
            3,
            (Query(highest("papertape_ready")),),
            meanings={0: Meaning("STARTING", ORANGE), 1: Meaning("YES", GREEN)},
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Journal",
            "Whether turns can be committed. While they cannot, nothing new is admitted.",
            3,
            (Query(highest("papertape_journal_blocked")),),
            meanings={0: Meaning("writes", GREEN), 1: Meaning("BLOCKED", RED)},
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Loop lag",
            "How late the event loop is. A blocked one goes on rising; at 30 s systemd ends it.",
            3,
            (Query(highest("papertape_loop_lag_seconds")),),
            unit="s",
            steps=((None, GREEN), (1, ORANGE), (10, RED)),
            sparkline=True,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Running since",
            "When the process was started.",
            4,
            (Query(instants("process_start_time_seconds")),),
            unit="dateTimeFromNow",
            steps=common.PLAIN,
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Disk left",
            "Space left where the state directory is. A full disk blocks the journal.",
            4,
            (Query(highest("papertape_state_free_bytes")),),
            unit="bytes",
            decimals=1,
            steps=((None, RED), (1e9, ORANGE), (5e9, GREEN)),
            text=common.NOBODY,
        ),
        Panel(
            "stat",
            "Faults told in this time",
            "Failed commits, failures of tasks, lost log lines and faults in counting, within the "
            "time that the dashboard shows. The log says what they were.",
            4,
            (
                Query(
                    " + ".join(
                        in_range(metric)
                        for metric in (
                            "papertape_journal_commit_failures_total",
                            "papertape_task_failures_total",
                            "papertape_log_lines_dropped_total",
                            "papertape_metrics_failures_total",
                        )
                    ),
                ),
            ),
            decimals=0,
            steps=common.NONE_ALLOWED,
            text=common.NOBODY,
        ),
    ),
)


def _quantiles(title: str, what: str, metric: str) -> Panel:
    return Panel(
        "timeseries",
        title,
        what,
        8,
        tuple(
            Query(f"{quantile(part, metric)} >= 0", f"{part:.0%}".replace("%", " %"))
            for part in (0.5, 0.99)
        ),
        unit="s",
        coarsest="15m",
        text="nothing in this time",
    )


JOURNAL = Band(
    8,
    (
        _quantiles(
            "Time to commit",
            "From the end of a turn until it is on the disk: half of them, and 99 of 100.",
            "papertape_journal_commit_duration_seconds",
        ),
        Panel(
            "timeseries",
            "Size of the journal",
            "The database and its write-ahead log.",
            8,
            (Query(total("papertape_journal_size_bytes", by=("file",)), "{{file}}"),),
            unit="bytes",
            minimum=0,
        ),
        Panel(
            "bars",
            "Failed commits",
            "Commits that failed and were tried again; the turn stays open until one succeeds.",
            8,
            (Query(increase("papertape_journal_commit_failures_total"), "failed"),),
            decimals=0,
            coarsest="5m",
        ),
    ),
)

TURNS = Band(
    8,
    (
        _quantiles(
            "Time of a turn",
            "All steps of a turn, from its input to its last order; committing is not among them.",
            "papertape_turn_duration_seconds",
        ),
        Panel(
            "timeseries",
            "Time of a step, 99 of 100",
            "By the task that did it; a model that is asked over the network shows here.",
            8,
            (
                Query(
                    f"{quantile(0.99, 'papertape_step_duration_seconds', BY_TASK)} >= 0",
                    "{{task}}",
                ),
            ),
            unit="s",
            coarsest="15m",
            text="nothing in this time",
        ),
        Panel(
            "timeseries",
            "Jobs that wait",
            "What waits in the mailbox of each task; more than one means that the task is stuck.",
            8,
            (Query(total("papertape_mailbox_depth", by=BY_TASK), "{{task}}"),),
            decimals=0,
            minimum=0,
            stepped=True,
        ),
    ),
)

MACHINE = Band(
    7,
    (
        Panel(
            "timeseries",
            "Processor",
            "The part of one core that the daemon uses; idle it is far below 1 %.",
            8,
            (Query(rate("process_cpu_seconds_total"), "core"),),
            unit="percentunit",
            minimum=0,
        ),
        Panel(
            "timeseries",
            "Memory",
            "What the process holds. A line that rises for weeks is a leak.",
            8,
            (Query(highest("process_resident_memory_bytes"), "resident"),),
            unit="bytes",
            minimum=0,
        ),
        Panel(
            "timeseries",
            "Open files and sockets",
            "Against what the process may have.",
            8,
            (
                Query(highest("process_open_fds"), "open"),
                Query(highest("process_max_fds"), "allowed"),
            ),
            decimals=0,
            minimum=0,
        ),
    ),
)

TIME = Band(
    7,
    (
        Panel(
            "timeseries",
            "Silence of the loop",
            "Seconds since the event loop was seen; it beats once a second.",
            12,
            (
                Query(
                    f"time() - {highest('papertape_loop_seen_timestamp_seconds')}", "seen before"
                ),
                Query(highest("papertape_loop_lag_seconds"), "lag"),
            ),
            unit="s",
            minimum=0,
        ),
        Panel(
            "timeseries",
            "Clocks",
            "How far the clock of the machine is ahead of that of Prometheus, and that of the "
            "feed's source ahead of ours. A tape tells no time.",
            12,
            (
                Query(f"max({series(CLOCK)} - timestamp({series(CLOCK)}))", "ahead of Prometheus"),
                Query(highest("papertape_clock_skew_seconds"), "source ahead of us"),
            ),
            unit="s",
        ),
    ),
)

CHECKED = Band(
    8,
    (
        Panel(
            "table",
            "Checks",
            "The one-shot jobs beside the daemon, such as parity and drill: whether each passed "
            "when it ran last, when that was, and when it is due again.",
            6,
            (
                Query(highest("papertape_check_success", by=("check",))),
                Query(
                    "1000 * "
                    + highest("papertape_check_last_run_timestamp_seconds", by=("check",)),
                ),
                Query(
                    "1000 * " + highest("papertape_check_due_timestamp_seconds", by=("check",)),
                ),
            ),
            columns={
                "check": Column("Check", unit="string"),
                "Value #A": Column(
                    "Passed", meanings={0: Meaning("NO", RED), 1: Meaning("YES", GREEN)}
                ),
                "Value #B": Column(
                    "Ran", unit="dateTimeFromNow", meanings={0: Meaning("never", ORANGE)}
                ),
                "Value #C": Column("Due", unit="dateTimeFromNow"),
            },
            text=common.NOBODY,
        ),
        Panel(
            "bars",
            "Failures",
            "Failures by task, log lines that could not be written, faults in counting, reloads "
            "that were refused, and jumps of the clock.",
            6,
            (
                Query(increase("papertape_task_failures_total", by=BY_TASK), "{{task}}"),
                Query(increase("papertape_log_lines_dropped_total"), "log lines lost"),
                Query(increase("papertape_metrics_failures_total"), "faults in counting"),
                Query(increase("papertape_reloads_refused_total"), "reloads refused"),
                Query(increase("papertape_clock_steps_total"), "clock set"),
            ),
            decimals=0,
            stacked=True,
            coarsest="5m",
        ),
        Panel(
            "bars",
            "Notices",
            "Messages to people: those that arrived, those that no address took, and those that "
            "were given up. None of it holds up trading.",
            6,
            (
                Query(increase("papertape_notifications_sent_total"), "sent"),
                Query(increase("papertape_notifications_failed_total"), "failed"),
                Query(increase("papertape_notifications_dropped_total"), "dropped"),
            ),
            decimals=0,
            stacked=True,
            coarsest="15m",
        ),
        Panel(
            "table",
            "What runs",
            "Versions, and the hashes of config and model; each start with other ones begins a "
            "segment of the journal.",
            6,
            (Query(series("papertape_build_info")),),
            columns={
                "version": Column("Version", unit="string"),
                "engine": Column("Engine", unit="string"),
                "python": Column("Python", unit="string"),
                "sqlite": Column("SQLite", unit="string"),
                "config_sha256": Column("Config", unit="string"),
                "model_sha256": Column("Model", unit="string"),
            },
            text=common.NOBODY,
        ),
    ),
)

PAGE = Page(
    "process",
    "Journal & process",
    "Whether what happens is written down, and whether the machine has room for it.",
    (
        Section((NOW, JOURNAL, TURNS)),
        Section((MACHINE, TIME), "Process"),
        Section((CHECKED,), "Checks and versions"),
    ),
    common.VARIABLES,
    common.MARKS,
)
