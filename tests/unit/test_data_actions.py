"""`data action add | list`: the table grows by valid rows alone, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.core.events import CorporateAction, Dividend, Split
from daemon.corporate_actions import read_actions
from daemon.data.action_table import (
    action_text,
    add_action,
    dividend_of,
    split_of,
)
from daemon.data.action_verb import action_add, list_actions
from daemon.data.folder import DataFolder
from daemon.errors import RefusedError, UsageError
from tests.unit.tape_files import calendar

TEN = Split("NVDA", 20240610, 10, 1)
CENTS = Dividend("NVDA", 20240611, 20240628, 10_000)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def add(data: DataFolder, cells: dict[str, str]) -> CorporateAction:
    return add_action(data, cells, calendar())[0]


def test_a_table_begins_with_its_header(data: DataFolder) -> None:
    assert add(data, split_of("nvda", "10:1", "2024-06-10")) == TEN
    assert add(data, dividend_of("NVDA", "0.01", "2024-06-11", "20240628")) == CENTS
    assert data.actions.read_text("utf-8") == (
        "symbol,kind,effective,ratio,amount_usd,pay_date,source\n"
        "NVDA,split,2024-06-10,10:1,,,papertape data action\n"
        "NVDA,dividend,2024-06-11,,0.01,2024-06-28,papertape data action\n"
    )
    assert read_actions(data.actions) == (TEN, CENTS)


def test_what_is_listed_is_not_listed_again(data: DataFolder) -> None:
    add(data, split_of("NVDA", "10:1", "2024-06-10"))
    before = data.actions.read_bytes()
    again = split_of("NVDA", "10:1", "2024-06-10")
    assert add_action(data, again, calendar()) == (TEN, False)
    assert data.actions.read_bytes() == before


def test_columns_and_comments_of_a_persons_own_stay(data: DataFolder) -> None:
    data.path.mkdir()
    data.actions.write_text(
        "# splits\nKind,Symbol,effective,ratio,amount_usd,pay_date\nsplit,AMD,2000-08-22,2:1,,",
        encoding="utf-8",
    )
    add(data, split_of("NVDA", "10:1", "2024-06-10"))
    assert data.actions.read_text("utf-8").splitlines() == [
        "# splits",
        "Kind,Symbol,effective,ratio,amount_usd,pay_date",
        "split,AMD,2000-08-22,2:1,,",
        "split,NVDA,2024-06-10,10:1,,",
    ]
    assert read_actions(data.actions) == (Split("AMD", 20000822, 2, 1), TEN)


@pytest.mark.parametrize(
    ("ratio", "effective", "words"),
    [
        ("10", "2024-06-10", "ratio '10' is not new:old in whole numbers, like 10:1 or 3:2"),
        ("1:1", "2024-06-10", "ratio '1:1' is no split"),
        ("10:1", None, "--effective DATE"),
        ("10:1", "10 June", "'10 June' is not a date"),
    ],
)
def test_a_split_that_is_none(
    data: DataFolder, ratio: str, effective: str | None, words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        add(data, split_of("NVDA", ratio, effective))
    assert words in refused.value.lines[0]
    assert not data.actions.exists()


@pytest.mark.parametrize(
    ("amount", "ex", "pay", "words"),
    [
        ("0", "2024-06-11", None, "amount_usd '0' must be more than 0"),
        ("x", "2024-06-11", None, "amount_usd 'x' is not a number of dollars"),
        ("1", None, None, "--ex DATE"),
        ("1", "2024-06-11", "2024-06-10", "pay_date is before effective"),
    ],
)
def test_a_dividend_that_is_none(
    data: DataFolder, amount: str, ex: str | None, pay: str | None, words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        add(data, dividend_of("NVDA", amount, ex, pay))
    assert words in refused.value.lines[0]
    assert not data.actions.exists()


def test_a_day_without_a_session(data: DataFolder) -> None:
    with pytest.raises(RefusedError) as refused:
        add(data, split_of("NVDA", "10:1", "2024-06-08"))
    assert refused.value.lines == (
        "2024-06-08 (Saturday) is no session of TEST: the next one is 2024-06-10",
    )


def test_two_splits_of_one_day_contradict_each_other(data: DataFolder) -> None:
    add(data, split_of("NVDA", "10:1", "2024-06-10"))
    before = data.actions.read_bytes()
    with pytest.raises(RefusedError, match="the first is in line 2: correct that line if this"):
        add(data, split_of("NVDA", "4:1", "2024-06-10"))
    assert data.actions.read_bytes() == before


def test_a_table_that_is_broken_does_not_grow(data: DataFolder) -> None:
    data.path.mkdir()
    data.actions.write_text("symbol,kind\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"corporate_actions.csv:1: no column effective"):
        add(data, split_of("NVDA", "10:1", "2024-06-10"))
    assert data.actions.read_text("utf-8") == "symbol,kind\n"


def test_the_verb_says_what_was_listed_before(
    data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = split_of("NVDA", "10:1", "2024-06-10")
    for listed in ("listed  NVDA split 10:1, effective", "listed  already: NVDA split 10:1, effec"):
        assert action_add(data.path.parent, data, cells, calendar()) == 0
        assert capsys.readouterr().out.splitlines()[1].startswith(listed)


def test_what_actions_read_like() -> None:
    assert action_text(TEN) == "NVDA split 10:1, effective 2024-06-10"
    assert action_text(CENTS) == "NVDA dividend 0.01 a share, ex 2024-06-11, paid 2024-06-28"


def test_the_list(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    state = data.path.parent
    assert list_actions(state, data, None, as_json=False) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("no corporate actions (")
    add(data, dividend_of("NVDA", "0.01", "2024-06-11", "20240628"))
    add(data, split_of("NVDA", "10:1", "2024-06-10"))
    add(data, split_of("AMD", "2:1", "2024-08-22"))
    list_actions(state, data, None, as_json=False)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "symbol  kind      effective   ratio  a share  paid",
        "NVDA    split     2024-06-10   10:1",
        "NVDA    dividend  2024-06-11            0.01  2024-06-28",
        "AMD     split     2024-08-22    2:1",
    ]
    list_actions(state, data, "amd", as_json=True)
    assert json.loads(capsys.readouterr().out)["actions"] == [
        {"symbol": "AMD", "effective": "2024-08-22", "kind": "split", "ratio": "2:1"}
    ]
