"""The sections of a config about data, decisions and execution, as frozen models.

Each key's description here is what `papertape config schema` prints.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from daemon.config.fields import (
    NotNegative,
    PathText,
    Positive,
    Section,
    TapePathText,
    ZoneName,
    matching,
    multiple_of,
    refused,
)


class BarsConfig(Section):
    """Which bars are traded."""

    size: Literal["1h", "30m", "15m", "5m", "1m"] = Field(
        default="1h", description="Length of a bar."
    )
    calendar: Literal["XNYS"] = Field(default="XNYS", description="Exchange calendar.")
    grid: Literal["session", "clock"] = Field(
        default="session",
        description="Where bars are cut: session = from the open (09:30, 10:30 ...), "
        "clock = at clock hours (09:30, 10:00, 11:00 ...).",
    )


class TapeColumns(Section):
    """Names of the columns of a CSV whose header none of the known dialects has."""

    timestamp: str | None = Field(default=None, description="Column of the bar's date and time.")
    date: str | None = Field(
        default=None, description="Column of the date, where the time has its own."
    )
    time: str | None = Field(default=None, description="Column of the time of day.")
    open: str = Field(description="Column of the open price.")
    high: str = Field(description="Column of the high price.")
    low: str = Field(description="Column of the low price.")
    close: str = Field(description="Column of the close price.")
    volume: str | None = Field(
        default=None, description="Column of the volume; null: the tape has none."
    )
    symbol: str | None = Field(
        default=None, description="Column of the symbol; null: one symbol a file."
    )

    @model_validator(mode="after")
    def _one_time_and_no_column_twice(self) -> TapeColumns:
        if self.timestamp is None and self.date is None:
            raise refused("name the column timestamp, or the columns date and time")
        if self.timestamp is not None and (self.date or self.time) is not None:
            raise refused("name the column timestamp or the columns date and time, not both")
        named: dict[str, str] = {}
        for ours, column in self.named().items():
            if column in named.values():
                raise refused(f"the column {column!r} is named twice", ours)
            named[ours] = column
        return self

    def named(self) -> dict[str, str]:
        """The file's column for each of our words that has one."""
        return {ours: column for ours, column in self if column is not None}


class TapeConfig(Section):
    """Recorded bars, and how to read them."""

    path: TapePathText | None = Field(
        default=None,
        description="CSV, zipped CSV or Parquet, relative to this file; {symbol} stands for the "
        "symbol as written or in lower case. "
        "null: $STATE/data/processed/{symbol}_hourly.csv (or 30min, 15min, 5min, minute).",
    )
    dialect: Literal[
        "auto", "papertape", "yfinance", "ib_async", "alpaca", "polygon", "lean", "columns"
    ] = Field(default="auto", description="Who wrote the file; auto: told by its header.")
    timezone: ZoneName | None = Field(
        default=None, description="Zone of time stamps that carry none, such as America/New_York."
    )
    stamps: Literal["start", "end"] = Field(
        default="start", description="Which end of the bar its time stamp is."
    )
    adjustment: Literal["raw", "splits", "splits_dividends"] = Field(
        default="splits", description="What the prices have been adjusted for."
    )
    on_bad_bar: Literal["quarantine", "refuse"] = Field(
        default="quarantine",
        description="A bar that cannot be true: quarantine = treat it as missing and say so, "
        "refuse = do not start.",
    )
    columns: TapeColumns | None = Field(
        default=None, description="Column names, for dialect columns (which they imply)."
    )

    @model_validator(mode="before")
    @classmethod
    def _columns_imply_dialect(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("columns") is not None:
            return {**data, "dialect": _implied_dialect(data.get("dialect", "auto"))}
        return data

    @model_validator(mode="after")
    def _columns_where_needed(self) -> TapeConfig:
        if self.dialect == "columns" and self.columns is None:
            raise refused("dialect columns needs tape.columns with their names", "dialect")
        if self.dialect != "columns" and self.columns is not None:
            raise refused(f"dialect {self.dialect} knows its own columns: remove one", "columns")
        return self


def _implied_dialect(given: Any) -> Any:
    return "columns" if given == "auto" else given


class AccountConfig(Section):
    """The simulated account."""

    cash_usd: Positive = Field(
        default=100_000.0, description="Cash at a state's first start, in dollars."
    )


class RecordedModelConfig(Section):
    """Predictions read from a file."""

    kind: Literal["recorded"] = Field(description="Predictions from a CSV.")
    path: PathText = Field(
        description="CSV (or zipped CSV) with ts,symbol,value: ts is the bar's end, value the "
        "expected fractional return of the next bar."
    )


class BaselineModelConfig(Section):
    """Momentum of the last closes: the model to beat."""

    kind: Literal["baseline"] = Field(description="Momentum of the last closes.")
    bars: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=3, description="How many bars back."
    )


class RegistryModelConfig(Section):
    """A registered model."""

    kind: Literal["registry"] = Field(description="A model of the registry.")
    ref: Annotated[
        str,
        matching(
            r"[a-z0-9][a-z0-9._-]*[@/][A-Za-z0-9][A-Za-z0-9._-]*", "NAME@ALIAS or NAME/VERSION"
        ),
    ] = Field(description="NAME@ALIAS or NAME/VERSION.")


class RemoteModelConfig(Section):
    """Predictions asked of a server."""

    kind: Literal["remote"] = Field(description="A prediction server.")
    url: Annotated[
        str, matching(r"https?://[^\s@]+", "a URL (http:// or https://) without a password")
    ] = Field(description="Address of the server.")


ModelConfig = Annotated[
    RecordedModelConfig | BaselineModelConfig | RegistryModelConfig | RemoteModelConfig,
    Field(discriminator="kind"),
]


class StrategyConfig(Section):
    """What decides, and its parameters (checked against the strategy's own Params)."""

    kind: str = Field(
        description="threshold, sma_cross, buy_and_hold or package.module:Class (strategies/ "
        "beside this file is importable)."
    )
    params: dict[str, Any] = Field(default={}, description="The strategy's parameters.")


class CommissionConfig(Section):
    """Commission an order, in dollars."""

    per_share_usd: NotNegative = Field(description="Per share.")
    minimum_usd: NotNegative = Field(default=0.0, description="At least this an order.")
    maximum_pct: Positive | None = Field(
        default=None, description="At most this percentage of the traded value; null: no cap."
    )


def _commission_form(value: Any) -> str:
    return "table" if isinstance(value, (dict, CommissionConfig)) else "name"


Commission = Annotated[
    Annotated[Literal["none", "ibkr_fixed"], Tag("name")]
    | Annotated[CommissionConfig, Tag("table")],
    Discriminator(_commission_form),
]


class ExecutionConfig(Section):
    """How orders are filled and what that costs."""

    fill: Literal["next_open", "next_close"] = Field(
        default="next_open", description="Price of a market order: the next bar's open or close."
    )
    overnight: Literal["next_open", "deny"] = Field(
        default="next_open",
        description="An order decided on a session's last bar: waits for the next open, or denied.",
    )
    tick_usd: Annotated[Positive, multiple_of(0.0001, "0.0001")] = Field(
        default=0.01, description="Smallest price step, rounded to against us."
    )
    slippage_bps: Annotated[float, Field(ge=0, le=1000), multiple_of(0.01, "0.01")] = Field(
        default=1.0, description="Slippage of market orders and stops in basis points."
    )
    commission: Commission = Field(
        default="ibkr_fixed",
        description="none, ibkr_fixed or {per_share_usd, minimum_usd, maximum_pct}.",
    )
    regulatory_fees: bool = Field(default=True, description="Charge SEC, TAF and CAT fees.")
    participation_fraction: (
        Annotated[float, Field(gt=0, le=1), multiple_of(0.000001, "0.000001")] | None
    ) = Field(default=0.025, description="Largest share of a bar's volume we fill; null: no limit.")
    short_borrow_rate_pct: NotNegative | None = Field(
        default=None,
        description="Yearly borrow rate of shorts; null: free, and the report says so.",
    )
