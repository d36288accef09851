"""corrections.csv: what it may say, and the bars that come of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.core.events import Split
from daemon.data.correct_verb import data_correct
from daemon.data.corrections import Correction, add_correction, adjusted, read_corrections
from daemon.data.files import About
from daemon.data.folder import DataFolder
from daemon.data.show_verb import data_show
from daemon.errors import RefusedError, UsageError
from replay.data_check import data_check
from tests.unit.tape_files import Row, at, bars, calendar, opened, papertape, rows_of

HEADER = "symbol,size,start,kind,open,high,low,close,volume,noted,reason\n"
ROWS = bars(20240102, 20240103)
SECOND = "2024-01-02T15:30:00Z"


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.processed.mkdir(parents=True)
    folder.file("NVDA", "1h").path.write_text(papertape(ROWS), encoding="utf-8")
    return folder


def correct(data: DataFolder, *rows: str) -> list[Row]:
    """The bars as they are read with these corrections."""
    data.corrections.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return rows_of(opened(data.file("NVDA", "1h").path, state=data.path / "state"))


def test_cells_that_are_filled_in_replace_what_was_read(data: DataFolder) -> None:
    found = correct(data, f"NVDA,1h,{SECOND},set,,100.5,,,77,,typo")
    assert found == [ROWS[0], ROWS[1]._replace(high=100.5, volume=77), *ROWS[2:]]


def test_the_cache_knows_of_a_correction(data: DataFolder) -> None:
    path, state = data.file("NVDA", "1h").path, data.path / "state"
    before = opened(path, state=state)
    correct(data, f"NVDA,1h,{SECOND},set,,100.5,,,,,x")
    after = opened(path, state=state)
    assert (rows_of(before)[1].high, rows_of(after)[1].high) == (ROWS[1].high, 100.5)
    assert before.sha256 != after.sha256
    data.corrections.unlink()
    assert opened(path, state=state).sha256 == before.sha256


def test_the_last_row_of_a_bar_counts_and_others_say_nothing(data: DataFolder) -> None:
    found = correct(
        data,
        f"NVDA,1h,{SECOND},remove,,,,,,,",
        f"NVDA,1h,{SECOND},set,,,,,5,,",
        f"AMD,1h,{SECOND},remove,,,,,,,",
        f"NVDA,1m,{SECOND},remove,,,,,,,",
    )
    assert found == [ROWS[0], ROWS[1]._replace(volume=5), *ROWS[2:]]


def test_a_bar_that_is_removed_is_missing(data: DataFolder) -> None:
    assert correct(data, f"NVDA,1h,{SECOND},remove,,,,,,,") == [ROWS[0], *ROWS[2:]]
    (gap,) = opened(data.file("NVDA", "1h").path).gaps("NVDA")
    assert (gap.start, str(gap.outcome)) == (ROWS[1].start, "missing")


def test_a_bar_that_was_not_there(data: DataFolder) -> None:
    data.file("NVDA", "1h").path.write_text(papertape(ROWS[:1] + ROWS[2:]), encoding="utf-8")
    assert correct(data, f"nvda,1h,{SECOND},set,1,2,1,2,3,,") == [
        ROWS[0], Row(ROWS[1].start, 1.0, 2.0, 1.0, 2.0, 3), *ROWS[2:],
    ]  # fmt: skip
    with pytest.raises(RefusedError, match="which is not there: it needs open, high"):
        correct(data, f"NVDA,1h,{SECOND},set,1,2,1,,3,,")


def test_a_bar_that_could_not_be_true_is_whole_again(data: DataFolder) -> None:
    lines = papertape(ROWS).splitlines(keepends=True)
    lines[2] = lines[2].replace("100.04", "n/a")  # the close
    text = "".join(lines)
    data.file("NVDA", "1h").path.write_text(text, encoding="utf-8")
    assert correct(data, f"NVDA,1h,{SECOND},set,,,,100.04,,,") == [ROWS[0], *ROWS[2:]]
    whole = f"NVDA,1h,{SECOND},set,100.03,100.09,99.98,100.04,1001,,"
    assert correct(data, whole) == ROWS


def test_of_contradicting_rows_one_can_be_chosen(data: DataFolder) -> None:
    twice = papertape(ROWS[:2]) + papertape([ROWS[1]._replace(close=100.05), *ROWS[2:]])[37:]
    data.file("NVDA", "1h").path.write_text(twice, encoding="utf-8")
    whole = f"NVDA,1h,{SECOND},set,100.03,100.09,99.98,100.04,1001,,"
    assert correct(data) == [ROWS[0], *ROWS[2:]]
    assert correct(data, whole) == ROWS


def test_other_tapes_are_read_as_they_are(data: DataFolder) -> None:
    correct(data, f"NVDA,1h,{SECOND},remove,,,,,,,")
    elsewhere = data.path / "nvda.csv"
    elsewhere.write_text(papertape(ROWS), encoding="utf-8")
    assert rows_of(opened(elsewhere)) == ROWS


def test_the_check_says_what_was_corrected(
    data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    correct(data, f"NVDA,1h,{SECOND},set,,,,,5,,", "NVDA,1h,2024-01-02T16:30:00Z,remove,,,,,,,")
    path = data.file("NVDA", "1h").path
    data_check(path, None, None, None, None, calendar(), data.path / "state")
    said = capsys.readouterr().out
    assert "  note        NVDA: by corrections.csv 1 set, 1 removed\n" in said


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f",1h,{SECOND},remove,,,,,,,", ":2: no symbol"),
        (f"NVDA,2h,{SECOND},remove,,,,,,,", ":2: size '2h' is none of 1h, 30m, 15m, 5m, 1m"),
        ("NVDA,1h,2024-01-02,remove,,,,,,,", ":2: '2024-01-02' is not a date and time with a zone"),
        (f"NVDA,1h,{SECOND},drop,,,,,,,", ":2: kind 'drop' is neither set nor remove"),
        (f"NVDA,1h,{SECOND},remove,,,,5,,,", ":2: a bar that is removed has no close"),
        (f"NVDA,1h,{SECOND},set,,,,,,,", ":2: sets nothing"),
        (f"NVDA,1h,{SECOND},set,0,,,,,,", ":2: open '0' must be more than 0"),
        (f"NVDA,1h,{SECOND},set,,,,,-1,,", ":2: volume '-1' must be 0 or more"),
        (f"NVDA,1h,{SECOND},set,,nan,,,,,", ":2: high 'nan' must be more than 0"),
        (f"NVDA,1h,{SECOND},set,,,,x,,,", ":2: close 'x' is not a number"),
        ("NVDA,1h", ":2: no cell 'kind'"),
    ],
)
def test_a_fault_is_named_with_its_line(data: DataFolder, row: str, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        correct(data, row)
    assert words in refused.value.lines[0]


def test_a_wrong_header(data: DataFolder) -> None:
    data.corrections.write_text("symbol,start\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"corrections.csv:1: no column size, kind, open"):
        read_corrections(data.corrections)


def test_a_correction_follows_a_split_that_came_after_it() -> None:
    """Noted on the 3rd, split 10:1 on the 5th: 500 of the 2nd is 50 now; what is newer stays."""
    early = Correction("NVDA", "1h", at("2024-01-02 10:30"), close=500.0, volume=7, noted=20240103)
    split = [Split("NVDA", 20240105, 10, 1)]
    assert adjusted(early, split) == early._replace(close=50.0, volume=70)
    assert adjusted(early._replace(noted=20240105), split).close == 500.0
    assert adjusted(early._replace(noted=None), split).close == 500.0
    late = early._replace(start=at("2024-01-05 10:30"))
    assert adjusted(late, split) == late


def test_it_follows_the_file_that_was_split(data: DataFolder) -> None:
    file = data.file("NVDA", "1h")
    about = About("NVDA", "1h", "session", "splits", 20240101, [(20240103, 10, 1)], [])
    file.about.write_bytes(msgspec.json.encode(about))
    found = correct(data, f"NVDA,1h,{SECOND},set,1000,1001,999,1000,5,2024-01-02,")
    assert found[1] == Row(ROWS[1].start, 100.0, 100.1, 99.9, 100.0, 50)


def test_what_a_file_is_and_what_a_config_says_must_agree(data: DataFolder) -> None:
    file = data.file("NVDA", "1h")
    about = About("NVDA", "1h", "session", "raw", 20240101, [], [])
    file.about.write_bytes(msgspec.json.encode(about))
    with pytest.raises(RefusedError, match=r"imported with tape.adjustment: raw, the config says"):
        opened(file.path)
    assert rows_of(opened(file.path, adjustment="raw")) == ROWS
    with pytest.raises(RefusedError, match=r"imported with bars.grid: session, the config says"):
        opened(file.path, adjustment="raw", grid="clock")


# --- adding ---------------------------------------------------------------------------------------


def blank(**values: Any) -> Correction:
    return Correction("nvda", "", 0, reason="bad print")._replace(**values)


def test_data_correct_adds_a_row(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    state = data.path.parent
    assert data_correct(state, data, blank(high=100.5), "2024-01-02 10:30", calendar()) == 0
    said = "NVDA 1h 2024-01-02 10:30 exchange time: high 100.09 → 100.5 whenever it is read"
    assert said in capsys.readouterr().out
    assert data_correct(state, data, blank(remove=True), "2024-01-02 11:30", calendar()) == 0
    assert rows_of(opened(data.file("NVDA", "1h").path)) == [
        ROWS[0], ROWS[1]._replace(high=100.5), *ROWS[3:],
    ]  # fmt: skip
    lines = data.corrections.read_text("utf-8").splitlines()
    assert lines[0] + "\n" == HEADER
    assert lines[1].startswith("NVDA,1h,2024-01-02T15:30:00Z,set,,100.5,,,,")
    assert lines[2].startswith("NVDA,1h,2024-01-02T16:30:00Z,remove,,,,,,")
    assert lines[2].endswith(",bad print")


@pytest.mark.parametrize(
    ("correction", "start", "words"),
    [
        (blank(close=1.0), "2024-01-02 10:00", "no 1h bar begins at 2024-01-02 10:00"),
        (blank(close=1.0), "2024-01-06 10:30", "no 1h bar begins at 2024-01-06 10:30"),
        (blank(close=1.0, reason=" "), "2024-01-02 10:30", "--reason: say why"),
        (blank(close=1.0), "2024-01-04 10:30", "has no such bar: to add it give --open"),
        (blank(remove=True), "2024-01-04 10:30", "has no such bar: there is nothing to remove"),
        (blank(), "2024-01-02 10:30", "nothing is corrected: give --open"),
        (blank(close=1.0), "2024-01-02 10:30", "close 1.0, volume 1001: open and close must lie"),
        (blank(close=-1.0, low=-2.0), "2024-01-02 10:30", "low '-2.0' must be more than 0"),
        (blank(close=1.0, remove=True), "2024-01-02 10:30", "a bar that is removed has no close"),
        (blank(symbol="AMD"), "2024-01-02 10:30", "holds no bars of AMD; it holds NVDA 1h"),
        (blank(size="5m"), "2024-01-02 10:30", "holds no bars of nvda 5m"),
    ],
)
def test_data_correct_refuses(
    data: DataFolder, correction: Correction, start: str, words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        data_correct(data.path.parent, data, correction, start, calendar())
    assert words in str(refused.value)
    assert not data.corrections.exists()


def test_what_was_corrected_before_stays_so(
    data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last row of a bar counts, so it holds what the one before said as well."""
    state = data.path.parent
    for correction, said in (
        (blank(high=100.5), "high 100.09 → 100.5 "),
        (blank(low=99.0), "low 99.98 → 99.0 "),
        (blank(remove=True), "removed "),
        (blank(volume=7), "added "),
    ):
        assert data_correct(state, data, correction, "2024-01-02 10:30", calendar()) == 0
        assert f"exchange time: {said}whenever" in capsys.readouterr().out
    rows = data.corrections.read_text("utf-8").splitlines()
    assert [row.split(",")[4:9] for row in rows[2:3]] == [["", "100.5", "99.0", "", ""]]
    assert rows_of(opened(data.file("NVDA", "1h").path))[1] == ROWS[1]._replace(volume=7)


def test_what_is_so_already_is_not_written_again(
    data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    state = data.path.parent
    for row in (ROWS[1].high, 100.5, 100.5):
        data_correct(state, data, blank(high=row), "2024-01-02 10:30", calendar())
    assert capsys.readouterr().out.count(": it is so already\n") == 2
    assert len(data.corrections.read_text("utf-8").splitlines()) == 2


def test_show_has_what_is_corrected(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    state = data.path.parent
    data_correct(state, data, blank(low=99.0), "2024-01-02 10:30", calendar())
    data_correct(state, data, blank(remove=True), "2024-01-02 11:30", calendar())
    capsys.readouterr()
    assert data_show(state, data, "NVDA", None, 2, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["bars"], document["corrected"]) == (len(ROWS) - 1, 2)
    assert len(document["rows"]) == 2
    data_show(state, data, "NVDA", None, None, as_json=True)
    rows = json.loads(capsys.readouterr().out)["rows"]
    start = {"start": "2024-01-02T15:30:00Z"}
    assert rows[1] == ROWS[1]._replace(low=99.0)._asdict() | start
    data_show(state, data, "NVDA", None, None)
    assert f"{len(ROWS) - 1} bars, 2 corrected, " in capsys.readouterr().out


def test_a_table_that_is_broken_does_not_grow(data: DataFolder) -> None:
    data.corrections.write_text(HEADER + "NVDA,1h,never,remove,,,,,,,\n", encoding="utf-8")
    before = data.corrections.read_bytes()
    with pytest.raises(RefusedError, match=":2: 'never' is not"):
        add_correction(data.corrections, Correction("NVDA", "1h", 5, remove=True))
    assert data.corrections.read_bytes() == before
