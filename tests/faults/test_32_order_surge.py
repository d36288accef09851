"""A strategy sends orders without end -> the limits deny them, the hourly one pauses until a person
resumes, the daily one halts until a person resets; a restart in between lifts neither.
"""

from __future__ import annotations

from tests.faults.conftest import Daemons
from tests.faults.trouble import Patient, check_verified, halted_by_file, no_traceback
from tests.replay.workshop import Workshop

SURGE = """
class Strategy:
    warmup_bars = 0

    @dataclass(frozen=True)
    class Params:
        orders: int = 2000

    def __init__(self, params, symbols):
        self._orders = params.orders

    def decide(self, market, predictions, portfolio):
        return [
            OrderRequest("NVDA", Side.BUY if number % 2 else Side.SELL, 1)
            for number in range(self._orders)
        ]
"""
STRATEGY = '{kind: "surge:Strategy", params: {orders: %d}}'


def settings(orders: int, **limits: str) -> dict[str, str]:
    chosen = {"max_orders_per_day": "null"} | limits
    return {"strategy": STRATEGY % orders} | {f"risk.{key}": at for key, at in chosen.items()}


def orders(daemon: Patient) -> int:
    return len(daemon.query("SELECT * FROM orders"))


def test_the_hourly_limit_pauses(shop: Workshop, daemons: Daemons) -> None:
    """Three orders a bar, four an hour: the last bar ends half an hour after the others."""
    shop.strategy("surge", SURGE)
    daemon = daemons(pace="100000", settings=settings(3, max_orders_per_hour="4"))
    daemon.start()
    daemon.reach(9)
    assert daemon.status()["state"] == "PAUSED"
    assert orders(daemon) == 6 * 3
    assert daemon.query("SELECT ts FROM state_changes") == [("2024-01-02T21:00:00Z",)]
    daemon.kill_9()
    daemon.start()
    assert daemon.status()["state"] == "PAUSED"
    at = daemon.turns()
    daemon.reach(at + 5)  # on the next day
    assert orders(daemon) == 6 * 3
    assert daemon.type("resume", "--reason", "looked at").code == 0
    daemon.wait_for(lambda: orders(daemon) > 6 * 3)
    assert daemon.stop() == 0
    no_traceback(daemon)
    check_verified(daemon)


def test_thousands_in_one_turn(shop: Workshop, daemons: Daemons) -> None:
    """None of a turn's orders is accepted when it breaches a limit that pauses."""
    shop.strategy("surge", SURGE)
    daemon = daemons(pace="max", settings=settings(2000, max_orders_per_hour="4"))
    daemon.start(wait=False)
    daemon.reach(3)
    assert daemon.stop() == 0
    assert orders(daemon) == 0
    ((denied,),) = daemon.query("SELECT count(*) FROM denials WHERE ts < '2024-01-02T16:00:00Z'")
    assert denied >= 2000
    assert daemon.status()["state"] == "PAUSED"
    check_verified(daemon)


def test_the_daily_limit_halts(shop: Workshop, daemons: Daemons) -> None:
    shop.strategy("surge", SURGE)
    daemon = daemons(pace="100000", settings=settings(5, max_orders_per_day="12"))
    daemon.start()
    daemon.wait_for(lambda: halted_by_file(daemon.state))
    assert daemon.status()["state"] == "HALTED"
    assert orders(daemon) == 10, "five a bar: the third five would be too many"
    daemon.kill_9()
    daemon.start()
    daemon.type("resume", "--reason", "not what lifts it")
    assert daemon.status()["state"] == "HALTED"
    at = daemon.turns()
    daemon.reach(at + 11)  # over the night, too
    assert orders(daemon) == 10
    assert daemon.type("reset", "--reason", "the strategy is mended").code == 0
    daemon.wait_for(lambda: orders(daemon) > 10)
    assert daemon.stop() == 0
    check_verified(daemon)


def test_a_working_limit_denies_each_one_by_name(shop: Workshop, daemons: Daemons) -> None:
    shop.strategy("surge", SURGE)
    daemon = daemons(settings=settings(50, max_order_usd="50"))
    daemon.start(wait=False)
    assert daemon.wait() == 0
    assert daemon.query("SELECT * FROM orders") == []
    bars = len(daemon.query("SELECT * FROM bars"))
    assert daemon.query("SELECT reason, count(*) FROM denials GROUP BY reason") == [
        ("MAX_ORDER_USD", 50 * bars)
    ]
    check_verified(daemon)
