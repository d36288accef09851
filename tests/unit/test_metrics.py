"""What the metrics show of turns whose fills, costs and bars are worked out by hand."""

from __future__ import annotations

import platform
import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from daemon.core.events import (
    Bracket,
    Flatten,
    Halt,
    MarketSlice,
    OrderRequest,
    Outcome,
    Pause,
    Side,
    TargetPosition,
    Tick,
    TickKind,
)
from daemon.core.limits import Action, Limit, Limits
from daemon.core.outputs import LimitBreached, Reason
from daemon.core.turn import Turn
from daemon.core.units import HOUR_NS, SECOND_NS
from daemon.journal.ledger import LedgerRow
from daemon.observability.hours import Hours
from daemon.observability.metric_table import METRICS
from daemon.observability.metrics import Metrics
from daemon.observability.readings import OTHER
from daemon.observability.standing import standing_of
from daemon.pipeline import TASKS
from daemon.ports import Outside
from daemon.tasks import Busy, StageTask
from tests.harness import Quote, opens_ns, plan, rules
from tests.unit.metric_pages import NAME, Page, counted, lived, made, scrape, told

FLAT: Quote = (100, 100, 100, 100)
OPEN = opens_ns(0)


def _seconds(hours: float) -> float:
    return (OPEN + hours * HOUR_NS) / SECOND_NS


@pytest.fixture
def bought(tmp_path: Path) -> Page:
    """Ten shares bought at the second bar's open, the third bar missing, closed at 104.

    The price of 102.00 has 10 bps of slippage on it, rounded up to a cent: 102.11.
    """
    result = lived(
        {"NVDA": [FLAT, (102, 103, 101, 102), None, (104, 105, 103, 104)]},
        at={0: [TargetPosition("NVDA", 10)]},
        pricing=rules(commission=plan("0.01"), slippage_ppm=1000),
    )
    return told(made(tmp_path), result)


def test_turns_bars_and_gaps(bought: Page) -> None:
    assert bought.all("turns_total") == {("slice",): 4, ("tick",): 1}
    assert bought.all("bars_total") == {("received", "NVDA"): 3, ("missing", "NVDA"): 1}
    assert bought("gaps_total", symbol="NVDA") == 1
    assert bought("gap_bars", symbol="NVDA") == 0  # the fourth bar has ended it
    assert bought("last_bar_timestamp_seconds", symbol="NVDA") == _seconds(4)
    assert bought("market_open") == 1


def test_orders_fills_and_costs(bought: Page) -> None:
    assert bought.all("orders_total") == {("target", "buy", "NVDA"): 1}
    assert bought.all("fills_total") == {("buy", "NVDA"): 1}
    assert bought.all("filled_shares_total") == {("buy", "NVDA"): 10}
    assert bought.all("costs_usd_total") == {
        ("commission",): pytest.approx(0.10),
        ("slippage",): pytest.approx(1.10),  # ten times eleven cents
    }
    assert bought.all("trades_total") == {}
    assert bought("working_orders", symbol="NVDA") == 0


def test_the_account(bought: Page) -> None:
    """1,000,000 - 1,021.10 - 0.10 of cash; ten shares at 104."""
    assert bought("cash_usd") == 998_978.80
    assert bought("position_shares", symbol="NVDA") == 10
    assert bought("position_value_usd", symbol="NVDA") == 1_040
    assert bought("equity_usd") == 1_000_018.80
    assert bought("pnl_unrealised_usd") == 18.90
    assert bought("pnl_realised_usd") == -0.10
    assert bought("pnl_day_usd") == 18.80
    assert bought("equity_peak_usd") == 1_000_018.80
    assert bought("drawdown_ratio") == 0
    assert bought.all("trading_state") == {("ACTIVE",): 1}
    assert bought.all("holds") == {}
    assert bought("kill_latch") == bought("flattening") == 0


def test_a_short_that_is_closed(tmp_path: Path) -> None:
    """Sold at 100, bought at 110: a loss of 100; two bars earlier the short was worth -1,050."""
    bars = {"NVDA": [FLAT, FLAT, (105, 105, 105, 105), (110, 110, 110, 110), FLAT]}
    at = {0: [TargetPosition("NVDA", -10)], 2: [TargetPosition("NVDA", 0)]}
    open_short = told(made(tmp_path), lived({"NVDA": bars["NVDA"][:3]}, at=at))
    assert open_short("position_shares", symbol="NVDA") == -10
    assert open_short("position_value_usd", symbol="NVDA") == -1_050
    assert open_short("pnl_unrealised_usd") == -50
    assert open_short("pnl_realised_usd") == 0
    assert open_short("working_orders", symbol="NVDA") == 1
    closed = told(made(tmp_path), lived(bars, at=at))
    assert closed.all("trades_total") == {("loss", "NVDA"): 1}
    assert closed.all("fills_total") == {("sell", "NVDA"): 1, ("buy", "NVDA"): 1}
    assert closed("pnl_realised_usd") == -100
    assert closed("pnl_unrealised_usd") == 0
    assert closed("equity_peak_usd") == 1_000_000
    assert closed("drawdown_ratio") == pytest.approx(0.0001)


def test_slippage_costs_a_seller_as_well(tmp_path: Path) -> None:
    """Sold at 100 less 10 bps: ten cents a share."""
    result = lived(
        {"NVDA": [FLAT, FLAT]},
        at={0: [TargetPosition("NVDA", -10)]},
        pricing=rules(slippage_ppm=1000),
    )
    page = told(made(tmp_path), result)
    assert page.all("costs_usd_total") == {("slippage",): pytest.approx(1.0)}


def test_denials_holds_and_predictions(tmp_path: Path) -> None:
    result = lived(
        {"NVDA": [FLAT] * 6},
        at={0: [TargetPosition("NVDA", 11)], 3: [TargetPosition("NVDA", 5)]},
        predictions={("NVDA", 0): 0.01, ("NVDA", 1): None, ("NVDA", 2): 0.02},
        limits=Limits(max_position_shares=Limit(10)),
        commands=[
            Pause(OPEN + 2 * HOUR_NS + 1, "operator", "lunch"),
            Halt(OPEN + 4 * HOUR_NS + 1, "somebody", "enough"),
        ],
    )
    page = told(made(tmp_path), result)
    assert page.all("denials_total") == {("MAX_POSITION_SHARES",): 1, ("PAUSED",): 1}
    assert page.all("predictions_total") == {("NVDA",): 2}
    assert page.all("prediction_failures_total") == {("NVDA",): 1}
    assert page.all("trading_state") == {("HALTED",): 1}
    assert page.all("holds") == {("operator",): 1, (OTHER,): 1}
    assert page.all("turns_total")["command",] == 2


def test_protective_orders_are_told_apart(tmp_path: Path) -> None:
    result = lived(
        {"NVDA": [FLAT, FLAT, (100, 100, 80, 80)]},
        at={0: [TargetPosition("NVDA", 10, Bracket(stop_price=90))]},
    )
    page = told(made(tmp_path), result)
    assert page.all("orders_total") == {
        ("target", "buy", "NVDA"): 1, ("protective", "sell", "NVDA"): 1,
    }  # fmt: skip
    assert page.all("trades_total") == {("loss", "NVDA"): 1}


def test_what_alarms_compare_with_their_bounds(tmp_path: Path) -> None:
    """Two orders of the strategy and a protective one, which does not count; two failures."""
    result = lived(
        {"NVDA": [FLAT] * 4},
        at={
            0: [TargetPosition("NVDA", 10, Bracket(stop_price=90))],
            2: [TargetPosition("NVDA", 4)],
        },
        predictions={("NVDA", 0): None, ("NVDA", 1): 0.1, ("NVDA", 2): None, ("NVDA", 3): None},
        limits=Limits(flat_before_close=True),
    )
    page = told(made(tmp_path), result)
    assert page.all("orders_total")["protective", "sell", "NVDA"] == 1
    assert page("orders_day") == 2
    assert page("model_failures") == 2
    assert page("flat_before_close") == 1
    page = told(made(tmp_path), lived({"NVDA": [FLAT]}))
    assert page("orders_day") == page("model_failures") == page("flat_before_close") == 0


def test_flattening_is_seen(tmp_path: Path) -> None:
    result = lived(
        {"NVDA": [FLAT, FLAT, FLAT]},
        at={0: [TargetPosition("NVDA", 10)]},
        commands=[Flatten(OPEN + 3 * HOUR_NS, "operator", "out")],
    )
    metrics = made(tmp_path)
    told(metrics, result)
    metrics.stand(standing_of(result.account, latched=True, next_bar=OPEN + 4 * HOUR_NS))
    page = scrape(metrics)
    assert page("flattening") == page("kill_latch") == 1
    assert page("next_bar_timestamp_seconds", symbol="NVDA") == _seconds(4)


# --- bars that do not come in time ----------------------------------------------------------------


def _slices(bars: list[Quote | None]) -> tuple[list[MarketSlice], Any]:
    result = lived({"NVDA": bars})
    return [t.input for t in result.turns if isinstance(t.input, MarketSlice)], result.account


def test_a_gap_lasts_until_a_later_bar_comes(tmp_path: Path) -> None:
    slices, account = _slices([FLAT, None, None, None, FLAT])
    metrics = made(tmp_path)
    turns = [Turn(seq, each.end, each, ()) for seq, each in enumerate(slices, 1)]
    page = counted(metrics, turns[:4], account)
    assert page("gap_bars", symbol="NVDA") == 3
    assert page("gaps_total", symbol="NVDA") == 1
    assert page("last_bar_timestamp_seconds", symbol="NVDA") == _seconds(1)
    late = replace(slices[2], bars=slices[0].bars, missing=(), outcome=Outcome.BACKFILLED)
    late = replace(late, bars=(replace(slices[0].bars[0], start=late.start, end=late.end),))
    page = counted(metrics, [Turn(5, late.end, late, ())], account)
    assert page("gap_bars", symbol="NVDA") == 1  # the fourth is still missing
    page = counted(metrics, turns[4:], account)
    assert page("gap_bars", symbol="NVDA") == 0
    assert page.all("bars_total") == {
        ("received", "NVDA"): 2, ("missing", "NVDA"): 3, ("backfilled", "NVDA"): 1,
    }  # fmt: skip


def test_facts_of_the_ledger_say_how_bars_ended(tmp_path: Path) -> None:
    slices, _ = _slices([FLAT, None, None, FLAT])
    metrics = made(tmp_path)

    def fact(outcome: Outcome, slot: MarketSlice, kind: str = "gap") -> LedgerRow:
        return LedgerRow(kind, slot.end, "NVDA", slot.start, slot.end, outcome)

    early = [fact(Outcome.QUARANTINED, slices[1]), fact(Outcome.LATE, slices[0], kind="feed")]
    metrics.turn(Turn(1, slices[0].end, slices[0], ()), early)
    again = [fact(Outcome.MISSING, slices[1]), fact(Outcome.REVISED, slices[0])]
    metrics.turn(Turn(2, slices[1].end, slices[1], ()), again)
    third = [fact(Outcome.LATE, slices[0]), fact(Outcome.UNEXPECTED, slices[0])]
    metrics.turn(Turn(3, slices[2].end, slices[2], ()), third)
    assert metrics.failures == 0
    assert scrape(metrics).all("bars_total") == {
        ("received", "NVDA"): 1, ("quarantined", "NVDA"): 1, ("missing", "NVDA"): 1,
        ("late", "NVDA"): 1, ("revised", "NVDA"): 1, ("unexpected", "NVDA"): 1,
    }  # fmt: skip


def test_the_market_is_open_from_tick_to_tick(tmp_path: Path) -> None:
    slices, account = _slices([FLAT])
    session = slices[0].session
    metrics = made(tmp_path)
    closes = Tick(session.closes, TickKind.CLOSES, session)
    opens = Tick(session.opens, TickKind.OPENS, session)
    assert counted(metrics, [Turn(1, 0, opens, ())], account)("market_open") == 1
    assert counted(metrics, [Turn(2, 0, closes, ())], account)("market_open") == 0


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [("end", 1), ("closes", 0), ("next_opens", 1), (None, 0)],
)
def test_a_recovered_account_shows_where_it_stands(
    tmp_path: Path, instant: str | None, is_open: int
) -> None:
    slices, account = _slices([FLAT, FLAT, None, FLAT])
    last = slices[2]
    instants = {
        "end": last.end, "closes": last.session.closes, "next_opens": last.session.next_opens,
        None: None,
    }  # fmt: skip
    metrics = made(tmp_path)
    standing = standing_of(account, latched=False)
    metrics.recovered(standing, last, instants[instant], 1_100_000_000_000)
    page = scrape(metrics)
    assert page("market_open") == is_open
    assert page("gap_bars", symbol="NVDA") == 1
    assert page("gaps_total", symbol="NVDA") == 0  # it began in another process
    assert page("equity_peak_usd") == 1_100_000
    assert page("drawdown_ratio") == pytest.approx(1 / 11)
    assert page.all("turns_total") == {}


# --- what the daemon tells ------------------------------------------------------------------------


def test_histograms_count_up_to_their_bounds(tmp_path: Path) -> None:
    """Steps of 1.0, 1.1 ms and 40 s: two turns, of 2.1 ms and of 40 s."""
    metrics = made(tmp_path)
    tasks = {name: StageTask(name, Busy()) for name in TASKS}
    metrics.watch(tasks)
    result = lived({"NVDA": [FLAT]})
    tasks["risk"].took(1_000_000)
    tasks["risk"].took(1_100_000)
    counted(metrics, result.turns[-1:], result.account)
    tasks["risk"].took(40_000_000_000)
    metrics.commit(0.004)
    page = counted(metrics, result.turns[-1:], result.account)
    name = "step_duration_seconds"
    bounds = {"0.0005": 0, "0.001": 1, "0.0025": 2, "30.0": 2, "+Inf": 3}
    for bound, count in bounds.items():
        assert page(f"{name}_bucket", task="risk", le=bound) == count
    assert page(f"{name}_count", task="risk") == 3
    assert page(f"{name}_sum", task="risk") == pytest.approx(40.0021)
    assert page(f"{name}_count", task="feed") == 0
    assert page("turn_duration_seconds_bucket", le="0.001") == 0
    assert page("turn_duration_seconds_bucket", le="0.0025") == 1
    assert page("turn_duration_seconds_count") == 2
    assert page("turn_duration_seconds_sum") == pytest.approx(40.0021)
    assert page("journal_commit_duration_seconds_bucket", le="0.005") == 1


def test_a_journal_that_cannot_be_written_is_seen(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    metrics.commit_failed()
    metrics.commit_failed()
    page = scrape(metrics)
    assert page("journal_commit_failures_total") == 2
    assert page("journal_blocked") == 1
    metrics.commit(0.1)
    page = scrape(metrics)
    assert page("journal_commit_failures_total") == 2
    assert page("journal_blocked") == 0


def test_the_journal_has_a_size_once_it_exists(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    assert scrape(metrics).all("journal_size_bytes") == {}
    (tmp_path / "journal.db").write_bytes(b"x" * 4096)
    (tmp_path / "journal.db-wal").write_bytes(b"x" * 123)
    assert scrape(metrics).all("journal_size_bytes") == {("db",): 4096, ("wal",): 123}


def test_feed_readiness_and_pacing(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    page = scrape(metrics)
    assert page.all("feed_state") == {}
    assert page("ready") == page("feed_generation") == 0
    assert page.all("pacing_limit_requests") == {}  # this feed has none
    metrics.ready()
    metrics.feed("silent", 3)
    metrics.outside(Outside(pacing=(50, 60)))
    page = scrape(metrics)
    assert page.all("feed_state") == {("silent",): 1}
    assert page("feed_generation") == 3
    assert page("ready") == 1
    assert page("pacing_budget_requests") == 50
    assert page("pacing_limit_requests") == 60


def test_the_source_says_what_it_knows_of_the_world_and_no_more(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    names = ("papertape_clock_skew_seconds", "papertape_calendar_mismatch")
    assert not [key for key in scrape(metrics).series if key[0] in names]
    metrics.outside(Outside(clock_ahead_s=-3.5, hours_differ=True))
    page = scrape(metrics)
    assert page("clock_skew_seconds") == -3.5
    assert page("calendar_mismatch") == 1
    metrics.outside(Outside(hours_differ=False))
    page = scrape(metrics)
    assert page("calendar_mismatch") == 0
    assert page.all("clock_skew_seconds") == {}


def test_constants_and_the_clock(tmp_path: Path) -> None:
    constants = {"papertape_feed_live": 1, "papertape_bar_duration_seconds": 900}
    metrics = Metrics(NAME, ("NVDA",), TASKS, tmp_path, {}, constants=constants)
    before = time.time()
    page = scrape(metrics)
    assert page("feed_live") == 1
    assert page("bar_duration_seconds") == 900
    assert before <= page("clock_timestamp_seconds") <= time.time()


def test_the_hours_of_the_exchange_are_shown(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    account = lived({"NVDA": [FLAT]}).account
    metrics.stand(standing_of(account, latched=False))
    assert scrape(metrics).all("next_open_timestamp_seconds") == {}  # nobody asked the calendar
    hours = Hours(0, OPEN + 2 * HOUR_NS, OPEN)
    metrics.stand(standing_of(account, latched=False, hours=hours))
    page = scrape(metrics)
    assert page("previous_close_timestamp_seconds") == 0
    assert page("next_close_timestamp_seconds") == _seconds(2)
    assert page("next_open_timestamp_seconds") == _seconds(0)


def test_tasks_are_watched(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    tasks = {name: StageTask(name, Busy()) for name in TASKS}
    tasks["risk"].fail(ValueError())
    assert scrape(metrics)("task_failures_total", task="risk") == 0
    metrics.watch(tasks)
    page = scrape(metrics)
    assert page.all("task_failures_total") == {("risk",): 1}
    assert page("mailbox_depth", task="strategy") == 0


def test_the_lag_of_a_loop_that_does_not_come_by_grows(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    metrics.lag(0.25)
    assert scrape(metrics)("loop_lag_seconds") == 0.25
    metrics._beat -= 31.0
    assert 30 <= scrape(metrics)("loop_lag_seconds") < 60


def test_a_clock_that_was_set_is_counted(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    assert scrape(metrics)("clock_steps_total") == 0
    metrics.clock_stepped()
    assert scrape(metrics)("clock_steps_total") == 1


def test_reloads_that_are_refused_are_counted(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    assert scrape(metrics)("reloads_refused_total") == 0
    metrics.reload_refused()
    assert scrape(metrics)("reloads_refused_total") == 1


def test_what_runs_and_what_it_costs(tmp_path: Path) -> None:
    page = scrape(made(tmp_path))
    (labels,) = [dict(key[1]) for key in page.series if key[0] == "papertape_build_info"]
    assert labels == {
        "version": "1.2.3", "engine": "", "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version, "config_sha256": "", "model_sha256": "",
    }  # fmt: skip
    assert page("state_free_bytes") > 0
    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds"):
        assert page.series[f"process_{name}", frozenset()] > 0
    assert page.series["process_start_time_seconds", frozenset()] > 1_700_000_000


def test_a_fault_in_counting_ends_no_turn(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    result = lived({"NVDA": [FLAT], "AMD": [FLAT]})
    metrics.turn(result.turns[-1])
    assert metrics.failures == 1
    assert scrape(metrics)("metrics_failures_total") == 1


# --- the table ------------------------------------------------------------------------------------

TYPES = r"^# TYPE (\S+) (\S+)$"


def test_the_page_shows_the_table_and_nothing_else(bought: Page) -> None:
    shown = dict(re.findall(TYPES, bought.text, re.MULTILINE))
    assert shown == {name: metric.kind for name, metric in METRICS.items()}


def test_names_end_with_what_they_count_in() -> None:
    units = ("_seconds", "_bytes", "_usd", "_ratio", "_shares", "_requests", "_bars", "_fds")
    bare = {
        "papertape_trading_state", "papertape_holds", "papertape_kill_latch",
        "papertape_flattening", "papertape_ready", "papertape_market_open",
        "papertape_feed_state", "papertape_feed_generation", "papertape_working_orders",
        "papertape_limit_current", "papertape_limit_bound", "papertape_journal_blocked",
        "papertape_check_success", "papertape_build_info", "papertape_mailbox_depth",
        "papertape_calendar_mismatch", "papertape_feed_live", "papertape_flat_before_close",
        "papertape_model_failures", "papertape_orders_day",
    }  # fmt: skip
    for name, metric in METRICS.items():
        assert re.fullmatch(r"(papertape|process)_[a-z]+(_[a-z0-9]+)*", name)
        assert name.endswith("_total") == (metric.kind == "counter")
        assert metric.kind == "counter" or name in bare or name.endswith(units), name
        assert metric.help.endswith(".")
        assert "name" not in metric.labels


def test_series_are_there_before_their_first_event_and_never_more(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    limits = Limits(
        max_order_usd=Limit(10**12), max_daily_loss_usd=Limit(10**8, Action.HALT_AND_FLATTEN)
    )
    result = lived({"NVDA": [FLAT] * 9}, limits=limits)
    metrics.recovered(standing_of(result.account, latched=False), None, None, 0)
    metrics.feed("up", 1)
    before = set(scrape(metrics).series)
    assert ("papertape_denials_total", frozenset({("reason", "TOO_LATE")})) in before
    eventful = lived(
        {"NVDA": [FLAT, FLAT, (50, 50, 40, 40), None, *[FLAT] * 5]},
        at={
            0: [TargetPosition("NVDA", 10, Bracket(stop_price=20))],
            1: [OrderRequest("NVDA", Side.BUY, 0)],
            5: [TargetPosition("NVDA", 3)],
        },
        predictions={("NVDA", 0): 0.1, ("NVDA", 1): None},
        limits=limits,
        commands=[Halt(OPEN, "HALT by hand, and whatever a person writes", "")],
    )
    assert set(told(metrics, eventful).series) == before


def test_the_limits_that_cannot_be_kept_are_counted(tmp_path: Path) -> None:
    slices, account = _slices([FLAT])
    breach = LimitBreached(slices[0].end, "flat_before_close", "NVDA", "+3 held past the close")
    page = counted(made(tmp_path), [Turn(1, slices[0].end, slices[0], (breach,))], account)
    assert page.all("limit_breaches_total") == {("flat_before_close",): 1}


def test_every_reason_of_a_denial_has_a_series(tmp_path: Path) -> None:
    page = scrape(made(tmp_path))
    reasons = {
        dict(labels)["reason"] for name, labels in page.series if name == "papertape_denials_total"
    }
    assert reasons == {str(reason) for reason in Reason}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say(bought: Page) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=bought.text.encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
