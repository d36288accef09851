"""Strategies by name: those that ship, and a user's own from `strategies/` beside the config."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from daemon.errors import RefusedError
from daemon.strategies.protocol import Strategy

BUILT_IN = {
    "threshold": "daemon.strategies.threshold:Threshold",
    "sma_cross": "daemon.strategies.sma_cross:SmaCross",
    "buy_and_hold": "daemon.strategies.buy_and_hold:BuyAndHold",
}

# What we put on sys.path for the config loaded last; another config's folders go first.
_added_to_path: list[str] = []


def strategy_class(kind: str, config_dir: Path) -> type[Any]:
    """The class that `strategy.kind` names: a built-in, or `package.module:Class`.

    A module is looked for in `config_dir/strategies` (with or without the prefix `strategies.`),
    then among the installed packages. RefusedError, one line, says what is missing: the module,
    the class, its Params, its decide; or where the import failed, as file:line.
    """
    own = kind not in BUILT_IN
    module_name, colon, class_name = BUILT_IN.get(kind, kind).partition(":")
    if not (colon and module_name and class_name):
        known = ", ".join(BUILT_IN)
        raise RefusedError(
            f"strategy.kind: {kind!r} is not known{_did_you_mean(kind, BUILT_IN)}; choose one of "
            f"{known}, or package.module:Class for your own in {config_dir / 'strategies'}"
        )
    module = _import(module_name, config_dir) if own else importlib.import_module(module_name)
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise RefusedError(
            f"strategy.kind: {module.__file__} has no class {class_name}"
            f"{_did_you_mean(class_name, classes)}"
        )
    _check(found)
    return found


def build_strategy(strategy: type[Any], params: object, symbols: Sequence[str]) -> Strategy:
    """An instance; RefusedError names file and line if its own code fails."""
    try:
        built = strategy(params, tuple(symbols))
    except Exception as error:
        raise RefusedError(
            f"{_place(error, None)}: {strategy.__name__} could not be made: "
            f"{type(error).__name__}: {error}"
        ) from error
    warmup_bars = getattr(built, "warmup_bars", None)
    if type(warmup_bars) is not int or warmup_bars < 0:
        raise RefusedError(
            f"{_source(strategy)}: {strategy.__name__}.warmup_bars must be a whole number of bars "
            f"(0 if it needs none), not {warmup_bars!r}"
        )
    return cast("Strategy", built)


def strategy_source_sha256(strategy: type[Any]) -> str:
    """Of the bytes of the file the class is defined in: another hash, another strategy."""
    return hashlib.sha256(_source(strategy).read_bytes()).hexdigest()


def _check(strategy: type[Any]) -> None:
    where = f"{_source(strategy)}: {strategy.__name__}"
    params = getattr(strategy, "Params", None)
    if not (isinstance(params, type) and is_dataclass(params)):
        raise RefusedError(f"{where} has no parameters: nest a @dataclass(frozen=True) Params")
    decide = getattr(strategy, "decide", None)
    if not callable(decide):
        raise RefusedError(f"{where} has no method decide(self, market, predictions, portfolio)")
    if inspect.iscoroutinefunction(decide) or inspect.isgeneratorfunction(decide):
        raise RefusedError(f"{where}.decide must be a plain method: it may not await or yield")


# --- finding the user's modules ---------------------------------------------------------------


def _import(name: str, config_dir: Path) -> ModuleType:
    folder = (config_dir / "strategies").absolute()
    _make_importable(folder)
    _refuse_taken_name(name.partition(".")[0], folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            names = [
                ".".join(path.relative_to(folder).with_suffix("").parts)
                for path in folder.rglob("*.py")
            ]
            hint = _did_you_mean(name.removeprefix("strategies."), names)
            raise RefusedError(
                f"strategy.kind: no module {name}{hint}; looked in {folder} and the installed "
                f"packages"
            ) from None
        raise _import_failed(name, error, folder) from error
    except Exception as error:
        raise _import_failed(name, error, folder) from error


def _import_failed(name: str, error: Exception, folder: Path) -> RefusedError:
    return RefusedError(
        f"{_place(error, folder)}: importing {name} failed: {type(error).__name__}: "
        f"{error.msg if isinstance(error, SyntaxError) else error}"
    )


def _make_importable(folder: Path) -> None:
    """Put the folder and its parent last on sys.path, where they hide nobody's modules.

    One process may run several configs, each with a `strategies` folder of its own: what came
    from the last one is forgotten, or it would be found under the same name again.
    """
    wanted = [str(folder), str(folder.parent)]
    if wanted != _added_to_path:
        if _added_to_path:
            before = Path(_added_to_path[0])
            for name, module in list(sys.modules.items()):
                if _lies_in(getattr(module, "__spec__", None), before):
                    del sys.modules[name]
        for entry in _added_to_path:
            sys.path.remove(entry)
        sys.path.extend(wanted)
        _added_to_path[:] = wanted
    importlib.invalidate_caches()


def _refuse_taken_name(top: str, folder: Path) -> None:
    """Refuse a file of the user's that Python will not find because its name is taken."""
    for file in (folder / f"{top}.py", folder / top):
        if file.exists() and not _lies_in(importlib.util.find_spec(top), folder):
            raise RefusedError(
                f"strategy.kind: {file} has the name of a module that Python finds elsewhere; "
                f"rename it"
            )


def _lies_in(spec: ModuleSpec | None, folder: Path) -> bool:
    if spec is None:
        return False
    places = list(spec.submodule_search_locations or ())
    if spec.has_location and spec.origin:
        places.append(spec.origin)
    return bool(places) and all(Path(place).absolute().is_relative_to(folder) for place in places)


def _place(error: BaseException, folder: Path | None) -> str:
    """file:line of the deepest frame in the user's folder, or of the deepest of all."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if folder is None or Path(f.filename).is_relative_to(folder)]
    frame = (own or frames)[-1]
    return f"{frame.filename}:{frame.lineno}"


def _source(strategy: type[Any]) -> Path:
    file = getattr(sys.modules.get(strategy.__module__), "__file__", None)
    if file is None:
        raise RefusedError(
            f"strategy.kind: {strategy.__qualname__} has no source file, so a change of it could "
            f"not be seen; put it in a file"
        )
    return Path(file)


def _did_you_mean(given: str, known: Iterable[str]) -> str:
    import difflib  # only on the way to an error

    close = difflib.get_close_matches(given, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
