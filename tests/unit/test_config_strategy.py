"""A strategy's own parameters: checked like every other key, with their place in the file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from daemon.config.parameters import BUILT_IN
from daemon.strategies import loader
from tests.unit.config_files import complaints, load

HEAD = "name: test\nsymbols: [NVDA]\nbars: {}\n"

OWN = """
from __future__ import annotations
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

class Side(Enum):
    LONG = "long"
    SHORT = "short"

class Own:
    @dataclass(frozen=True)
    class Params:
        ratio: float
        lengths: tuple[int, ...] = (5, 10)
        side: Side = Side.LONG
        mode: Literal["fast", "slow"] = "fast"
        weights: dict[str, float] = field(default_factory=dict)
        note: str | None = None

        def __post_init__(self):
            if self.ratio > 9:
                raise ValueError("ratio must be at most 9")
            if self.note == "boom":
                raise RuntimeError("no notes today")

    warmup_bars = 0

    def __init__(self, params, symbols):
        pass

    def decide(self, market, predictions, portfolio):
        return None

class Odd(Own):
    @dataclass(frozen=True)
    class Params:
        thing: Nowhere = None
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies/mine.py").write_text(OWN)
    return tmp_path


def test_the_built_in_names_are_those_that_can_be_loaded() -> None:
    assert set(BUILT_IN) == set(loader.BUILT_IN)


def test_params_become_an_instance_and_every_default_is_filled_in(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD + "strategy: {kind: sma_cross, params: {fast: 5}}")
    assert dataclasses.asdict(config.strategy_params) == config.strategy.params
    assert config.strategy.params == {
        "fast": 5,
        "slow": 50,
        "quantity": 100,
        "allow_short": False,
    }
    assert config.strategy_class.__name__ == "SmaCross"
    assert isinstance(config.strategy_params, config.strategy_class.Params)


def test_lists_and_words_become_what_params_declare(folder: Path) -> None:
    text = HEAD + (
        "strategy: {kind: mine:Own, params: {ratio: 2, lengths: [3], side: short, weights: {a: 1}}}"
    )
    config = load(folder, text)
    params = config.strategy_params
    assert (params.ratio, params.lengths, params.side.name) == (2.0, (3,), "SHORT")
    assert config.resolved()["strategy"]["params"] == {
        "ratio": 2.0,
        "lengths": [3],
        "side": "short",
        "mode": "fast",
        "weights": {"a": 1.0},
        "note": None,
    }
    assert load(folder, config.to_yaml()) == config


BUILT_IN_ERRORS = [
    ("{fast: 5.0}", "44: strategy.params.fast: expected a whole number, got 5.0"),
    (
        "{fast: '5'}",
        ("44: strategy.params.fast: expected a whole number, got '5' (without the quotes)"),
    ),
    ("{fast: true}", "44: strategy.params.fast: expected a whole number, got true"),
    (
        "{allow_short: no}",
        ("51: strategy.params.allow_short: expected true or false, got 'no' (write false)"),
    ),
    ("{quantty: 1}", "38: strategy.params.quantty: unknown key (did you mean 'quantity'?)"),
    ("{zzz: 1}", "38: strategy.params.zzz: unknown key (known: fast, slow, quantity, allow_short)"),
    ("{fast: 60}", "37: strategy.params: slow must be more than fast"),
    ("[1]", "37: strategy.params: expected a mapping (lines of 'key: value'), got a list"),
]


@pytest.mark.parametrize(("params", "said"), BUILT_IN_ERRORS)
def test_wrong_params_of_a_built_in(tmp_path: Path, params: str, said: str) -> None:
    text = HEAD + f"strategy: {{kind: sma_cross, params: {params}}}"
    assert complaints(tmp_path, text) == [f"c.yaml:4:{said}"]


OWN_ERRORS = [
    ("{}", "28: strategy.params.ratio: required key is missing"),
    ("{ratio: 10}", "36: strategy.params: ratio must be at most 9"),
    (
        "{ratio: 1, note: boom}",
        ("36: strategy.params: Params refused them with RuntimeError: no notes today"),
    ),
    (
        "{ratio: .inf}",
        ("44: strategy.params.ratio: expected a number, got '.inf' (it must be finite)"),
    ),
    (
        "{ratio: 1, mode: fastt}",
        ("53: strategy.params.mode: expected fast or slow, got 'fastt' (did you mean 'fast'?)"),
    ),
    ("{ratio: 1, side: up}", "53: strategy.params.side: expected long or short, got 'up'"),
    (
        "{ratio: 1, lengths: [1, x]}",
        ("60: strategy.params.lengths[1]: expected a whole number, got 'x'"),
    ),
    ("{ratio: 1, weights: {a: x}}", "60: strategy.params.weights.a: expected a number, got 'x'"),
]


@pytest.mark.parametrize(("params", "said"), OWN_ERRORS)
def test_wrong_params_of_ones_own(folder: Path, params: str, said: str) -> None:
    text = HEAD + f"strategy: {{kind: mine:Own, params: {params}}}"
    assert complaints(folder, text) == [f"c.yaml:4:{said}"]


def test_params_that_cannot_be_understood_are_the_strategys_fault(folder: Path) -> None:
    (line,) = complaints(folder, HEAD + "strategy: {kind: mine:Odd}")
    assert line.startswith(
        "c.yaml:4:18: strategy.kind: a type in the strategy's Params is not understood: "
    )
    assert "Nowhere" in line


KINDS = [
    (
        "sma_cros",
        (
            "expected threshold, sma_cross, buy_and_hold or package.module:Class, got "
            "'sma_cros' (did you mean 'sma_cross'?)"
        ),
    ),
    ("a b:C", "expected threshold, sma_cross, buy_and_hold or package.module:Class, got 'a b:C'"),
    ("mine:", "expected threshold, sma_cross, buy_and_hold or package.module:Class, got 'mine:'"),
]


@pytest.mark.parametrize(("kind", "said"), KINDS)
def test_an_unknown_kind(folder: Path, kind: str, said: str) -> None:
    assert complaints(folder, f"{HEAD}strategy: {{kind: '{kind}'}}") == [
        f"c.yaml:4:18: strategy.kind: {said}"
    ]


def test_a_module_that_is_not_there_is_told_at_the_kind(folder: Path) -> None:
    (line,) = complaints(folder, HEAD + "strategy: {kind: nowhere_at_all:Own}")
    assert line.startswith("c.yaml:4:18: strategy.kind: no module nowhere_at_all")
