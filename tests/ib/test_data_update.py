"""`data update` against the fake gateway: the real library, on virtual time, paced and patient."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, TextIO

import pytest

from daemon.config import IbFeedConfig
from daemon.core.events import Split
from daemon.core.units import HOUR_NS
from daemon.data.files import read_series
from daemon.data.folder import DataFolder
from daemon.data.gateway_history import GatewayHistory
from daemon.data.history import HistoryAwayError, Wanted
from daemon.data.progress import Progress
from daemon.data.update import Updated, Updater
from daemon.errors import RefusedError
from daemon.feeds.expected import BAR_SIZES_NS, each_expected_session
from daemon.feeds.ib.history import PARTS as LONGEST
from daemon.feeds.times import date_number, number_date, zone_date, zone_text
from tests.fake_gateway import (
    FakeGateway,
    Kind,
    Market,
    Settings,
    VirtualTimeLoop,
    bars_from,
    instant_ns,
    run_virtually,
    session_starts,
    violations,
    walk,
)
from tests.fake_gateway.faults import (
    ClosePort,
    CutOff,
    Delay,
    Drop,
    Empty,
    Ignore,
    Mangle,
    Mute,
    NightlyReset,
    Refuse,
    Restart,
    TakeClientIds,
    Upstream,
)
from tests.fake_gateway.in_thread import ThreadedGateway
from tests.replay.workshop import Workshop, calendar
from tests.unit.test_data_update import Terminal

NEW_YORK = "America/New_York"
EVENING = f"2026-11-24T16:45 {NEW_YORK}"
PARTS = {"1h": "30 mins", "30m": "30 mins", "15m": "15 mins", "5m": "5 mins", "1m": "1 min"}
Prepare = Callable[[FakeGateway], None]


def market_of(first: str, days: int, size: str, *symbols: str) -> Market:
    market = Market()
    for seed, symbol in enumerate(symbols or ("NVDA",)):
        stock = market.add(symbol, lag_s=2)
        starts = session_starts(stock.hours, first, days, PARTS[size])
        stock.add(walk(starts, PARTS[size], seed))
    return market


def update(
    folder: Path,
    market: Market,
    *,
    at: str = EVENING,
    size: str = "1h",
    symbols: Sequence[str] = ("NVDA",),
    since: int = 20261123,
    settings: Settings | None = None,
    prepare: Prepare | None = None,
    table: Sequence[Split] = (),
    adjustment: str = "splits",
    config: Mapping[str, Any] | None = None,
    screen: TextIO | None = None,
) -> tuple[FakeGateway, list[Updated | Exception]]:
    """Bring the symbols up to date; what came of each, or how it failed."""

    async def main(loop: VirtualTimeLoop) -> tuple[FakeGateway, list[Updated | Exception]]:
        async with FakeGateway(market, loop.clock, settings) as gateway:
            if prepare is not None:
                prepare(gateway)
            progress = Progress(screen)
            feed = IbFeedConfig(**{"port": gateway.port, **(config or {})})
            history = GatewayHistory(feed, size, "session", calendar(), Random(1), progress)
            wanted = Wanted(tuple(symbols), size, "session", adjustment)
            data = DataFolder(folder / "data")
            updater = Updater(data, wanted, history, calendar(), table, progress)
            found: list[Updated | Exception] = []
            for symbol in symbols:
                try:
                    found.append(await updater.update(symbol, loop.wall_ns(), since))
                except (RefusedError, HistoryAwayError) as error:
                    found.append(error)
            await history.close()
        return gateway, found

    gateway, found = run_virtually(main, at)
    assert violations(gateway.log) == []
    assert gateway.complaints == []
    return gateway, found


def starts_in(folder: Path, size: str = "1h", symbol: str = "NVDA") -> list[int]:
    return read_series(DataFolder(folder / "data").file(symbol, size), "", "").starts


def expected(first: int, last: int, size: str = "1h") -> list[int]:
    sessions = each_expected_session(calendar(), first, last, BAR_SIZES_NS[size], "session")
    return [start for session in sessions for start in session.starts]


def test_bars_of_the_config_are_joined_from_the_vendors(tmp_path: Path) -> None:
    """Two halves of an hour: 100 to 100.5 and on to 102, between 99 and 103."""
    market = Market()
    stock = market.add("NVDA", lag_s=2)
    stock.add(
        bars_from(
            [
                (f"2026-11-24T09:30 {NEW_YORK}", 100.0, 101.0, 99.0, 100.5, 1_000),
                (f"2026-11-24T10:00 {NEW_YORK}", 100.5, 103.0, 100.0, 102.0, 2_000),
                (f"2026-11-24T10:30 {NEW_YORK}", 102.0, 102.5, 98.0, 99.0, 3_000),
            ],
            "30 mins",
        )
    )
    update(tmp_path, market, since=20261124)
    series = read_series(DataFolder(tmp_path / "data").file("NVDA", "1h"), "", "")
    assert [(start, seen[0].numbers) for start, seen in series.bars.items()] == [
        (instant_ns(f"2026-11-24T09:30 {NEW_YORK}"), (100.0, 103.0, 99.0, 102.0, 3_000))
    ]
    (bar,) = series.bars.values()
    assert (bar[0].source, zone_text(bar[0].seen, NEW_YORK)) == ("ib", "2026-11-24 16:45")


@pytest.mark.parametrize(("size", "days"), [("1h", 60), ("15m", 20), ("5m", 10), ("1m", 4)])
@pytest.mark.parametrize("counts", ["sessions", "calendar"])
def test_everything_since_a_date(size: str, days: int, counts: Any, tmp_path: Path) -> None:
    first = {60: "2026-09-26", 20: "2026-11-05", 10: "2026-11-15", 4: "2026-11-21"}[days]
    market = market_of(first, days, size)
    settings = Settings(days=counts)
    gateway, _ = update(
        tmp_path, market, size=size, since=int(first.replace("-", "")), settings=settings
    )
    asked = [int(query.duration.split()[0]) for _, query in gateway.log.history()]
    assert max(asked) <= LONGEST[size][2]
    assert starts_in(tmp_path, size) == expected(int(first.replace("-", "")), 20261124, size)


def test_the_running_session_as_far_as_it_has_come(tmp_path: Path) -> None:
    market = market_of("2026-11-23", 2, "1h")
    update(tmp_path, market, at=f"2026-11-24T12:40 {NEW_YORK}")
    assert [zone_text(start, NEW_YORK)[11:] for start in starts_in(tmp_path)[-3:]] == [
        "09:30", "10:30", "11:30",
    ]  # fmt: skip
    update(tmp_path, market)
    assert starts_in(tmp_path) == expected(20261123, 20261124)


def test_a_holiday_and_an_early_close(tmp_path: Path) -> None:
    """Thanksgiving has no bar, the day after it four: 09:30 to 12:30, the last of half an hour."""
    market = market_of("2026-11-25", 3, "1h")
    update(tmp_path, market, at=f"2026-11-27T16:45 {NEW_YORK}", since=20261125)
    found = [zone_text(start, NEW_YORK) for start in starts_in(tmp_path)]
    assert found[7:] == [f"2026-11-27 {hour}:30" for hour in ("09", "10", "11", "12")]
    assert found[6] == "2026-11-25 15:30"


def test_a_revised_bar_is_kept_apart(tmp_path: Path) -> None:
    market = market_of("2026-11-23", 2, "1h")
    update(tmp_path, market, at=f"2026-11-23T16:45 {NEW_YORK}")
    start = f"2026-11-23T13:30 {NEW_YORK}"
    market["NVDA"].revise(start, f"2026-11-23T20:00 {NEW_YORK}", volume=99.0)
    _, (done,) = update(tmp_path, market)
    assert isinstance(done, Updated)
    assert done.merged == (7, 7 - 1, 1)
    series = read_series(DataFolder(tmp_path / "data").file("NVDA", "1h"), "", "")
    ((revised, sightings),) = series.revised()
    assert revised == instant_ns(start)
    assert len(sightings) == 2


def test_a_split_is_not_taken_for_revisions(tmp_path: Path) -> None:
    market = market_of("2026-11-20", 5, "1h")
    update(tmp_path, market, at=f"2026-11-23T16:45 {NEW_YORK}", since=20261120)
    market["NVDA"].split(f"2026-11-24T09:30 {NEW_YORK}", 10.0)
    _, (failed,) = update(tmp_path, market)
    assert "papertape data action add NVDA split 10:1 --effective 2026-11-24" in str(failed)
    assert starts_in(tmp_path) == expected(20261120, 20261123)
    update(tmp_path, market, table=[Split("NVDA", 20261124, 10, 1)])
    assert starts_in(tmp_path) == expected(20261120, 20261124)
    series = read_series(DataFolder(tmp_path / "data").file("NVDA", "1h"), "", "")
    assert list(series.revised()) == []


def test_a_split_on_whose_day_bars_were_seen_already(tmp_path: Path) -> None:
    """At noon of its day two bars are there in new shares; the vendor restates the rest later."""
    market, noon = market_of("2026-11-20", 5, "1h"), f"2026-11-24T12:00 {NEW_YORK}"
    update(tmp_path, market, at=noon, since=20261120)
    market["NVDA"].split(f"2026-11-24T09:30 {NEW_YORK}", 4.0)
    _, (failed,) = update(tmp_path, market, at=noon)
    assert "papertape data action add NVDA split 4:1 --effective 2026-11-24" in str(failed)
    _, (done,) = update(tmp_path, market, at=noon, table=[Split("NVDA", 20261124, 4, 1)])
    assert isinstance(done, Updated)
    assert done.merged.added == 0
    series = read_series(DataFolder(tmp_path / "data").file("NVDA", "1h"), "", "")
    assert list(series.revised()) == []
    assert (series.adjusted_until, series.splits) == (20261123, (Split("NVDA", 20261124, 4, 1),))


# --- trouble --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Refuse(code=162, text="pacing", times=2),
        Refuse(code=10197, times=2),
        Refuse(code=366, times=1),
        Ignore(times=1),
        Drop(),
        Drop(reset=True),
        Restart(down_s=90),
        NightlyReset(),
        Mute(for_s=100_000),
        CutOff(),
        Delay(by_s=90),
        Upstream(down_s=60, restored=1101),
    ],
    ids=[
        "pacing",
        "competing",
        "unknown",
        "silence",
        "closed",
        "reset",
        "restart",
        "night",
        "mute",
        "cut off",
        "late",
        "upstream",
    ],
)
def test_what_goes_away_is_waited_for(fault: Any, tmp_path: Path) -> None:
    market = market_of("2026-11-23", 2, "1h")
    update(tmp_path, market, prepare=lambda gateway: gateway.after(1, Kind.HISTORY, fault))
    assert starts_in(tmp_path) == expected(20261123, 20261124)


@pytest.mark.parametrize("how", ["not_finite", "crossed", "zero", "negative_volume"])
def test_a_bar_that_cannot_be_true_is_left_out_and_told(how: Any, tmp_path: Path) -> None:
    market = market_of("2026-11-23", 2, "1h")
    _, (done,) = update(
        tmp_path, market, prepare=lambda one: one.after(1, Kind.HISTORY, Mangle(how=how))
    )
    assert isinstance(done, Updated)
    assert (done.strange, done.merged.added) == (1, 13)


def test_an_interruption_costs_nothing_of_what_came_before(tmp_path: Path) -> None:
    """Thirty days a request: the first answer reaches from Monday, 28 September, to 27 October."""
    market = market_of("2026-09-26", 60, "1h")

    def prepare(gateway: FakeGateway) -> None:
        gateway.after(2, Kind.HISTORY, Refuse(code=10197, times=99))

    _, (failed,) = update(tmp_path, market, since=20260926, prepare=prepare)
    assert isinstance(failed, HistoryAwayError)
    assert starts_in(tmp_path) == expected(20260926, 20261027)
    gateway, _ = update(tmp_path, market)
    assert starts_in(tmp_path) == expected(20260926, 20261124)
    assert len(gateway.log.of(Kind.HISTORY)) == 2


def test_a_terminal_is_told_what_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 26 requests the first is asked twice, and the last two wait for ten minutes to end."""

    screen = Terminal()
    monkeypatch.setenv("COLUMNS", "70")
    symbols = [f"S{letter}" for letter in "ABCDEFGHIJKLM"]
    gateway, _ = update(
        tmp_path, market_of("2026-09-26", 60, "1h", *symbols), symbols=symbols, since=20260926,
        prepare=lambda one: one.after(1, Kind.HISTORY, Refuse(code=10197)), screen=screen,
    )  # fmt: skip
    lines = screen.getvalue().split("\r\x1b[K")
    assert lines[1] == "SA 1h, part 1 of 2: 2026-09-28 to 2026-10-27, 0 new bars so far"
    assert lines[2].startswith("SA 1h, part 1 of 2: again in 2 s: another")
    assert len(lines[2]) == 69, "a line that wraps could not be taken away"
    waits = [line for line in lines if line.endswith(", as the vendor's pace demands")]
    assert [line.partition(",")[0] + line.rpartition(":")[2] for line in waits] == [
        "SA 1h waits 13 s, as the vendor's pace demands",  # not the same within 15 s
        "SM 1h waits 585 s, as the vendor's pace demands",
        "SM 1h waits 15 s, as the vendor's pace demands",
    ]
    asked = gateway.log.of(Kind.HISTORY)
    assert len(asked) == 27
    assert asked[25].at_ns - asked[0].at_ns >= 600 * 10**9


def test_its_client_ids_are_its_own(tmp_path: Path) -> None:
    """The daemon's are 17 to 19: 20 is in use, 21 is free."""
    gateway, _ = update(
        tmp_path,
        market_of("2026-11-23", 2, "1h"),
        prepare=lambda one: one.do(TakeClientIds(client_ids=(17, 18, 19, 20), for_s=600)),
    )
    assert starts_in(tmp_path) == expected(20261123, 20261124)
    ids = [entry.request.fields[2] for entry in gateway.log.of(Kind.START)]
    assert ids[-1] == "21"


def test_many_symbols_keep_to_the_vendors_pace(tmp_path: Path) -> None:
    """Forty requests: more than ten minutes' worth of ours."""
    symbols = [f"S{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN"[:20]]
    market = market_of("2026-09-26", 60, "1h", *symbols)
    gateway, found = update(tmp_path, market, symbols=symbols, since=20260926)
    assert all(isinstance(one, Updated) for one in found)
    asked = gateway.log.of(Kind.HISTORY)
    assert len(asked) == 40
    assert asked[-1].at_ns - asked[0].at_ns >= 600 * 10**9


@pytest.mark.parametrize(
    ("fault", "kind", "line"),
    [
        (Refuse(code=200), RefusedError, "NVDA: Interactive Brokers knows no such stock"),
        (Refuse(code=162, text="no_permission"), RefusedError, "NVDA: no market data subscription"),
        (Refuse(code=10197, times=99), HistoryAwayError, "tried 7 times: try again later"),
    ],
)
def test_what_asking_again_does_not_change(
    fault: Any, kind: type[Exception], line: str, tmp_path: Path
) -> None:
    market = market_of("2026-11-23", 2, "1h")
    _, (failed,) = update(
        tmp_path, market, prepare=lambda gateway: gateway.after(1, Kind.HISTORY, fault)
    )
    assert isinstance(failed, kind)
    assert line in str(failed)
    assert starts_in(tmp_path) == []


def test_no_bars_are_no_error(tmp_path: Path) -> None:
    market = market_of("2026-11-23", 2, "1h")
    _, (done,) = update(
        tmp_path, market, prepare=lambda gateway: gateway.after(1, Kind.HISTORY, Empty())
    )
    assert isinstance(done, Updated)
    assert done.merged.added == 0


def test_an_unknown_symbol_and_a_gateway_that_is_not_there(tmp_path: Path) -> None:
    market = market_of("2026-11-23", 2, "1h")
    _, (failed, done) = update(tmp_path, market, symbols=("NOPE", "NVDA"))
    assert str(failed) == "NOPE: Interactive Brokers knows no such stock"
    assert isinstance(done, Updated)

    def closed(gateway: FakeGateway) -> None:
        gateway.do(ClosePort(for_s=3600))

    _, (away,) = update(tmp_path / "b", market, prepare=closed)
    assert isinstance(away, HistoryAwayError)
    assert "start TWS or the gateway" in str(away)


def test_the_command_line(tmp_path: Path) -> None:
    """A real process's way: at the time it is, over a real socket, without virtual time."""
    now = time.time_ns()
    first = number_date(zone_date(now, NEW_YORK)) - timedelta(days=8)
    shop = Workshop(tmp_path)
    with ThreadedGateway(market_of(first.isoformat(), 9, "1h"), now) as threaded:
        feed = f"feed: {{kind: ib, port: {threaded.port}}}\n"
        shop.config.write_text(
            shop.config.read_text("utf-8").replace("tape:", "# tape:") + feed, encoding="utf-8"
        )
        words = ("--config", str(shop.config), "--state", str(shop.state))
        answer = shop.type("data", "update", *words, "--since", first.isoformat())
        assert answer.code == 0, answer.err
        assert answer.out.startswith(f"state   {shop.state}\nNVDA 1h: ")
        again = shop.type("data", "update", *words)
        assert "\nNVDA 1h: 0 new bars; the last begins " in again.out
    series = read_series(DataFolder(shop.state / "data").file("NVDA", "1h"), "", "")
    sessions = each_expected_session(
        calendar(), date_number(first), calendar().exchange_date(now), HOUR_NS, "session"
    )
    assert series.starts == [
        start
        for session in sessions
        for start, end in zip(session.starts, session.ends, strict=True)
        if end <= now - 60 * 10**9
    ]
    away = shop.type("data", "update", *words)
    assert away.code == 75
    assert "nothing listens at 127.0.0.1" in away.err
