"""What the models refuse, in our words: one Problem a refusal, with what was probably meant."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from daemon.config.models import DEFAULT_ACTIONS, Config
from daemon.config.positions import scalar
from daemon.config.problems import (
    TOP,
    Path,
    Place,
    Problem,
    did_you_mean,
    dotted,
    listed,
    near_miss,
    shown,
)

# Where pydantic puts the chosen alternative of a union into an error's location.
_UNIONS: tuple[Path, ...] = (("feed",), ("feed", "faults"), ("model",), ("execution", "commission"))
# Lists of sections: a key in one of them is no place to send anybody to.
_LISTS: tuple[Path, ...] = (("feed", "faults"),)

_MAPPING_EXPECTED = frozenset({"dict_type", "model_type", "model_attributes_type"})
_LIST_EXPECTED = frozenset({"list_type", "tuple_type"})
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


def problems_of(
    error: ValidationError,
    tree: Any,
    places: Mapping[Path, Place],
    prefix: Path = (),
    known: Sequence[str] | None = None,
) -> Iterator[Problem]:
    """Each refusal of `error` as a Problem.

    `tree` is the whole config as read and `places` where its parts stand; `prefix` is the path of
    what was validated, and `known` its keys where those are not a section of the config.
    """
    for detail in error.errors(include_url=False):
        path = _without_tags((*prefix, *detail["loc"]))
        context = detail.get("ctx", {})
        kind = detail["type"]
        if kind == "papertape" and context["key"]:
            path = (*path, context["key"])
        elif kind.startswith("union_tag"):
            path = (*path, "kind")
        if kind in _UNKNOWN_KEY:
            keys = known if known is not None else _keys_at(path[:-1], tree)
            message = f"unknown key{_key_hint(path, keys)}"
            yield Problem(path, message, place_of(path, places), at_key=True)
            continue
        if kind in ("missing", "missing_argument", "union_tag_not_found"):
            yield _missing(path, places, kind)
            continue
        path = _written(path, tree)
        place = place_of(path, places)
        yield Problem(path, _message(kind, context, _at(path, tree), place, path), place)


def place_of(path: Path, places: Mapping[Path, Place]) -> Place:
    """Where a path stands in the file, or the nearest thing above it that does."""
    for length in range(len(path), -1, -1):
        if (place := places.get(path[:length])) is not None:
            return place
    return TOP


def _without_tags(path: Path) -> Path:
    for union in _UNIONS:
        # One of a list is named by its place in it, and the alternative comes after that.
        at = len(union) + (len(path) > len(union) and isinstance(path[len(union)], int))
        if path[: len(union)] == union and len(path) > at:
            path = (*path[:at], *path[at + 1 :])
    return path


def _missing(path: Path, places: Mapping[Path, Place], kind: str) -> Problem:
    needed = "required key is missing"
    if kind == "union_tag_not_found":
        needed += f": {listed(_kinds_at(path[:-1]))}"
    # A missing key has no place of its own; the key that should hold it is the nearest.
    return Problem(path, needed, place_of(path[:-1], places), at_key=True)


def _written(path: Path, tree: Any) -> Path:
    """The part of a path that exists in the file: a bare number stands for {limit, action}."""
    for length in range(len(path)):
        if not isinstance(_at(path[:length], tree), (dict, list)):
            return path[:length]
    return path


def _at(path: Path, tree: Any) -> Any:
    for part in path:
        if isinstance(tree, dict):
            tree = tree.get(part)
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return None
    return tree


def _message(kind: str, context: Mapping[str, Any], value: Any, place: Place, path: Path) -> str:
    got = f", got {shown(value, place)}"
    if kind == "expected":
        return f"expected {context['text']}{got}{context['hint']}"
    if kind == "papertape":
        return str(context["text"])
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        words = re.findall(r"'([^']*)'", context.get("expected") or context["expected_tags"])
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        return f"expected {listed(words)}{got}{hint}"
    if kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        hint = " (leave the key out to switch the limit off)" if _is_zero_limit(path, value) else ""
        return f"must be {word} {context[key]:g}{got}{hint}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    return _wrong_type(kind, value, got) or f"not accepted{got}"


def _wrong_type(kind: str, value: Any, got: str) -> str | None:
    if kind in ("int_type", "int_from_float", "int_parsing"):
        return f"expected a whole number{got}{_number_hint(value)}"
    if kind in ("float_type", "float_parsing"):
        return f"expected a number{got}{_number_hint(value)}"
    if kind in ("bool_type", "bool_parsing"):
        return f"expected true or false{got}{_bool_hint(value)}"
    if kind == "string_type":
        plain = isinstance(value, (int, float)) or value is None
        return f"expected text{got}{' (put it in quotes)' if plain else ''}"
    if kind in _MAPPING_EXPECTED or kind.startswith("dataclass"):
        return f"expected a mapping (lines of 'key: value'){got}"
    if kind in _LIST_EXPECTED:
        example = f": write [{value}]" if isinstance(value, (str, int, float)) else ""
        return f"expected a list{got}{example}"
    return None


def _is_zero_limit(path: Path, value: Any) -> bool:
    return len(path) > 1 and path[0] == "risk" and path[1] in DEFAULT_ACTIONS and value == 0


def _number_hint(value: Any) -> str:
    """What to write, where text is a number but for its decoration."""
    if not isinstance(value, str):
        return ""
    if value.strip(".+-").casefold() in ("nan", "inf", "infinity"):
        return " (it must be finite)"
    sign = "-" if value.startswith("-") else ""
    digits = re.sub(r"[_,\s$%+-]", "", value)
    digits = re.sub(r"^0+(?=\d)", "", digits)
    if digits == value and isinstance(scalar(digits), (int, float)):
        return " (without the quotes)"
    if re.fullmatch(r"[0-9.]+", digits) and isinstance(scalar(digits), (int, float)):
        return f" (write {sign}{digits})"
    return ""


def _bool_hint(value: Any) -> str:
    folded = str(value).casefold()
    if folded in ("yes", "on", "y", "true", "1"):
        return " (write true)"
    return " (write false)" if folded in ("no", "off", "n", "false", "0") else ""


def _key_hint(path: Path, keys: Sequence[str]) -> str:
    """A near miss among the keys of the same section, or the same word in another one."""
    word = str(path[-1])
    if match := near_miss(word, keys):
        return f" (did you mean '{match}'?)"
    for place, section in _sections():
        if place not in (path[:-1], *_LISTS) and word in section.model_fields:
            return f" (did you mean '{dotted((*place, word))}'?)"
    return f" (known: {', '.join(keys)})" if len(path) > 1 and keys else ""


def _keys_at(path: Path, tree: Any) -> Sequence[str]:
    kind = _at((*path, "kind"), tree)
    path = _of_all(path)
    for place, section in _sections():
        chosen = section.model_fields.get("kind")
        if place == path and (chosen is None or kind in (None, *_words_of(chosen.annotation))):
            return list(section.model_fields)
    return []


def _kinds_at(path: Path) -> list[str]:
    found = [section for place, section in _sections() if place == _of_all(path)]
    return [word for one in found for word in _words_of(one.model_fields["kind"].annotation)]


def _of_all(path: Path) -> Path:
    """The path without places in lists: what is said of one holds for all."""
    return tuple(part for part in path if not isinstance(part, int))


def _words_of(annotation: Any) -> tuple[str, ...]:
    return tuple(word for word in get_args(annotation) if isinstance(word, str))


def _sections(
    place: Path = (), section: type[BaseModel] = Config
) -> Iterator[tuple[Path, type[BaseModel]]]:
    """Every section with its path, the alternatives of a union one after the other."""
    yield place, section
    for name, field in section.model_fields.items():
        for inner in _models_in(field.annotation):
            yield from _sections((*place, name), inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, Annotated, tuple):
        for inner in get_args(annotation):
            yield from _models_in(inner)
