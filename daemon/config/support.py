"""What a config may ask for but this version, or this verb, cannot do."""

from __future__ import annotations

from daemon.config.models import Config
from daemon.config.sections import RegistryModelConfig, RemoteModelConfig, TapeConfig
from daemon.errors import RefusedError


def require_supported(config: Config) -> None:
    """RefusedError if a part of the config is understood but not available yet."""
    if isinstance(config.model, RegistryModelConfig | RemoteModelConfig):
        word = "registered" if config.model.kind == "registry" else "remote"
        message = f"{word} models are not available in this version: use recorded or baseline"
        raise RefusedError(f"{_place(config, 'model')}: model: {message}")
    if config.execution.short_borrow_rate_pct is not None:
        message = "borrow fees are not charged in this version: leave it null (shorts are free)"
        place = config.origins.get(("execution", "short_borrow_rate_pct"), str(config.path))
        raise RefusedError(f"{place}: execution.short_borrow_rate_pct: {message}")


def require_tape(config: Config) -> TapeConfig:
    """The tape section; RefusedError if there is none, since replay plays it."""
    if config.tape is None:
        message = "required by replay: say which bars to play (tape: {path: ...})"
        raise RefusedError(f"{config.path}: tape: {message}")
    return config.tape


def warnings_of(config: Config) -> list[str]:
    """What is allowed but probably not meant, one line each."""
    warnings = []
    if config.strategy.kind == "threshold" and config.model is None:
        message = "threshold trades on predictions and there is no model: it will never enter"
        warnings.append(f"{_place(config, 'strategy')}: strategy: {message}")
    if config.notify.urls_credential is not None and not config.notify.events:
        message = "there are addresses but no events: nothing will be sent"
        warnings.append(f"{_place(config, 'notify')}: notify: {message}")
    return warnings


def _place(config: Config, key: str) -> str:
    return config.origins.get((key,), str(config.path))
