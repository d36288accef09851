"""The predictor that a config's `model` section asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import RefusedError
from daemon.models.baseline import Baseline
from daemon.models.protocol import Predictor
from daemon.models.recorded import read_predictions

if TYPE_CHECKING:
    from daemon.config.sections import ModelConfig


def build_predictor(
    model: ModelConfig | None, symbols: Sequence[str], recorded_path: Path | None = None
) -> Predictor | None:
    """The source of predictions for `symbols`, None when the config has no model.

    `recorded_path` is the absolute path of `model.path` where the kind is recorded. RefusedError
    for a file that cannot be used and for a kind this version does not have.
    """
    if model is None:
        return None
    if model.kind == "recorded":
        assert recorded_path is not None, "recorded predictions come from a file"
        return read_predictions(recorded_path, symbols)
    if model.kind == "baseline":
        return Baseline(symbols, model.bars)
    raise RefusedError(
        f"model.kind: {model.kind} is not available in this version; use recorded (predictions "
        f"from a file) or baseline, or leave the model out"
    )
