"""What decides: everything a segment of the journal is opened with, and what makes a new one.

A segment is a stretch of turns with the same config, code, tables and model. Its manifest says
which, so that its turns can be played again; its opening is the account by value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from daemon import ENGINE_VERSION, __version__
from daemon.assembly import open_account
from daemon.config import Config, load_resolved
from daemon.config.models import UNHASHED
from daemon.core.account import Account
from daemon.core.events import Split
from daemon.core.values import AccountValues, PositionValues
from daemon.errors import RefusedError
from daemon.fees import FeeTables
from daemon.models.protocol import Predictor
from daemon.strategies.loader import build_strategy, strategy_source_sha256
from daemon.strategies.protocol import Strategy


@dataclass(slots=True)
class Setup:
    """What a live account trades with. `splits` are those its prices are worked out with."""

    config: Config
    tables: FeeTables
    strategy: Strategy
    predictor: Predictor | None
    volume_known: bool
    adjustment: str
    splits: tuple[Split, ...]
    calendar: Mapping[str, str | None]
    warmup_bars: int

    def open_account(self) -> Account:
        """An account with the configured cash, and nothing else."""
        return open_account(
            self.config,
            self.tables,
            volume_known=self.volume_known,
            adjustment=self.adjustment,
            splits=self.splits,
        )

    def remake_strategy(self) -> Strategy:
        """The strategy as it was before its first bar."""
        return _strategy(self.config)

    def manifest(self) -> dict[str, Any]:
        """What the journal keeps of it; the values of `IDENTITY` make two segments the same."""
        config, predictor = self.config, self.predictor
        return {
            "papertape_version": __version__,
            "engine_version": ENGINE_VERSION,
            "config": config.resolved(),
            "config_path": str(config.path.absolute()),
            "config_base": str(config.base),
            "fee_tables_sha256": self.tables.sha256,
            "model": {
                "kind": config.model.kind if config.model else None,
                "sha256": predictor.sha256 if predictor else None,
            },
            "strategy": {
                "kind": config.strategy.kind,
                "sha256": strategy_source_sha256(config.strategy_class),
            },
            "calendar": dict(self.calendar),
            "volume_known": self.volume_known,
            "adjustment": self.adjustment,
            "splits": [
                [split.symbol, split.effective, split.numerator, split.denominator]
                for split in self.splits
            ],
            "warmup_bars": self.warmup_bars,
        }


def opening_values(manifest: Mapping[str, Any], opening: Mapping[str, Any]) -> AccountValues:
    """The account a recorded segment opened with, its positions in the segment's own symbols.

    What was known of other symbols is forgotten, as `restore` does.
    """
    values = msgspec.convert(opening["values"], AccountValues)
    known = {position.symbol: position for position in values.portfolio.positions}
    symbols = manifest["config"]["symbols"]
    positions = tuple(known.get(symbol) or PositionValues(symbol) for symbol in symbols)
    return replace(values, portfolio=replace(values.portfolio, positions=positions))


IDENTITY = (
    "engine_version", "fee_tables_sha256", "model", "strategy", "volume_known", "adjustment",
    "splits",
)  # fmt: skip
"""The keys of a manifest, besides the config, that a segment ends with."""


def what_changed(
    old: Mapping[str, Any], new: Mapping[str, Any], reloaded_risk: Mapping[str, Any] | None
) -> list[str]:
    """Why a start must open a new segment, one text each; nothing: the last one goes on.

    `reloaded_risk` is the risk section that a reload has put in force since `old` was written.
    """
    was, now = dict(old["config"]), dict(new["config"])
    if reloaded_risk is not None:
        was["risk"] = reloaded_risk
    found = [
        f"{key}: {json.dumps(before)} -> {json.dumps(after)}"
        for key, before, after in changed_keys(_hashed(was), _hashed(now))
    ]
    found += [f"{key} has changed" for key in IDENTITY if old[key] != new[key]]
    return found


def _hashed(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in UNHASHED}


def changed_keys(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The dotted keys of two nested documents whose values differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            below = f"{path}.{key}" if path else str(key)
            yield from changed_keys(old.get(key), new.get(key), below)
    elif old != new:
        yield path, old, new


def setup_of(manifest: Mapping[str, Any], tables: FeeTables, state: Path, source: Path) -> Setup:
    """What a recorded segment traded with, its model excepted: predictions are recorded.

    RefusedError where that cannot be had any more, such as a strategy whose file has gone.
    """
    try:
        config = load_resolved(
            manifest["config"], source, Path(manifest["config_base"]), state=state
        )
        return Setup(
            config=config,
            tables=tables,
            strategy=_strategy(config),
            predictor=None,
            volume_known=manifest["volume_known"],
            adjustment=manifest["adjustment"],
            splits=tuple(Split(*row) for row in manifest["splits"]),
            calendar=manifest["calendar"],
            warmup_bars=manifest["warmup_bars"],
        )
    except (KeyError, TypeError) as error:
        raise RefusedError(f"{source}: the manifest of a segment lacks {error}") from None


def _strategy(config: Config) -> Strategy:
    return build_strategy(config.strategy_class, config.strategy_params, config.symbols)
