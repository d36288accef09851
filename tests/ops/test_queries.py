"""Every query of the dashboards, asked of a real Prometheus that scrapes real daemons.

Two daemons play a tape with a gap, trade, and are scraped twice a second; a third one is connected
to a gateway, made up for the tests. One is killed with `papertape kill`; then everything that the
dashboards ask is asked. Last the daemon stops, and the first row must say so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from daemon.core.units import SECOND_NS
from daemon.observability.checks import write_check
from tests.daemons.running import Daemon
from tests.fake_gateway.in_process import gateway_process
from tests.faults.free_ports import free_port
from tests.ops.boards import KEYS, Asked, asked, board, variables
from tests.ops.prometheus import NotUnderstoodError, Prometheus, Series
from tests.replay.workshop import Workshop, write_tape

PAPER, TAPE, LIVE = "shop", "shop-tape", "shop-live"
EVERY = "500ms"
# The tape's hours pass ten a second: a session of 6.5 lasts longer than a scrape interval.
PACE = "36000"
MISSING = (12, 13)
"""The last bars of the second session never come, so that the gap lasts over a night."""

OF_A_GATEWAY = (
    "feed/Requests that the source allows/0",
    "feed/Requests that the source allows/1",
    "feed/Hours agree/0",
    "process/Clocks/1",
)
"""Queries that are asked of the third daemon: a tape has no pacing, and states no hours or time."""

BOARDS = {
    "$__rate_interval": "4s",
    "$__range": "60s",
    "$datasource": "papertape",
    "$job": ".+",
    "$instance": ".+",
    "$other": TAPE,
}
VERDICT, WHY_NOT = "Is it trading?", "Why not?"
HALTED, NO_ANSWER = 30.0, 90.0


class Answers(NamedTuple):
    """What Prometheus said by the query's label; once the daemon was gone; why not, all along."""

    to: dict[str, Series | NotUnderstoodError]
    values: dict[str, set[str] | NotUnderstoodError]
    gone: dict[str, Series]
    reasons: Series


ASKED = [query for key in KEYS for query in asked(key)]
LISTED = [(key, variable) for key in KEYS for variable in variables(board(key))]


def _filled(expression: str, name: str = PAPER) -> str:
    for variable, value in {**BOARDS, "$name": name}.items():
        expression = expression.replace(variable, value)
    assert "$" not in re.sub(r"\$\d", "", expression), expression
    return expression


def _first(title: str) -> Asked:
    (found,) = (query for query in asked("overview") if query.panel == title)
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    folder = tmp_path_factory.mktemp("queries")
    ports = {name: free_port() for name in (PAPER, TAPE, LIVE)}
    daemons = {name: _daemon(folder / name, name, port) for name, port in ports.items()}
    addresses = [f"127.0.0.1:{port}" for port in ports.values()]
    nobody = f"127.0.0.1:{free_port()}"
    prometheus = Prometheus(folder, addresses, EVERY, alertmanager=nobody, shorter=60)
    began = time.time()
    try:
        with gateway_process() as at:
            daemons[LIVE].settings["feed"] = f"{{kind: ib, port: {at}}}"
            for daemon in daemons.values():
                daemon.start()
                assert not daemon.ended, daemon.log()
            yield _ask(prometheus, daemons[PAPER], began)
    finally:
        for daemon in daemons.values():
            daemon.clean_up()
        prometheus.close()


def _daemon(folder: Path, name: str, port: int) -> Daemon:
    folder.mkdir()
    shop = Workshop(folder)
    write_tape(folder / "nvda.csv", without=MISSING)
    write_check(shop.state, "parity", time.time_ns() // SECOND_NS * SECOND_NS, success=True)
    settings = {"name": name, "observability.metrics": f"127.0.0.1:{port}"}
    return Daemon(shop, pace=PACE, settings=settings)


def _ask(prometheus: Prometheus, daemon: Daemon, began: float) -> Answers:
    prometheus.wait_for(
        lambda: len(prometheus.now("sum by (name) (papertape_trades_total) > 0")) == 2,
        "two daemons that trade",
    )
    prometheus.wait_for(
        lambda: prometheus.now(f'max_over_time(papertape_gap_bars{{name="{PAPER}"}}[1m]) > 0'),
        "a gap",
    )
    prometheus.wait_for(
        lambda: prometheus.now(f'papertape_clock_skew_seconds{{name="{LIVE}"}}'),
        "a gateway that tells the time",
    )
    assert daemon.type("kill").code == 0
    prometheus.wait_for(
        lambda: prometheus.now('sum_over_time(papertape_trading_state{state="HALTED"}[9s]) > 3'),
        "a halt that lasts",
    )
    prometheus.wait_for(
        lambda: prometheus.now('ALERTS{alertname="Halted", alertstate="firing"}'), "an alert"
    )
    to = {query.label: _answer(prometheus, query, began) for query in ASKED}
    values = {f"{key}/{each['name']}": _values(prometheus, each) for key, each in LISTED}
    assert daemon.stop() == 0
    prometheus.wait_for(lambda: prometheus.now('up{job="papertape"} == 0'), "a target that is down")
    first = (_first(VERDICT), _first(WHY_NOT))
    gone = {query.panel: prometheus.now(_filled(query.expression)) for query in first}
    why_not = _filled(_first(WHY_NOT).expression)
    return Answers(to, values, gone, prometheus.over(why_not, began, time.time(), EVERY))


def _answer(prometheus: Prometheus, query: Asked, began: float) -> Series | NotUnderstoodError:
    expression = _filled(query.expression, LIVE if query.label in OF_A_GATEWAY else PAPER)
    try:
        if query.instant:
            return prometheus.now(expression)
        return prometheus.over(expression, began, time.time(), EVERY)
    except NotUnderstoodError as refused:
        return refused


def _values(prometheus: Prometheus, variable: dict[str, Any]) -> set[str] | NotUnderstoodError:
    series, _, label = _filled(variable["query"]).removesuffix(")").rpartition(", ")
    try:
        return prometheus.label_values(series.removeprefix("label_values("), label)
    except NotUnderstoodError as refused:
        return refused


@pytest.mark.parametrize("query", ASKED, ids=lambda query: query.label)
def test_a_query_returns_data(answers: Answers, query: Asked) -> None:
    found = answers.to[query.label]
    assert not isinstance(found, NotUnderstoodError), found
    assert found, query.expression


def test_the_queries_of_a_gateway_exist() -> None:
    assert set(OF_A_GATEWAY) <= {query.label for query in ASKED}


@pytest.mark.parametrize(("key", "variable"), LISTED, ids=lambda each: str(each)[:20])
def test_a_drop_down_has_choices(answers: Answers, key: str, variable: dict[str, Any]) -> None:
    found = answers.values[f"{key}/{variable['name']}"]
    if variable["name"] == "name":
        assert found == {PAPER, TAPE, LIVE}
    elif variable["name"] == "other":
        assert found == {TAPE, LIVE}  # an account is never compared with itself
    else:
        assert not isinstance(found, NotUnderstoodError)
        assert found


def test_a_halt_is_seen_at_first_sight(answers: Answers) -> None:
    verdict = answers.to[_first(VERDICT).label]
    assert not isinstance(verdict, NotUnderstoodError)
    assert float(verdict[0]["value"][1]) in (HALTED, HALTED + 1)  # open or closed
    reasons = _reasons(answers.to[_first(WHY_NOT).label])
    assert {"kill switch: the file HALT", "held by: operator"} <= reasons


def test_an_alert_is_on_the_overview(answers: Answers) -> None:
    (query,) = (each for each in asked("overview") if each.panel == "Alerts")
    found = answers.to[query.label]
    assert not isinstance(found, NotUnderstoodError)
    assert "Halted" in {each["metric"]["alertname"] for each in found}


def test_another_target_that_is_down_is_none_of_the_daemon_s(answers: Answers) -> None:
    (query,) = (each for each in asked("process") if each.panel == "Answers")
    found = answers.to[query.label]  # the shipped config has Prometheus itself at its usual port
    assert not isinstance(found, NotUnderstoodError)
    assert [each["value"][1] for each in found] == ["1"]


def test_a_daemon_that_is_gone_is_missed(answers: Answers) -> None:
    assert [float(each["value"][1]) for each in answers.gone[VERDICT]] == [NO_ANSWER]
    reasons = _reasons(answers.gone[WHY_NOT])
    assert "no answer from the daemon" in reasons
    assert "held by: operator" not in reasons  # nobody knows what is in force now


def test_reasons_come_and_go(answers: Answers) -> None:
    assert {"nothing in the way", "the market is closed", "bars missing: NVDA"} <= _reasons(
        answers.reasons
    )


def _reasons(found: Series | NotUnderstoodError) -> set[str]:
    assert not isinstance(found, NotUnderstoodError)
    return {each["metric"]["reason"] for each in found}
