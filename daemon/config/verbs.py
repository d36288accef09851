"""`papertape config check | show | schema`: each prints its answer and returns an exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.config.emit import flow, to_yaml
from daemon.config.loader import load_config
from daemon.config.models import BAR_FILE_WORDS, Config
from daemon.config.problems import Path as KeyPath
from daemon.config.problems import dotted
from daemon.config.sections import RecordedModelConfig
from daemon.config.support import require_supported, warnings_of
from daemon.errors import Exit, RefusedError


def config_check(paths: Sequence[Path], overrides: Sequence[tuple[str, str]] = ()) -> int:
    """Says of each file that it is right and what it does, or everything that is wrong with it."""
    code = Exit.OK
    for path in paths:
        try:
            config = load_config(path, overrides)
        except RefusedError as error:
            print(error)
            code = Exit.REFUSED
            continue
        print("\n".join(_summary(config)))
        for warning in _warnings(config):
            print(f"warning: {warning}")
    return code


def config_show(
    path: Path, overrides: Sequence[tuple[str, str]] = (), *, as_json: bool = False
) -> int:
    """The resolved config and where each value came from."""
    config = load_config(path, overrides)
    resolved = config.resolved()
    if as_json:
        origins = {dotted(key): _origin(config, key) for key in _leaves(resolved)}
        document = {
            "path": str(config.path),
            "sha256": config.sha256,
            "config": resolved,
            "origins": origins,
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print(f"# {config.path}, resolved; sha256 {config.sha256}")
        print(to_yaml(resolved, lambda key: _origin(config, key)), end="")
    return Exit.OK


def config_schema() -> int:
    """The JSON Schema of a config, for editors."""
    print(schema())
    return Exit.OK


def schema() -> str:
    """The JSON Schema as text."""
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": "papertape config",
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _summary(config: Config) -> list[str]:
    bars, costs = config.bars, config.execution
    symbols = ", ".join(config.symbols)
    limits = [f"{name} {one.limit:g} ({one.action})" for name, one in config.risk.limits().items()]
    if config.risk.flat_before_close:
        limits.append("flat before the close")
    commission = costs.commission if isinstance(costs.commission, str) else "own commission"
    fees = "with" if costs.regulatory_fees else "without"
    decides = f"strategy {config.strategy.kind} {_values(config.strategy.params)}"
    charged = f"costs {commission}, {fees} regulatory fees, slippage {costs.slippage_bps:g} bps"
    return [
        f"ok: {config.path}: {config.name} trades {symbols} on {bars.size} bars ({bars.grid} grid)",
        f"  {decides} · model {_model(config)} · {_tape(config)}",
        f"  {charged} · limits {', '.join(limits) or 'none'}",
    ]


def _model(config: Config) -> str:
    if config.model is None:
        return "none"
    return _values(config.model.model_dump(mode="json"))


def _values(values: dict[str, Any]) -> str:
    """What is set, on one line."""
    whole = {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in values.items()
        if value is not None
    }
    return flow(whole)


def _tape(config: Config) -> str:
    if config.tape is None:
        return "no tape (replay needs one)"
    if config.tape.path is not None:
        return f"tape {config.tape.path}"
    folder = config.paths.data or "$STATE/data"
    return f"tape {folder}/processed/{{symbol}}_{BAR_FILE_WORDS[config.bars.size]}.csv"


def _warnings(config: Config) -> list[str]:
    warnings = [*warnings_of(config), *_missing_files(config)]
    try:
        require_supported(config)
    except RefusedError as error:
        warnings.append(str(error))
    return warnings


def _missing_files(config: Config) -> list[str]:
    """Files named in the config, and not below $STATE, that are not there."""
    paths: dict[Path, str] = {}
    if config.tape is not None and _is_elsewhere(config.tape.path):
        paths = {config.tape_path(symbol): "tape" for symbol in config.symbols}
    if isinstance(config.model, RecordedModelConfig) and _is_elsewhere(config.model.path):
        paths[config.resolve(config.model.path)] = "model"
    return [
        f"{_origin(config, (key, 'path'))}: {key}.path: there is no {path}"
        for path, key in paths.items()
        if not path.is_file()
    ]


def _is_elsewhere(path: str | None) -> bool:
    return path is not None and not path.startswith("$STATE")


def _origin(config: Config, key: KeyPath) -> str:
    return config.origins.get(key, "default")


def _leaves(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    if isinstance(value, dict) and value:
        return [leaf for key, one in value.items() for leaf in _leaves(one, (*path, key))]
    return [path]
