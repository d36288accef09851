"""One replay: a config and a tape in, turns through the daemon's tasks, a finished run out."""

from __future__ import annotations

import asyncio
import gc
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from msgspec.structs import replace

from daemon.assembly import open_account
from daemon.config import Config, load_config, require_supported, require_tape
from daemon.core.account import Account
from daemon.core.costs import DateOutsideTableError
from daemon.core.events import CorporateAction, Dividend, Session, Split
from daemon.core.split_factors import SplitFactors
from daemon.core.units import divide_half_even
from daemon.corporate_actions import read_corporate_actions
from daemon.errors import PapertapeError, RefusedError, UsageError
from daemon.feeds.calendar import Calendar, load_calendar
from daemon.feeds.expected import BAR_SIZES_NS, each_expected_session, with_bars
from daemon.feeds.times import iso_z, parse_when
from daemon.fees import FeeTables, load_fee_tables
from daemon.journal.writer import JournalWriter
from daemon.models.build import build_predictor
from daemon.models.protocol import Predictor
from daemon.pipeline import Pipeline
from daemon.strategies.loader import build_strategy
from daemon.strategies.protocol import Strategy
from daemon.strategies.seen import takes_splits
from daemon.supervisor import supervise
from daemon.tasks import TaskFailedError
from replay.feed import CHUNK_BARS, ReplayFeed, Window
from replay.recorder import Recorder
from replay.tapes import Tape, open_tape

_FOREVER = 1 << 62
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@dataclass(frozen=True, slots=True)
class Period:
    """The times given on the command line, as text; None is the tape's own beginning or end."""

    start: str | None = None
    end: str | None = None


NO_PERIOD = Period()


@dataclass(slots=True)
class Inputs:
    """Everything a replay reads, loaded and checked before the first turn."""

    config: Config
    calendar: Calendar
    tape: Tape
    tables: FeeTables
    actions: tuple[CorporateAction, ...]
    strategy: Strategy
    predictor: Predictor | None
    window: Window
    sessions: list[Session]
    period: Period


@dataclass(slots=True)
class Played:
    """A replay whose turns are closed, before it is written down."""

    inputs: Inputs
    account: Account
    pipeline: Pipeline
    feed: ReplayFeed
    recorder: Recorder
    wall_seconds: float

    @property
    def digest(self) -> str:
        """Equal digests mean equal trading."""
        return self.recorder.digest.hexdigest(self.pipeline.ends, self.pipeline.equity)


def load_inputs(
    config_path: Path,
    state: Path,
    overrides: Sequence[tuple[str, str]] = (),
    period: Period = NO_PERIOD,
) -> Inputs:
    """Load and check everything; RefusedError has a line for each problem, nothing is played."""
    config = load_config(config_path, overrides, state=state)
    require_supported(config)
    return inputs_for(config, state, period)


def inputs_for(
    config: Config, state: Path, period: Period = NO_PERIOD, *, warm_up: str | int = 0
) -> Inputs:
    """As `load_inputs`, for a config that is loaded; `warm_up` counts where it says nothing."""
    require_tape(config)
    calendar = load_calendar(state, config.bars.calendar)
    start = end = None
    if period.start is not None:
        start = parse_when(period.start, calendar.zone)
    if period.end is not None:
        end = parse_when(period.end, calendar.zone, end_of_day=True)
    tape = open_tape(
        config.tape_spec(state),
        config.symbols,
        config.bars.size,
        config.bars.grid,
        calendar,
        state,
    )
    if not tape.has_volume and config.execution.participation_fraction is not None:
        raise RefusedError(
            f"{config.path}: the tape has no volume, so fills cannot be limited to a part of it: "
            f"set execution.participation_fraction: null"
        )
    predictor = build_predictor(config.model, config.symbols, config.predictions_path(state))
    strategy = build_strategy(config.strategy_class, config.strategy_params, config.symbols)
    warmup = warmup_bars(config, strategy, predictor, warm_up)
    window = _window(config, tape, start, end, warmup, period)
    sessions = _sessions(config, tape, calendar, window)
    tables = load_fee_tables()
    _check_fee_dates(config, tables, sessions)
    return Inputs(
        config=config,
        calendar=calendar,
        tape=tape,
        tables=tables,
        actions=_corporate_actions(config, state),
        strategy=strategy,
        predictor=predictor,
        window=window,
        sessions=sessions,
        period=period,
    )


def play(
    inputs: Inputs,
    writer: JournalWriter | None = None,
    *,
    chunk_bars: int = CHUNK_BARS,
    loop_factory: LoopFactory | None = None,
) -> Played:
    """Send the tape through the tasks. PapertapeError if a task fails; nothing is half done."""
    config, tape = inputs.config, inputs.tape
    adjustment = tape.adjustment
    account = open_account(
        config,
        inputs.tables,
        volume_known=tape.has_volume,
        adjustment=adjustment,
        splits=[action for action in inputs.actions if isinstance(action, Split)],
    )
    recorder, actions = Recorder(writer), applied_actions(inputs)
    remake = remaker(config, inputs.strategy, actions)
    pipeline = Pipeline(account, inputs.strategy, inputs.predictor, recorder, remake=remake)
    feed = ReplayFeed(
        config.symbols,
        tape.columns,
        (
            with_bars(session, BAR_SIZES_NS[config.bars.size], config.bars.grid)
            for session in inputs.sessions
        ),
        inputs.window,
        actions=actions,
        quarantined={symbol: tape.quarantined(symbol) for symbol in config.symbols},
        chunk_bars=chunk_bars,
    )
    wall_seconds = run_turns(pipeline, feed, loop_factory)
    recorder.finish()
    return Played(inputs, account, pipeline, feed, recorder, wall_seconds)


def remaker(
    config: Config, strategy: Strategy, actions: Sequence[CorporateAction]
) -> Callable[[], Strategy] | None:
    """What makes the strategy anew at a split; None for one that takes splits, or needs no bars.

    None without a split as well: where nothing is made anew nothing that was seen need be kept.
    """
    splits = any(isinstance(action, Split) for action in actions)
    if not splits or takes_splits(strategy) or not strategy.warmup_bars:
        return None
    return partial(build_strategy, config.strategy_class, config.strategy_params, config.symbols)


def run_turns(
    pipeline: Pipeline, feed: ReplayFeed, loop_factory: LoopFactory | None = None
) -> float:
    """Play a feed to its end in an event loop of its own; returns the seconds it took.

    The garbage collector has nothing to find in what turns make (messages hold no cycles), so
    what stands now is put out of its sight for the time of the run.
    """
    gc.freeze()
    started = perf_counter()
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            try:
                runner.run(supervise(pipeline, feed))
            except KeyboardInterrupt:
                # it stopped a task in mid-step, which the loop would report as a failure of its own
                runner.get_loop().set_exception_handler(_ignore)
                raise
    except TaskFailedError as error:
        raise _explained(error) from error
    finally:
        gc.unfreeze()
    return perf_counter() - started


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing."""


def applied_actions(inputs: Inputs) -> list[CorporateAction]:
    """The actions that change positions on this tape: on an adjusted one prices hold them."""
    if not inputs.sessions:
        return []
    first, last = inputs.sessions[0].date, inputs.sessions[-1].date
    due = [
        as_applied(inputs, action)
        for action in inputs.actions
        if first <= action.effective <= last and action.symbol in inputs.config.symbols
    ]
    return [action for action in due if action is not None]


def as_applied(inputs: Inputs, action: CorporateAction) -> CorporateAction | None:
    """What an action changes on this tape; None where its prices hold it.

    On a tape that is adjusted for splits an adjusted share is a part of one as traded.
    """
    adjustment = inputs.tape.adjustment
    if adjustment == "raw":
        return action
    if adjustment == "splits_dividends" or not isinstance(action, Dividend):
        return None
    factors = SplitFactors([split for split in inputs.actions if isinstance(split, Split)])
    factor = factors.factor(action.symbol, action.effective)
    amount = divide_half_even(action.amount_micros * factor.denominator, factor.numerator)
    return replace(action, amount_micros=amount)


def _check_fee_dates(config: Config, tables: FeeTables, sessions: list[Session]) -> None:
    """C15: a date outside a table is an error, said before the first turn rather than at a fill."""
    try:
        for edge in (sessions[0], sessions[-1]):
            tables.commission(config.execution.commission).on(edge.date)
            if config.execution.regulatory_fees:
                regulatory = tables.regulatory
                for table in (regulatory.sec, regulatory.taf, regulatory.cat):
                    table.on(edge.date)
    except DateOutsideTableError as error:
        raise RefusedError(
            f"{error}: play a shorter period, or charge other fees (execution.commission, "
            f"execution.regulatory_fees)"
        ) from None


def _explained(error: TaskFailedError) -> PapertapeError:
    """What a person can do about a failed task."""
    at = f" at {iso_z(error.instant)}" if error.instant else ""
    return PapertapeError(
        f"{error}{at}: this is a fault of papertape, not of your config; --debug shows where"
    )


def _corporate_actions(config: Config, state: Path) -> tuple[CorporateAction, ...]:
    path = config.data_dir(state) / "corporate_actions.csv"
    return read_corporate_actions(path) if path.exists() else ()


def warmup_bars(
    config: Config, strategy: Strategy, predictor: Predictor | None, otherwise: str | int
) -> int:
    """`warmup_bars` as a number; `otherwise` (auto or a number) counts where it is left out."""
    asked = otherwise if config.warmup_bars is None else config.warmup_bars
    if asked == "auto":
        return max(strategy.warmup_bars, predictor.warmup_bars if predictor else 0)
    return int(asked)


def _window(
    config: Config, tape: Tape, start: int | None, end: int | None, warmup: int, period: Period
) -> Window:
    starts = tape.columns[config.symbols[0]].start
    first = 0 if start is None else start
    last = _FOREVER if end is None else end
    if last <= first:
        raise UsageError(f"--end {period.end} is not after --start {period.start}")
    begin = bisect_left(starts, first)
    warm = starts[max(0, begin - warmup)] if warmup and begin < len(starts) else first
    if warmup and start is None and len(starts) > warmup:
        first = starts[warmup]
        warm = starts[0]
    return Window(min(warm, first), first, last)


def _sessions(config: Config, tape: Tape, calendar: Calendar, window: Window) -> list[Session]:
    """The sessions from the first bar in the window to the last; RefusedError where none is."""
    edges: list[int] = []
    for symbol in config.symbols:
        columns = tape.columns[symbol]
        begin = bisect_left(columns.start, window.warm)
        if begin < len(columns) and columns.end[begin] <= window.end:
            edges.append(columns.start[begin])
            until = bisect_left(columns.end, window.end + 1)
            edges.append(columns.start[until - 1])
    if not edges:
        covered = [columns for columns in tape.columns.values() if len(columns)]
        if not covered:
            raise RefusedError("the tape has no usable bar: `papertape data check` says why")
        first = min(columns.start[0] for columns in covered)
        last = max(columns.end[-1] for columns in covered)
        raise UsageError(
            f"no bar between --start and --end: the tape covers {iso_z(first)} to {iso_z(last)}"
        )
    first, last = calendar.exchange_date(min(edges)), calendar.exchange_date(max(edges))
    size_ns = BAR_SIZES_NS[config.bars.size]
    found = each_expected_session(calendar, first, last, size_ns, config.bars.grid)
    return [expected.session for expected in found]
