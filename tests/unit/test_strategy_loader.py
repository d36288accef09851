from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from daemon.errors import RefusedError
from daemon.strategies import loader
from daemon.strategies.buy_and_hold import BuyAndHold
from daemon.strategies.loader import build_strategy, strategy_class, strategy_source_sha256
from daemon.strategies.protocol import Strategy
from daemon.strategies.sma_cross import SmaCross
from daemon.strategies.threshold import Threshold

GOOD = """
from __future__ import annotations
from dataclasses import dataclass

class Mine:
    @dataclass(frozen=True)
    class Params:
        quantity: int = 7
    warmup_bars = 3
    def __init__(self, params, symbols):
        self.params, self.symbols = params, symbols
    def decide(self, market, predictions, portfolio):
        return None
"""


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    """Leave sys.path and sys.modules as they were, whatever a test loads."""
    for folder in loader._added_to_path:  # what an earlier test's config has left
        sys.path.remove(folder)
        for name, module in list(sys.modules.items()):
            if loader._lies_in(getattr(module, "__spec__", None), Path(folder)):
                del sys.modules[name]
    loader._added_to_path.clear()
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    loader._added_to_path.clear()
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def config_dir(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        file = tmp_path / "strategies" / (name.replace("__", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def refusal(kind: str, folder: Path) -> str:
    with pytest.raises(RefusedError) as caught:
        strategy_class(kind, folder)
    assert len(caught.value.lines) == 1
    assert "\n" not in caught.value.lines[0]
    return caught.value.lines[0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("sma_cross", SmaCross), ("buy_and_hold", BuyAndHold), ("threshold", Threshold)],
)
def test_built_in(kind: str, expected: type, tmp_path: Path) -> None:
    assert strategy_class(kind, tmp_path) is expected


def test_built_ins_are_what_the_protocol_says() -> None:
    # mypy proves the assignments; the counts are read here
    built: list[Strategy] = [
        SmaCross(SmaCross.Params(), ["NVDA"]),
        BuyAndHold(BuyAndHold.Params(), ["NVDA"]),
        Threshold(Threshold.Params(enter_long_bps=1, quantity=1), ["NVDA"]),
    ]
    assert [strategy.warmup_bars for strategy in built] == [50, 0, 0]


def test_a_built_in_is_built_from_its_params(tmp_path: Path) -> None:
    built = build_strategy(SmaCross, SmaCross.Params(), ["NVDA"])
    assert isinstance(built, SmaCross)
    assert built.warmup_bars == 50


@pytest.mark.parametrize("kind", ["mine:Mine", "strategies.mine:Mine"])
def test_own_class_beside_the_config(kind: str, tmp_path: Path) -> None:
    found = strategy_class(kind, config_dir(tmp_path, mine=GOOD))
    built = build_strategy(found, found.Params(), ["NVDA"])
    assert built.warmup_bars == 3
    assert vars(built)["symbols"] == ("NVDA",)
    assert strategy_source_sha256(found) == sha256(GOOD.encode()).hexdigest()


def test_own_class_in_a_package_with_a_neighbour(tmp_path: Path) -> None:
    folder = config_dir(
        tmp_path, own__deep=GOOD + "\nfrom shared_part import NAME\n", shared_part="NAME = 1\n"
    )
    assert strategy_class("own.deep:Mine", folder).__name__ == "Mine"


def test_two_configs_with_a_module_of_the_same_name(tmp_path: Path) -> None:
    one = config_dir(tmp_path / "one", mine=GOOD)
    two = config_dir(tmp_path / "two", mine=GOOD.replace("7", "8"))
    for kind in ("mine:Mine", "strategies.mine:Mine"):
        assert strategy_class(kind, one).Params().quantity == 7
        assert strategy_class(kind, two).Params().quantity == 8
        assert strategy_class(kind, one).Params().quantity == 7


def test_unknown_kind_suggests(tmp_path: Path) -> None:
    line = refusal("sma_cros", tmp_path)
    assert "'sma_cros' is not known (did you mean sma_cross?)" in line
    assert str(tmp_path / "strategies") in line
    assert "is not known;" in refusal("zzz", tmp_path)
    assert "is not known;" in refusal("mine:", tmp_path)


def test_module_not_found(tmp_path: Path) -> None:
    folder = config_dir(tmp_path, mine=GOOD)
    assert "no module min (did you mean mine?); looked in" in refusal("min:Mine", folder)
    assert "no module nothing.at.all; looked in" in refusal("nothing.at.all:X", folder)
    assert "no module zzz; looked in" in refusal("zzz:X", tmp_path / "elsewhere")


def test_class_missing(tmp_path: Path) -> None:
    line = refusal("mine:Mina", config_dir(tmp_path, mine=GOOD))
    assert line.endswith("mine.py has no class Mina (did you mean Mine?)")


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("import msgspeck\n", 1, "No module named 'msgspeck'"),
        ("\nx = 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def f(:\n    pass\n", 1, "SyntaxError: invalid syntax"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
    ],
)
def test_import_that_fails_names_the_line(
    tmp_path: Path, text: str, where: int, problem: str
) -> None:
    folder = config_dir(tmp_path, mine=text)
    line = refusal("mine:Mine", folder)
    assert line.startswith(f"{folder / 'strategies' / 'mine.py'}:{where}: importing mine failed: ")
    assert problem in line


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("class Params", "class Parameters", "has no parameters"),
        ("    @dataclass(frozen=True)\n", "", "has no parameters"),
        ("def decide", "def on_bar", "has no method decide(self, market"),
        ("def decide", "async def decide", "must be a plain method"),
        ("return None", "yield", "must be a plain method"),
    ],
)
def test_a_class_that_is_no_strategy(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    line = refusal("mine:Mine", config_dir(tmp_path, mine=GOOD.replace(old, new)))
    assert "mine.py: Mine" in line
    assert problem in line


@pytest.mark.parametrize("name", ["statistics", "msgspec", "daemon"])
def test_a_name_that_is_taken(tmp_path: Path, name: str) -> None:
    folder = config_dir(tmp_path, **{name: GOOD})
    line = refusal(f"{name}:Mine", folder)
    assert f"{name}.py has the name of a module that Python finds elsewhere; rename it" in line


def test_an_instance_that_cannot_be_made(tmp_path: Path) -> None:
    text = GOOD.replace("self.params, self.symbols = params, symbols", "raise KeyError('x')")
    folder = config_dir(tmp_path, mine=text)
    found = strategy_class("mine:Mine", folder)
    with pytest.raises(RefusedError, match=r"mine\.py:11: Mine could not be made: KeyError: 'x'"):
        build_strategy(found, found.Params(), ["NVDA"])


@pytest.mark.parametrize("value", ["-1", "1.5", "True", "None"])
def test_warmup_bars_must_be_a_count(tmp_path: Path, value: str) -> None:
    text = GOOD.replace("warmup_bars = 3", f"warmup_bars = {value}")
    found = strategy_class("mine:Mine", config_dir(tmp_path, mine=text))
    with pytest.raises(RefusedError, match="warmup_bars must be a whole number"):
        build_strategy(found, found.Params(), ["NVDA"])
