"""When faults happen: at an instant, again and again, or with the n-th request of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tests.fake_gateway.clock import SECOND_NS, instant_ns
from tests.fake_gateway.faults import AnyFault
from tests.fake_gateway.requests import Kind

if TYPE_CHECKING:
    from tests.fake_gateway.gateway import FakeGateway


class After(Struct, frozen=True, forbid_unknown_fields=True):
    """The n-th request of a kind, of one symbol or any, counted from when the step is made."""

    requests: int = 1
    kind: Kind = Kind.HISTORY
    symbol: str | None = None


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """A fault and when it happens: one of `at`, `in_s` and `after`; `every_s` repeats it."""

    fault: AnyFault
    at: str | int | None = None
    in_s: float | None = None
    after: After | None = None
    every_s: float | None = None

    def __post_init__(self) -> None:
        given = [self.at is not None, self.in_s is not None, self.after is not None]
        if sum(given) != 1:
            raise ValueError("a step has exactly one of at, in_s and after")
        if self.every_s is not None and self.after is not None:
            raise ValueError("a step after requests cannot repeat")

    def arm(self, gateway: FakeGateway) -> None:
        """Let a gateway wait for it."""
        if self.after is not None:
            gateway.after(self.after.requests, self.after.kind, self.fault, self.after.symbol)
            return
        if self.at is not None:
            at_ns = instant_ns(self.at)
        else:
            assert self.in_s is not None
            at_ns = gateway.clock.now_ns() + round(self.in_s * SECOND_NS)
        gateway.at(at_ns, _Repeating(self.fault, self.every_s, at_ns))


class _Repeating(Struct, frozen=True):
    """Let a fault happen, and plan the next time."""

    fault: AnyFault
    every_s: float | None
    at_ns: int

    def apply(self, gateway: FakeGateway) -> None:
        self.fault.apply(gateway)
        if self.every_s is not None:
            next_ns = self.at_ns + round(self.every_s * SECOND_NS)
            gateway.at(next_ns, _Repeating(self.fault, self.every_s, next_ns))
