"""State directories whose journal was lived: inputs through the real pipeline, each turn committed.

    inputs = inputs_of({"NVDA": [flat(100), flat(101), None, flat(103)]})
    lived(tmp_path, inputs, risk="{max_position_shares: 50}")

The account trades `sma_cross` (fast 1, slow 2, 10 shares, shorts allowed: after two closes it
follows every change) at no cost unless other sections are given. Bars are those of
`tests.harness`: hourly, from 2024-01-02 14:30 UTC (09:30 in New York) on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from daemon.config import load_config
from daemon.core.events import Commands, Input, MarketSlice, Prediction
from daemon.core.turn import Turn, instant_of
from daemon.core.units import HOUR_NS
from daemon.core.values import values_of
from daemon.fees import load_fee_tables
from daemon.journal.ledger import LedgerRow
from daemon.journal.store import LiveJournal
from daemon.live.segments import Setup
from daemon.pipeline import Pipeline
from daemon.strategies.loader import build_strategy
from tests.harness import Quote, play

SECTIONS = {
    "name": "lived",
    "symbols": "[NVDA]",
    "bars": "{size: 1h}",
    "feed": "{kind: tape, pace: max}",
    "tape": "{path: nvda.csv, adjustment: raw}",
    "account": "{cash_usd: 100000}",
    "strategy": "{kind: sma_cross, params: {fast: 1, slow: 2, quantity: 10, allow_short: true}}",
    "execution": "{slippage_bps: 0, commission: none, regulatory_fees: false}",
    "risk": "{allow_short: true}",
}
WALL = 1_800_000_000 * 10**9
OPENS = 1_704_205_800 * 10**9
"""The first session's open, 2024-01-02 09:30 in New York."""

SCRIPTED = "{kind: 'acts:Acts', params: {}}"
_ACTS = """\
from dataclasses import dataclass
from daemon.core.events import *

SCRIPT = %s


class Acts:
    @dataclass(frozen=True)
    class Params:
        pass

    warmup_bars = 0

    def __init__(self, params, symbols):
        self._asked = -1

    def decide(self, market, predictions, portfolio):
        self._asked += 1
        act = SCRIPT.get(self._asked)
        if act == "raise":
            raise ValueError("no more acts")
        return act
"""


def end_of(index: int, day: int = 0) -> int:
    """The end of a bar of the first week, by its number in its session."""
    return OPENS + (24 * day + index + 1) * HOUR_NS


def script(state: Path, acts: str) -> None:
    """A strategy of the user's own, `SCRIPTED`: `acts` is a dict by number of the call."""
    folder = state / "strategies"
    folder.mkdir()
    (folder / "acts.py").write_text(_ACTS % acts, "utf-8")


def inputs_of(bars: Mapping[str, Sequence[Quote | None]], *commands: Commands) -> list[Input]:
    """The ticks and slices of these bars, with commands at their instants."""
    played = play(bars, commands=commands, chunk_bars=1, every_turn=True)
    return [turn.input for turn in played.turns]


def lived(
    state: Path,
    inputs: Sequence[Input],
    *,
    facts: Mapping[int, Sequence[LedgerRow]] | None = None,
    predictions: Mapping[int, float | None] | None = None,
    **sections: str,
) -> list[Turn]:
    """Play the inputs and commit every turn; `facts` by turn, `predictions` by end of slice.

    Returns the turns. Nothing but the journal is made, as after an orderly stop.
    """
    path = state / "config.yaml"
    whole = SECTIONS | sections
    path.write_text("".join(f"{key}: {text}\n" for key, text in whole.items()), "utf-8")
    config = load_config(path, (), state=state)
    setup = Setup(
        config=config,
        tables=load_fee_tables(),
        strategy=build_strategy(config.strategy_class, config.strategy_params, config.symbols),
        predictor=None,
        volume_known=True,
        adjustment="raw",
        splits=(),
        calendar={},
        warmup_bars=2,
    )
    account = setup.open_account()
    opening = {
        "values": msgspec.to_builtins(values_of(account)),
        "warm_from": None,
        "place": None,
    }
    sink = _Sink()
    model = None if predictions is None else _Given(predictions)
    pipeline = Pipeline(account, setup.strategy, model, sink)
    for item in inputs:
        pipeline.play_through((item,))
    asyncio.run(_write(state / "journal.db", setup, opening, sink.turns, facts or {}))
    return sink.turns


class _Sink:
    every_turn = True

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def keep(self, turn: Turn) -> None:
        """Take a turn."""
        self.turns.append(turn)

    def flush(self) -> None:
        """Nothing waits."""


class _Given:
    """The predictions of a test: None is a failure, no row is no prediction."""

    warmup_bars = 0
    sha256 = "0" * 64

    def __init__(self, rows: Mapping[int, float | None]) -> None:
        self._rows = rows

    def predict(self, market: MarketSlice) -> list[Prediction]:
        """One for the first bar of a slice that has a row."""
        if market.end not in self._rows:
            return []
        value = self._rows[market.end]
        failure = "no features" if value is None else None
        return [Prediction(market.bars[0].symbol, value, failure)]

    def warm(self, market: MarketSlice) -> None:
        """Nothing to learn."""


async def _write(
    path: Path,
    setup: Setup,
    opening: Mapping[str, object],
    turns: Sequence[Turn],
    facts: Mapping[int, Sequence[LedgerRow]],
) -> None:
    journal = await LiveJournal.open(path)
    await journal.open_segment(1, "start", setup.manifest(), opening)
    for turn in turns:
        assert turn.instant == instant_of(turn.input)
        await journal.commit(turn, facts.get(turn.seq, ()), WALL + turn.seq)
    await journal.close()
