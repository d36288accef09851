"""Results of the one-shot jobs: written whole, read again when they change, never trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from daemon.core.units import SECOND_NS
from daemon.feeds.times import DAY_NS, wall_instant, wall_ns
from daemon.observability.checks import (
    CHECKS_MAX,
    HABITS,
    CheckResult,
    Checks,
    due,
    write_check,
)
from daemon.observability.metrics import Metrics
from daemon.pipeline import TASKS
from tests.replay.workshop import calendar
from tests.unit.full_disk import full_after
from tests.unit.metric_pages import NAME, made, scrape

WHEN = 1_704_229_500 * SECOND_NS  # 2024-01-02T21:05:00Z
NEVER = CheckResult(success=False, ended=0)


def test_a_result_is_written_as_a_person_reads_it(tmp_path: Path) -> None:
    path = write_check(tmp_path, "drill", WHEN, success=True, steps=["kill", "reset"])
    assert path == tmp_path / "checks" / "drill.json"
    assert json.loads(path.read_text()) == {
        "check": "drill",
        "success": True,
        "ended": "2024-01-02T21:05:00Z",
        "steps": ["kill", "reset"],
    }
    assert [each.name for each in path.parent.iterdir()] == ["drill.json"]


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    write_check(tmp_path, "drill", WHEN, success=True)
    with full_after(0), pytest.raises(OSError, match="File too large") as raised:
        write_check(tmp_path, "drill", WHEN, success=False)
    assert raised.value.filename == str(tmp_path / "checks" / "drill.json")
    assert [each.name for each in (tmp_path / "checks").iterdir()] == ["drill.json"]
    assert json.loads((tmp_path / "checks" / "drill.json").read_text())["success"] is True


def test_results_are_read_back_and_again_when_they_change(tmp_path: Path) -> None:
    checks = Checks(tmp_path)
    assert checks.results() == {"parity": NEVER, "drill": NEVER}
    write_check(tmp_path, "backup", WHEN, success=True)
    write_check(tmp_path, "parity", WHEN, success=True)
    passed = CheckResult(success=True, ended=WHEN)
    assert checks.results() == {"parity": passed, "drill": NEVER, "backup": passed}
    write_check(tmp_path, "parity", WHEN + SECOND_NS, success=False)
    assert checks.results()["parity"] == (False, WHEN + SECOND_NS)


def test_what_cannot_be_read_has_failed(tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    contents = {
        "empty": b"",
        "half": b'{"success": tr',
        "list": b"[]",
        "words": b'{"success": "true", "ended": "2024-01-02T21:05:00Z"}',
        "naive": b'{"success": true, "ended": "2024-01-02"}',
        "bytes": b"\xff\xfe",
        "large": b" " * 1_000_001,
    }
    for name, content in contents.items():
        path = folder / f"{name}.json"
        path.write_bytes(content)
        os.utime(path, (1_704_229_500, 1_704_229_500))
    (folder / "folder.json").mkdir()
    results = Checks(tmp_path).results()
    for name in contents:
        assert results[name] == (False, WHEN), name
    assert results["folder"].success is False


def test_names_and_their_number_are_bounded(tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    for name in ("Loud", "a b", "9", "x" * 33, "..", ".drill.123"):
        (folder / f"{name}.json").write_text("{}")
    (folder / "note.txt").write_text("")
    assert set(Checks(tmp_path).results()) == {"parity", "drill"}
    for number in range(CHECKS_MAX + 10):
        (folder / f"job{number:03d}.json").write_text("{}")
    assert len(Checks(tmp_path).results()) == CHECKS_MAX + 2


def test_metrics_show_them(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    page = scrape(metrics)
    assert page("check_success", check="drill") == 0
    assert page("check_last_run_timestamp_seconds", check="drill") == 0
    write_check(tmp_path, "drill", WHEN, success=True)
    page = scrape(metrics)
    assert page("check_success", check="drill") == 1
    assert page("check_last_run_timestamp_seconds", check="drill") == 1_704_229_500
    assert page("check_success", check="parity") == 0


# --- when a check is due again --------------------------------------------------------------------


def _at(day: int, clock: str) -> int:
    return wall_instant(wall_ns(day, clock), "America/New_York")


@pytest.mark.parametrize(
    ("ended", "again"),
    [
        ((20240103, "18:00"), (20240105, "00:00")),  # from Wednesday to the end of Thursday
        ((20240103, "12:00"), (20240104, "18:00")),
        ((20240105, "18:00"), (20240109, "00:00")),  # Friday: six hours, and all of Monday
        ((20240105, "12:00"), (20240108, "18:00")),
        ((20240106, "10:00"), (20240109, "06:00")),  # Saturday counts for nothing
        ((20240112, "18:00"), (20240117, "00:00")),  # Monday is Martin Luther King's
        ((20240308, "20:00"), (20240312, "02:00")),  # the clocks change on Sunday
        ((20240703, "18:00"), (20240706, "00:00")),  # the Fourth
    ],
)
def test_a_daily_check_may_rest_while_the_exchange_does(
    ended: tuple[int, str], again: tuple[int, str]
) -> None:
    for name in ("checklist", "data", "data-update", "parity"):
        assert due(name, _at(*ended), calendar()) == _at(*again)


def test_a_drill_is_due_after_five_weeks_whatever_day_that_is() -> None:
    ended = _at(20240105, "18:00")
    assert due("drill", ended, calendar()) == ended + 35 * DAY_NS


@pytest.mark.parametrize("name", ["probe", "notify", "backup"])
def test_what_is_run_when_needed_is_never_due(name: str) -> None:
    assert name not in HABITS
    assert due(name, WHEN, calendar()) is None


def test_what_was_never_done_has_no_time_to_be_done_again() -> None:
    assert due("drill", 0, calendar()) is None


def test_where_the_calendar_ends_every_day_counts() -> None:
    first = _at(19891230, "18:00")
    assert due("data", first, calendar()) == first + 30 * 3_600 * SECOND_NS


def test_metrics_show_when_they_are_due(tmp_path: Path) -> None:
    metrics = Metrics(NAME, ("NVDA",), TASKS, tmp_path, {}, calendar=calendar())
    assert scrape(metrics).all("check_due_timestamp_seconds") == {}
    write_check(tmp_path, "data", _at(20240105, "18:00"), success=False)
    write_check(tmp_path, "probe", WHEN, success=True)
    due_s = _at(20240109, "00:00") / SECOND_NS
    assert scrape(metrics).all("check_due_timestamp_seconds") == {("data",): due_s}
