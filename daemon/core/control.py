"""Holds set and lifted, commands carried out: everything that changes the trading state."""

from __future__ import annotations

from typing import Any

from daemon.core.events import (
    Command,
    Flatten,
    ForTheFeed,
    Halt,
    Note,
    Pause,
    Reduce,
    Reload,
    Reset,
    Resume,
)
from daemon.core.limits import Action
from daemon.core.outputs import CommandRefused, Reason, StateChanged
from daemon.core.portfolio import Portfolio
from daemon.core.trading_state import PERMISSIONS, Hold, Holds, HoldSource, TradingState
from daemon.core.venue import Venue
from daemon.core.working_order import OrderSpec, sign_of

MODEL_FAILURES_BEFORE_HOLD = 5
"""That many failed predictions in a row pause trading until a person resumes it."""

_ACTION_LEVELS: dict[Action, TradingState] = {
    Action.REDUCE: TradingState.REDUCING,
    Action.PAUSE: TradingState.PAUSED,
    Action.HALT: TradingState.HALTED,
    Action.HALT_AND_FLATTEN: TradingState.HALTED,
}

_COMMAND_LEVELS: dict[type[Command], TradingState] = {
    Halt: TradingState.HALTED,
    Flatten: TradingState.HALTED,
    Pause: TradingState.PAUSED,
    Reduce: TradingState.REDUCING,
}


class Control:
    """The holds in force, whether to flatten, and how many predictions in a row have failed."""

    def __init__(self, venue: Venue, holds: Holds, outputs: list[Any]) -> None:
        self.holds = holds
        self.flattening = False
        self._venue = venue
        self._outputs = outputs
        self.model_failures = 0

    @property
    def state(self) -> TradingState:
        """The trading state in force."""
        return self.holds.state

    def hold(self, source: str, level: TradingState, reason: str, instant: int) -> None:
        """Set a hold and do away with the working orders its state does not keep."""
        previous = self.holds.state
        if not self.holds.set(Hold(source, level, instant, reason)):
            return
        self._report(previous, source, level, reason, instant, lifted=False)
        permissions = PERMISSIONS[level]
        self._venue.book.restrict(permissions.cancels, permissions.denial or Reason.HALTED, instant)

    def trip(self, limit: str, action: Action, detail: str, instant: int) -> None:
        """A limit was reached: carry out its action."""
        if action is Action.DENY:
            return
        if action is Action.HALT_AND_FLATTEN:
            self.flattening = True
        self.hold(f"{HoldSource.LIMIT}:{limit}", _ACTION_LEVELS[action], detail, instant)

    def lets_through(self, spec: OrderSpec, portfolio: Portfolio) -> bool:
        """The gate's question: does the state, as it is now, permit this order?"""
        permissions = self.holds.permissions
        position = portfolio.positions[spec.symbol].quantity
        sign = sign_of(spec.side)
        shrinks = position * sign < 0 and spec.quantity <= abs(position)
        return spec.origin in (permissions.shrink if shrinks else permissions.grow)

    def fail_strategy(self, detail: str, instant: int) -> None:
        """The strategy or its features raised: halted, with the type and the line."""
        self.hold(HoldSource.STRATEGY, TradingState.HALTED, detail, instant)

    def count_model(self, failure: str | None, instant: int) -> None:
        """Count failed predictions in a row; at the bound they pause trading."""
        if failure is None:
            self.model_failures = 0
            return
        self.model_failures += 1
        if self.model_failures == MODEL_FAILURES_BEFORE_HOLD:
            self.hold(HoldSource.MODEL, TradingState.PAUSED, failure, instant)

    def carry_out(self, command: Command, standing: dict[str, str]) -> bool:
        """Carry out a command; `standing` names the causes of halts that persist, with their text.

        Returns whether it was carried out; a refused one says so among the outputs.
        """
        level = _COMMAND_LEVELS.get(type(command))
        if level is not None:
            if isinstance(command, Flatten):
                self.flattening = True
            source = command.source or HoldSource.OPERATOR
            self.hold(source, level, command.reason, command.instant)
        elif isinstance(command, Resume):
            self._resume(command)
        elif isinstance(command, Reset):
            return self._reset(command, standing)
        else:
            known = isinstance(command, Note | Reload | ForTheFeed)
            assert known, f"a command nobody carries out: {command}"
        return True

    def _resume(self, command: Resume) -> None:
        """A stable feed lifts its own hold and nothing else; a person every other below a halt."""
        if command.source == HoldSource.FEED:
            self._lift(self.holds.of_feed(), command)
            return
        self._lift(self.holds.resumable(), command)
        self.model_failures = 0

    def _reset(self, command: Reset, standing: dict[str, str]) -> bool:
        causes: dict[str, str] = {}
        for hold in self.holds.halts():
            limit = hold.source.partition(":")[2]
            flag = str(hold.cause) if hold.cause == HoldSource.MISMATCH else standing.get(limit)
            if flag is not None:
                causes[flag] = hold.reason
        if not causes.keys() <= command.accepted:
            detail = f"{'; '.join(causes.values())}; still so: add --accept {','.join(causes)}"
            self._outputs.append(CommandRefused(command.instant, "reset", detail))
            return False
        self.flattening = False
        self._lift(self.holds.halts(), command)
        return True

    def _lift(self, holds: list[Hold], command: Command) -> None:
        for hold in holds:
            previous = self.holds.state
            self.holds.lift(hold)
            self._report(
                previous, hold.source, hold.level, command.reason, command.instant, lifted=True
            )

    def restore(self, holds: tuple[Hold, ...], model_failures: int, *, flattening: bool) -> None:
        """Take over holds and counters; a restored hold was reported and carried out long ago."""
        for hold in holds:
            self.holds.set(hold)
        self.flattening = flattening
        self.model_failures = model_failures

    def _report(
        self,
        previous: TradingState,
        source: str,
        level: TradingState,
        reason: str,
        instant: int,
        *,
        lifted: bool,
    ) -> None:
        self._outputs.append(
            StateChanged(
                instant=instant,
                state=self.holds.state.name,
                previous=previous.name,
                source=source,
                level=level.name,
                lifted=lifted,
                reason=reason,
            )
        )
