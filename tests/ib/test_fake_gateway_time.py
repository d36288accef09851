"""Virtual time: it jumps when nothing is left to do, and waits for what other threads do."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import aiosqlite
import pytest

from tests.fake_gateway import SECOND_NS, ManualClock, VirtualTimeLoop, instant_ns, run_virtually
from tests.fake_gateway import virtual_loop as virtual
from tests.fake_gateway.virtual_sqlite import sqlite_holds

START = "2026-11-23T09:30 America/New_York"


def test_a_week_passes_at_once_and_in_order() -> None:
    seen: list[str] = []

    async def main(loop: VirtualTimeLoop) -> None:
        async def after(hours: int, name: str) -> None:
            await asyncio.sleep(hours * 3_600)
            seen.append(f"{name} at {loop.time():.0f}")

        await asyncio.gather(after(168, "week"), after(1, "hour"), after(24, "day"))
        assert loop.wall_ns() == instant_ns("2026-11-30T09:30 America/New_York")

    run_virtually(main, START)
    assert seen == ["hour at 3600", "day at 86400", "week at 604800"]


def test_what_is_due_at_one_instant_happens_in_the_order_it_was_asked_for() -> None:
    seen: list[int] = []

    async def main(loop: VirtualTimeLoop) -> None:
        at_ns = loop.wall_ns() + 7 * SECOND_NS
        for number in range(50):
            cancel = loop.clock.call_at(at_ns, partial(seen.append, number))
            if number % 2:
                cancel()
        await asyncio.sleep(8)

    run_virtually(main, START)
    assert seen == list(range(0, 50, 2))


def test_time_stands_still_while_a_thread_works() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        entered, go_on = threading.Event(), threading.Event()

        def work() -> str:
            entered.set()
            assert go_on.wait(20)
            return "done"

        working = asyncio.ensure_future(asyncio.to_thread(work))
        sleeping = asyncio.ensure_future(asyncio.sleep(0.001))
        await asyncio.sleep(0)
        assert entered.wait(20)
        loop.call_soon(go_on.set)
        assert await working == "done"
        assert not sleeping.done()
        assert loop.time() == 0

    run_virtually(main, START)


def test_time_stands_still_while_sqlite_works(tmp_path: Path) -> None:
    long_query = """
        with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 300000)
        select count(*) from numbers"""

    async def main(loop: VirtualTimeLoop) -> None:
        with sqlite_holds(loop):
            async with aiosqlite.connect(tmp_path / "journal.db") as database:
                sleeping = asyncio.ensure_future(asyncio.sleep(0.001))
                async with database.execute(long_query) as rows:
                    assert await rows.fetchone() == (300_000,)
                assert not sleeping.done()
        assert loop.time() == 0
        await sleeping

    run_virtually(main, START)


def test_waiting_for_ever_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual, "STUCK_AFTER_S", 0.01)

    async def main(loop: VirtualTimeLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="waits for ever"):
        run_virtually(main, START)


def test_a_callback_that_fails_fails_the_test(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match="a callback failed"):
        run_virtually(main, START)


def test_a_manual_clock_moves_when_told() -> None:
    clock, seen = ManualClock("2026-11-23T14:30:00Z"), list[tuple[str, int]]()

    def first() -> None:
        seen.append(("first", clock.now_ns()))
        clock.call_at(clock.now_ns() + SECOND_NS, lambda: seen.append(("then", clock.now_ns())))

    start = clock.now_ns()
    clock.call_at(start + 10 * SECOND_NS, first)
    clock.call_at(start + 20 * SECOND_NS, lambda: seen.append(("never", 0)))()
    clock.advance(9)
    assert seen == []
    clock.advance(60)
    assert seen == [("first", start + 10 * SECOND_NS), ("then", start + 11 * SECOND_NS)]
    with pytest.raises(AssertionError, match="backwards"):
        clock.advance_to(start)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-23T09:30 America/New_York", 1795444200),
        ("2026-11-23T14:30:00Z", 1795444200),
        ("2026-11-23T09:30-05:00", 1795444200),
        ("2026-07-01T09:30 America/New_York", 1782912600),  # summer time: 13:30 UTC
    ],
)
def test_instants_are_read(text: str, seconds: int) -> None:
    assert instant_ns(text) == seconds * SECOND_NS


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(AssertionError, match="no zone"):
        instant_ns("2026-11-23T09:30")
