"""What the keys of a config may hold: the strict base of all sections and the types in them.

Text is never a number, a number never text, a bool never an integer; an integer may stand for a
number with decimals; NaN and infinities do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from daemon.config.problems import did_you_mean

MAX_CASH_USD = 10_000_000_000  # leaves the ledger's 64-bit micro-dollars a factor of 900


def refused(message: str, key: str | None = None) -> PydanticCustomError:
    """A refusal in our own words; `key` names the key of the section it is about."""
    # Braces in a template are placeholders to pydantic, so the text travels as one.
    return PydanticCustomError("papertape", "{text}", {"text": message, "key": key or ""})


def expected(what: str, hint: str = "") -> PydanticCustomError:
    """A refusal that goes on with the value as it stands in the file, and then the hint."""
    return PydanticCustomError("expected", "{text}{hint}", {"text": what, "hint": hint})


class Section(BaseModel):
    """Base of all models: frozen, strict, no unknown keys, finite numbers."""

    # defer_build: one schema for the whole config rather than one for each section besides.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )


def all_defaults(section: type[Section], description: str) -> Any:
    """A section that may be left out, and then holds the default of each of its keys."""
    return Field(default_factory=section, description=description)


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    # Not Field(min_length=1): that would call a list empty whose every item was refused.
    if not values:
        raise refused("must not be empty")
    for index, value in enumerate(values):
        if value in values[:index]:
            raise refused(f"{value} is listed twice")
    return values


def matching(pattern: str, wanted: str) -> AfterValidator:
    """Text that fits a pattern as a whole; `wanted` says it in words."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise expected(wanted)
        return value

    return AfterValidator(check)


def multiple_of(step: float, wanted: str) -> AfterValidator:
    """A multiple of a decimal step; the core's integer units would round anything finer away."""

    def check(value: float) -> float:
        if abs(value / step - round(value / step)) > 1e-6:
            raise expected(f"a multiple of {wanted}")
        return value

    return AfterValidator(check)


def _timezone(value: str) -> str:
    # Imported here: zone data is read only by configs that name a zone.
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(value, available_timezones())
        raise expected("a time zone such as America/New_York", hint) from None
    return value


def _path_text(value: str) -> str:
    if not value.strip():
        raise refused("an empty path")
    if "$" in value.removeprefix("$STATE/"):
        raise refused(f"only a leading $STATE/ is replaced in a path, got {value!r}")
    return value


def _tape_path_text(value: str) -> str:
    for placeholder in re.findall(r"\{[^{}]*\}", value):
        if placeholder != "{symbol}":
            raise refused(f"expected {{symbol}}, got {placeholder}")
    return _path_text(value)


def _word_or_number(word: str, lowest: float, *, whole: bool) -> Callable[[Any], Any]:
    """A validator that takes one word or a number above (whole: not below) `lowest`."""
    number = "a whole number" if whole else "a number"

    def check(value: Any) -> Any:
        if value == word:
            return value
        fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not fits:
            raise expected(f"{number} or {word}")
        if value < lowest or (value == lowest and not whole):
            raise refused(f"must be {'at least' if whole else 'above'} {lowest:g}, got {value!r}")
        return value if whole else float(value)

    return check


PathText = Annotated[str, AfterValidator(_path_text)]
TapePathText = Annotated[str, AfterValidator(_tape_path_text)]
ZoneName = Annotated[str, AfterValidator(_timezone)]
SymbolName = Annotated[
    str, matching(r"[A-Z][A-Z0-9. -]{0,14}", "a ticker symbol in capitals such as NVDA or BRK.B")
]
# A YAML list is a Python list: only its items are held to their type strictly.
Symbols = Annotated[tuple[SymbolName, ...], Field(strict=False), AfterValidator(_distinct)]
ClientIds = Annotated[
    tuple[Annotated[int, Field(ge=0, le=2**31 - 1)], ...],
    Field(strict=False),
    AfterValidator(_distinct),
]
NotNegative = Annotated[float, Field(ge=0, le=MAX_CASH_USD)]
Positive = Annotated[float, Field(gt=0, le=MAX_CASH_USD)]
Pace = Annotated[
    float | Literal["max"],
    PlainValidator(
        _word_or_number("max", 0, whole=False), json_schema_input_type=float | Literal["max"]
    ),
]
WarmupBars = Annotated[
    int | Literal["auto"],
    PlainValidator(
        _word_or_number("auto", 0, whole=True), json_schema_input_type=int | Literal["auto"]
    ),
]
