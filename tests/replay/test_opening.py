"""How an account begins: each row of the table in daemon/live/opening.py, on journals of a tape."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from daemon.assembly import limits_of
from daemon.config import load_config
from daemon.core.events import Commands, Reload, Reset, TargetPosition
from daemon.core.outputs import Fill
from daemon.core.trading_state import HoldSource, TradingState
from daemon.core.values import values_of
from daemon.journal.codec import decode_outputs
from daemon.journal.reader import JournalReader
from tests.replay.live_tape import LiveTape
from tests.replay.tampering import remark
from tests.replay.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def tape(shop: Workshop) -> LiveTape:
    return LiveTape(shop)


def _segments(tape: LiveTape) -> list[tuple[int, str]]:
    with closing(JournalReader(tape.state / "journal.db")) as reader:
        return [(segment.first_seq, segment.reason) for segment in reader.segments()]


def _edit(shop: Workshop, before: str, after: str) -> None:
    text = shop.config.read_text("utf-8")
    assert before in text
    shop.config.write_text(text.replace(before, after), encoding="utf-8")


def test_the_first_start_opens_the_first_segment_with_the_configured_cash(tape: LiveTape) -> None:
    opened = tape.run(slices=0)
    assert opened.rerun.account.portfolio.cash_micros == 100_000_000_000
    assert _segments(tape) == [(1, "start")]


def test_a_start_goes_on_in_the_same_segment_whatever_ended_the_last(tape: LiveTape) -> None:
    first = tape.run(slices=20, closes=False)
    again = tape.run(slices=0)
    assert again.new_segment is None
    assert values_of(again.rerun.account) == values_of(first.rerun.account)
    assert again.rerun.pipeline.equity == first.rerun.pipeline.equity
    third = tape.run(slices=0)
    assert values_of(third.rerun.account) == values_of(first.rerun.account)
    assert len(_segments(tape)) == 1


def test_reloaded_limits_hold_from_their_turn_on_and_no_earlier(tape: LiveTape) -> None:
    """The old limit denied what the new one allows: played again under either it would differ."""
    tape.run(slices=30)
    _edit(tape.shop, "limit: 1,", "limit: 9,")
    new = load_config(tape.shop.config, tape.settings, state=tape.state)

    def reload_limits(now: int) -> Commands:
        return Reload(now, "operator", "", limits_of(new), new.resolved()["risk"], ("x",))

    _edit(tape.shop, "limit: 9,", "limit: 1,")  # the daemon that reloads has begun with the old one
    tape.run(slices=60, commands={0: reload_limits}, closes=False)
    _edit(tape.shop, "limit: 1,", "limit: 9,")
    opened = tape.run(slices=0)
    assert opened.new_segment is None
    assert opened.rerun.account.risk.limits == limits_of(new)
    assert len(_segments(tape)) == 1
    denials = _rows(tape, "SELECT seq FROM outputs WHERE type = 'Denial'")
    assert denials, "the old limit must have mattered"


def _rows(tape: LiveTape, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(tape.state / "journal.db")) as connection:
        return connection.execute(query).fetchall()


def test_a_changed_config_after_an_orderly_stop_opens_from_the_closing(tape: LiveTape) -> None:
    before = tape.run(slices=40)
    _edit(tape.shop, "fast: 3", "fast: 2")
    opened = tape.run(slices=0)
    assert opened.new_segment is not None
    assert opened.new_segment.reason == "strategy.params.fast: 3 -> 2"
    assert values_of(opened.rerun.account) == values_of(before.rerun.account)
    assert [first for first, _ in _segments(tape)] == [1, before.rerun.pipeline.seq + 1]


def test_a_changed_config_after_a_crash_opens_from_the_turns_played_again(tape: LiveTape) -> None:
    before = tape.run(slices=40, closes=False)
    _edit(tape.shop, "fast: 3", "fast: 2")
    opened = tape.run(slices=0)
    assert opened.new_segment is not None
    assert values_of(opened.rerun.account) == values_of(before.rerun.account)
    assert opened.rerun.account.control.state is TradingState.ACTIVE


def test_a_new_segment_has_its_indicators_warm(tape: LiveTape) -> None:
    """Eight closes are needed; they were recorded, so the first new bar already decides."""
    tape.run(slices=40)
    _edit(tape.shop, "slow: 8", "slow: 9")
    opened = tape.run(slices=1)
    assert opened.new_segment is not None
    warm_from = opened.new_segment.opening["warm_from"]
    with closing(JournalReader(tape.state / "journal.db")) as reader:
        rows = list(reader.turns(after=warm_from - 1))
    seen = [row for row in rows if row.kind == "slice" and row.seq < opened.new_segment.first_seq]
    assert len(seen) == 9
    assert opened.rerun.pipeline.intents, "a strategy that was cold would have no target yet"


WATCHES = """
class Watches:
    @dataclass(frozen=True)
    class Params:
        pass
    warmup_bars = 3
    def __init__(self, params, symbols):
        self.closes = {symbol: 0.0 for symbol in symbols}
    def decide(self, market, predictions, portfolio):
        for bar in market.bars:
            self.closes[bar.symbol] += bar.close
        return []
"""
"""A strategy that knows the symbols it was told of, and no other."""


def test_a_new_segment_is_shown_no_bar_of_a_symbol_that_it_does_not_trade(tape: LiveTape) -> None:
    tape.shop.strategy("watches", WATCHES)
    tape.settings.append(("strategy", "{kind: 'watches:Watches'}"))
    tape.run(slices=7)
    _edit(tape.shop, "symbols: [NVDA]", "symbols: [AMD]")
    opened = tape.run(slices=0)
    assert opened.new_segment is not None
    assert opened.new_segment.opening["warm_from"] is not None, "there is something to be shown"
    assert opened.rerun.account.portfolio.symbols == ("AMD",)
    assert tape.run(slices=0).new_segment is None  # and it can be played again


def test_changed_strategy_code_after_a_crash_halts_where_it_would_have_traded_otherwise(
    tape: LiveTape,
) -> None:
    source = """
class Own:
    @dataclass(frozen=True)
    class Params:
        pass
    warmup_bars = 0
    def __init__(self, params, symbols):
        self.asked = 0
    def decide(self, market, predictions, portfolio):
        self.asked += 1
        return [TargetPosition("NVDA", 10 * (self.asked // 5 % 2))]
"""
    tape.shop.strategy("own", source)
    tape.settings.append(("strategy", "{kind: 'own:Own'}"))
    before = tape.run(slices=22, closes=False)
    held = before.rerun.account.portfolio.positions["NVDA"].quantity
    tape.shop.strategy("own", source.replace("// 5", "// 4"))
    sys.modules.pop("own", None)
    opened = tape.run(slices=0)
    account = opened.rerun.account
    assert account.control.state is TradingState.HALTED
    (hold,) = account.control.holds
    assert hold.source == HoldSource.MISMATCH
    assert "changed since: strategy has changed" in hold.reason
    assert account.portfolio.positions["NVDA"].quantity == held
    assert account.portfolio.cash_micros == before.rerun.account.portfolio.cash_micros
    assert not account.venue.book.working


RAISES_ONCE = """
class Own:
    @dataclass(frozen=True)
    class Params:
        pass
    warmup_bars = 4
    def __init__(self, params, symbols):
        self.closes = []
    def decide(self, market, predictions, portfolio):
        self.closes.append(market.bars[0].close)
        if market.session.date == 20240103 and market.index == 2:
            self.closes = None
            raise ValueError("only here")
        return None if len(self.closes) < 4 else [TargetPosition("NVDA", len(self.closes))]
"""


def test_a_strategy_that_raised_is_made_anew_and_warmed_by_a_reset(tape: LiveTape) -> None:
    """It raises at slice 10. Reset after slice 12, the new one has seen 8, 9, 11 and 12: at 13 it
    has five closes and wants five shares. It could not want any had it begun cold."""
    tape.shop.strategy("once", RAISES_ONCE)
    tape.settings.append(("strategy", "{kind: 'once:Own'}"))
    tape.settings.append(("risk", "{allow_short: true}"))
    tape.run(slices=12)
    opened = tape.run(
        slices=1,
        commands={0: lambda now: Reset(now, "operator", "seen")},
        closes=False,
    )
    (target,) = opened.rerun.pipeline.intents or ()
    assert isinstance(target, TargetPosition)
    assert target.quantity == 5
    again = tape.run(slices=0)
    assert again.new_segment is None
    assert values_of(again.rerun.account) == values_of(opened.rerun.account)


def test_outputs_that_cannot_be_reproduced_are_what_counts(tape: LiveTape) -> None:
    """A fill's price is changed with its chain: the storage is whole, the turns differ."""
    tape.run(slices=60)
    with closing(sqlite3.connect(tape.state / "journal.db")) as connection:
        seq, outputs = connection.execute(
            'SELECT seq, outputs FROM turns WHERE outputs LIKE \'%"type":"Fill"%\' LIMIT 1'
        ).fetchone()
        found = re.search(r'"type":"Fill".*?"price_e4":(\d+)', outputs)
        assert found is not None
        price = int(found[1])
        changed = outputs.replace(f'"price_e4":{price}', f'"price_e4":{price + 100}')
        connection.execute("UPDATE turns SET outputs = ? WHERE seq = ?", (changed, seq))
        connection.commit()
    remark(tape.state)
    opened = tape.run(slices=0)
    assert opened.new_segment is not None
    assert opened.new_segment.reason.startswith(f"mismatch: turn {seq} at ")
    account = opened.rerun.account
    assert account.control.state is TradingState.HALTED

    tape.run(slices=0, commands={0: lambda now: Reset(now, "operator", "no flag")})
    still = tape.run(slices=0)
    assert still.new_segment is None
    assert still.rerun.account.control.state is TradingState.HALTED
    tape.run(slices=0, commands={0: lambda now: Reset(now, "operator", "looked", "mismatch")})
    after = tape.run(slices=20)
    assert after.rerun.account.control.state is TradingState.ACTIVE
    assert any(isinstance(one, Fill) for one in _outputs(tape, after.rerun.segment.first_seq))


def _outputs(tape: LiveTape, first: int) -> list[object]:
    with closing(JournalReader(tape.state / "journal.db")) as reader:
        return [one for row in reader.turns(after=first - 1) for one in decode_outputs(row.outputs)]
