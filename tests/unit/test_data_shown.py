"""`data show` and `data diff`: a chart of characters, and what was revised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.data.chart import chart
from daemon.data.diff_verb import data_diff
from daemon.data.files import write_series
from daemon.data.folder import DataFolder
from daemon.data.series import Key, Numbers, Series, merge, sighted
from daemon.data.show_verb import data_show
from daemon.errors import RefusedError, UsageError
from tests.unit.tape_files import at, starts

DAY = starts(20240102, 20240103)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """Nine bars, of which one was revised twice."""
    folder = DataFolder(tmp_path / "data")
    series = Series(Key("NVDA", "1h", "session"), "splits")
    rows = [(start, Numbers(100.0, 101.5, 99.5, 101.0, 1000)) for start in DAY[:9]]
    merge(series, sighted(rows, at("2024-01-03 16:45"), "ib"))
    merge(
        series,
        sighted([(DAY[3], Numbers(100.0, 101.5, 99.5, 101.0, 1200))], at("2024-01-04 16:45"), "ib"),
    )
    merge(
        series,
        sighted(
            [(DAY[3], Numbers(100.0, 101.5, 99.5, 100.495, 1200))],
            at("2024-02-01 09:00"),
            "vendor.csv",
        ),
    )
    write_series(folder.file("NVDA", "1h"), series)
    return folder


# --- the chart ------------------------------------------------------------------------------------


def test_a_chart_of_three_bars() -> None:
    """Ten dollars in five rows of two; bodies 1.2-3.8, 5-9.5 and 9-7, wicks up to 10, down to 0."""
    bars = [
        (DAY[5], Numbers(1.2, 5.9, 0.0, 3.8, 10)),
        (DAY[6], Numbers(5.0, 10.0, 4.5, 9.5, 40)),
        (DAY[7], Numbers(9.0, 9.1, 6.2, 7.0, 20)),
    ]
    assert chart(bars, 5) == [
        " ┃┃       9.00",
        " ┃┃       7.00",
        "│┃        5.00",
        "┃         3.00",
        "┃         1.00",
        "▃█▅     volume",
        "01-02",
    ]


def test_days_stand_under_their_first_bars_and_colours_tell_up_from_down() -> None:
    numbers = Numbers(1.0, 2.0, 1.0, 2.0, 0)
    bars = [(start, numbers) for start in DAY[:14]]
    assert chart(bars, 1)[-1] == "01-02  01-03"
    assert len(chart(bars, 1)) == 2  # without volume no line of it
    red = chart([(DAY[0], Numbers(2.0, 2.0, 1.0, 1.0, 0))], 1, plain=False)[0]
    green = chart(bars[:1], 1, plain=False)[0]
    assert red.startswith("\x1b[31m┃\x1b[0m")
    assert green.startswith("\x1b[32m┃\x1b[0m")


def test_one_price_throughout() -> None:
    assert chart([(DAY[0], Numbers(5.0, 5.0, 5.0, 5.0, 1))], 3)[0].endswith("4.50")


def test_show(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert data_show(data.path.parent, data, "nvda", None, 4) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        "NVDA 1h: 4 of 9 bars, 2024-01-02 14:30 to 2024-01-03 10:30 (America/New_York)"
    )
    assert lines[-1] == (
        "last 2024-01-03 10:30: open 100.00, high 101.50, low 99.50, close 101.00, volume 1,000"
    )


def test_prices_are_shown_to_the_digit(
    data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """A share may cost as much as a house, or a fraction of a cent."""
    series = Series(Key("BRK.A", "1h", "session"), "splits")
    merge(series, sighted([(DAY[0], Numbers(612_345.67, 612_400.0, 0.0123, 1.5, -1))], 0, ""))
    write_series(data.file("BRK.A", "1h"), series)
    data_show(data.path.parent, data, "BRK.A", None, None)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "last 2024-01-02 09:30: open 612,345.67, high 612,400.00, low 0.0123, close 1.50"
    )
    data_show(data.path.parent, data, "BRK.A", None, None, as_json=True)
    assert json.loads(capsys.readouterr().out)["rows"][0]["volume"] is None


@pytest.mark.parametrize(
    ("symbol", "size", "words"),
    [
        ("AMD", None, "holds no bars of AMD; it holds NVDA 1h"),
        ("NVDA", "5m", "holds no bars of NVDA 5m"),
    ],
)
def test_what_is_not_there(data: DataFolder, symbol: str, size: str | None, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        data_show(data.path, data, symbol, size, None)
    assert words in refused.value.lines[0]


def test_several_sizes_need_one_to_be_named(data: DataFolder) -> None:
    (data.processed / "nvda_minute.csv").write_text("timestamp,open,high,low,close,volume\n")
    with pytest.raises(UsageError, match="NVDA: --size 1h or 1m"):
        data_show(data.path, data, "NVDA", None, None)
    with pytest.raises(RefusedError, match="holds no bar"):
        data_show(data.path, data, "NVDA", "1m", None)
    with pytest.raises(UsageError, match="--last must be at least 1"):
        data_show(data.path, data, "NVDA", "1h", 0)


# --- what was revised -----------------------------------------------------------------------------


def test_diff(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert data_diff(data.path.parent, data, "NVDA", None, as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[1]
        == "NVDA 1h: 1 of 9 bars revised; what was seen first counts (times: America/New_York)"
    )
    assert [" ".join(line.split()) for line in lines[3:]] == [
        "2024-01-02 12:30 1,000 → 1,200 2024-01-03 16:45 2024-01-04 16:45 ib",
        (
            "2024-01-02 12:30 101 → 100.495 1,000 → 1,200 -0.50 2024-01-03 16:45 2024-02-01 09:00 "
            "vendor.csv"
        ),
    ]


@pytest.mark.parametrize(
    ("columns", "left_out", "kept"),
    [
        (120, "", "source"),
        (75, "seen first, source", "volume"),
        (20, "seen first, source, open, high, low, volume", "close %"),
    ],
)
def test_a_narrow_terminal_does_without_some_columns(
    data: DataFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    columns: int,
    left_out: str,
    kept: str,
) -> None:
    monkeypatch.setattr("daemon.data.diff_verb.terminal_width", lambda: columns)
    data_diff(data.path.parent, data, "NVDA", None, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert kept in lines[2]
    assert columns < 30 or max(map(len, lines[2:-1])) <= columns
    assert lines[-1].startswith(f"left out here: {left_out} (") == bool(left_out)


def test_diff_for_programs(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    data_diff(data.path.parent, data, "NVDA", None, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["bars"], document["revised"]) == (9, 1)
    (row,) = document["rows"]
    assert row["start"] == "2024-01-02T17:30:00Z"
    assert [one["close"] for one in row["sightings"]] == [101.0, 101.0, 100.495]
    assert row["sightings"][0]["seen"] == "2024-01-03T21:45:00Z"


def test_nothing_revised(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    series = Series(Key("AMD", "1h", "session"), "splits")
    merge(series, sighted([(DAY[0], Numbers(1.0, 1.0, 1.0, 1.0, 1))], 0, ""))
    write_series(data.file("AMD", "1h"), series)
    assert data_diff(data.path.parent, data, "AMD", None, as_json=False) == 0
    assert "AMD 1h: 1 bar, none was ever revised" in capsys.readouterr().out
