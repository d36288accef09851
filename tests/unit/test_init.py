from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.config import load_config, require_supported, require_tape, warnings_of
from daemon.core.events import Bar, MarketSlice, Session, TargetPosition
from daemon.errors import RefusedError, UsageError
from daemon.strategies.loader import build_strategy, strategy_class
from replay import init as init_module
from replay.init import SAMPLE_FILES, init

FILES = {
    "config.yaml",
    "papertape.schema.json",
    "strategies/breakout.py",
    *(f"data/{name}" for name in SAMPLE_FILES),
}


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_or_empty_folder_becomes_runnable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], exists: bool
) -> None:
    folder = tmp_path / "my first"
    if exists:
        folder.mkdir()
    assert init(folder) == 0
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written == FILES
    config = load_config(folder / "config.yaml")
    require_supported(config)
    require_tape(config)
    assert warnings_of(config) == []
    assert config.tape_path("NVDA").parent == folder / "data"
    assert config.tape_path("NVDA").is_file()
    predictions = config.predictions_path()
    assert predictions is not None
    assert predictions.is_file()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{folder}:"
    assert {line.split()[0] for line in lines[1 : 1 + len(FILES)]} == FILES
    assert lines[lines.index("Next:") + 1 :] == [
        f"  cd '{folder}'",
        "  papertape config check config.yaml",
        "  papertape replay --config config.yaml --open",
        (
            "  papertape replay --config config.yaml --set 'strategy={kind: breakout:Breakout}' "
            "--label breakout"
        ),
        "  papertape runs diff latest~1 latest",
    ]


def test_the_example_strategy_can_be_set_as_the_next_commands_say(tmp_path: Path) -> None:
    init(tmp_path)
    config = load_config(
        tmp_path / "config.yaml", [("strategy", "{kind: breakout:Breakout, params: {bars: 3}}")]
    )
    assert config.strategy_class.__name__ == "Breakout"
    assert config.strategy.params == {"bars": 3, "quantity": 100}


SESSION = Session(20240102, 0, 100, 10, 90, 1000)


def _slice(close: float, index: int) -> MarketSlice:
    bar = Bar("NVDA", index * 10, index * 10 + 10, close, close, close, close, 1)
    return MarketSlice(bar.start, bar.end, (bar,), (), SESSION, index)


def test_the_example_strategy_buys_highs_and_sells_lows(tmp_path: Path) -> None:
    init(tmp_path)
    kind = strategy_class("breakout:Breakout", tmp_path)
    strategy = build_strategy(kind, kind.Params(bars=3, quantity=7), ["NVDA"])
    assert strategy.warmup_bars == 4
    portfolio: Any = None  # the example asks nothing of it
    wanted = [
        strategy.decide(_slice(close, index), {}, portfolio)
        for index, close in enumerate([5.0, 6.0, 4.0, 6.0, 6.5, 5.0, 3.5])
    ]
    # the fourth close only equals the highest of the last three
    long, flat = (TargetPosition("NVDA", quantity, reason="breakout") for quantity in (7, 0))
    assert wanted == [[], [], [], [], [long], [], [flat]]


def test_the_example_is_short_enough_to_read() -> None:
    source = (init_module.TEMPLATES / "breakout.py").read_text()
    assert len(source.splitlines()) < 40


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        init(tmp_path)
    assert caught.value.lines == (f"{tmp_path} is not empty: name a folder that is new or empty",)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(UsageError, match="is a file: name a folder"):
        init(tmp_path / "notes.txt")


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError) as caught:
        init(tmp_path / "file/below")
    assert caught.value.lines == (f"{tmp_path}/file/below/data: Not a directory",)
    monkeypatch.setattr(init_module, "SAMPLES", tmp_path / "nowhere")
    with pytest.raises(RefusedError, match="nowhere/nvda_synthetic_hourly"):
        init(tmp_path / "new")
