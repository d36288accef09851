"""What every fault is: values that a script can write, and one method that makes it happen."""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, StructMeta

from tests.fake_gateway.clock import SECOND_NS
from tests.fake_gateway.requests import Kind, Request
from tests.fake_gateway.rules import Rule

if TYPE_CHECKING:
    from tests.fake_gateway.connection import Connection
    from tests.fake_gateway.gateway import FakeGateway


class Fault(Protocol):
    """Something that goes wrong."""

    def apply(self, gateway: FakeGateway) -> None:
        """Let it happen now."""
        ...


def script_name(name: str) -> str:
    """Return the word that scripts use for a class: `CutOff` is `cut_off`.

    >>> script_name("CutOff")
    'cut_off'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class ScriptedFault(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", tag=script_name
):
    """A fault as scripts write it: `{do: drop, how: rst}`."""


class _AbstractMeta(StructMeta, ABCMeta):
    """Structs that cannot be made while a method of theirs is abstract."""


class RequestFault(ScriptedFault, metaclass=_AbstractMeta, frozen=True, kw_only=True):
    """Treat coming requests: of a kind, of one symbol or any, so many of them or for a while.

    With neither `times` nor `for_s` it treats one, with `for_s` alone all until then.
    """

    kind: Kind = Kind.HISTORY
    symbol: str | None = None
    times: int | None = None
    for_s: float | None = None

    def apply(self, gateway: FakeGateway) -> None:
        """Make the rule; the gateway keeps it until it is used up or over."""
        until_ns = None
        times = self.times
        if self.for_s is not None:
            until_ns = gateway.clock.now_ns() + round(self.for_s * SECOND_NS)
        elif times is None:
            times = 1
        treat = self.treatment(gateway)
        gateway.rules.rules.append(Rule(self.kind, treat, self.symbol, times, until_ns))

    @abstractmethod
    def treatment(self, gateway: FakeGateway) -> Callable[[Connection, Request], bool]:
        """Return what is done to such a request; True: it is dealt with."""
