"""Who may set and lift which hold: feed, operator, and the causes of halts that persist."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from daemon.core.account import Account
from daemon.core.events import Commands, Halt, Note, Pause, Reduce, Reset, Resume
from daemon.core.limits import Action, Limit, Limits
from daemon.core.outputs import CommandRefused
from daemon.core.trading_state import Hold, HoldSource, TradingState
from daemon.core.values import restore, values_of
from tests.harness import play, rules
from tests.rules.tools import USD, at_end, fills, flat, limits, state_names, target

BARS = [flat(100.0 + i) for i in range(7)]
FEED = HoldSource.FEED
OPERATOR = HoldSource.OPERATOR


def sources(account: Account) -> list[str]:
    return [hold.source for hold in account.control.holds]


# --- the feed's hold ------------------------------------------------------------------------------


@pytest.mark.parametrize("lifter", [FEED, OPERATOR])
@pytest.mark.parametrize("holders", [(FEED,), (OPERATOR,), (FEED, OPERATOR), (OPERATOR, FEED)])
def test_each_lifts_its_own(holders: tuple[str, ...], lifter: str) -> None:
    said: list[Commands] = [Pause(at_end(0), source, "quiet") for source in holders]
    said.append(Resume(at_end(1), lifter, "again"))
    result = play({"NVDA": BARS}, commands=said)
    left = [source for source in holders if source != lifter]
    assert sources(result.account) == left
    assert result.account.control.state.name == ("PAUSED" if left else "ACTIVE")


def test_a_feeds_pause_denies_entries_until_the_feed_resumes() -> None:
    result = play(
        {"NVDA": BARS},
        at={1: [target(10)], 3: [target(10)]},
        commands=[Pause(at_end(0), FEED, "silent"), Resume(at_end(2), FEED, "120 s of bars")],
    )
    assert [str(denial.reason) for denial in result.denials] == ["PAUSED"]
    assert fills(result) == [(4, 10, 104.0)]
    assert [(x.source, x.lifted) for x in result.states] == [("feed", False), ("feed", True)]


def test_a_feed_lifts_no_halt_and_no_hold_of_the_model() -> None:
    """Four failures before the feed's resume and one after it are five in a row."""
    predictions = {("NVDA", i): None for i in range(5)}
    result = play(
        {"NVDA": BARS},
        predictions=predictions,
        commands=[
            Halt(at_end(0), OPERATOR, "stop"),
            Reduce(at_end(0) + 1, FEED, "slow"),
            Resume(at_end(3), FEED, "quick again"),
        ],
    )
    assert sources(result.account) == ["operator", "model"]


def test_an_operators_resume_counts_failures_anew() -> None:
    predictions = {("NVDA", i): None for i in range(5)}
    result = play(
        {"NVDA": BARS}, predictions=predictions, commands=[Resume(at_end(3), OPERATOR, "go on")]
    )
    assert sources(result.account) == []


# --- halts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", [HoldSource.SIGNAL, HoldSource.LATCH, HoldSource.FAULT, HoldSource.STRATEGY]
)
def test_other_halts_need_no_word(source: str) -> None:
    result = play(
        {"NVDA": BARS},
        commands=[Halt(at_end(0), source, "x"), Reset(at_end(1), OPERATOR, "seen")],
    )
    assert state_names(result) == ["HALTED", "ACTIVE"]


def mismatched(limits: Limits) -> Account:
    """A new account that a start has found to differ from its journal."""
    account = Account(("NVDA",), 10_000 * USD, rules(), limits)
    hold = Hold(HoldSource.MISMATCH, TradingState.HALTED, 1, "turn 7 differs")
    restore(account, replace(values_of(account), holds=(hold,)))
    return account


def told(account: Account, command: Commands) -> list[Any]:
    """Carry a command out as the risk task does; what came of it."""
    if account.control.carry_out(command, account.risk.standing_halts()):
        account.risk.accept(getattr(command, "accepted", ()))
    outputs = list(account.outputs)
    account.outputs.clear()
    return outputs


@pytest.mark.parametrize("accept", [None, "loss", "drawdown"])
def test_a_mismatch_persists_until_it_is_accepted(accept: str | None) -> None:
    account = mismatched(limits())
    (refused,) = told(account, Reset(2, OPERATOR, "again", accept))
    assert isinstance(refused, CommandRefused)
    assert refused.detail == "turn 7 differs; still so: add --accept mismatch"
    assert account.control.state.name == "HALTED"
    told(account, Reset(3, OPERATOR, "looked at", "mismatch"))
    assert account.control.state.name == "ACTIVE"


@pytest.mark.parametrize("accept", ["mismatch", "loss", "mismatch,drawdown"])
def test_every_cause_that_persists_must_be_accepted(accept: str) -> None:
    """Halted by a mismatch and by a loss of 1,000 of 10,000 USD: both words at once."""
    account = mismatched(limits(max_daily_loss_usd=Limit(500 * USD, Action.HALT)))
    account.control.trip("max_daily_loss_usd", Action.HALT, "lost 1000.00 USD", 2)
    account.portfolio.equity_micros = 9_000 * USD
    account.outputs.clear()
    (refused,) = told(account, Reset(3, OPERATOR, "again", accept))
    assert refused.detail == (
        "turn 7 differs; lost 1000.00 USD; still so: add --accept mismatch,loss"
    )
    assert account.risk.baseline_micros == 10_000 * USD  # a refused reset changes nothing
    told(account, Reset(4, OPERATOR, "looked at", "loss,mismatch"))
    assert account.control.state is TradingState.ACTIVE
    assert account.risk.baseline_micros == 9_000 * USD


def test_a_note_lifts_nothing() -> None:
    account = mismatched(limits())
    assert told(account, Note(2, OPERATOR, "mismatch")) == []
    assert sources(account) == ["mismatch"]
