from __future__ import annotations

from pathlib import Path

import pytest

from daemon.core.events import Dividend, Split
from daemon.corporate_actions import read_corporate_actions
from daemon.errors import RefusedError

HEADER = "symbol,kind,effective,ratio,amount_usd,pay_date,source\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "corporate_actions.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_come_by_date_with_the_split_first(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        HEADER
        + "# a remark\n"
        + "NVDA,dividend,2024-06-11,,0.01,2024-06-28,company\n"
        + "\n"
        + "AAPL,dividend,2020-08-31,,0.205,,\n"
        + "NVDA,split,2024-06-10,10:1,,,company\n"
        + "AAPL,split,2020-08-31,4:1,,,company\n"
        + "X,split,2021-01-04,1:8,,,\n",
    )
    assert read_corporate_actions(path) == (
        Split("AAPL", 20200831, 4, 1),
        Dividend("AAPL", 20200831, 20200831, 205_000),
        Split("X", 20210104, 1, 8),
        Split("NVDA", 20240610, 10, 1),
        Dividend("NVDA", 20240611, 20240628, 10_000),
    )


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "\ufeffkind,symbol,pay_date,effective,amount_usd,ratio\nsplit,X,,2020-01-02,,3:2\n",
    )
    assert read_corporate_actions(path) == (Split("X", 20200102, 3, 2),)


def test_an_empty_table_is_no_actions(tmp_path: Path) -> None:
    assert read_corporate_actions(write(tmp_path, HEADER)) == ()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",split,2020-01-02,2:1,,,", "no symbol"),
        ("X,merger,2020-01-02,2:1,,,", "kind 'merger' is neither split nor dividend"),
        ("X,split,02/01/2020,2:1,,,", "effective '02/01/2020' is not a date YYYY-MM-DD"),
        ("X,split,2020-01-02,2,,,", "ratio '2' is not new:old"),
        ("X,split,2020-01-02,1.5:1,,,", "ratio '1.5:1' is not new:old"),
        ("X,split,2020-01-02,0:1,,,", "ratio '0:1' is no split"),
        ("X,split,2020-01-02,1:1,,,", "ratio '1:1' is no split"),
        ("X,split,2020-01-02,2:1,1.0,,", "a split has no amount_usd"),
        ("X,dividend,2020-01-02,2:1,1.0,,", "a dividend has no ratio"),
        ("X,dividend,2020-01-02,,free,,", "amount_usd 'free' is not a number"),
        ("X,dividend,2020-01-02,,nan,,", "amount_usd 'nan' must be more than 0"),
        ("X,dividend,2020-01-02,,0,,", "must be more than 0"),
        ("X,dividend,2020-01-02,,1.0,2020-01-01,", "pay_date is before effective"),
        ("X,dividend,2020-01-02,,1.0,soon,", "pay_date 'soon' is not a date"),
        ("X,split", "2 cells where the header has more"),
    ],
)
def test_a_faulty_row_names_file_and_line(tmp_path: Path, row: str, problem: str) -> None:
    path = write(tmp_path, f"{HEADER}Y,split,2020-01-02,2:1,,,\n{row}\n")
    with pytest.raises(RefusedError) as caught:
        read_corporate_actions(path)
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(f"{path}:3: ")
    assert problem in caught.value.lines[0]


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        HEADER + "X,split,2020-01-02,2:1,,,\nX,split,2020-01-02,3:1,,,\nX,split,never,3:1,,,\n",
    )
    with pytest.raises(RefusedError) as caught:
        read_corporate_actions(path)
    assert caught.value.lines == (
        f"{path}:3: a second split of X on that date; the first is in line 2",
        f"{path}:4: effective 'never' is not a date YYYY-MM-DD",
    )


def test_a_wrong_header_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no column ratio, pay_date; the header must be symbol"):
        read_corporate_actions(write(tmp_path, "symbol,kind,effective,amount_usd\n"))
    with pytest.raises(RefusedError, match="cannot be read"):
        read_corporate_actions(tmp_path / "none.csv")
