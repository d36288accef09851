"""`papertape probe` as a whole: the look, what is printed, what is written down."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import to_builtins

from daemon.config import Config, IbFeedConfig
from daemon.core.units import SECOND_NS
from daemon.errors import Exit, RefusedError
from daemon.feeds.calendar import load_calendar
from daemon.feeds.ib.history import BarsWanted
from daemon.feeds.ib.probe import FAIL, Finding, Probe
from daemon.observability.checks import write_check
from daemon.text_table import counted, is_plain, marked

CHECK = "probe"

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def probe(
    config: Config,
    state: Path,
    *,
    as_json: bool = False,
    now: Callable[[], int] = time.time_ns,
    loop_factory: LoopFactory | None = None,
) -> int:
    """Look a config's gateway over; exit 1 where something must be changed.

    The result is `checks/probe.json`. RefusedError for a config without a gateway.
    """
    feed = config.feed
    if not isinstance(feed, IbFeedConfig):
        raise RefusedError(
            f"{config.path}: feed: names no gateway to look at: write feed: {{kind: ib}}"
        )
    bars = config.bars
    wanted = BarsWanted(tuple(config.symbols), bars.size, bars.grid, feed.grace_s)
    look = Probe(feed, wanted, load_calendar(state, bars.calendar), now)
    if not as_json:
        print(f"looking at {feed.host}:{feed.port}, up to a minute and a half …", file=sys.stderr)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(look.run())
    failed = [one for one in look.found if one.state == FAIL]
    path = write_check(
        state, CHECK, now() // SECOND_NS * SECOND_NS, success=not failed,
        host=feed.host, port=feed.port, facts=look.facts, findings=to_builtins(look.found),
    )  # fmt: skip
    if as_json:
        print(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=2))
    else:
        print(f"state   {state}")
        print("\n".join(_lines(look.found)))
        print(f"\n{_verdict(failed)} ({path})")
    return Exit.CHECK_FAILED if failed else Exit.OK


def _lines(found: Sequence[Finding]) -> list[str]:
    plain, width = is_plain(), max(len(one.check) for one in found)
    lines = []
    for one in found:
        mark = {"ok": "green", "note": "yellow", FAIL: "red"}[one.state]
        state = marked(f"{one.state:<4}", mark, plain=plain)
        lines.append(f"{state}  {one.check:<{width}}  {one.text}")
        if one.advice:
            lines.append(f"      {'':<{width}}  {one.advice}")
    return lines


def _verdict(failed: Sequence[Finding]) -> str:
    return f"{counted(len(failed), 'finding')} to mend" if failed else "nothing to mend"
