"""The daemon in a process of its own, on the virtual time of a fake gateway in another.

    python -m tests.ib.led_daemon CONFIG STATE KEEPER_PORT

Nothing of it is replaced: `papertape run` does the same with the loop and the clock of the machine.
Idle passes of the loop (the watchdog's) come once a minute here, or a week would hold 600,000.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from random import Random

import daemon.live.run
from daemon.config import load_config
from daemon.feeds.ib.source import prepare_at
from daemon.observability.logs import configure
from tests.fake_gateway.lockstep import led_loop
from tests.fake_gateway.virtual_sqlite import sqlite_holds

BEAT_S = 60.0


def main(config_path: str, state: str, keeper_port: str) -> int:
    """Run until a signal comes."""
    loop = led_loop(int(keeper_port))
    config = load_config(Path(config_path), (), state=Path(state))
    log = configure("json", run_id="led")
    log.take_over()
    daemon.live.run.HEARTBEAT_S = BEAT_S
    prepare = partial(prepare_at, now=loop.wall_ns, random=Random(1))
    try:
        with sqlite_holds(loop):
            return daemon.live.run.run(config, Path(state), prepare, log, loop_factory=lambda: loop)
    finally:
        log.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
