"""A made market and a daemon on it that can be stopped between any two bars.

    stage = Stage(folder, {"AAA": [flat(10), flat(11), flat(12)]}, {0: "TargetPosition('AAA', 5)"})
    stage.play(1)                  # a process at `pace: max` that ends with bar 1
    with stage.held():             # a process at `pace: 1`: an hour passes before bar 2 is there,
        stage.say("pause")         # so that this comes in bar 2, seconds after its start
    stage.play()                   # the rest of the tape
    stage.hold()                   # as `held`, for a SIGKILL in that hour

Bar i is the i-th expected bar from the session `first` on, seven a full session. Quotes are
(open, high, low, close[, volume]) in dollars; a plan says, by the number of a bar, what the
strategy wants at its close, as Python (`*send('SIGUSR1')` is a signal to itself, once). Unless a
setting says otherwise nothing costs anything.
"""

from __future__ import annotations

import copy
import csv
import json
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from daemon.feeds.times import iso_z
from tests.daemons.running import Daemon
from tests.replay.workshop import Answer, Workshop, bar_starts

Quote = tuple[float, ...]
HOUR_S = 3600
VOLUME = 1_000_000
SECOND_NS = 10**9

FREE = "{slippage_bps: 0, commission: none, regulatory_fees: false, participation_fraction: null}"

STRATEGY = """
import os, signal, threading, time

def send(name, thread=False, number=None):
    number = number or getattr(signal, name)
    if (token := Path(__file__).parent.parent / name).exists():  # once: not when played again
        token.unlink()
        if thread:
            threading.Thread(target=os.kill, args=(os.getpid(), number)).start()
        else:
            os.kill(os.getpid(), number)
    return []

def until(name):
    folder = Path(__file__).parent.parent
    if not (folder / name).exists():
        (folder / f"{name}.waits").touch()
        while not (folder / name).exists():
            time.sleep(0.001)
    return []

def reload():
    folder = Path(__file__).parent.parent
    if (folder / "config.next").exists():
        (folder / "config.next").rename(folder / "config.yaml")
        os.kill(os.getpid(), signal.SIGHUP)
    return []

class Plan:
    @dataclass(frozen=True)
    class Params:
        pass

    warmup_bars = 0

    def __init__(self, params, symbols):
        pass

    def decide(self, market, predictions, portfolio):
        death = Path(__file__).parent.parent / "death"
        if death.exists() and death.read_text() == str(market.start):
            send("death", number=signal.SIGKILL)
        bars = {bar.symbol: bar for bar in market.bars}
        wanted = PLAN.get(market.start)
        return None if wanted is None else wanted(bars, portfolio)
"""


def flat(price: float, volume: int = VOLUME) -> Quote:
    """A bar in which the price does not move."""
    return (price, price, price, price, volume)


class Stage(Daemon):
    """A market, a plan and a state directory."""

    made: ClassVar[list[Stage]] = []

    def __init__(
        self,
        folder: Path,
        quotes: Mapping[str, Sequence[Quote | None]],
        plan: Mapping[int, str] | None = None,
        *,
        first: int = 20240102,
        last: int = 20240112,
        **config: str,
    ) -> None:
        super().__init__(Workshop(folder))
        self.made.append(self)
        self.folder = folder
        self.starts = bar_starts(first, last)
        self.length = max(map(len, quotes.values()))
        for symbol, rows in quotes.items():
            self.write_tape(symbol, rows)
        self.config = {
            "name": "acceptance",
            "symbols": f"[{', '.join(quotes)}]",
            "bars": "{size: 1h}",
            "tape": "{path: 'tape_{symbol}.csv', adjustment: raw}",
            "strategy": "{kind: plan:Plan}",
            "execution": FREE,
            "risk": "{allow_short: true}",
            **config,
        }
        self.write_config()
        self.write_plan(plan or {})

    def twin(self, folder: Path) -> Stage:
        """The same account in another folder, at the same point; neither process may run."""
        assert self.ended, "a running daemon has no twin"
        shutil.copytree(self.folder, folder)
        other = copy.copy(self)
        self.made.append(other)
        other.folder, other.settings, other.config = folder, dict(self.settings), dict(self.config)
        other.shop = copy.copy(self.shop)
        other.shop.folder, other.shop.config = folder, folder / "config.yaml"
        other.shop.state = other.state = folder / "state"
        other.log_path = folder / "daemon.log"
        return other

    # --- what there is --------------------------------------------------------------------------

    def write_tape(self, symbol: str, rows: Sequence[Quote | None]) -> None:
        """The bars of a symbol, None for one that is not there."""
        path = self.folder / f"tape_{symbol}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("timestamp", "open", "high", "low", "close", "volume"))
            for start, row in zip(self.starts, rows, strict=False):
                if row is not None:
                    writer.writerow((iso_z(start), *row, *([VOLUME] if len(row) == 4 else [])))

    def write_config(self, **changes: str) -> None:
        """The config's file; a change stays."""
        self.config |= changes
        text = "".join(f"{key}: {value}\n" for key, value in self.config.items())
        self.shop.config.write_text(text, encoding="utf-8")

    def write_plan(self, plan: Mapping[int, str]) -> None:
        """What the strategy wants at the close of which bar; `bars` and `portfolio` are at hand."""
        lines = [
            f"    {self.starts[number]}: lambda bars, portfolio: [{wanted}],\n"
            for number, wanted in plan.items()
        ]
        for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"):
            if any(f"send('{name}'" in line for line in lines):
                (self.folder / name).touch()
        self.shop.strategy("plan", STRATEGY + "\nPLAN = {\n" + "".join(lines) + "}\n")

    def write_predictions(self, values: Sequence[float]) -> None:
        """What the model says of AAA at the end of each bar; nan is a failure."""
        lines = [f"{self.end(number)},AAA,{value}\n" for number, value in enumerate(values)]
        text = "ts,symbol,value\n" + "".join(lines)
        (self.folder / "predictions.csv").write_text(text, encoding="utf-8")
        self.write_config(model="{kind: recorded, path: predictions.csv}")

    def end(self, number: int) -> str:
        """The end of a bar, as in files."""
        return next(
            iso_z(end)
            for start, end in zip(self.starts, self._ends(), strict=True)
            if start == self.starts[number]
        )

    def start_of(self, number: int) -> str:
        """The start of a bar, as in files."""
        return iso_z(self.starts[number])

    def _ends(self) -> list[int]:
        following = [*self.starts[1:], self.starts[-1]]
        hour = HOUR_S * SECOND_NS
        return [
            start + (hour if later - start == hour else hour // 2)
            for start, later in zip(self.starts, following, strict=True)
        ]

    # --- running --------------------------------------------------------------------------------

    def play(self, to: int | None = None, *, pace: str = "max", faults: str = "") -> Stage:
        """Run to the end of bar `to`, or to the last one's, and end with 0."""
        self.begin(to, pace=pace, faults=faults)
        assert self.wait() == 0, self.log()[-4000:]
        return self

    def die(self, bar: int) -> None:
        """Run until a SIGKILL in the decision at the close of a bar, whose turn is lost."""
        (self.folder / "death").write_text(str(self.starts[bar]), "utf-8")
        self.begin()
        assert self.wait() == -signal.SIGKILL, self.log()[-4000:]

    def begin(self, to: int | None = None, *, pace: str = "max", faults: str = "") -> None:
        """Start to run; see `play`."""
        last = self.length - 1 if to is None else to
        extra = f", faults: [{faults}]" if faults else ""
        self.settings["feed"] = f"{{kind: tape, pace: {pace}, end: '{self.end(last)}'{extra}}}"
        self.start(wait=False)

    @contextmanager
    def held(self) -> Iterator[Stage]:
        """A daemon for which the next bar is an hour away; stopped in order at the end."""
        self.hold()
        try:
            yield self
            assert self.stop() == 0
        finally:
            self.clean_up()

    def hold(self) -> None:
        """Start to wait for a bar that is an hour away; see `held`."""
        self.settings["feed"] = "{kind: tape, pace: 1}"
        self.start()
        assert not self.ended, self.log()[-4000:]

    def proved(self) -> bool:
        """Whether `verify` finds the journal equal."""
        return "equal." in self.done("verify")

    def say(self, *words: str) -> Answer:
        """A verb that acts on it."""
        return self.shop.type(*words, "--state", str(self.state))

    def done(self, *words: str) -> str:
        """The same; it must succeed. What it printed."""
        answer = self.say(*words)
        assert answer.code == 0, (words, answer)
        return answer.out

    def read(self, *words: str) -> Any:
        """What a reading verb says with --json."""
        return json.loads(self.done(*words, "--json"))

    def replay(self, *words: str) -> Path:
        """A replay of the same config; its run directory."""
        return self.shop.replay(*words, "--state", str(self.state))

    # --- what came of it ------------------------------------------------------------------------

    def fills(self, symbol: str | None = None) -> list[tuple[int, int, float]]:
        """(bar, signed shares, dollars) of every fill, in order."""
        found = self.query("SELECT ts_effective, symbol, side, quantity, price FROM fills")
        return [
            (self.number(ts), quantity if side == "buy" else -quantity, price)
            for ts, name, side, quantity, price in found
            if symbol in {None, name}
        ]

    def orders(self, symbol: str) -> list[tuple[str, str, str]]:
        """(origin, status, reason) of a symbol's orders, in order."""
        found = self.query("SELECT origin, status, reason, symbol FROM orders ORDER BY order_id")
        return [
            (origin, status, reason) for origin, status, reason, name in found if name == symbol
        ]

    def denials(self, symbol: str | None = None) -> list[tuple[int, int, str]]:
        """(the bar at whose close, signed shares, reason) of every denial."""
        found = self.query("SELECT ts, symbol, quantity, reason FROM denials")
        ends = [iso_z(end) for end in self._ends()]
        return [
            (ends.index(ts), quantity, reason)
            for ts, name, quantity, reason in found
            if symbol in {None, name}
        ]

    def states(self) -> list[tuple[str, str, int]]:
        """(state, source of the hold, whether it was lifted) of every change."""
        return self.query("SELECT state, source, lifted FROM state_changes")

    def equity(self) -> list[float]:
        """Dollars at the end of each slice."""
        return [row[0] for row in self.query("SELECT equity FROM equity")]

    def gaps(self) -> list[tuple[int, str]]:
        """(bar, outcome) of every row of the ledger that is not `received`."""
        found = self.query("SELECT start, outcome FROM gaps")
        return [(self.number(start), outcome) for start, outcome in found]

    def number(self, start: str) -> int:
        """The number of the bar that starts then."""
        found = int(datetime.fromisoformat(start).astimezone(UTC).timestamp()) * SECOND_NS
        return self.starts.index(found)
