"""Results of the one-shot jobs: written whole, read again when they change, never trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

from daemon.core.units import SECOND_NS
from daemon.observability.checks import CHECKS_MAX, CheckResult, Checks, write_check
from tests.unit.metric_pages import made, scrape

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
