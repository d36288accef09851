"""A daemon in a process of its own that a test leads through the time of its gateway.

with Led(folder, market, start="2026-11-23T09:00") as led:
    led.run_until("2026-11-23T16:30")
    assert led.stop() == 0
    assert led.broken() == []
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from daemon.control.client import ask
from daemon.core.events import MarketSlice, Outcome
from daemon.core.outputs import OrderAccepted, Origin
from daemon.core.turn import Turn
from daemon.feeds.ib.history import BarsWanted
from daemon.journal.ledger import LedgerRow
from daemon.journal.reader import JournalReader
from tests.daemons.virtual import committed
from tests.fake_gateway import FakeGateway, Market, Step
from tests.fake_gateway.in_thread import ThreadedGateway
from tests.ib.feeding import at
from tests.ib.invariants import broken_inputs, broken_rules
from tests.replay.workshop import ROOT, _built_state

CONFIG = """\
name: led
symbols: [{symbols}]
bars: {{size: {size}}}
feed: {{kind: ib, port: {port}}}
strategy: {{kind: sma_cross, params: {{fast: 1, slow: 2, quantity: 10, allow_short: true}}}}
risk: {{allow_short: true}}
observability: {{metrics: null}}
"""
"""A strategy that turns round at nearly every bar."""
WITHIN_S = 300.0


class Led:
    """The gateway, in a thread, and the daemon, in a process; both at the time of the gateway."""

    def __init__(
        self,
        folder: Path,
        market: Market,
        start: str,
        *,
        symbols: Sequence[str] = ("NVDA",),
        size: str = "1h",
        steps: Sequence[Step] = (),
    ) -> None:
        self.state = folder / "state"
        self.threaded = ThreadedGateway(market, at(start))
        self._wanted = BarsWanted(tuple(symbols), size, "session", 5.0)
        self._folder = folder
        self._steps = steps
        self._process: subprocess.Popen[str] | None = None
        self._until = at(start)

    def __enter__(self) -> Self:
        self.threaded.__enter__()
        self.threaded.call(self._arm)
        shutil.copytree(_built_state(), self.state)
        symbols = ", ".join(self._wanted.symbols)
        text = CONFIG.format(symbols=symbols, size=self._wanted.size, port=self.threaded.port)
        (self._folder / "config.yaml").write_text(text, encoding="utf-8")
        self.start()
        return self

    def _arm(self, gateway: FakeGateway) -> None:
        for step in self._steps:
            step.arm(gateway)

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self.threaded.__exit__()

    # --- doing ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon; it does nothing before time runs."""
        command = [
            sys.executable, "-m", "tests.ib.led_daemon", str(self._folder / "config.yaml"),
            str(self.state), str(self.threaded.keeper.port),
        ]  # fmt: skip
        with self.log_path.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stderr=log, text=True)

    def run_until(self, instant: str) -> None:
        """Let time run; returns when the daemon has nothing left to do before then."""
        self._until = at(instant)
        self.threaded.run_until(self._until, within_s=WITHIN_S)

    @property
    def pid(self) -> int:
        """The daemon's process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """An orderly stop; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(WITHIN_S)

    def kill_9(self) -> None:
        """As a machine that loses its power does it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    # --- asking -----------------------------------------------------------------------------------

    @property
    def log_path(self) -> Path:
        """The daemon's log."""
        return self._folder / "daemon.log"

    def log(self, event: str) -> list[dict[str, Any]]:
        """Its lines of one event."""
        lines = map(json.loads, self.log_path.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if line["event"] == event]

    def status(self) -> dict[str, Any]:
        """What the running daemon says."""
        found: dict[str, Any] = ask(self.state, "status")["status"]
        return found

    @property
    def turns(self) -> list[Turn]:
        """What is committed."""
        return committed(self.state)

    @property
    def slices(self) -> list[MarketSlice]:
        """The slices that are not warm-up."""
        inputs = [turn.input for turn in self.turns]
        found = [one for one in inputs if isinstance(one, MarketSlice)]
        return [one for one in found if one.outcome is not Outcome.WARMUP]

    @property
    def rows(self) -> list[LedgerRow]:
        """The ledger."""
        with closing(JournalReader(self.state / "journal.db")) as reader:
            return [
                LedgerRow(
                    one.kind, one.instant, one.symbol, one.start, one.end, one.outcome, one.detail
                )
                for one in reader.ledger()
            ]

    def broken(self) -> list[str]:
        """Every invariant that was broken: of the journal, of the gateway, of trading."""
        turns = self.turns
        items = [turn.input for turn in turns]

        def judge(gateway: FakeGateway) -> list[str]:
            market = gateway.market
            return [
                *broken_inputs(items, self.rows, market, self._wanted, self._until),
                *broken_rules(gateway),
            ]

        return [*self.threaded.call(judge), *_late_orders(turns)]


def _late_orders(turns: Sequence[Turn]) -> list[str]:
    """Nothing may be decided on a bar that came too late, or before its time."""
    return [
        f"turn {turn.seq}: {output} was decided on a slice that is {turn.input.outcome}"
        for turn in turns
        if isinstance(turn.input, MarketSlice) and turn.input.outcome is not Outcome.RECEIVED
        for output in turn.outputs
        if isinstance(output, OrderAccepted) and output.origin is Origin.TARGET
    ]
