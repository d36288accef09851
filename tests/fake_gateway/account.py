"""What a client's start asks about the login and its accounts: there is next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.fake_gateway import answers
from tests.fake_gateway.requests import Kind, Request
from tests.fake_gateway.texts import Text

if TYPE_CHECKING:
    from tests.fake_gateway.connection import Connection
    from tests.fake_gateway.gateway import FakeGateway


class AccountDesk:
    """Answer what is about the login, not about a contract."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway
        self.kinds: dict[Kind, Callable[[Connection, Request], None]] = {
            Kind.CURRENT_TIME: self._current_time,
            Kind.IDS: self._ids,
            Kind.MANAGED_ACCOUNTS: self._managed_accounts,
            Kind.ACCOUNT_UPDATES: self._updates,
            Kind.ACCOUNT_UPDATES_MULTI: self._updates,
            Kind.ACCOUNT_SUMMARY: self._summary,
            Kind.POSITIONS: self._positions,
            Kind.EXECUTIONS: self._executions,
            Kind.OPEN_ORDERS: self._orders,
            Kind.ALL_OPEN_ORDERS: self._orders,
            Kind.COMPLETED_ORDERS: self._orders,
            Kind.MARKET_DATA: self._market_data,
        }

    def _current_time(self, connection: Connection, request: Request) -> None:
        connection.send(answers.current_time(self._gateway.now_told_ns()))

    def _ids(self, connection: Connection, request: Request) -> None:
        connection.send(answers.next_valid_id(self._gateway.next_order_id))

    def _managed_accounts(self, connection: Connection, request: Request) -> None:
        connection.send(answers.managed_accounts(self._gateway.settings.accounts))

    def _updates(self, connection: Connection, request: Request) -> None:
        multi = request.kind is Kind.ACCOUNT_UPDATES_MULTI
        if not multi and request.fields[2] != "1":
            return  # the client takes its subscription back
        account = self._gateway.settings.accounts[0]
        for fields in answers.account_values(account, request.request_id, multi=multi):
            connection.send(fields)

    def _summary(self, connection: Connection, request: Request) -> None:
        account = self._gateway.settings.accounts[0]
        for fields in answers.account_summary(account, request.request_id):
            connection.send(fields)

    def _positions(self, connection: Connection, request: Request) -> None:
        connection.send(answers.position_end())

    def _executions(self, connection: Connection, request: Request) -> None:
        connection.send(answers.executions_end(request.request_id))

    def _orders(self, connection: Connection, request: Request) -> None:
        if self._gateway.settings.read_only:
            connection.send_error(321, Text.READ_ONLY)
        elif request.kind is Kind.COMPLETED_ORDERS:
            connection.send(answers.completed_orders_end())
        else:
            connection.send(answers.open_order_end())

    def _market_data(self, connection: Connection, request: Request) -> None:
        self._gateway.refused(connection, request, 354, Text.NOT_SUBSCRIBED)
