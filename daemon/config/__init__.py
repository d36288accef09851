"""Config files: YAML in, frozen models out, or every error at once."""

from __future__ import annotations

from daemon.config.feeds import FeedConfig, FeedResume, IbFeedConfig, TapeFeedConfig
from daemon.config.loader import load_config, load_resolved
from daemon.config.models import (
    DEFAULT_ACTIONS,
    Action,
    Config,
    LimitConfig,
    ObservabilityConfig,
    PathsConfig,
    RiskConfig,
)
from daemon.config.notify import NotifyConfig
from daemon.config.overrides import setting_of
from daemon.config.sections import (
    AccountConfig,
    BarsConfig,
    BaselineModelConfig,
    CommissionConfig,
    ExecutionConfig,
    ModelConfig,
    RecordedModelConfig,
    RegistryModelConfig,
    RemoteModelConfig,
    StrategyConfig,
    TapeColumns,
    TapeConfig,
)
from daemon.config.support import require_supported, require_tape, warnings_of

__all__ = [
    "DEFAULT_ACTIONS",
    "AccountConfig",
    "Action",
    "BarsConfig",
    "BaselineModelConfig",
    "CommissionConfig",
    "Config",
    "ExecutionConfig",
    "FeedConfig",
    "FeedResume",
    "IbFeedConfig",
    "LimitConfig",
    "ModelConfig",
    "NotifyConfig",
    "ObservabilityConfig",
    "PathsConfig",
    "RecordedModelConfig",
    "RegistryModelConfig",
    "RemoteModelConfig",
    "RiskConfig",
    "StrategyConfig",
    "TapeColumns",
    "TapeConfig",
    "TapeFeedConfig",
    "load_config",
    "load_resolved",
    "require_supported",
    "require_tape",
    "setting_of",
    "warnings_of",
]
