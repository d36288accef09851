"""Plays a journal again: the same turns through the same tasks, fed from what was recorded."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.assembly import open_account
from daemon.config import Config
from daemon.core.events import MarketSlice, Prediction
from daemon.core.trading_state import HoldSource
from daemon.core.turn import Turn
from daemon.fees import load_fee_tables
from daemon.journal.codec import decode_command
from daemon.journal.reader import JournalReader, TurnRow
from daemon.live.recovery import strategy_failures
from daemon.pipeline import Pipeline
from daemon.strategies.loader import build_strategy
from replay.feed import ReplayFeed, Window
from replay.journal_blocks import (
    actions_of,
    read_bars,
    read_predictions,
    read_sessions,
    splits_of,
)
from replay.run import remaker, run_turns


@dataclass(slots=True)
class Rerun:
    """What came of playing a journal again."""

    turns: list[Turn]
    ends: array[Any]
    equity: array[Any]


class JournaledPredictions:
    """The predictions a run was made with, whatever its model says today."""

    warmup_bars = 0
    sha256 = ""

    def __init__(self, by_end: dict[int, list[Prediction]]) -> None:
        self._by_end = by_end

    def predict(self, market: MarketSlice) -> Sequence[Prediction]:
        """What was predicted at this slice, in the order it was."""
        return self._by_end.get(market.end, ())

    def warm(self, market: MarketSlice) -> None:
        """Nothing is remembered."""


class _Kept:
    """A sink that keeps the turns in memory."""

    every_turn = False

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def keep(self, turn: Turn) -> None:
        self.turns.append(turn)

    def flush(self) -> None:
        """Nothing waits."""


def rerun(reader: JournalReader, recorded: Sequence[TurnRow], config: Config) -> Rerun:
    """Play the journal's inputs with `config`; DecodeError where a stored input is damaged."""
    manifest, _ = reader.segment()
    sessions = read_sessions(reader, config.bars.size, config.bars.grid)
    account = open_account(
        config,
        load_fee_tables(),
        volume_known=manifest["volume_known"],
        adjustment=manifest["adjustment"],
        splits=splits_of(manifest),
    )
    strategy = build_strategy(config.strategy_class, config.strategy_params, config.symbols)
    predictor = None
    if config.model is not None:
        predictor = JournaledPredictions(read_predictions(reader))
    kept, actions = _Kept(), actions_of(manifest)
    pipeline = Pipeline(
        account,
        strategy,
        predictor,
        kept,
        failed=strategy_failures(row for row in recorded if HoldSource.STRATEGY in row.outputs),
        remake=remaker(config, strategy, actions),
    )
    feed = ReplayFeed(
        config.symbols,
        read_bars(reader, config.symbols),
        sessions,
        Window(**manifest["window"]),
        actions=actions,
        commands=[decode_command(row.input) for row in recorded if row.input is not None],
    )
    run_turns(pipeline, feed)
    return Rerun(kept.turns, pipeline.ends, pipeline.equity)


def config_base(manifest: dict[str, Any], run: Path) -> Path:
    """The folder the config's relative paths and strategies are relative to."""
    path = manifest.get("config_path")
    return Path(path).parent if path else run
