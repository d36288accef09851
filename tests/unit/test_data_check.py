"""`data check`: prints what was understood and found, fails on errors alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.errors import Exit, RefusedError
from replay.data_check import data_check
from replay.tapes import PlainTapeSpec
from tests.unit.tape_files import (
    WRITERS,
    Row,
    bars,
    calendar,
    lean_hour,
    papertape,
    save,
    save_zip,
)


def check(path: Path, **options: object) -> int:
    given = {"tape": None, "symbols": None, "size": None, "grid": None, **options}
    return data_check(
        path,
        given["tape"],  # type: ignore[arg-type]  # options of a table
        given["symbols"],  # type: ignore[arg-type]  # as above
        given["size"],  # type: ignore[arg-type]  # as above
        given["grid"],  # type: ignore[arg-type]  # as above
        calendar(),
        path.parent / "state",
        as_json=bool(given.get("as_json")),
    )


def faulty() -> list[Row]:
    rows = bars(20240102, 20240131)
    rows[9] = rows[9]._replace(high=1.0)
    rows[30] = rows[30]._replace(volume=0)
    return rows[:15] + rows[17:]


def test_a_good_file_passes_and_says_what_was_inferred(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path, papertape(bars()), "nvda_hourly.csv")
    assert check(path) == Exit.OK
    said = capsys.readouterr().out
    assert "  dialect     papertape (detected)" in said
    assert "  inferred    symbol NVDA (from the file's name)" in said
    assert "  inferred    size 1h (the most common distance between bars)" in said
    assert "  inferred    grid session (where bars begin)" in said
    assert "  inferred    adjustment not declared: checked as raw" in said
    assert "findings\n  none\n" in said
    assert "28 of 28 expected bars; coverage 100 %" in said
    assert said.endswith("28 bars usable; 0 errors, 0 warnings\n")
    assert "\x1b" not in said


def test_findings_by_severity_and_gaps_by_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path, papertape(faulty()))
    assert check(path, symbols=["NVDA"], size="1h", grid="session") == Exit.CHECK_FAILED
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("findings")
    assert lines[at + 1] == "  error   T03 prices outside high and low: 1, quarantined"
    assert lines[at + 2].startswith("            NVDA line 11: open ")
    assert lines[at + 3] == "  warning T10 price moved without volume: 1, kept"
    assert lines[at + 5] == "  info    T19 expected bars missing: 1, kept"
    assert "  NVDA   2024-01-03  11:30-12:30 (1 quarantined)" in lines
    assert "  NVDA   2024-01-04  10:30-12:30 (2 missing)" in lines
    assert lines[-1] == "144 bars usable; 1 errors, 1 warnings"


def test_the_same_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path, papertape(faulty()))
    assert check(path, as_json=True) == Exit.CHECK_FAILED
    document = json.loads(capsys.readouterr().out)
    assert document["symbols"] == ["NVDA"]
    assert document["counts"] == {"T03": 1, "T10": 1, "T19": 1}
    assert document["coverage"][0]["missing"] == 2
    assert document["coverage"][0]["coverage_pct"] == pytest.approx(97.9592)
    assert document["gaps_total"] == 3
    assert document["gaps"][0] == {
        "symbol": "NVDA",
        "start": "2024-01-03T16:30:00Z",
        "end": "2024-01-03T17:30:00Z",
        "session": 20240103,
        "outcome": "quarantined",
        "reason": document["gaps"][0]["reason"],
    }
    found = {finding["rule"][:3]: finding for finding in document["findings"]}
    assert found["T03"]["severity"] == "error"
    assert (found["T03"]["line"], found["T03"]["start"]) == (11, "2024-01-03T16:30:00Z")


def test_a_config_that_refuses_bad_bars_still_gets_the_whole_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = PlainTapeSpec("elsewhere.csv", on_bad_bar="refuse", adjustment="splits")
    path = save(tmp_path, papertape(faulty()))
    assert check(path, tape=spec, symbols=["NVDA"], size="1h", grid="session") == 1
    said = capsys.readouterr().out
    assert "T10" in said
    assert "  adjustment  splits" in said
    assert "inferred" not in said


@pytest.mark.parametrize(
    ("write", "name", "symbol", "origin"),
    [
        (WRITERS["alpaca"][0], "x.csv", "NVDA", "from its column"),
        (WRITERS["yfinance download()"][0], "x.csv", "NVDA", "from the header"),
        (papertape, "spy-2024.csv", "SPY", "from the file's name"),
        (papertape, "20240102.csv", "UNNAMED", "none given"),
    ],
)
def test_where_the_symbol_comes_from(
    write: object,
    name: str,
    symbol: str,
    origin: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert callable(write)
    assert check(save(tmp_path, write(bars()), name)) == Exit.OK
    assert f"inferred    symbol {symbol} ({origin})" in capsys.readouterr().out


def test_the_grid_is_where_bars_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_zip(tmp_path, {"spy.csv": lean_hour(bars(grid="clock"))}, "x.zip")
    assert check(path) == Exit.OK
    said = capsys.readouterr().out
    assert "inferred    grid clock (where bars begin)" in said
    assert "inferred    symbol SPY (from the name of the file in the zip)" in said


def test_what_cannot_be_inferred_is_refused(tmp_path: Path) -> None:
    naive = "timestamp,open,high,low,close,volume\n2024-01-02 09:30:00,1,2,1,2,5\n"
    with pytest.raises(RefusedError, match=r"nvda\.csv:2: .*carries no time zone"):
        check(save(tmp_path, naive))
    with pytest.raises(RefusedError, match="bars have no common distance"):
        check(save(tmp_path, papertape(bars()[:2])))
    with pytest.raises(RefusedError, match="bars are 2 hours apart; papertape trades 1h"):
        check(save(tmp_path, papertape(bars(20240102, 20240131)[::2])))


def test_colours_only_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.data_check.is_plain", lambda: False)
    check(save(tmp_path, papertape(faulty())))
    assert "\x1b[31m  error   T03" in capsys.readouterr().out
