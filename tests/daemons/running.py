"""A daemon in a process of its own, on the workshop's tape, as a person would start it.

    daemon = Daemon(shop, pace="max")
    daemon.start()
    daemon.wait_for(lambda: daemon.turns() >= 20)
    assert daemon.stop() == 0

`pace` is tape seconds a second: hourly bars at 36,000 come ten a second, `max` as fast as they
are taken. Waiting is for conditions, with a limit that only a failure reaches.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daemon.errors import RefusedError
from daemon.journal.reader import JournalReader
from daemon.state_directory import owner_of
from tests.replay.workshop import Answer, Workshop

GIVE_UP_S = 60.0
LOOK_EVERY_S = 0.01
LOOKS = 10


class Daemon:
    """One state directory and the process that runs on it, if any."""

    def __init__(
        self, shop: Workshop, *, pace: str = "max", settings: Mapping[str, str] | None = None
    ) -> None:
        self.shop = shop
        self.state = shop.state
        self.settings = {
            "feed": f"{{kind: tape, pace: {pace}}}",
            "observability.metrics": "null",  # one port cannot serve several at once
            **(settings or {}),
        }
        self.process: subprocess.Popen[str] | None = None
        self.log_path = shop.folder / "daemon.log"

    # --- starting and ending --------------------------------------------------------------------

    @property
    def words(self) -> tuple[str, ...]:
        """The command line."""
        settings = [word for key, value in self.settings.items() for word in _setting(key, value)]
        return ("run", "--config", str(self.shop.config), *settings)

    def start(self, *, prefix: tuple[str, ...] = (), wait: bool = True, **options: Any) -> None:
        """Start it; `prefix` is a program that starts it (strace). Waits until it is ready."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        with self.log_path.open("a", encoding="utf-8") as log:
            before = self.log_path.stat().st_size
            given = {"stderr": log, "stdout": subprocess.DEVNULL} | options
            self.process = self.shop.start(*self.words, prefix=prefix, **given)
        if wait:
            self.wait_for(lambda: "ready" in self.events(before) or self.ended)

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.process is None or self.process.poll() is not None

    @property
    def pid(self) -> int:
        """The daemon's process, also behind a prefix."""
        assert self.process is not None, "not started"
        return owner_of(self.state) or self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        assert self.process is not None, "not started"
        return self.process.wait(GIVE_UP_S)

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        if not self.ended:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill_9(self) -> None:
        """SIGKILL and wait."""
        if not self.ended:
            self.signal(signal.SIGKILL)
        self.wait()

    def clean_up(self) -> None:
        """Leave no process behind, whatever the test has found."""
        if not self.ended:
            assert self.process is not None
            self.process.kill()
            self.process.wait()

    # --- asking ---------------------------------------------------------------------------------

    def type(self, verb: str, *words: str) -> Answer:
        """A verb that acts on it, in a process of its own."""
        return self.shop.process(verb, *words, "--state", str(self.state))

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        answer = self.type("status", "--json")
        assert answer.code == 0, answer.err
        found: dict[str, Any] = json.loads(answer.out)
        return found

    def wait_for(self, true: Callable[[], Any], *, give_up_s: float = GIVE_UP_S) -> None:
        """Wait until something is so; fails with the log where it never is."""
        until = time.monotonic() + give_up_s
        while not true():
            assert time.monotonic() < until, f"it never came true; the log:\n{self.log()[-4000:]}"
            time.sleep(LOOK_EVERY_S)

    def log(self) -> str:
        """Everything it has logged."""
        return self.log_path.read_text("utf-8") if self.log_path.exists() else ""

    def events(self, after: int = 0) -> list[str]:
        """The names of the events it has logged, in order; after so many bytes of the log."""
        lines = self.log().encode()[after:].decode().splitlines()
        return [found["event"] for found in map(_json, lines) if found is not None]

    # --- the journal ----------------------------------------------------------------------------

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.state / "journal.db"

    def turns(self) -> int:
        """How many turns are committed."""
        for _ in range(LOOKS):
            try:
                reader = JournalReader(self.journal)
            except Exception:  # noqa: BLE001 - it is not there yet, or being made
                return 0
            try:
                last = reader.last_turn()
            except RefusedError:  # a daemon has begun to write to it while it was read
                continue
            finally:
                reader.close()
            return 0 if last is None else last.seq
        raise AssertionError(f"{self.journal} cannot be read")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the journal, read as Grafana or a person would."""
        connection = sqlite3.connect(f"{self.journal.as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def trading(self) -> dict[str, list[tuple[Any, ...]]]:
        """What was traded: the rows that two runs on one tape must have in common."""
        return {
            "orders": self.query("SELECT * FROM orders ORDER BY order_id"),
            "fills": self.query("SELECT * FROM fills ORDER BY fill_id"),
            "trades": self.query("SELECT * FROM trades ORDER BY trade_id"),
            "denials": self.query("SELECT * FROM denials"),
            "states": self.query("SELECT * FROM state_changes"),
            "equity": self.query("SELECT ts, equity FROM equity"),
        }


def _setting(key: str, value: str) -> tuple[str, str]:
    return "--set", f"{key}={value}"


def _json(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line[line.index("{") :])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
