"""A whole daemon is told of splits and of what is true: live, played again and replayed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load_config
from daemon.core.events import Action as Told
from daemon.core.events import (
    Bracket,
    Dividend,
    MarketSlice,
    Outcome,
    Reject,
    Release,
    Split,
    TargetPosition,
)
from daemon.core.outputs import ActionApplied, Denial, Fill, OrderUpdated, StateChanged
from daemon.feeds.times import iso_z
from daemon.fees import load_fee_tables
from daemon.journal.reader import JournalReader
from daemon.live.recovery import rerun
from daemon.live.segments import setup_of
from replay.run import Period, inputs_for, play
from tests.daemons.running import Daemon
from tests.daemons.virtual import Acting, Action, Doing, Lived, at, live
from tests.replay.workshop import Answer, Workshop, bar_starts, write_tape

STARTS = bar_starts()
DAY_2, DAY_3 = 20240103, 20240104
SPLIT = ("NVDA", "split", "10:1", "--effective", "2024-01-03")
FREE = (
    "execution",
    "{slippage_bps: 0, commission: none, regulatory_fees: false, participation_fraction: null}",
)
THREE_DAYS = "2024-01-04"
ANSWERED_WITHIN_S = 60.0


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    workshop = Workshop(tmp_path)
    monkeypatch.setenv("PAPERTAPE_STATE", str(workshop.state))
    return workshop


class Answers:
    """What came of what was typed, by the order in which it was: one verb after the other.

    A thread of its own types: what is printed in this process has one place to go, and the tape
    goes on, and may end, once the daemon has acted, which is before the verb has ended.
    """

    def __init__(self) -> None:
        self._typist = ThreadPoolExecutor(1)
        self._typed: list[Future[Answer]] = []

    def typing(self, shop: Workshop, *words: str) -> Action:
        """Type a command line; the tape goes on once the daemon has acted on it."""

        async def act(doing: Doing) -> None:
            typed = self._typist.submit(shop.type, *words, "--state", str(doing.state))
            self._typed.append(typed)
            await asyncio.shield(asyncio.wrap_future(typed))

        return act

    def answer(self, number: int = 0) -> Answer:
        return self._typed[number].result(ANSWERED_WITHIN_S)


def feed(*faults: str, end: str = THREE_DAYS) -> tuple[str, str]:
    return "feed", f"{{kind: tape, pace: 1.0, end: {end}, faults: [{', '.join(faults)}]}}"


def quarantined(slot: int) -> str:
    return f"{{kind: quarantine, bar: '{iso_z(STARTS[slot])}'}}"


def inputs(lived: Lived) -> list[Any]:
    return [turn.input for turn in lived.turns]


def proved(shop: Workshop, *acts: Mapping[int, Any]) -> None:
    """Each segment, played again, comes out as it was lived (MismatchError where it does not)."""
    with closing(JournalReader(shop.state / "journal.db")) as reader:
        for segment, asked in zip(reader.segments(), acts, strict=True):
            setup = setup_of(segment.manifest, load_fee_tables(), shop.state, reader.path)
            setup.strategy = Acting(asked)
            assert rerun(reader, segment, setup).turns


# --- quarantined bars -----------------------------------------------------------------------------


def test_a_released_bar_fills_a_resting_stop_and_decides_nothing(shop: Workshop) -> None:
    """Bought at 10:30; the bar from 11:30 to 12:30, set aside, is released before the next one."""
    answers = Answers()
    words = ("data", "release", "NVDA", "2024-01-02 11:30", "--reason", "the news was true")
    buy = [TargetPosition("NVDA", 10, Bracket(stop_loss_pct=0.01))]
    acts = {0: buy, 2: [TargetPosition("NVDA", 500)]}
    lived = live(
        shop,
        {at("12:45"): answers.typing(shop, *words)},
        acts=acts,
        settings=[feed(quarantined(2), end="2024-01-02"), FREE],
    )
    answer = answers.answer()
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[1] == (
        "NVDA 2024-01-02 11:30 released: it came as a slice of its own, on which nothing is decided"
    )
    found = inputs(lived)
    place = next(n for n, item in enumerate(found) if isinstance(item, Release))
    assert (found[place].instant, found[place].reason) == (at("12:45"), "the news was true")
    released = found[place + 1]
    assert isinstance(released, MarketSlice)
    assert (released.end, released.outcome) == (at("12:30"), Outcome.BACKFILLED)
    assert [bar.start for bar in released.bars] == [STARTS[2]]
    stops = [fill for fill in lived.fills if fill.reason == "stop_loss"]
    assert len(stops) == 1
    assert stops[0].known in (at("11:30"), at("12:30"))
    assert not [order for order in lived.orders if order.quantity > 10]
    proved(shop, acts)


@pytest.mark.parametrize(
    ("clock", "verb", "said"),
    [
        ("13:45", "release", "its symbol has gone on: it is noted, and changes nothing"),
        ("12:45", "reject", "rejected: it stays missing"),
    ],
)
def test_a_judgement_without_a_slice(shop: Workshop, clock: str, verb: str, said: str) -> None:
    answers = Answers()
    words = ("data", verb, "NVDA", "2024-01-02 11:30", "--reason", "x")
    lived = live(
        shop,
        {at(clock): answers.typing(shop, *words)},
        acts={},
        settings=[feed(quarantined(2), end="2024-01-02")],
    )
    assert said in answers.answer().out
    assert len([item for item in inputs(lived) if isinstance(item, Release | Reject)]) == 1
    slices = [item for item in inputs(lived) if isinstance(item, MarketSlice)]
    assert [item.missing for item in slices] == [(), (), ("NVDA",), (), (), (), ()]
    gaps = shop.type("gaps", "--state", str(shop.state))
    assert ("rejected: x" if verb == "reject" else "late") in gaps.out
    proved(shop, {})


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (
            ("NVDA", "2024-01-02 10:30"),
            78,
            "NVDA 2024-01-02 10:30: no quarantined bar begins there",
        ),
        (("AMD", "2024-01-02 11:30"), 78, "AMD 2024-01-02 11:30: no quarantined bar begins there"),
        (("NVDA", "noon"), 2, "'noon' is not a time"),
    ],
)
def test_what_is_not_set_aside(
    shop: Workshop, words: tuple[str, str], code: int, line: str
) -> None:
    answers = Answers()
    typed = answers.typing(shop, "data", "release", *words, "--reason", "x")
    settings = [feed(quarantined(2), end="2024-01-02")]
    lived = live(shop, {at("12:45"): typed}, acts={}, settings=settings)
    assert answers.answer().code == code
    assert line in answers.answer().err
    assert not [item for item in inputs(lived) if isinstance(item, Release)]


# --- corporate actions ----------------------------------------------------------------------------


ACTS = {
    0: [TargetPosition("NVDA", 100, Bracket(stop_loss_pct=20.0, take_profit_pct=50.0))],
    6: [TargetPosition("NVDA", 150)],  # an entry for the next open, at a tenth of the price
    8: [TargetPosition("NVDA", 4900)],
}
LIMITS = ("risk", "{max_position_shares: 500}")


def split_tape(shop: Workshop) -> None:
    write_tape(shop.folder / "nvda.csv", jumps={7: 0.1}, price=500.0)


@pytest.mark.parametrize("clock", ["13:45", "15:45"])
def test_a_split_of_tomorrow(shop: Workshop, clock: str) -> None:
    split_tape(shop)
    answers = Answers()
    settings = [feed(), FREE, LIMITS]
    lived = live(
        shop,
        {at(clock): answers.typing(shop, "data", "action", "add", *SPLIT)},
        acts=ACTS,
        settings=settings,
    )
    answer = answers.answer()
    assert answer.code == 0, answer.err
    said = answer.out.splitlines()
    assert "it takes effect before the first bar of 2024-01-03" in said
    assert "+100 NVDA will be +1,000" in said
    assert "2 protective orders will be rescaled" in said
    assert "max_position_shares of NVDA: 500 will be 5,000" in said
    carried = [item for item in inputs(lived) if isinstance(item, MarketSlice) and item.actions]
    assert [(item.start, item.actions) for item in carried] == [
        (STARTS[7], (Split("NVDA", DAY_2, 10, 1),))
    ]
    (command,) = [item for item in inputs(lived) if isinstance(item, Told)]
    assert command.instant == at(clock)
    (applied,) = lived.of(ActionApplied)
    assert applied.quantity == 1000
    cancelled = [one for one in lived.of(OrderUpdated) if str(one.reason) == "SPLIT"]
    assert len(cancelled) == 1  # the entry of the evening before
    bought = [fill.quantity for fill in lived.fills]
    assert bought == [100, 3900]  # 4,900 of at most 5,000
    proved(shop, ACTS)


def test_a_split_told_too_late_rides_on_the_next_bar(shop: Workshop) -> None:
    split_tape(shop)
    answers = Answers()
    words = ("data", "action", "add", *SPLIT)
    lived = live(
        shop,
        {
            at("10:45", DAY_2): answers.typing(shop, *words),
            at("11:45", DAY_2): answers.typing(shop, *words),  # once more, to be sure
        },
        acts={0: [TargetPosition("NVDA", 100)]},
        settings=[feed(), FREE],
    )
    assert "it takes effect before the next bar" in answers.answer(0).out
    assert "it is known already" in answers.answer(1).out
    carried = [item for item in inputs(lived) if isinstance(item, MarketSlice) and item.actions]
    assert [item.start for item in carried] == [STARTS[8]]
    assert [one.quantity for one in lived.of(ActionApplied)] == [1000]
    proved(shop, {0: [TargetPosition("NVDA", 100)]})


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("sma_cross", "scales the prices it remembers"),
        ("breakout", "is made anew and shown its last 6 bars in new shares"),
    ],
)
def test_what_becomes_of_what_the_strategy_remembers_is_told(
    shop: Workshop, strategy: str, said: str
) -> None:
    settings = {"strategy": shop.breakout()} if strategy == "breakout" else {}
    daemon = Daemon(shop, pace="60", settings=settings)  # the workshop's own is sma_cross
    daemon.start()
    try:
        answer = daemon.type("data", "action", "add", *SPLIT)
    finally:
        daemon.clean_up()
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == f"the strategy {said}"


TRADED_ON = (
    "NVDA: 2024-01-02 is over, and bars of since have been traded on: its +10 shares are not "
    "changed. If they are of before the split: `papertape kill --flatten`, then `papertape account "
    "new`"
)
NOT_BOOKED = (
    "NVDA: 2024-01-02 is over: the dividend is not booked; it would be +2.50 USD for the +10 held "
    "now"
)


@pytest.mark.parametrize(
    ("held", "words", "code", "said"),
    [
        (
            10,
            ("split", "10:1", "--effective", "2024-01-02"),
            78,
            TRADED_ON,
        ),
        (
            10,
            ("dividend", "0.25", "--ex", "2024-01-02", "--pay", "2024-01-05"),
            78,
            NOT_BOOKED,
        ),
        (
            0,
            ("split", "10:1", "--effective", "2024-01-02"),
            0,
            "2024-01-02 is over: the account holds no NVDA and is not changed",
        ),
    ],
)
def test_an_action_of_a_session_that_was_traded_is_not_applied(
    shop: Workshop, held: int, words: tuple[str, ...], code: int, said: str
) -> None:
    answers = Answers()
    lived = live(
        shop,
        {at("11:45", DAY_2): answers.typing(shop, "data", "action", "add", "NVDA", *words)},
        acts={0: [TargetPosition("NVDA", held)]},
        settings=[feed(end="2024-01-03"), FREE],
    )
    answer = answers.answer()
    assert answer.code == code
    assert said in (answer.err if code else answer.out)
    assert not [item for item in inputs(lived) if isinstance(item, Told)]


def test_a_split_of_a_session_without_a_bar_is_applied_late(shop: Workshop) -> None:
    """Ten held; no bar is believed on the day of the split, told of a day later."""
    split_tape(shop)
    answers = Answers()
    lived = live(
        shop,
        {at("09:45", DAY_3): answers.typing(shop, "data", "action", "add", *SPLIT)},
        acts={0: [TargetPosition("NVDA", 10)]},
        settings=[feed(*map(quarantined, range(7, 14))), FREE],
    )
    answer = answers.answer()
    assert answer.code == 0, answer.err
    assert "it takes effect before the next bar" in answer.out
    assert "+10 NVDA will be +100" in answer.out
    carried = [item for item in inputs(lived) if isinstance(item, MarketSlice) and item.actions]
    assert [item.start for item in carried] == [STARTS[14]]
    assert [one.quantity for one in lived.of(ActionApplied)] == [100]
    proved(shop, {0: [TargetPosition("NVDA", 10)]})


LIVED = "no daemon runs here, and the account has lived through 2024-01-02"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("split", "10:1", "--effective", "2024-01-03"),
            "no daemon runs here: it will see the table when it starts",
        ),
        (
            ("split", "10:1", "--effective", "2024-01-02"),
            f"{LIVED}: it acts on the split at its start only if it has had no bar of it since",
        ),
        (
            ("dividend", "0.25", "--ex", "2024-01-02", "--pay", "2024-01-05"),
            f"{LIVED}: the dividend will not be booked",
        ),
    ],
)
def test_an_action_that_is_listed_while_no_daemon_runs(
    shop: Workshop, words: tuple[str, ...], said: str
) -> None:
    live(shop, {}, acts={}, settings=[feed(end="2024-01-03")])
    answer = shop.type("data", "action", "add", "NVDA", *words, "--state", str(shop.state))
    assert (answer.code, answer.out.splitlines()[-1]) == (0, said)


def test_another_symbols_action_is_listed_and_nothing_else(shop: Workshop) -> None:
    answers = Answers()
    words = ("data", "action", "add", "AMD", "dividend", "0.5", "--ex", "2024-01-03")
    lived = live(shop, {at("11:45"): answers.typing(shop, *words)}, acts={}, settings=[feed()])
    assert answers.answer().code == 0
    assert "AMD is not traded here" in answers.answer().out
    assert not [item for item in inputs(lived) if isinstance(item, Told)]


def test_an_adjusted_tape_has_it_in_its_prices(shop: Workshop) -> None:
    answers = Answers()
    dividend = ("NVDA", "dividend", "1", "--ex", "2024-01-03", "--pay", "2024-01-04")
    lived = live(
        shop,
        {
            at("11:45"): answers.typing(shop, "data", "action", "add", *SPLIT),
            at("12:45"): answers.typing(shop, "data", "action", "add", *dividend),
        },
        acts={0: [TargetPosition("NVDA", 100)]},
        settings=[feed(), FREE, ("tape.adjustment", "splits")],
    )
    assert "the prices of this tape hold it" in answers.answer(0).out
    assert "+100 NVDA is held now: +100.00 USD" in answers.answer(1).out
    (applied,) = lived.of(ActionApplied)
    assert isinstance(applied.action, Dividend)
    assert applied.cash_micros == 100_000_000


def test_the_replay_of_the_same_tape_does_the_same(shop: Workshop) -> None:
    split_tape(shop)
    settings = [feed(), FREE, LIMITS]
    answers = Answers()
    typed = answers.typing(shop, "data", "action", "add", *SPLIT)
    lived = live(shop, {at("13:45"): typed}, acts=ACTS, settings=settings)
    config = load_config(shop.config, settings, state=shop.state)
    loaded = inputs_for(config, shop.state, Period(None, THREE_DAYS))
    loaded.strategy = Acting(ACTS)
    again = play(loaded)
    for kind in (Fill, ActionApplied, OrderUpdated, Denial, StateChanged):
        assert lived.of(kind) == again.recorder.of(kind), kind
    assert lived.of(ActionApplied)
    equity = [turn.equity for turn in lived.turns if turn.equity is not None]
    assert equity == list(again.pipeline.equity)


def test_a_daemon_that_starts_later_finds_it_in_the_table(shop: Workshop) -> None:
    """Listed while it was down, for the session in which it goes on: the next bar carries it."""
    split_tape(shop)
    first = [feed(end="2024-01-03T11:30"), FREE]
    acts = {0: [TargetPosition("NVDA", 100)]}
    live(shop, {}, acts=acts, settings=first)
    assert shop.type("data", "action", "add", *SPLIT).code == 0
    lived = live(shop, {}, acts={}, settings=[feed(), FREE])
    carried = [item for item in inputs(lived) if isinstance(item, MarketSlice) and item.actions]
    assert [item.start for item in carried] == [STARTS[9]]
    assert [one.quantity for one in lived.of(ActionApplied)] == [1000]
    proved(shop, acts, {})  # two segments: the table decides what prices mean


def test_whoever_reads_the_journal_knows_these_commands(shop: Workshop) -> None:
    split_tape(shop)
    answers = Answers()
    judge = ("data", "release", "NVDA", "2024-01-02 11:30", "--reason", "true")
    live(
        shop,
        {
            at("12:45"): answers.typing(shop, *judge),
            at("13:45"): answers.typing(shop, "data", "action", "add", *SPLIT),
        },
        acts=None,
        settings=[feed(quarantined(2)), FREE],
    )
    state = ("--state", str(shop.state))
    for words in (("status",), ("orders",), ("pnl",), ("gaps",), ("report", "--no-html")):
        answer = shop.type(*words, *state)
        assert answer.code == 0, answer.err
    for t in ("2024-01-02T12:30", "2024-01-03T10:30"):
        explained = shop.type("explain", "NVDA", t, *state)
        assert explained.code == 0, explained.err
    assert shop.type("verify", *state).code == 0
    with closing(sqlite3.connect(shop.state / "journal.db")) as journal:
        rows = journal.execute("SELECT command, reason FROM commands ORDER BY seq").fetchall()
    assert rows == [
        ("Release", "true"), ("Action", "NVDA split 10:1, effective 2024-01-03"),
    ]  # fmt: skip
