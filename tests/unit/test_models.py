from __future__ import annotations

import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import Prediction, Split
from daemon.errors import RefusedError
from daemon.models.baseline import Baseline
from daemon.models.build import build_predictor
from daemon.models.recorded import Recorded, read_predictions
from tests.unit.portfolios import market

END = int(datetime(2024, 1, 2, 15, 30, tzinfo=UTC).timestamp()) * 10**9
HOUR = 3600 * 10**9

TEXT = """ts,symbol,value
2024-01-02T15:30:00Z,NVDA,0.0015
2024-01-02T10:30:00-05:00,AAPL,-0.25
2024-01-02T16:30:00+00:00,NVDA,nan
2024-01-02T17:30:00Z,NVDA,
2024-01-02T17:30:00Z,OTHER,1
2024-01-02T18:30:00Z,NVDA,-inf
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "predictions.csv"
    path.write_text(text, encoding="utf-8")
    return path


def at(predictor: Recorded, end: int) -> list[Prediction]:
    return list(predictor.predict(market(1.0, end=end)))


def test_recorded_by_the_end_of_the_bar(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    recorded = read_predictions(path, ["AAPL", "NVDA"])
    assert at(recorded, END) == [Prediction("AAPL", -0.25), Prediction("NVDA", 0.0015)]
    assert at(recorded, END + HOUR) == [Prediction("NVDA", None, "not finite")]
    assert at(recorded, END + 2 * HOUR) == [Prediction("NVDA", None, "not finite")]
    assert at(recorded, END + 3 * HOUR) == [Prediction("NVDA", None, "not finite")]
    assert at(recorded, END - HOUR) == []
    assert (recorded.rows, recorded.other_rows, recorded.warmup_bars) == (5, 1, 0)
    assert recorded.sha256 == sha256(path.read_bytes()).hexdigest()


def test_predictions_of_a_run_can_be_played_again(tmp_path: Path) -> None:
    text = "ts,symbol,value,failure\n2024-01-02T15:30:00Z,NVDA,,timed out\n"
    recorded = read_predictions(write(tmp_path, text), ["NVDA"])
    assert at(recorded, END) == [Prediction("NVDA", None, "timed out")]


def test_other_orders_of_columns_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeffvalue,extra,Symbol,TS\n0.5,x,NVDA,2024-01-02T15:30:00.000001Z\n"
    recorded = read_predictions(write(tmp_path, text), ["NVDA"])
    assert at(recorded, END + 1000) == [Prediction("NVDA", 0.5)]


def test_zipped(tmp_path: Path) -> None:
    path = tmp_path / "predictions.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p.csv", TEXT)
    recorded = read_predictions(path, ["NVDA"])
    assert at(recorded, END) == [Prediction("NVDA", 0.0015)]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("q.csv", TEXT)
    with pytest.raises(RefusedError, match="must hold one file, not 2"):
        read_predictions(path, ["NVDA"])


def test_a_fault_inside_a_zip_names_the_file_in_it(tmp_path: Path) -> None:
    path = tmp_path / "predictions.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p.csv", TEXT + "x,NVDA,1\n")
    with pytest.raises(RefusedError) as caught:
        read_predictions(path, ["NVDA"])
    assert caught.value.lines[0].startswith(f"{path}/p.csv:8: ")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2024-01-02T15:30:00,NVDA,1", "has no zone"),
        ("2024-01-02,NVDA,1", "has no zone"),
        ("yesterday,NVDA,1", "'yesterday' is not a time"),
        ("2024-01-02T19:30:00Z,NVDA,high", "value 'high' is not a number"),
        ("2024-01-02T19:30:00Z,,1", "no symbol"),
        ("2024-01-02T19:30:00Z,NVDA", "2 cells where the header has 3"),
        (
            "2024-01-02T10:30:00-05:00,NVDA,1",
            "a second prediction for NVDA at 2024-01-02T10:30:00-05:00; the first is in line 2",
        ),
    ],
)
def test_a_faulty_row_names_file_and_line(tmp_path: Path, row: str, problem: str) -> None:
    path = write(tmp_path, f"{TEXT}\n{row}\n")
    with pytest.raises(RefusedError) as caught:
        read_predictions(path, ["NVDA"])
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(f"{path}:9: ")
    assert problem in caught.value.lines[0]


def test_faults_are_listed_up_to_a_limit(tmp_path: Path) -> None:
    path = write(tmp_path, "ts,symbol,value\n" + "soon,NVDA,1\n" * 50)
    with pytest.raises(RefusedError) as caught:
        read_predictions(path, ["NVDA"])
    assert len(caught.value.lines) == 21
    assert caught.value.lines[-1].endswith("stopped reading here")


def test_files_that_are_no_predictions(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no column symbol; the header must be"):
        read_predictions(write(tmp_path, "ts,value\n"), ["NVDA"])
    with pytest.raises(RefusedError, match="no column ts, symbol, value"):
        read_predictions(write(tmp_path, ""), ["NVDA"])
    with pytest.raises(RefusedError, match="cannot be read"):
        read_predictions(tmp_path / "none.csv", ["NVDA"])
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RefusedError, match="not a CSV file in UTF-8"):
        read_predictions(binary, ["NVDA"])
    binary.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(RefusedError, match="not a readable zip"):
        read_predictions(binary, ["NVDA"])


def test_baseline_is_the_return_over_the_last_closes() -> None:
    baseline = Baseline(["NVDA"], 2)
    found = [list(baseline.predict(market(close))) for close in (100.0, 104.0, 102.0, 91.0)]
    assert baseline.warmup_bars == 3
    # 102/100 - 1 and 91/104 - 1, each to the last bit
    assert found == [[], [], [Prediction("NVDA", 0.02)], [Prediction("NVDA", -0.125)]]


def test_baseline_keeps_symbols_apart_and_skips_missing_bars() -> None:
    symbols = ["A", "B"]
    baseline = Baseline(symbols, 1)
    assert baseline.predict(market(10.0, 20.0, symbols=symbols)) == []
    assert baseline.predict(market(None, 25.0, symbols=symbols)) == [Prediction("B", 0.25)]
    assert baseline.predict(market(11.0, None, symbols=symbols)) == [Prediction("A", 0.1)]


def test_baseline_sees_through_a_split() -> None:
    baseline = Baseline(["NVDA"], 1)
    baseline.predict(market(100.0))
    split = Split("NVDA", 20240610, 10, 1)
    assert baseline.predict(market(11.0, actions=(split,))) == [Prediction("NVDA", 0.1)]


def test_baseline_hash_depends_on_its_parameter() -> None:
    assert Baseline(["A"], 2).sha256 == Baseline(["B"], 2).sha256
    assert Baseline(["A"], 2).sha256 != Baseline(["A"], 3).sha256


@dataclass
class Model:
    """Stands for a section of the config."""

    kind: str
    bars: int = 3
    path: str = "p.csv"


def test_build_predictor(tmp_path: Path) -> None:
    def build(model: Any, path: Path | None = None) -> Any:
        return build_predictor(model, ["NVDA"], path)

    assert build(None) is None
    assert isinstance(build(Model("recorded"), write(tmp_path, TEXT)), Recorded)
    assert build(Model("baseline", bars=5)).warmup_bars == 6
    for kind in ("registry", "remote"):
        with pytest.raises(RefusedError, match=f"{kind} is not available in this version"):
            build(Model(kind))
