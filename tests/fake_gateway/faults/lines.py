"""Faults of the connection and of what is said on it, and of the gateway as a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import field

from tests.fake_gateway.connection import Connection, Framing
from tests.fake_gateway.faults.base import ScriptedFault

if TYPE_CHECKING:
    from tests.fake_gateway.gateway import FakeGateway


class Drop(ScriptedFault, frozen=True, kw_only=True):
    """End connections, all or that of one client id: closed, or broken off with `reset`."""

    reset: bool = False
    client_id: int | None = None

    def apply(self, gateway: FakeGateway) -> None:
        """End them now."""
        for connection in _of(gateway, self.client_id):
            (connection.reset if self.reset else connection.close)()


class Mute(ScriptedFault, frozen=True, kw_only=True):
    """Leave connections established but dead: nothing is read, nothing is sent (half-open)."""

    for_s: float | None = None
    client_id: int | None = None

    def apply(self, gateway: FakeGateway) -> None:
        """Mute the connections there are; new ones are well."""
        muted = _of(gateway, self.client_id)
        for connection in muted:
            connection.is_mute = True
        if self.for_s is not None:
            gateway.later(self.for_s, lambda: _unmute(muted))


class Slow(ScriptedFault, frozen=True, kw_only=True):
    """Send everything `by_s` late, in order, on all connections and on new ones."""

    by_s: float
    for_s: float | None = None

    def apply(self, gateway: FakeGateway) -> None:
        """Slow down now, and up again when the time is over."""
        _set_delay(gateway, self.by_s)
        if self.for_s is not None:
            gateway.later(self.for_s, lambda: _set_delay(gateway, 0.0))


class Frame(ScriptedFault, frozen=True, kw_only=True):
    """Lay frames into the stream otherwise: byte by byte, or joined."""

    framing: Framing
    for_s: float | None = None

    def apply(self, gateway: FakeGateway) -> None:
        """Change it on all connections and on new ones, until the time is over."""
        _set_framing(gateway, self.framing)
        if self.for_s is not None:
            gateway.later(self.for_s, lambda: _set_framing(gateway, Framing.WHOLE))


class Garbage(ScriptedFault, frozen=True, kw_only=True):
    """Send bytes that are no frame; by default a length that never comes."""

    hexadecimal: str = "7fffffff00ff00ff"

    def apply(self, gateway: FakeGateway) -> None:
        """Send them to every client."""
        for connection in gateway.ready():
            connection.send_bytes(bytes.fromhex(self.hexadecimal))


class Babble(ScriptedFault, frozen=True, kw_only=True):
    """Send a well-formed message that no client knows."""

    fields: tuple[str, ...] = ("9999", "1", "unheard-of")

    def apply(self, gateway: FakeGateway) -> None:
        """Send it to every client."""
        for connection in gateway.ready():
            connection.send(self.fields)


class Say(ScriptedFault, frozen=True, kw_only=True):
    """Send a notice or an error that nobody asked for; changes nothing else."""

    code: int
    text: str | None = None
    request_id: int = -1

    def apply(self, gateway: FakeGateway) -> None:
        """Say it to every client."""
        gateway.say(self.code, self.text, self.request_id)


class ClosePort(ScriptedFault, frozen=True, kw_only=True):
    """Refuse new connections as a gateway that does not run; existing ones stay."""

    for_s: float | None = None

    def apply(self, gateway: FakeGateway) -> None:
        """Close the port now, and open it when the time is over."""
        gateway.close_port(self.for_s)


class Restart(ScriptedFault, frozen=True, kw_only=True):
    """End the program and start it again: port refused meanwhile, numbers begin anew."""

    down_s: float = 90.0
    next_order_id: int = 1
    reset: bool = False

    def apply(self, gateway: FakeGateway) -> None:
        """Go down now; subscriptions and open requests are gone with their connections."""
        gateway.close_port(self.down_s)
        Drop(reset=self.reset).apply(gateway)
        gateway.next_order_id = self.next_order_id


class TakeClientIds(ScriptedFault, frozen=True, kw_only=True):
    """Let client ids be in use by somebody else (326)."""

    client_ids: tuple[int, ...] = field(default=())
    for_s: float

    def apply(self, gateway: FakeGateway) -> None:
        """Take them from now on."""
        for client_id in self.client_ids:
            gateway.take_client_id(client_id, self.for_s)


class Skew(ScriptedFault, frozen=True, kw_only=True):
    """Tell the time wrong by seconds, ahead if positive."""

    seconds: float
    for_s: float | None = None

    def apply(self, gateway: FakeGateway) -> None:
        """Be wrong from now on, and right again when the time is over."""
        gateway.skew_ns = round(self.seconds * 1e9)
        if self.for_s is not None:
            gateway.later(self.for_s, lambda: Skew(seconds=0).apply(gateway))


def _of(gateway: FakeGateway, client_id: int | None) -> list[Connection]:
    return [one for one in gateway.connections if client_id in (None, one.client_id)]


def _unmute(connections: list[Connection]) -> None:
    for connection in connections:
        connection.is_mute = False


def _set_framing(gateway: FakeGateway, framing: Framing) -> None:
    gateway.framing = framing
    for connection in gateway.connections:
        connection.framing = framing


def _set_delay(gateway: FakeGateway, seconds: float) -> None:
    gateway.delay_s = seconds
    for connection in gateway.connections:
        connection.delay_s = seconds
