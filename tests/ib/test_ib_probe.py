"""`papertape probe`: what it finds, what it says to change, and with which exit code."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import main
from daemon.config import IbFeedConfig, load_config
from daemon.errors import RefusedError
from daemon.feeds.ib.history import BarsWanted
from daemon.feeds.ib.messages import RawBar
from daemon.feeds.ib.probe import Finding, Probe, final_after
from daemon.feeds.ib.probe_verb import probe
from tests.fake_gateway import FakeGateway, Kind, Market, VirtualTimeLoop, run_virtually, violations
from tests.fake_gateway.faults import (
    AnyFault,
    CompetingSession,
    Farm,
    HalfStart,
    Refuse,
    Say,
    Skew,
    TakeClientIds,
    Upstream,
)
from tests.fake_gateway.in_thread import ThreadedGateway
from tests.faults.free_ports import free_port
from tests.ib.feeding import TUESDAY, at, market_of
from tests.replay.workshop import _built_state, calendar

CLOSED = f"{TUESDAY}T08:00"
OPEN = f"{TUESDAY}T11:10:20"


def looked(
    *faults: AnyFault,
    start: str = CLOSED,
    market: Market | None = None,
    symbols: Sequence[str] = ("NVDA",),
    size: str = "1h",
    beside: Callable[[FakeGateway], Coroutine[Any, Any, None]] | None = None,
    **options: Any,
) -> tuple[dict[str, Finding], Probe, FakeGateway]:
    made = market or market_of(symbols, size)

    async def whole(loop: VirtualTimeLoop) -> tuple[Probe, FakeGateway]:
        async with FakeGateway(made, loop.clock) as gateway:
            for fault in faults:
                gateway.do(fault)
            feed = IbFeedConfig(port=gateway.port, **options)
            wanted = BarsWanted(tuple(symbols), size, "session", feed.grace_s)
            look = Probe(feed, wanted, calendar(), loop.wall_ns)
            noticing = None if beside is None else asyncio.create_task(beside(gateway))
            await look.run()
            if noticing is not None:
                await noticing
            await asyncio.sleep(0.1)
        return look, gateway

    look, gateway = run_virtually(whole, at(start))
    return {one.check: one for one in look.found}, look, gateway


def test_a_gateway_in_good_health() -> None:
    found, look, gateway = looked(symbols=("NVDA", "AMD"))
    assert {one.state for one in found.values()} == {"ok", "note"}
    assert found["trading"].text == "read-only: no order can reach Interactive Brokers"
    assert found["NVDA"].text == "NVDA, NASDAQ"
    assert found["NVDA hours"].text == "as the calendar's, to 2026-11-29"
    assert found["AMD bars"].text == "2026-11-23: all 7 expected"
    assert found["hour bars"].text == (
        "begin at 09:30, 10:00, 11:00, 12:00, 13:00, 14:00, 15:00; papertape joins half hours"
    )
    assert found["history lag"] == Finding(
        "history lag",
        "note",
        "not measured: the exchange is closed",
        "run `papertape probe` again while it is open",
    )
    assert look.facts["client_id"] == 17
    assert gateway.complaints == []
    assert violations(gateway.log) == []
    assert gateway.log.orders == []


def test_where_hour_bars_are_cut_is_told_and_no_matter() -> None:
    market = market_of()
    market["NVDA"].grid = "session"
    found, _, _ = looked(market=market)
    assert found["hour bars"].text == (
        "begin at 09:30, 10:30, 11:30, 12:30, 13:30, 14:30, 15:30; papertape joins half hours"
    )
    assert found["NVDA bars"].text == "2026-11-23: all 7 expected"


FINAL = "a bar is final {} s after its end; it is asked for after 5 s".format
LATE = Finding(
    "history lag",
    "fail",
    "a bar is final 8.0 s after its end, and asked for after 5 s",
    "set feed.grace_s to 10",
)


@pytest.mark.parametrize(
    ("lag_s", "finding"),
    [
        (0.5, Finding("history lag", "ok", FINAL("1.0"))),
        (3.2, Finding("history lag", "ok", FINAL("4.0"))),
        (8.0, LATE),
    ],
)
def test_how_soon_a_bar_is_final_is_measured(lag_s: float, finding: Finding) -> None:
    market = market_of(("NVDA",), "1m")
    market["NVDA"].lag_s = lag_s
    found, look, gateway = looked(start=OPEN, market=market)
    assert found["history lag"] == finding
    assert violations(gateway.log) == []
    assert isinstance(look.facts["history_lag_s"], float)


def test_a_bar_that_stays_out_is_told() -> None:
    market = market_of(("NVDA",), "1m")
    market["NVDA"].delay(at(f"{TUESDAY}T11:10"), 900.0)
    found, _, _ = looked(start=OPEN, market=market)
    assert found["history lag"].state == "fail"
    assert found["history lag"].text == "the bar before was not there 15 s after its end"


def test_the_look_that_is_like_the_last() -> None:
    part, whole = RawBar(0, 1, 1, 1, 1, 5), RawBar(0, 1, 2, 1, 2, 9)
    assert final_after([(1, None), (2, part), (3, whole), (4, whole)]) == 3
    assert final_after([(1, whole), (2, whole)]) == 1
    assert final_after([(1, whole), (2, part), (3, whole)]) == 3
    assert final_after([(1, None)]) is None


UNSUBSCRIBED = "no market data subscription"
NTP = "let NTP set this machine's clock"
MUTE, LOGGED_IN = "does not answer as a gateway does", "is it TWS or the Gateway, logged in?"


@pytest.mark.parametrize(
    ("fault", "check", "text", "advice"),
    [
        (Skew(seconds=75.0), "clock", "75.5 s ahead", NTP),
        (Skew(seconds=-9.0), "clock", "8.5 s behind", NTP),
        (Refuse(code=200, kind=Kind.CONTRACT), "NVDA", "no such stock", "correct `symbols`"),
        (Refuse(code=162, text="no_permission"), "NVDA bars", UNSUBSCRIBED, "subscribe"),
        (Refuse(code=354), "NVDA bars", UNSUBSCRIBED, "subscribe, and share it"),
        (CompetingSession(for_s=600), "NVDA bars", "another login of this user", "log the other"),
        (Refuse(code=162, text="pacing"), "NVDA bars", "asked too often", "wait ten minutes"),
        (Refuse(code=321, for_s=60), "NVDA bars", "321", "is bars.size one that it sells"),
        (HalfStart(without="next_valid_id"), "connection", MUTE, LOGGED_IN),
        (HalfStart(without="accounts"), "connection", MUTE, LOGGED_IN),
    ],
)
def test_what_is_wrong_says_what_to_change(
    fault: AnyFault, check: str, text: str, advice: str
) -> None:
    found, _, _ = looked(fault)
    assert [name for name, one in found.items() if one.state == "fail"] == [check]
    assert text in found[check].text
    assert advice in found[check].advice


def test_servers_and_farms_that_are_down_are_told() -> None:
    again = "wait until it is over, or log in at the gateway again"
    found, _, _ = looked(Upstream(down_s=600))
    assert found["NVDA"] == Finding(
        "NVDA", "fail", "the gateway says that it is not connected", again
    )
    found, _, _ = looked(Farm(farm="history", down_s=600))
    assert found["NVDA bars"] == Finding(
        "NVDA bars", "fail", "Interactive Brokers' store of past bars is down", again
    )


def test_what_is_wrong_with_all_is_told_once() -> None:
    found, _, _ = looked(CompetingSession(for_s=600), start=OPEN)
    assert [one.check for one in found.values() if one.state != "ok"] == ["NVDA bars"]
    assert found["NVDA bars"].text == (
        "another login of this user (a phone, another computer) took the market data"
    )


def test_what_the_gateway_says_meanwhile_is_told() -> None:
    async def notice(gateway: FakeGateway) -> None:
        gateway.after(1, Kind.HISTORY, Say(code=2110))

    found, _, _ = looked(beside=notice)
    assert found["servers"].text == "the gateway has lost Interactive Brokers' servers"


def test_client_ids_in_use_are_passed_over() -> None:
    found, look, _ = looked(TakeClientIds(client_ids=(17,), for_s=600))
    assert found["client ids"] == Finding(
        "client ids", "note", "17 in use: by the daemon, if it runs"
    )
    assert look.facts["client_id"] == 18


def test_without_a_free_client_id_it_says_so() -> None:
    found, _, gateway = looked(TakeClientIds(client_ids=(17, 18, 19), for_s=600))
    assert found["client ids"] == Finding(
        "client ids",
        "fail",
        f"127.0.0.1:{gateway.port} answers, and 17, 18, 19 are in use by other programs",
        "add more ids to feed.client_ids, or end what uses them",
    )
    assert len(found) == 1


def test_an_ambiguous_symbol() -> None:
    market = market_of()
    market.add("NVDA", 999, primary_exchange="MEXI")
    found, _, _ = looked(market=market)
    assert found["NVDA"].text == "2 US stocks have it"


def test_hours_that_differ_name_the_command() -> None:
    market = market_of()
    market["NVDA"].hours.announce(TUESDAY, "20261124:0930-20261124:1300")
    found, _, _ = looked(market=market)
    assert found["NVDA hours"] == Finding(
        "NVDA hours",
        "fail",
        "Interactive Brokers says that the exchange closes at 13:00 on 2026-11-24",
        "if so, `papertape calendar add 2026-11-24 --early-close 13:00`, then restart",
    )


def test_bars_that_lack_are_counted() -> None:
    market = market_of()
    market["NVDA"].miss(at("2026-11-23T10:30"))
    found, _, _ = looked(market=market)
    assert found["NVDA bars"].text.startswith(
        "2026-11-23: 6 of 7 expected, the first at 2026-11-23 10:30; 0 where no bar begins"
    )


# --- the verb -------------------------------------------------------------------------------------


def config_in(folder: Path, feed: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"name: x\nsymbols: [NVDA]\nbars: {{size: 1h}}\nfeed: {{{feed}}}\n"
        f"tape: {{path: x.csv}}\nstrategy: {{kind: buy_and_hold}}\n",
        encoding="utf-8",
    )
    shutil.copytree(_built_state(), folder / "state")
    return path


def test_it_prints_its_findings_and_writes_them_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ThreadedGateway(market_of(), at(CLOSED)) as threaded:
        path, state = config_in(tmp_path, f"kind: ib, port: {threaded.port}"), tmp_path / "state"
        config = load_config(path, (), state=state)
        assert probe(config, state, now=threaded.clock.now_ns) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"state   {state}"
        assert lines[1] == f"ok    connection   127.0.0.1:{threaded.port} with client id 17"
        assert lines[-1] == f"nothing to mend ({state}/checks/probe.json)"
        threaded.advance(60)  # the same requests, and not too soon
        threaded.do(Refuse(code=354))
        assert probe(config, state, as_json=True, now=threaded.clock.now_ns) == 1
    printed = json.loads(capsys.readouterr().out)
    written = json.loads((state / "checks" / "probe.json").read_text("utf-8"))
    assert printed == written
    assert (written["check"], written["success"]) == ("probe", False)
    failed = [one for one in written["findings"] if one["state"] == "fail"]
    assert [one["check"] for one in failed] == ["NVDA bars"]


def test_nothing_that_listens_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    path = config_in(tmp_path, f"kind: ib, port: {port}")
    assert main(["probe", "--config", str(path), "--state", str(tmp_path / "state")]) == 1
    out = capsys.readouterr().out
    assert f"fail  connection  nothing listens at 127.0.0.1:{port}" in out
    assert "feed.port" in out


def test_a_host_that_nobody_knows_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config_in(tmp_path, "kind: ib, host: gateway.invalid")
    assert main(["probe", "--config", str(path), "--state", str(tmp_path / "state")]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[1].startswith("fail  connection  gateway.invalid:7497: ")
    assert told[2].split(maxsplit=1) == ["correct", "feed.host"]


def test_a_config_without_a_gateway_is_refused(tmp_path: Path) -> None:
    path = config_in(tmp_path, "kind: tape")
    config = load_config(path, (), state=tmp_path / "state")
    with pytest.raises(RefusedError, match="names no gateway to look at"):
        probe(config, tmp_path / "state")
