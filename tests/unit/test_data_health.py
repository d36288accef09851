"""`data check` without FILE: the last session there, no gap, no spike, no break, or the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from daemon.data.folder import DataFolder
from daemon.data.history import Wanted
from daemon.errors import Exit, UsageError
from daemon.observability.checks import Checks
from replay.data_health import Only, data_check_all
from tests.unit.tape_files import Row, at, bars, calendar, papertape

ALL = bars(20240102, 20240409)
"""Seventy sessions of seven bars."""
EVENING = at("2024-04-09 16:45")


def check(
    folder: Path,
    files: Mapping[str, Sequence[Row]],
    *,
    now: int = EVENING,
    wanted: Wanted | None = None,
    sessions: int = 20,
    as_json: bool = False,
    only: Only = Only(),  # noqa: B008 - it is immutable
) -> int:
    data = DataFolder(folder / "state" / "data")
    data.processed.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        (data.processed / name).write_text(papertape(rows), encoding="utf-8")
    return data_check_all(
        folder / "state", data, wanted, calendar(), sessions=sessions, only=only, as_json=as_json,
        now=now,
    )  # fmt: skip


def problems(folder: Path) -> list[str]:
    document = json.loads((folder / "state" / "checks" / "data.json").read_text("utf-8"))
    return [text for file in document["files"] for text in file["problems"]]


def test_all_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, {"nvda_hourly.csv": ALL, "amd_hourly.csv": ALL}) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "symbol  size  last bar begins (America/New_York)  bars lately",
        "AMD     1h    2024-04-09 15:30                    140 of 140   ok",
        "NVDA    1h    2024-04-09 15:30                    140 of 140   ok",
        "fit: 20 sessions looked at (--sessions N)",
    ]
    assert Checks(tmp_path / "state").results()["data"] == (True, EVENING)


def test_the_last_session_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, {"nvda_hourly.csv": ALL[:-14]}, as_json=True) == Exit.CHECK_FAILED
    document = json.loads(capsys.readouterr().out)
    assert document["reason"] == (
        "NVDA 1h: ends with 2024-04-05: 2 sessions missing, up to 2024-04-09 "
        "(`papertape data update`)"
    )
    assert document["files"][0]["last"] == "2024-04-05T19:30:00Z"
    assert document["files"][0]["last_session"] == "2024-04-05"
    assert Checks(tmp_path / "state").results()["data"].success is False


@pytest.mark.parametrize(
    ("now", "code"),
    [("2024-04-09 15:00", 0), ("2024-04-09 16:29", 0), ("2024-04-09 16:30", 1)],
)
def test_a_session_is_due_half_an_hour_after_its_close(now: str, code: int, tmp_path: Path) -> None:
    assert check(tmp_path, {"nvda_hourly.csv": ALL[:-7]}, now=at(now)) == code


def test_todays_bars_so_far_are_no_gap(tmp_path: Path) -> None:
    assert check(tmp_path, {"nvda_hourly.csv": ALL[:-4]}, now=at("2024-04-09 13:00")) == 0
    assert check(tmp_path, {"nvda_hourly.csv": ALL[:-4]}) == 1
    assert problems(tmp_path) == ["2024-04-09: 4 bars missing"]


def test_long_ago(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, {"nvda_hourly.csv": ALL[:7]}) == 1
    assert "NVDA    1h    2024-01-02 15:30 " in capsys.readouterr().out
    assert problems(tmp_path) == [
        "ends with 2024-01-02: everything since is missing (`papertape data update`)"
    ]


def test_gaps_lately_fail_and_old_ones_do_not(tmp_path: Path) -> None:
    """Twenty sessions: those from the 13th of March, the fifty-first of the file, on."""
    rows = [row for n, row in enumerate(ALL) if n not in (7 * 49 + 3, 7 * 50 + 2, 7 * 50 + 3)]
    assert check(tmp_path, {"nvda_hourly.csv": rows}) == 1
    assert problems(tmp_path) == ["2024-03-13: 2 bars missing"]
    assert check(tmp_path, {"nvda_hourly.csv": rows}, sessions=19) == 0
    check(tmp_path, {"nvda_hourly.csv": rows}, sessions=21)
    assert len(problems(tmp_path)) == 2


def test_bars_that_cannot_be_true(tmp_path: Path) -> None:
    rows = [*ALL]
    rows[-3] = rows[-3]._replace(high=1.0)
    assert check(tmp_path, {"nvda_hourly.csv": rows}) == 1
    assert problems(tmp_path) == ["2024-04-09: 1 bar quarantined"]


def test_a_spike(tmp_path: Path) -> None:
    rows = [*ALL]
    rows[-3] = rows[-3]._replace(low=10.0)
    assert check(tmp_path, {"nvda_hourly.csv": rows}) == 1
    assert problems(tmp_path)[0].startswith("spike: 2024-04-09 13:30: low 10.0 is ")


def test_a_break_in_the_volume(tmp_path: Path) -> None:
    rows = [
        row._replace(volume=row.volume * (20 if n >= 7 * 66 else 1)) for n, row in enumerate(ALL)
    ]
    assert check(tmp_path, {"nvda_hourly.csv": rows}) == 1
    (problem,) = problems(tmp_path)
    assert problem.startswith("volume regime: 2024-04-04: volume ")


def test_a_jump_by_a_splits_ratio(tmp_path: Path) -> None:
    rows = [
        row._replace(
            open=row.open / 10, high=row.high / 10, low=row.low / 10, close=row.close / 10
        ) if n >= 7 * 66 else row
        for n, row in enumerate(ALL)
    ]  # fmt: skip
    assert check(tmp_path, {"nvda_hourly.csv": rows}) == 1
    assert any("as a 10:1 split would" in problem for problem in problems(tmp_path))
    before = len(problems(tmp_path))
    actions = tmp_path / "state" / "data" / "corporate_actions.csv"
    header = "symbol,kind,effective,ratio,amount_usd,pay_date,source\n"
    for row in ("AMD,split,2024-04-04,10:1,,,\n", "NVDA,split,2024-04-05,10:1,,,\n"):
        actions.write_text(header + row, encoding="utf-8")
        check(tmp_path, {})
        assert len(problems(tmp_path)) == before, "another stock's, another day's"
    actions.write_text(f"{header}NVDA,split,2024-04-04,10:1,,,\n", encoding="utf-8")
    check(tmp_path, {})
    assert not any("split would" in problem for problem in problems(tmp_path))


def test_only_what_is_wanted_and_all_of_it(tmp_path: Path) -> None:
    wanted = Wanted(("AMD", "TSLA"), "1h", "session", "raw")
    files = {"nvda_hourly.csv": ALL[:7], "amd_hourly.csv": ALL}
    assert check(tmp_path, files, wanted=wanted) == 1
    (problem,) = problems(tmp_path)
    assert problem.endswith("tsla_hourly.csv (`papertape data update` or `data import`)")


def test_one_symbol_alone_is_no_verdict_on_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"nvda_hourly.csv": ALL[:7], "amd_hourly.csv": ALL}
    check(tmp_path, files)
    capsys.readouterr()
    assert check(tmp_path, files, only=Only("AMD")) == 0
    assert "NVDA" not in capsys.readouterr().out
    assert check(tmp_path, files, only=Only("NVDA", "1h")) == 1
    assert Checks(tmp_path / "state").results()["data"].success is False
    with pytest.raises(UsageError, match="no bars of TSLA are kept: AMD 1h, NVDA 1h are"):
        check(tmp_path, files, only=Only("TSLA"))


def test_nothing_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, {}) == 1
    assert "holds no bars: `papertape data import FILE`" in capsys.readouterr().out
    (tmp_path / "state" / "data" / "processed" / "notes.txt").write_text("no bars")
    assert check(tmp_path, {}) == 1
