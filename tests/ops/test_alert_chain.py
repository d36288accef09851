"""The real chain: a daemon on a tape, Prometheus, Alertmanager, and somebody who is told.

Three things go wrong in one session of the tape: the strategy places five orders at each of three
bars (fifteen; more than ten are a surge), three bars do not come, and a person halts it. Hours last
seconds, so the rules of this test are 600 times shorter; how long they really are is tried by
promtool (test_alert_rules.py).
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons.running import Daemon
from tests.faults.free_ports import free_port
from tests.ops.alertmanager import Alertmanager, Receiver
from tests.ops.prometheus import Prometheus
from tests.replay.workshop import Workshop

PACE, FAST = "900", "36000"
"""Tape seconds a second: a bar takes four seconds; a night two."""
EVERY = "250ms"
SHORTER = 600

SURGING = """
class Strategy:
    '''Five orders at each of the first three bars, and none after.'''

    warmup_bars = 0

    @dataclass(frozen=True)
    class Params:
        pass

    def __init__(self, params, symbols):
        self._bars = 0

    def decide(self, market, predictions, portfolio):
        self._bars += 1
        return [OrderRequest("NVDA", Side.BUY, 1)] * 5 if self._bars <= 3 else []
"""

MISSING = (
    "[" + ", ".join(f"{{kind: drop, bar: 2024-01-02 {hour}:30}}" for hour in (12, 13, 14)) + "]"
)
"""Bars that end at 13:30, 14:30 and 15:30; the one that ends at 16:00 comes."""


class Chain:
    """All of it, running."""

    def __init__(self, folder: Path) -> None:
        self.shop = Workshop(folder)
        self.shop.strategy("surging", SURGING)
        port = free_port()
        self.receiver = Receiver()
        self.alertmanager = Alertmanager(folder / "alertmanager", self.receiver)
        self.prometheus = Prometheus(
            folder / "prometheus",
            [f"127.0.0.1:{port}"],
            EVERY,
            alertmanager=self.alertmanager.address,
            shorter=SHORTER,
        )
        self.daemon = Daemon(self.shop, settings=_settings(port, PACE))
        self._port = port

    def go_on_faster(self) -> None:
        """Stop the daemon, and start it where it stopped, at another pace."""
        assert self.daemon.stop() == 0
        self.daemon.settings |= _settings(self._port, FAST)
        self.daemon.start()

    def close(self) -> None:
        """Leave no process behind."""
        self.daemon.clean_up()
        self.prometheus.close()
        self.alertmanager.close()
        self.receiver.close()

    def wait_for(self, alert: str, status: str) -> None:
        """Wait until somebody is told; fails with all that was told where nobody ever is."""
        try:
            self.daemon.wait_for(lambda: self.receiver.has(alert, status))
        except AssertionError as error:
            raise AssertionError(f"no {alert} {status}: {self.receiver.order()}\n{error}") from None


def _settings(port: int, pace: str) -> dict[str, str]:
    return {
        "feed": f"{{kind: tape, pace: {pace}, start: 2024-01-02, faults: {MISSING}}}",
        "strategy": "{kind: 'strategies.surging:Strategy'}",
        "risk": "{}",
        "observability.metrics": f"127.0.0.1:{port}",
    }


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Return the chain, without the daemon yet."""
    made = Chain(tmp_path)
    yield made
    made.close()


def test_a_surge_a_gap_and_a_halt_are_told_and_cleared(chain: Chain) -> None:
    chain.daemon.wait_for(chain.alertmanager.is_ready)
    chain.wait_for("PapertapeDown", "firing")  # nobody has started it yet
    chain.daemon.start()
    chain.wait_for("PapertapeDown", "resolved")
    chain.wait_for("TradeSurge", "firing")
    chain.wait_for("NoBar", "firing")
    chain.wait_for("NoBar", "resolved")  # the bar of 16:00 has come
    assert chain.daemon.type("kill", "--reason", "a test").code == 0
    chain.wait_for("Halted", "firing")
    assert chain.daemon.type("reset", "--reason", "the test is over").code == 0
    chain.wait_for("Halted", "resolved")
    assert not chain.receiver.has("TradeSurge", "resolved")  # it is the same day still
    chain.go_on_faster()
    chain.wait_for("TradeSurge", "resolved")  # the next session counts anew
    chain.daemon.wait_for(lambda: chain.receiver.has("Watchdog", "firing", receiver="heartbeat"))
    _check_messages(chain)


def _check_messages(chain: Chain) -> None:
    """Nobody was woken for anything else; each says which daemon, and where to read on."""
    paged = {each.alert for each in chain.receiver.told if each.receiver == "pager"}
    assert paged == {"PapertapeDown", "TradeSurge", "NoBar", "Halted"}
    surge = chain.receiver.first("TradeSurge")
    assert surge.labels["name"] == "shop"
    assert surge.annotations["summary"] == "papertape shop has placed 15 orders today"
    gap = chain.receiver.first("NoBar")
    assert gap.annotations["summary"] == "papertape shop: two bars of NVDA have not come"
    for alert in ("TradeSurge", "NoBar", "Halted", "PapertapeDown"):
        url = chain.receiver.first(alert).annotations["runbook_url"]
        assert url == f"{chain.prometheus.url}/user/runbook.md#{alert.lower()}"
        with urllib.request.urlopen(url) as reply:  # noqa: S310 - equal to an address of http
            assert f"\n### {alert}\n" in reply.read().decode()
