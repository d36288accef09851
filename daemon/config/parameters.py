"""`strategy.params` against the parameters that the strategy itself declares."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from daemon.config.explain import place_of, problems_of
from daemon.config.positions import Document
from daemon.config.problems import Path as KeyPath
from daemon.config.problems import Problem, did_you_mean, listed
from daemon.errors import PapertapeError

BUILT_IN = ("threshold", "sma_cross", "buy_and_hold")
KIND: KeyPath = ("strategy", "kind")
PARAMS: KeyPath = ("strategy", "params")

_OWN_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass
class Parameters:
    """The strategy's class, its Params and those as plain JSON with every default filled in."""

    strategy: type[Any] | None = None
    instance: Any = None
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def check_parameters(document: Document, folder: Path) -> Parameters:
    """Loads the strategy and checks its params.

    Says nothing of what the models refuse anyway, such as a `strategy` without a kind.
    """
    result = Parameters()
    section = document.value.get("strategy")
    kind = section.get("kind") if isinstance(section, dict) else None
    if not isinstance(kind, str):
        return result
    given = section.get("params", {})
    try:
        result.strategy = _strategy_class(kind, folder)
        if isinstance(given, dict):
            _fill(result, given, document)
    except PapertapeError as error:
        place = place_of(KIND, document.places)
        lines = [line.removeprefix("strategy.kind: ") for line in error.lines]
        result.problems += [Problem(KIND, line, place) for line in lines]
    return result


def _strategy_class(kind: str, folder: Path) -> type[Any]:
    if kind not in BUILT_IN and not _OWN_CLASS.fullmatch(kind):
        wanted = listed([*BUILT_IN, "package.module:Class"])
        raise PapertapeError(f"expected {wanted}, got {kind!r}{did_you_mean(kind, BUILT_IN)}")
    # Imported here: only a config that is otherwise read needs its strategy's code.
    from daemon.strategies.loader import strategy_class

    return strategy_class(kind, folder)


def _fill(result: Parameters, given: dict[str, Any], document: Document) -> None:
    declared = getattr(result.strategy, "Params", None)
    if not isinstance(declared, type) or not dataclasses.is_dataclass(declared):
        message = "the strategy has no parameters: give it a nested frozen dataclass Params"
        raise PapertapeError(message)
    adapter = _adapter(declared)
    try:
        # JSON input: a list may stand for a tuple and text for an Enum though all is strict.
        result.instance = adapter.validate_json(json.dumps(given))
    except ValidationError as error:
        known = [one.name for one in dataclasses.fields(declared) if one.init]
        found = problems_of(error, document.value, document.places, PARAMS, known)
        result.problems += found
        return
    except Exception as error:  # noqa: BLE001 - the user's __post_init__ may raise anything
        message = f"Params refused them with {type(error).__name__}: {error}"
        result.problems.append(Problem(PARAMS, message, place_of(PARAMS, document.places)))
        return
    try:
        result.values = json.loads(adapter.dump_json(result.instance))
    except Exception as error:  # noqa: BLE001 - a default may be of any type the user has made
        raise PapertapeError(f"a value of Params cannot be written as YAML: {error}") from None


def _adapter(declared: type[Any]) -> TypeAdapter[Any]:
    if "__pydantic_config__" not in vars(declared):
        # The one way to ask for strictness in a plain dataclass that strategies need not import.
        declared.__pydantic_config__ = _STRICT
    try:
        adapter = TypeAdapter(declared)
        adapter.rebuild(raise_errors=True)  # else a name that is not found is told at first use
    except (PydanticUserError, NameError, TypeError) as error:
        first = str(error).partition("\n")[0]
        raise PapertapeError(
            f"a type in the strategy's Params is not understood: {first}"
        ) from None
    return adapter
