"""What is to happen to requests that are still to come: faults that wait for their request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fake_gateway.requests import Kind, Request

if TYPE_CHECKING:
    from tests.fake_gateway.connection import Connection

# Treats a request; True: it is dealt with, False: it is answered as usual.
Treatment = Callable[["Connection", Request], bool]


@dataclass
class Rule:
    """Treat the next requests of a kind, `times` of them or all until an instant."""

    kind: Kind
    treat: Treatment
    symbol: str | None = None
    times: int | None = None
    until_ns: int | None = None

    def is_over(self, now_ns: int) -> bool:
        """Whether the rule has nothing left to do."""
        return self.times == 0 or (self.until_ns is not None and now_ns >= self.until_ns)

    def is_for(self, request: Request) -> bool:
        """Whether the rule treats a request."""
        contract = request.contract
        named = self.symbol is None or (contract is not None and contract.symbol == self.symbol)
        return request.kind == self.kind and named


@dataclass
class Countdown:
    """Do something once, when the n-th request of a kind comes and before it is answered."""

    kind: Kind
    remaining: int
    act: Callable[[], None]
    symbol: str | None = None


class RuleBook:
    """The rules and countdowns in force, in the order in which they were made."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.countdowns: list[Countdown] = []

    def count(self, request: Request) -> None:
        """Count a request and do what waited for it."""
        due = []
        for countdown in self.countdowns:
            contract = request.contract
            symbol = contract.symbol if contract else None
            if countdown.kind == request.kind and countdown.symbol in (None, symbol):
                countdown.remaining -= 1
                due += [countdown] if countdown.remaining == 0 else []
        self.countdowns = [one for one in self.countdowns if one.remaining > 0]
        for countdown in due:
            countdown.act()

    def treat(self, connection: Connection, request: Request, now_ns: int) -> bool:
        """Let the first rule that is for a request treat it; False: answer it as usual."""
        self.rules = [rule for rule in self.rules if not rule.is_over(now_ns)]
        for rule in self.rules:
            if rule.is_for(request):
                if rule.times is not None:
                    rule.times -= 1
                return rule.treat(connection, request)
        return False

    def clear(self) -> None:
        """Let every rule and countdown go: from now on all is well."""
        self.rules.clear()
        self.countdowns.clear()
