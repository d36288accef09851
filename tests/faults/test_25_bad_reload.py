"""The config is edited into something wrong and reloaded -> the old one stays in force, whoever
asked is told why with file and line, and the daemon trades on as if nobody had asked.
"""

from __future__ import annotations

import signal

import pytest

from tests.faults.conftest import Daemons
from tests.faults.free_ports import free_port, metric
from tests.faults.trouble import (
    Patient,
    Undisturbed,
    busy_settings,
    check_no_turn_lost,
    check_verified,
    last_event,
    no_traceback,
    turns_of,
)
from tests.replay.workshop import CONFIG, Workshop

BAD = {
    "a misspelt limit": (
        CONFIG.replace("risk: {", "risk: {max_drawdow_pct: 5, "),
        ":6:8: risk.max_drawdow_pct: unknown key (did you mean 'max_drawdown_pct'?)",
    ),
    "no YAML": (CONFIG + "risk: [\n", "config.yaml:"),
    "an empty file": ("", "the file is empty"),
    "what no reload may change": (
        CONFIG.replace("[NVDA]", "[AMD]"),
        "symbols cannot be reloaded: the config in force stays",
    ),
    "another limit and another symbol": (
        CONFIG.replace("[NVDA]", "[AMD]").replace("risk: {", "risk: {max_drawdown_pct: 5, "),
        "symbols cannot be reloaded: the config in force stays",
    ),
}


def wait_for_refusal(daemon: Patient, number: int) -> None:
    daemon.wait_for(lambda: daemon.events().count("reload_refused") == number)


def test_the_old_config_stays(shop: Workshop, daemons: Daemons, three_weeks: Undisturbed) -> None:
    port = free_port()
    metrics = {"observability.metrics": f"127.0.0.1:{port}"}
    daemon = daemons(pace="150000", settings=busy_settings(**metrics))
    daemon.start()
    for number, (text, words) in enumerate(BAD.values(), 1):
        shop.config.write_text(text)
        answer = daemon.type("reload")
        assert answer.code == 78, answer
        assert words in answer.err
        assert "Traceback" not in answer.err
        daemon.signal(signal.SIGHUP)
        wait_for_refusal(daemon, number)
        assert words in last_event(daemon, "reload_refused")["problem"]
    shop.config.unlink()
    answer = daemon.type("reload")
    assert answer.code == 78
    assert "No such file" in answer.err
    assert metric(port, "papertape_reloads_refused_total") == 2 * len(BAD) + 1
    at = daemon.turns()
    daemon.reach(at + 6)
    assert daemon.stop() == 0
    check_no_turn_lost(daemon, three_weeks)
    assert len(daemon.query("SELECT * FROM segments")) == 1
    no_traceback(daemon)
    check_verified(daemon)


def test_a_good_reload_is_a_turn_and_ends_no_segment(shop: Workshop, daemons: Daemons) -> None:
    """So that it is seen that the reloads before were heard."""
    daemon = daemons(pace="150000")
    daemon.start()
    daemon.reach(5)
    shop.config.write_text(CONFIG.replace("limit: 1,", "limit: 2,"))
    answer = daemon.type("reload")
    assert answer.code == 0
    assert "risk.max_orders_per_day.limit: 1 → 2" in answer.out
    assert [turn[3].count('"Reload"') for turn in turns_of(daemon) if turn[2] == "command"] == [1]
    assert daemon.stop() == 0
    assert len(daemon.query("SELECT * FROM segments")) == 1
    check_verified(daemon)


@pytest.mark.parametrize("paused", [False, True])
def test_nothing_else_changes(daemons: Daemons, shop: Workshop, *, paused: bool) -> None:
    daemon = daemons(pace="50000")
    daemon.start()
    if paused:
        daemon.type("pause")
    before = daemon.status()
    shop.config.write_text("")
    assert daemon.type("reload").code == 78
    after = daemon.status()
    for key in ("state", "holds", "segment", "versions", "config_path"):
        assert after[key] == before[key]
    daemon.kill_9()
