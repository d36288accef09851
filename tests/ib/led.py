"""A process of its own that is led through virtual time: asks for bars at every half hour."""

from __future__ import annotations

import asyncio
import sys

from tests.fake_gateway.lockstep import led_loop
from tests.ib.library import library
from tests.ib.talking import history

HALF_HOUR_NS = 1_800 * 10**9


async def poll(port: int) -> None:
    """Print the time and the closes known five seconds after each half hour, for ever."""
    loop = asyncio.get_running_loop()
    ib = library.IB()
    ib.RaiseRequestErrors = True
    await ib.connectAsync("127.0.0.1", port, clientId=17, timeout=10, readonly=True)
    while True:
        now_ns: int = loop.wall_ns()  # type: ignore[attr-defined]  # the loop is a led one
        await asyncio.sleep((HALF_HOUR_NS - now_ns % HALF_HOUR_NS) / 1e9 + 5)
        bars = await history(ib, duration="1 D")
        print(*(f"{bar.date:%H:%M}={bar.close}" for bar in bars[:-1]), flush=True)


if __name__ == "__main__":
    gateway_port, keeper_port = map(int, sys.argv[1:])
    with asyncio.Runner(loop_factory=lambda: led_loop(keeper_port)) as runner:
        runner.run(poll(gateway_port))
