"""The vendor's own client reads the fake gateway as ib_async does: an independent judge of it."""

from __future__ import annotations

from typing import Any

import pytest
from ibapi.order import Order

from tests.fake_gateway import Settings
from tests.fake_gateway.faults import Drop, KillStreams, Refuse
from tests.fake_gateway.in_thread import ThreadedGateway
from tests.ib.official import Official, contract, official
from tests.ib.talking import NEW_YORK, TUESDAY, morning

NOON = f"{TUESDAY}T11:10 {NEW_YORK}"


def ask_history(client: Official, request_id: int, duration: str = "1 D", **more: Any) -> None:
    client.reqHistoricalData(
        request_id,
        contract(),
        more.get("end", ""),
        duration,
        more.get("size", "30 mins"),
        "TRADES",
        1,
        more.get("format_date", 2),
        more.get("keep", False),
        [],
    )


@pytest.mark.parametrize("version", [176, 178])
def test_the_start_contracts_and_bars(version: int) -> None:
    market, _ = morning(lag_s=0)
    settings = Settings(server_version=version)
    with ThreadedGateway(market, NOON, settings) as threaded, official(threaded.port) as client:
        assert client.serverVersion() == version
        assert client.wait_for("managedAccounts") == ("DU1234567",)
        assert client.wait_for("nextValidId") == (1,)
        assert [client.wait_for("error")[2] for _ in range(3)] == [2104, 2106, 2158]

        client.reqContractDetails(1, contract())
        (_, details) = client.wait_for("contractDetails")
        assert details.contract.conId == 4815747
        assert details.timeZoneId == "US/Eastern"
        assert details.liquidHours.startswith("20261124:0930-20261124:1600;")
        assert details.stockType == "COMMON"
        assert str(details.suggestedSizeIncrement) == "100"
        assert client.wait_for("contractDetailsEnd") == (1,)

        ask_history(client, 2)
        bars = [bar for _, bar in client.all_until("historicalData", "historicalDataEnd")]
        assert [(bar.date, bar.open, bar.high, bar.low, bar.close) for bar in bars[:2]] == [
            ("1795530600", 100.0, 101.0, 99.0, 100.5),
            ("1795532400", 100.5, 103.0, 100.0, 102.0),
        ]
        assert [int(bar.volume) for bar in bars] == [1_000, 2_000, 3_000, 1_333]

        ask_history(client, 3, "1 D", size="1 hour", format_date=1)
        bars = [bar for _, bar in client.all_until("historicalData", "historicalDataEnd")]
        assert [bar.date for bar in bars] == [
            "20261124 09:30:00 US/Eastern",
            "20261124 10:00:00 US/Eastern",
            "20261124 11:00:00 US/Eastern",
        ]


def test_the_time_is_virtual() -> None:
    market, _ = morning()
    with ThreadedGateway(market, NOON) as threaded, official(threaded.port) as client:
        client.wait_for("nextValidId")
        client.reqCurrentTime()
        assert client.wait_for("currentTime") == (1795536600,)
        threaded.advance(3_600)
        client.reqCurrentTime()
        assert client.wait_for("currentTime") == (1795540200,)


def test_accounts_positions_and_the_head_of_history() -> None:
    market, _ = morning()
    settings = Settings(read_only=False)
    with ThreadedGateway(market, NOON, settings) as threaded, official(threaded.port) as client:
        client.wait_for("nextValidId")
        client.reqPositions()
        assert client.wait_for("positionEnd") == ()
        client.reqOpenOrders()
        assert client.wait_for("openOrderEnd") == ()
        client.reqAccountSummary(5, "All", "NetLiquidation")
        assert client.wait_for("accountSummary")[2:4] == ("NetLiquidation", "100000.00")
        assert client.wait_for("accountSummaryEnd") == (5,)
        client.reqAccountUpdates(True, "DU1234567")
        assert client.wait_for("updateAccountValue")[0] == "NetLiquidation"
        assert client.wait_for("accountDownloadEnd") == ("DU1234567",)
        client.reqHeadTimeStamp(6, contract(), "TRADES", 1, 2)
        assert client.wait_for("headTimestamp") == (6, "1795530600")


def test_refusals_and_read_only_orders() -> None:
    market, _ = morning()
    with ThreadedGateway(market, NOON) as threaded, official(threaded.port) as client:
        client.wait_for("nextValidId")
        for _ in range(3):
            client.wait_for("error")
        threaded.do(Refuse(code=162, text="pacing"))
        ask_history(client, 7)
        refused = client.wait_for("error")
        assert (refused[0], refused[2]) == (7, 162)
        assert refused[3].endswith("Historical data request pacing violation")

        order = Order()
        order.action, order.orderType, order.totalQuantity = "BUY", "MKT", 1
        client.placeOrder(8, contract(), order)
        refused = client.wait_for("error")
        assert (refused[0], refused[2]) == (8, 321)
        orders = threaded.call(lambda gateway: [entry.kind for entry in gateway.log.orders])
        assert orders == ["place_order"]


def test_bars_are_kept_up_to_date_and_die() -> None:
    market, _ = morning(lag_s=0)
    with ThreadedGateway(market, NOON) as threaded, official(threaded.port) as client:
        client.wait_for("nextValidId")
        for _ in range(3):
            client.wait_for("error")
        ask_history(client, 9, keep=True)
        client.wait_for("historicalDataEnd")
        threaded.advance(300)  # 11:15, half of the bar: from its low half way to its high
        updates = [client.wait_for("historicalDataUpdate")[1] for _ in range(60)]
        assert {bar.date for bar in updates} == {"1795536000"}
        last = updates[-1]
        assert (last.open, last.high, last.low, last.close) == (99.0, 101.25, 98.5, 101.25)
        assert int(last.volume) == 2_000

        client.reqRealTimeBars(10, contract(), 5, "TRADES", 1, [])
        threaded.wait_until(lambda gateway: len(gateway.streams.streams) == 2)
        threaded.advance(10)
        first, second = (client.wait_for("realtimeBar") for _ in range(2))
        assert (first[1], second[1]) == (1795536900, 1795536905)
        assert second[2] == first[5]  # it opens where the last one closed

        threaded.do(KillStreams(code=10182))
        assert {client.wait_for("error")[0] for _ in range(2)} == {9, 10}
        threaded.advance(60)
        threaded.do(Drop())
        client.wait_for("connectionClosed")
        assert "historicalDataUpdate" not in {heard for heard, _ in list(client.heard.queue)}


def test_a_client_id_in_use_and_a_closed_port() -> None:
    market, _ = morning()
    with ThreadedGateway(market, NOON) as threaded:
        with official(threaded.port) as first:
            first.wait_for("nextValidId")
            with official(threaded.port) as second:
                assert second.wait_for("error")[2] == 326
                second.wait_for("connectionClosed")
        port = threaded.port
    client = Official()
    client.connect("127.0.0.1", port, 1)
    assert client.wait_for("error")[2] == 502
