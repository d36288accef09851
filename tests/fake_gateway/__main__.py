"""Run a fake gateway as a program: `python -m tests.fake_gateway --port 7497 --script FILE`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.fake_gateway.clock import Clock, LoopClock, ManualClock, instant_ns, wall_ns
from tests.fake_gateway.control import Control
from tests.fake_gateway.gateway import HOST, FakeGateway
from tests.fake_gateway.market import Market
from tests.fake_gateway.pacing import violations
from tests.fake_gateway.script import Script, made_up, market_of, read_script


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, then say what clients did wrong: exit 1 if anything."""
    options = _parser().parse_args(arguments)
    try:
        script, market = _described(options)
    except (OSError, ValueError) as error:
        print(f"{options.script}: {error}", file=sys.stderr)
        return 2
    return asyncio.run(_serve(options, script, market))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_gateway",
        description="A fake Interactive Brokers gateway on loopback. It trades nothing.",
    )
    parser.add_argument("--port", type=int, default=0, help="default: any free one, printed")
    parser.add_argument("--script", type=Path, help="YAML; without it: NVDA, made up, around now")
    parser.add_argument(
        "--clock",
        choices=("wall", "pace", "still"),
        default="wall",
        help="wall: now; pace: from the start on, --pace times as fast; still: moved by control",
    )
    parser.add_argument("--start", help="where virtual time begins (else the script's `start`)")
    parser.add_argument("--pace", type=float, default=60.0, help="virtual seconds a second")
    parser.add_argument("--control-port", type=int, help="open a control port (0: any free one)")
    parser.add_argument("--quiet", action="store_true", help="do not print requests")
    return parser


def _described(options: argparse.Namespace) -> tuple[Script, Market]:
    if options.script is not None:
        return read_script(options.script)
    start = options.start if options.clock != "wall" else None
    script = made_up(instant_ns(start) if start else wall_ns())
    return script, market_of(script, Path())


def _clock(options: argparse.Namespace, script: Script) -> Clock:
    loop = asyncio.get_running_loop()
    if options.clock == "wall":
        return LoopClock(loop, wall_ns())
    start = options.start or script.start or wall_ns()
    if options.clock == "pace":
        return LoopClock(loop, start, options.pace)
    return ManualClock(start)


async def _serve(options: argparse.Namespace, script: Script, market: Market) -> int:
    loop, ending = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    clock = _clock(options, script)
    gateway = FakeGateway(market, clock, script.settings, options.port, script.steps)
    if not options.quiet:
        gateway.log.listener = lambda line: print(line, file=sys.stderr, flush=True)
    async with gateway:
        control = Control(gateway, ending.set)
        print(f"gateway {HOST}:{gateway.port}", flush=True)
        if options.control_port is not None:
            await control.open(options.control_port)
            print(f"control {HOST}:{control.port}", flush=True)
        await ending.wait()
        control.close()
    wrong = [*gateway.complaints, *violations(gateway.log)]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
