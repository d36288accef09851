"""The configs that come with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import (
    BaselineModelConfig,
    IbFeedConfig,
    RecordedModelConfig,
    TapeFeedConfig,
    load_config,
    require_supported,
    require_tape,
    warnings_of,
)

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PAPER = CONFIGS / "paper_trade_nvda.yaml"
REPLAY = CONFIGS / "replay_nvda.yaml"
RECORDED = CONFIGS / "replay_nvda_recorded.yaml"
GOLDEN = CONFIGS / "golden_spy.yaml"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_each_loads_and_can_be_replayed(path: Path) -> None:
    config = load_config(path)
    require_supported(config)
    require_tape(config)
    assert warnings_of(config) == []


def test_replay_differs_from_paper_trading_in_tape_and_feed_alone() -> None:
    paper, replay = load_config(PAPER).resolved(), load_config(REPLAY).resolved()
    assert {key for key in paper if paper[key] != replay[key]} == {"tape", "feed"}
    assert isinstance(load_config(PAPER).feed, IbFeedConfig)
    assert isinstance(load_config(REPLAY).feed, TapeFeedConfig)
    assert isinstance(load_config(PAPER).model, BaselineModelConfig)


def test_the_text_of_the_shared_sections_is_the_same() -> None:
    paper, replay = PAPER.read_text(), REPLAY.read_text()
    assert paper[paper.index("\naccount:") :] == replay[replay.index("\naccount:") :]


def test_the_bundled_sample_is_where_the_configs_look() -> None:
    for path in (REPLAY, RECORDED):
        assert load_config(path).tape_path("NVDA").is_file()
    config = load_config(RECORDED)
    assert isinstance(config.model, RecordedModelConfig)
    predictions = config.predictions_path()
    assert predictions is not None
    assert predictions.is_file()


def test_the_golden_config_is_the_run_that_two_simulators_agree_on() -> None:
    resolved = load_config(GOLDEN).resolved()
    assert resolved["symbols"] == ["SPY"]
    assert resolved["bars"] == {"size": "1h", "calendar": "XNYS", "grid": "clock"}
    assert resolved["account"] == {"cash_usd": 100_000.0}
    assert resolved["strategy"] == {
        "kind": "sma_cross",
        "params": {"fast": 10, "slow": 50, "quantity": 100, "allow_short": False},
    }
    assert resolved["execution"] == {
        "fill": "next_open",
        "overnight": "next_open",
        "tick_usd": 0.0001,
        "slippage_bps": 0.0,
        "commission": {"per_share_usd": 0.005, "minimum_usd": 0.0, "maximum_pct": None},
        "regulatory_fees": False,
        "participation_fraction": None,
        "short_borrow_rate_pct": None,
    }
    assert resolved["tape"]["adjustment"] == "raw"
    assert resolved["model"] is None
    assert resolved["warmup_bars"] is None
    assert load_config(GOLDEN).risk.limits() == {}
    expected = CONFIGS.parents[1] / "shared/data/spy_1h_lean_raw_1998_2021.zip"
    assert load_config(GOLDEN).tape_path("SPY") == expected
