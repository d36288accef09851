"""A whole config as one frozen model: risk limits, what surrounds trading, and `Config` itself."""

from __future__ import annotations

import hashlib
import json
import os.path
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from daemon.config.emit import to_yaml
from daemon.config.feeds import FeedConfig
from daemon.config.fields import (
    PathText,
    Positive,
    Section,
    Symbols,
    WarmupBars,
    all_defaults,
    expected,
    matching,
)
from daemon.config.notify import NotifyConfig
from daemon.config.problems import Path as KeyPath
from daemon.config.sections import (
    AccountConfig,
    BarsConfig,
    ExecutionConfig,
    ModelConfig,
    StrategyConfig,
    TapeConfig,
)
from daemon.errors import RefusedError

Action = Literal["deny", "reduce", "pause", "halt", "halt_and_flatten"]

DEFAULT_ACTIONS: dict[str, Action] = {
    "max_position_shares": "deny",
    "max_position_usd": "deny",
    "max_order_usd": "deny",
    "max_gross_leverage": "deny",
    "price_collar_pct": "deny",
    "min_cash_usd": "deny",
    "max_orders_per_hour": "pause",
    "max_orders_per_day": "halt",
    "max_daily_loss_usd": "halt_and_flatten",
    "max_drawdown_pct": "halt_and_flatten",
}

BAR_FILE_WORDS = {"1h": "hourly", "30m": "30min", "15m": "15min", "5m": "5min", "1m": "minute"}
UNHASHED = frozenset({"observability", "notify"})


class LimitConfig(Section):
    """A limit and what happens at its breach."""

    limit: Positive = Field(description="The value not to be exceeded.")
    action: Action = Field(description="What a breach does.")


class CountLimitConfig(LimitConfig):
    """A limit in whole shares or orders."""

    limit: Annotated[int, Field(gt=0, le=1_000_000_000)] = Field(description="A whole number.")


class PercentLimitConfig(LimitConfig):
    """A limit in percent."""

    limit: Annotated[float, Field(gt=0, le=100)] = Field(description="2 = 2 %.")


class FloorLimitConfig(LimitConfig):
    """A limit from below, which may be zero."""

    limit: Annotated[float, Field(ge=0)] = Field(description="The value not to fall below.")


def _limit(name: str, meaning: str) -> Any:
    """An optional limit; its description names what a bare number does."""
    return Field(default=None, description=f"{meaning} A number alone: {DEFAULT_ACTIONS[name]}.")


class RiskConfig(Section):
    """Limits; each is a number or {limit, action}, and off where it is left out."""

    max_position_shares: CountLimitConfig | None = _limit(
        "max_position_shares", "Shares of one symbol, long or short."
    )
    max_position_usd: LimitConfig | None = _limit(
        "max_position_usd", "Dollars in one symbol, long or short."
    )
    max_order_usd: LimitConfig | None = _limit("max_order_usd", "Dollars of one order.")
    max_gross_leverage: LimitConfig | None = _limit(
        "max_gross_leverage", "Sum of positions over equity."
    )
    price_collar_pct: PercentLimitConfig | None = _limit(
        "price_collar_pct", "Distance of an order's price from the last close."
    )
    min_cash_usd: FloorLimitConfig | None = _limit("min_cash_usd", "Cash that must remain.")
    max_orders_per_hour: CountLimitConfig | None = _limit(
        "max_orders_per_hour", "Orders in 60 minutes of event time."
    )
    max_orders_per_day: CountLimitConfig | None = _limit(
        "max_orders_per_day", "Orders in an exchange session."
    )
    allow_short: bool = Field(default=False, description="Positions below zero are allowed.")
    max_daily_loss_usd: LimitConfig | None = _limit(
        "max_daily_loss_usd", "Loss since the previous session's close."
    )
    max_drawdown_pct: PercentLimitConfig | None = _limit(
        "max_drawdown_pct", "Fall of equity from its peak."
    )
    flat_before_close: bool = Field(
        default=False, description="Hold nothing overnight: exit at the last bar's open."
    )

    @field_validator(
        *DEFAULT_ACTIONS, mode="before", json_schema_input_type=float | LimitConfig | None
    )
    @classmethod
    def _with_default_action(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or isinstance(value, LimitConfig):
            return value
        action = DEFAULT_ACTIONS[info.field_name or ""]
        if isinstance(value, dict):
            return {"action": action, **value}
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            # Text is refused by the number's own rule, which knows what was probably meant.
            return {"limit": value, "action": action}
        raise expected("a number or {limit, action}")

    def limits(self) -> Mapping[str, LimitConfig]:
        """The limits that are on, by name, in the order of the table."""
        named = ((name, getattr(self, name)) for name in DEFAULT_ACTIONS)
        return {name: limit for name, limit in named if limit is not None}


class ObservabilityConfig(Section):
    """Metrics and logs of the daemon; no part of what makes two runs equal."""

    metrics: (
        Annotated[str, matching(r"(\[[0-9a-fA-F:]+\]|[^:\s]+):[1-9][0-9]{0,4}", "HOST:PORT")] | None
    ) = Field(default="127.0.0.1:9108", description="Where metrics are served; null: nowhere.")
    log: Literal["json", "text"] = Field(default="json", description="Form of the log lines.")


class PathsConfig(Section):
    """Folders shared between states."""

    data: PathText | None = Field(default=None, description="Data folder; null: $STATE/data.")
    models: PathText | None = Field(default=None, description="Models folder; null: $STATE/models.")


@dataclass(frozen=True, slots=True)
class TapeSpec:
    """What the loader of tapes is told: the tape section with an absolute path.

    `path` may hold `{symbol}`; `columns` maps our words to the file's columns.
    """

    path: Path
    dialect: str
    timezone: str | None
    stamps: str
    adjustment: str
    on_bad_bar: str
    columns: Mapping[str, str] | None


_OPTIONAL_SECTIONS = ("account", "execution", "risk", "observability", "notify", "paths")


class Config(Section):
    """What a run does. Attributes are the keys of the file; equal when what they resolve to is."""

    name: Annotated[
        str,
        matching(
            r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            "letters, digits, '.', '_' and '-' (at most 64, starting with a letter or digit)",
        ),
    ] = Field(description="Name of the account and its runs.")
    symbols: Symbols = Field(description="What is traded; their order breaks ties.")
    bars: BarsConfig = Field(description="Which bars are traded.")
    tape: TapeConfig | None = Field(default=None, description="Recorded bars; needed by replay.")
    feed: FeedConfig | None = Field(default=None, description="Where run takes its bars from.")
    account: AccountConfig = all_defaults(AccountConfig, "The simulated account.")
    model: ModelConfig | None = Field(default=None, description="Where predictions come from.")
    strategy: StrategyConfig = Field(description="What decides.")
    warmup_bars: WarmupBars | None = Field(
        default=None,
        description="Bars that only warm indicators up; auto: as many as strategy and model "
        "declare. Left out: auto in run, 0 in replay.",
    )
    execution: ExecutionConfig = all_defaults(ExecutionConfig, "Fills and costs.")
    risk: RiskConfig = all_defaults(RiskConfig, "Limits.")
    observability: ObservabilityConfig = all_defaults(ObservabilityConfig, "Metrics and logs.")
    notify: NotifyConfig = all_defaults(NotifyConfig, "Messages to people.")
    paths: PathsConfig = all_defaults(PathsConfig, "Shared folders.")

    _path: Path = PrivateAttr(default=Path())
    _base: Path = PrivateAttr(default=Path())
    _state: Path | None = PrivateAttr(default=None)
    _strategy_class: type[Any] | None = PrivateAttr(default=None)
    _strategy_params: Any = PrivateAttr(default=None)
    _origins: dict[KeyPath, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _absent_section_has_defaults(cls, data: Any) -> Any:
        """So has one that is null, which is what a section with every line commented out reads."""
        if not isinstance(data, dict):
            return data
        absent: dict[str, Any] = {key: {} for key in _OPTIONAL_SECTIONS if data.get(key) is None}
        return {**data, **absent}

    def bind(
        self,
        path: Path,
        base: Path,
        state: Path | None,
        strategy: type[Any] | None,
        params: object,
        origins: Mapping[KeyPath, str],
    ) -> Config:
        """Keeps where this was loaded from, and the strategy that was loaded with it."""
        self._path = path
        self._base = base
        self._state = state
        self._strategy_class = strategy
        self._strategy_params = params
        self._origins = dict(origins)
        return self

    @property
    def path(self) -> Path:
        """The file this was loaded from, as it was given."""
        return self._path

    @property
    def base(self) -> Path:
        """The folder that relative paths are relative to (absolute)."""
        return self._base

    @property
    def strategy_class(self) -> type[Any]:
        """The class that `strategy.kind` names."""
        assert self._strategy_class is not None, "only a loaded config knows its strategy"
        return self._strategy_class

    @property
    def strategy_params(self) -> Any:
        """`strategy.params` as an instance of the strategy's Params."""
        return self._strategy_params

    @property
    def origins(self) -> Mapping[KeyPath, str]:
        """Where each value of the file or the command line came from, by its path of keys."""
        return self._origins

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, defaults filled in, as plain JSON; paths as written."""
        return self.model_dump(mode="json")

    @property
    def sha256(self) -> str:
        """Of the canonical JSON of what can change results: all but observability and notify."""
        return config_sha256(self.resolved())

    def to_yaml(self) -> str:
        """The resolved config as YAML that loads back to an equal config (given the same base)."""
        return to_yaml(self.resolved())

    def resolve(self, text: str, state: Path | None = None) -> Path:
        """A path of this config as an absolute one; RefusedError if it needs an unknown state."""
        if text == "$STATE" or text.startswith("$STATE/"):
            state = state or self._state
            if state is None:
                message = f"{self._path}: {text} needs a state directory: give one with --state"
                raise RefusedError(message)
            return (state / text.removeprefix("$STATE").lstrip("/")).absolute()
        return _normal(self._base / Path(text).expanduser())

    def tape_spec(self, state: Path | None = None) -> TapeSpec:
        """The tape section for the loader of tapes, its path made absolute."""
        tape = self.tape
        assert tape is not None, "the caller has asked for a tape (require_tape)"
        if tape.path is None:
            name = f"{{symbol}}_{BAR_FILE_WORDS[self.bars.size]}.csv"
            path = self.data_dir(state) / "processed" / name
        else:
            path = self.resolve(tape.path, state)
        columns = None if tape.columns is None else tape.columns.named()
        return TapeSpec(
            path,
            tape.dialect,
            tape.timezone,
            tape.stamps,
            tape.adjustment,
            tape.on_bad_bar,
            columns,
        )

    def tape_path(self, symbol: str, state: Path | None = None) -> Path:
        """The absolute path of a symbol's tape; where none exists, the last that was tried."""
        template = str(self.tape_spec(state).path)
        exact = Path(template.replace("{symbol}", symbol))
        return exact if exact.exists() else Path(template.replace("{symbol}", symbol.lower()))

    def predictions_path(self, state: Path | None = None) -> Path | None:
        """The absolute path of recorded predictions, if the model is that."""
        if self.model is None or self.model.kind != "recorded":
            return None
        return self.resolve(self.model.path, state)

    def data_dir(self, state: Path | None = None) -> Path:
        """The absolute data folder."""
        return self.resolve(self.paths.data or "$STATE/data", state)

    def models_dir(self, state: Path | None = None) -> Path:
        """The absolute models folder."""
        return self.resolve(self.paths.models or "$STATE/models", state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self.resolved() == other.resolved()

    def __hash__(self) -> int:
        return hash(self.sha256)


def _normal(path: Path) -> Path:
    """An absolute path without `..`, so that an error shows the place that was tried."""
    # Not Path.resolve: a symbolic link is shown as the user named it.
    return Path(os.path.abspath(path))  # noqa: PTH100 - see above: resolve() follows links


def config_sha256(resolved: Mapping[str, Any]) -> str:
    """See `Config.sha256`; of a resolved config, as a journal keeps it."""
    hashed = {key: value for key, value in resolved.items() if key not in UNHASHED}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
