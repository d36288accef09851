"""`papertape checklist`: each row can hold, fail, and have nothing to look at."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from daemon.core.units import SECOND_NS
from daemon.feeds.times import DAY_NS
from daemon.observability.checks import Checks, write_check
from replay import checklist as module
from replay.checklist import ROWS, checklist
from tests.daemons.running import Daemon
from tests.faults.free_ports import free_port
from tests.replay.workshop import Workshop, calendar, write_tape

NOW = calendar().sessions(20240306, 20240306)[0].opens - 3600 * SECOND_NS
"""The morning after the workshop's tape has ended."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a state directory whose references hold, and a clock that is right."""
    monkeypatch.chdir(tmp_path)
    shop = Workshop(tmp_path)
    monkeypatch.setenv("PAPERTAPE_STATE", str(shop.state))
    monkeypatch.setattr("replay.runs.reference.BUNDLED_REFERENCES", tmp_path / "nothing")
    timedatectl(tmp_path, monkeypatch, "yes")
    return shop


def timedatectl(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """A program of that name that says so."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "timedatectl").write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
    (tools / "timedatectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")


def look(
    shop: Workshop, capsys: pytest.CaptureFixture[str], config: str | None = None, now: int = NOW
) -> dict[str, tuple[str, str]]:
    """The verdict and text of each row; the exit code and the file must say the same."""
    path = None
    if config is not None:
        path = shop.folder / "looked.yaml"
        path.write_text(shop.config.read_text("utf-8") + config, encoding="utf-8")
    capsys.readouterr()
    code = checklist(shop.state, path, as_json=True, now=now)
    document = json.loads(capsys.readouterr().out)
    rows = {row["name"]: (row["verdict"], row["text"]) for row in document["rows"]}
    failed = [name for name, (verdict, _) in rows.items() if verdict == "fail"]
    assert document["failed"] == failed
    assert code == (1 if failed else 0)
    assert Checks(shop.state).results()["checklist"] == (not failed, now)
    return rows


def test_a_new_state_has_little_to_look_at(
    shop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = look(shop, capsys)
    assert list(rows) == list(ROWS)
    assert {name for name, (verdict, _) in rows.items() if verdict == "ok"} == {
        "disk", "clock", "calendar",
    }  # fmt: skip
    assert {verdict for verdict, _ in rows.values()} == {"ok", "n/a"}


def test_for_people(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    write_check(shop.state, "drill", NOW - 40 * DAY_NS, success=True)
    assert checklist(shop.state, None, now=NOW) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"state   {shop.state}"
    assert lines[1].split() == ["what", "found"]
    assert "drill       fail  2024-01-26 08:30, 40 days ago: `papertape drill` tries" in lines[11]
    assert lines[12] == "1 of 10 fail: drill"


# --- rows -----------------------------------------------------------------------------------------


def test_data(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = look(shop, capsys, "")  # its tape is a file beside the config
    assert elsewhere["data"] == ("n/a", "the bars of this config are not kept in the data folder")
    feed = "feed: {kind: ib}\n"
    kept = shop.state / "data" / "processed" / "nvda_hourly.csv"
    verdict, text = look(shop, capsys, feed)["data"]
    assert verdict == "fail"
    assert text == f"NVDA 1h: there is no {kept} (`papertape data update` or `data import`)"
    kept.parent.mkdir(parents=True)
    write_tape(kept)
    assert look(shop, capsys, feed)["data"] == (
        "ok",
        "1 file, up to the bar of 2024-03-05 15:30 exchange time",
    )
    assert look(shop, capsys)["data"][0] == "ok"  # all files, without a config
    later = NOW + DAY_NS
    assert look(shop, capsys, feed, later)["data"][1].startswith(
        "NVDA 1h: ends with 2024-03-05: 1 session missing"
    )


@pytest.mark.parametrize(
    ("config", "verdict", "text"),
    [
        ("model: {kind: baseline}\n", "ok", "baseline"),
        ("model: {kind: registry, ref: a@b}\n", "n/a", "registry models are not available"),
        ("model: {kind: recorded, path: gone.csv}\n", "fail", "gone.csv: the predictions"),
    ],
)
def test_model(
    shop: Workshop, capsys: pytest.CaptureFixture[str], config: str, verdict: str, text: str
) -> None:
    found = look(shop, capsys, config)["model"]
    assert found[0] == verdict
    assert text in found[1]


def test_references(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shop.state / "reference"
    folder.mkdir()
    text = shop.config.read_text("utf-8").replace("path: nvda.csv", f"path: {shop.folder}/nvda.csv")
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    unaccepted = look(shop, capsys)["references"]
    assert unaccepted == ("fail", "mine no baseline of 1 replay: `papertape reference check`")
    accepted = shop.type("reference", "run", "mine", "--accept", "--reason", "first")
    assert accepted.code == 0, accepted.err
    runs = shop.runs
    assert look(shop, capsys)["references"] == ("ok", "1 replay, all as accepted")
    write_tape(shop.folder / "nvda.csv", seed=2)
    assert look(shop, capsys)["references"][1].startswith("mine beyond of 1 replay")
    assert shop.runs == runs


def test_disk(
    shop: Workshop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FREE_BYTES_MIN", 1 << 60)
    verdict, text = look(shop, capsys)["disk"]
    assert verdict == "fail"
    assert text.endswith("free: make room")
    monkeypatch.setattr(module, "FREE_BYTES_MIN", 0)
    assert look(shop, capsys)["disk"][0] == "ok"
    monkeypatch.setattr(module, "FREE_FILES_MIN", 1 << 62)
    verdict, text = look(shop, capsys)["disk"]
    assert verdict == "fail"
    assert text.endswith(" files more: make room")


@pytest.mark.parametrize(
    ("says", "verdict", "text"),
    [
        ("no", "fail", "not synchronised: enable NTP"),
        ("''", "n/a", "timedatectl does not say"),
    ],
)
def test_clock(
    shop: Workshop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    says: str, verdict: str, text: str,
) -> None:  # fmt: skip
    timedatectl(shop.folder, monkeypatch, says)
    assert look(shop, capsys)["clock"] == (verdict, text)


def test_clock_without_anybody_to_ask(
    shop: Workshop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(shop.folder))
    assert look(shop, capsys)["clock"][0] == "n/a"


def test_calendar(
    shop: Workshop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = calendar().midnight(calendar().last_date)
    verdict, text = look(shop, capsys, now=last - 20 * DAY_NS)["calendar"]
    assert verdict == "fail"
    assert text.endswith((": it ends soon", "closures may have been announced since"))
    monkeypatch.setattr(module, "_installed_days_ago", lambda _: 201)
    assert look(shop, capsys)["calendar"][1].endswith("closures may have been announced since")
    monkeypatch.setattr(module, "_installed_days_ago", lambda _: 200)
    assert look(shop, capsys)["calendar"][0] == "ok"
    monkeypatch.setattr(module, "_installed_days_ago", lambda _: None)
    assert "installed" not in look(shop, capsys)["calendar"][1]
    file = shop.state / "calendar" / "XNYS.json"
    os.utime(file, (NOW // SECOND_NS - 3 * 86_400,) * 2)
    assert "; file of 3 days ago, to " in look(shop, capsys)["calendar"][1]


def test_gateway(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    config = f"feed: {{kind: ib, port: {port}}}\n"
    verdict, text = look(shop, capsys, config)["gateway"]
    assert (verdict, text.partition(": ")[0]) == ("fail", f"127.0.0.1:{port}")
    with socket.create_server(("127.0.0.1", port)):
        assert look(shop, capsys, config)["gateway"] == (
            "ok", f"something listens at 127.0.0.1:{port}",
        )  # fmt: skip


@pytest.mark.parametrize(("name", "fresh", "old"), [("parity", 1, 2), ("drill", 34, 36)])
def test_the_last_results_of_jobs(
    shop: Workshop, capsys: pytest.CaptureFixture[str], name: str, fresh: int, old: int
) -> None:
    assert look(shop, capsys)[name] == ("n/a", "never run")
    write_check(shop.state, name, NOW - fresh * DAY_NS, success=True)
    verdict, text = look(shop, capsys)[name]
    assert (verdict, text.partition(", ")[2]) == ("ok", f"{fresh} day{'s' * (fresh > 1)} ago")
    write_check(shop.state, name, NOW - DAY_NS, success=False)
    assert look(shop, capsys)[name][1].startswith("failed 2024-03-05 08:30, 1 day ago: `papertape")
    write_check(shop.state, name, NOW - old * DAY_NS, success=True)
    assert look(shop, capsys)[name][0] == "fail"


def test_a_daemon_that_is_down(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("--set", "feed={kind: tape, pace: max}", "--set", "observability.metrics=null")
    assert shop.process("run", "--config", str(shop.config), *settings).code == 0
    rows = look(shop, capsys)
    assert rows["daemon"] == ("fail", "it does not run: `papertape run`, or systemctl start")
    assert rows["drill"][1].startswith("never done: ")
    assert rows["gateway"] == ("n/a", "no gateway in this config")  # the journal's own config


def test_a_daemon_that_runs_and_one_that_is_halted(
    shop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = Daemon(shop, pace="3600")
    try:
        daemon.start()
        verdict, text = look(shop, capsys)["daemon"]
        assert (verdict, text.partition(",")[0]) == ("ok", "ACTIVE")
        assert daemon.type("kill").code == 0
        verdict, text = look(shop, capsys)["daemon"]
        assert (verdict, text.partition(",")[0]) == ("fail", "HALTED")
        assert daemon.stop() == 0
    finally:
        daemon.clean_up()


def test_nothing_but_its_own_result_is_written(
    shop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    """Journal, mark, latch and runs stay byte for byte, down to the files beside the journal."""
    settings = ("--set", "feed={kind: tape, pace: max}", "--set", "observability.metrics=null")
    assert shop.process("run", "--config", str(shop.config), *settings).code == 0

    def contents() -> dict[str, bytes]:
        return {
            path.relative_to(shop.state).as_posix(): path.read_bytes()
            for path in sorted(shop.state.rglob("*"))
            if path.is_file() and path.relative_to(shop.state).parts[0] != "cache"
        }

    before = contents()
    look(shop, capsys)
    after = contents()
    del after["checks/checklist.json"]
    assert after == before
    assert "journal.db" in before


def test_a_row_that_cannot_be_looked_at_hides_no_other(
    shop: Workshop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Any:
        raise OSError(5, "Input/output error", "/disk")

    monkeypatch.setitem(ROWS, "disk", broken)
    rows = look(shop, capsys)
    assert rows["disk"] == ("fail", "/disk cannot be looked at (Input/output error)")
    assert rows["clock"][0] == "ok"


def test_the_command_line(shop: Workshop) -> None:
    answer = shop.type("checklist", "--json")
    assert answer.code == 0, answer.out
    assert len(json.loads(answer.out)["rows"]) == 10
    assert shop.type("checklist", "--config", "gone.yaml").code == 78
