"""From a file and the command line to a Config, or to everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.config.emit import to_yaml
from daemon.config.explain import place_of, problems_of
from daemon.config.models import Config
from daemon.config.overrides import apply_overrides
from daemon.config.parameters import Parameters, check_parameters
from daemon.config.positions import MAX_BYTES, Document, parse
from daemon.config.problems import Path as KeyPath
from daemon.config.problems import Problem, dotted, one_line, rendered, shown
from daemon.errors import RefusedError

MAX_LINES = 50


def load_config(
    path: Path,
    overrides: Sequence[tuple[str, str]] = (),
    *,
    state: Path | None = None,
    base: Path | None = None,
) -> Config:
    """The config of a file with `overrides` (dotted key, YAML value) put on top.

    `state` replaces `$STATE` where a path method is not told another; `base` is the folder of
    relative paths (a run directory's config.yaml keeps those of the file it came from), by
    default the file's own. RefusedError has one line for everything that is wrong, sorted:
    `file:line:col: dotted.path: message`, then `--set KEY=VALUE: message`.
    """
    document = _read(path)
    if document.value is None and not document.problems:
        empty = "the file is empty: `papertape init DIR` writes an example"
        raise RefusedError(f"{path}:1:1: {empty}")
    _refuse(document.problems, path, only_if=document.value is None)
    if not isinstance(document.value, dict):
        message = f"expected a mapping (lines of 'key: value'), got {shown(document.value)}"
        raise RefusedError(f"{path}:1:1: {message}")
    apply_overrides(document, overrides)
    folder = (base or path.parent).absolute()
    config, problems = _validated(document)
    parameters = check_parameters(document, folder)
    _refuse([*document.problems, *problems, *parameters.problems], path)
    assert config is not None, "no problem, no config"
    return _completed(config, parameters, document, path, folder, state)


def load_resolved(
    resolved: Mapping[str, Any], source: Path, base: Path, *, state: Path | None = None
) -> Config:
    """A config from what `Config.resolved` gave, as a journal keeps it.

    `source` is what errors name, `base` the folder of relative paths and strategies. RefusedError
    where it is none any more: a strategy that has gone, a key this version does not know.
    """
    document = parse(to_yaml(resolved))
    config, problems = _validated(document)
    parameters = check_parameters(document, base)
    found = [*document.problems, *problems, *parameters.problems]
    if found:  # without lines and columns: they are those of a text that nobody has written
        lines = (f"{source}: {dotted(problem.path)}: {problem.message}" for problem in found)
        raise RefusedError(*lines)
    assert config is not None, "no problem, no config"
    return _completed(config, parameters, document, source, base, state)


def _read(path: Path) -> Document:
    where = path.absolute()
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else (error.strerror or str(error))
        raise RefusedError(f"{where}: cannot read the config: {reason}") from None
    except ValueError as error:  # a path that holds a null character
        raise RefusedError(f"{str(where)!r}: cannot read the config: {error}") from None
    if len(content) > MAX_BYTES:
        raise RefusedError(f"{path}:1:1: larger than {MAX_BYTES // 1024} KB: not a config")
    try:
        return parse(content.decode())
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        message = f"not UTF-8 text (byte 0x{content[error.start]:02x})"
        raise RefusedError(f"{path}:{line}:{column}: {message}") from None


def _validated(document: Document) -> tuple[Config | None, list[Problem]]:
    problems = list(_across_sections(document))
    config = None
    try:
        config = Config.model_validate(document.value)
    except ValidationError as error:
        problems += problems_of(error, document.value, document.places)
    return config, problems


def _across_sections(document: Document) -> Iterator[Problem]:
    """Checks that need two sections, made on what was read so that they are reported at once."""
    feed, tape = document.value.get("feed"), document.value.get("tape")
    if isinstance(feed, dict) and feed.get("kind") == "tape" and tape is None:
        message = "a tape feed plays the tape: say which (tape: {path: ...})"
        written = ("tape",) if ("tape",) in document.places else ("feed", "kind")
        yield Problem(("tape",), message, place_of(written, document.places))
    yield from _strange_symbols(document)


def _strange_symbols(document: Document) -> Iterator[Problem]:
    """A fault of a symbol that is not traded would never happen."""
    feed, symbols = document.value.get("feed"), document.value.get("symbols")
    faults = feed.get("faults") if isinstance(feed, dict) else None
    if not isinstance(faults, list) or not isinstance(symbols, list):
        return
    for number, fault in enumerate(faults):
        symbol = fault.get("symbol") if isinstance(fault, dict) else None
        if symbol is not None and symbol not in symbols:
            path = ("feed", "faults", number, "symbol")
            traded = ", ".join(map(str, symbols))
            message = f"{shown(symbol)} is not traded (symbols: {traded})"
            yield Problem(path, message, place_of(path, document.places))


def _completed(
    config: Config,
    parameters: Parameters,
    document: Document,
    path: Path,
    folder: Path,
    state: Path | None,
) -> Config:
    """The config with the strategy's own defaults filled in."""
    strategy = config.strategy.model_copy(update={"params": parameters.values})
    return config.model_copy(update={"strategy": strategy}).bind(
        path,
        folder,
        state,
        parameters.strategy,
        parameters.instance,
        dict(_origins(document, path)),
    )


def _origins(document: Document, path: Path) -> Iterator[tuple[KeyPath, str]]:
    for key, place in document.places.items():
        written = f"{path}:{place.key_line}" if place.is_written else f"--set {place.setting}"
        origin = one_line(written)
        yield key, origin
        if key[:1] == ("risk",) and len(key) == 2 and place.text is not None:
            yield (*key, "limit"), origin  # a bare number is the limit; its action is a default


def _refuse(problems: Sequence[Problem], path: Path, *, only_if: bool = True) -> None:
    """Raises RefusedError if there are problems; the first ones, should there be hundreds."""
    if not problems or not only_if:
        return
    lines = rendered(problems, str(path))
    rest = len(lines) - MAX_LINES
    if rest > 0:
        lines = [*lines[:MAX_LINES], f"{path}: and {rest} more"]
    raise RefusedError(*lines)
