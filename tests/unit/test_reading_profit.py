"""Profit and loss by session: start + change = end, and what of the change is realised."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from daemon.core.events import Bar, Dividend, Input, MarketSlice, Outcome
from daemon.core.fold import Fold
from daemon.core.values import AccountValues
from daemon.journal.reader import JournalReader
from daemon.journal.store import LiveJournal
from daemon.live.opening import turn_of
from daemon.reading.journaled import journal_of
from daemon.reading.verbs import document_of
from tests.lived import SCRIPTED, inputs_of, lived, script
from tests.rules.tools import flat

DOLLAR = "{per_share_usd: 0, minimum_usd: 1}"
ONE_USD = f"{{slippage_bps: 0, commission: {DOLLAR}, regulatory_fees: false}}"


def profit(state: Path, *, today: bool = False) -> dict[str, Any]:
    """The answer of pnl."""
    with journal_of(state) as journal:
        return document_of(journal, "pnl", today=today)


def rows(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """(date, start, end, change, realised, unrealised, fees, trades) of each session."""
    return [tuple(row.values()) for row in document["sessions"]]


@pytest.fixture
def held_overnight(tmp_path: Path) -> Path:
    """Return a journal with 100 shares bought at 101; 40 sold at 105 and the rest at 103."""
    script(
        tmp_path,
        '{0: [TargetPosition("NVDA", 100)], 5: [TargetPosition("NVDA", 60)],'
        ' 8: [TargetPosition("NVDA", 0)]}',
    )
    day_1 = [flat(100), flat(101), flat(102), flat(103), flat(104), flat(105), flat(105)]
    day_2 = [flat(104), flat(104), flat(103), *[flat(103)] * 4]
    inputs = inputs_of({"NVDA": [*day_1, *day_2]})
    lived(tmp_path, inputs, strategy=SCRIPTED, execution=ONE_USD)
    return tmp_path


def test_a_partial_exit_is_realised_on_its_day(held_overnight: Path) -> None:
    # Day 1: 40 x (105 - 101) - 2 fees; 60 x (105 - 101) are still open.
    # Day 2: 60 x (103 - 101) - 1 fee, of which 240 had been unrealised.
    assert rows(profit(held_overnight)) == [
        ("2024-01-02", 100_000.0, 100_398.0, 398.0, 158.0, 240.0, 2.0, 0),
        ("2024-01-03", 100_398.0, 100_277.0, -121.0, 119.0, 0.0, 1.0, 1),
    ]


def test_the_total_is_that_of_all_sessions(held_overnight: Path) -> None:
    document = profit(held_overnight)
    assert tuple(document["total"].values()) == (
        100_000.0, 100_277.0, 277.0, 277.0, 0.0, 3.0, 1,
    )  # fmt: skip
    assert document["positions"] == []


def test_today_is_one_session_and_no_total(held_overnight: Path) -> None:
    document = profit(held_overnight, today=True)
    assert [row[0] for row in rows(document)] == ["2024-01-03"]
    assert document["total"] is None


def test_what_is_held_is_at_its_last_close(tmp_path: Path) -> None:
    script(tmp_path, '{0: [TargetPosition("NVDA", -50)]}')
    lived(tmp_path, inputs_of({"NVDA": [flat(100), flat(102), flat(99)]}), strategy=SCRIPTED)
    assert profit(tmp_path)["positions"] == [
        {
            "symbol": "NVDA",
            "quantity": -50,
            "average_usd": 102.0,
            "close_usd": 99.0,
            "unrealised_usd": 150.0,
        }
    ]


def test_a_dividend_is_realised_on_its_ex_date(tmp_path: Path) -> None:
    script(tmp_path, '{0: [TargetPosition("NVDA", 100)]}')
    inputs = inputs_of({"NVDA": [flat(100)] * 9})
    first = next(at for at, one in enumerate(inputs) if _date(one) == 20240103)
    paid = Dividend("NVDA", 20240103, 20240110, 250_000)
    market = inputs[first]
    assert isinstance(market, MarketSlice)
    inputs[first] = replace(market, actions=(paid,))
    lived(tmp_path, inputs, strategy=SCRIPTED)
    assert rows(profit(tmp_path)) == [
        ("2024-01-02", 100_000.0, 100_000.0, 0.0, 0.0, 0.0, 0.0, 0),
        ("2024-01-03", 100_000.0, 100_025.0, 25.0, 25.0, 0.0, 0.0, 0),
    ]


def _date(item: Input) -> int:
    return item.session.date if isinstance(item, MarketSlice) else 0


def test_a_bar_that_comes_a_day_late_counts_on_that_day(tmp_path: Path) -> None:
    script(tmp_path, '{0: [TargetPosition("NVDA", 10)]}')
    bars = [flat(100)] * 6 + [None] + [flat(100)] * 2
    inputs = inputs_of({"NVDA": bars})
    missing = next(one for one in inputs if getattr(one, "missing", ()))
    assert isinstance(missing, MarketSlice)
    bar = Bar("NVDA", missing.start, missing.end, 90.0, 90.0, 90.0, 90.0, 1_000)
    late = replace(missing, bars=(bar,), missing=(), outcome=Outcome.BACKFILLED)
    first = next(at for at, one in enumerate(inputs) if _date(one) == 20240103)
    lived(tmp_path, [*inputs[: first + 1], late], strategy=SCRIPTED)
    assert [row[:4] for row in rows(profit(tmp_path))] == [
        ("2024-01-02", 100_000.0, 100_000.0, 0.0),
        ("2024-01-03", 100_000.0, 99_900.0, -100.0),
    ]


def test_a_bar_of_the_warm_up_is_no_part_of_it(tmp_path: Path) -> None:
    first, *rest = inputs_of({"NVDA": [flat(100)] * 8})[1:]
    assert isinstance(first, MarketSlice)
    warm = replace(first, outcome=Outcome.WARMUP)
    second_day = [one for one in rest if _date(one) != 20240102]
    lived(tmp_path, [warm, *second_day])
    assert [row[0] for row in rows(profit(tmp_path))] == ["2024-01-03"]


def test_a_session_without_a_bar_yet_is_not_shown(tmp_path: Path) -> None:
    inputs = inputs_of({"NVDA": [flat(100)] * 8})
    opens = next(at for at, one in enumerate(inputs) if _date(one) == 20240103) - 1
    lived(tmp_path, inputs[: opens + 1])  # until the tick that opens the second session
    assert [row[0] for row in rows(profit(tmp_path))] == ["2024-01-02"]
    document = profit(tmp_path, today=True)
    assert (document["date"], document["sessions"]) == ("2024-01-03", [])


def test_sessions_go_on_over_segments(held_overnight: Path, tmp_path: Path) -> None:
    """The same turns, the second day in a segment of its own."""
    before = profit(held_overnight)
    other = tmp_path / "other"
    other.mkdir()
    asyncio.run(_in_two_segments(held_overnight, other))
    after = profit(other)
    assert after["sessions"] == before["sessions"]
    assert after["total"] == before["total"]


async def _in_two_segments(source: Path, target: Path) -> None:
    reader = JournalReader(source / "journal.db")
    (segment,) = reader.segments()
    turns = [turn_of(row) for row in reader.turns()]
    reader.close()
    fold = Fold(msgspec.convert(segment.opening["values"], AccountValues))
    journal = await LiveJournal.open(target / "journal.db")
    await journal.open_segment(1, "start", segment.manifest, segment.opening)
    for turn in turns:
        if _date(turn.input) == 20240103 and journal.segment == 1:
            values = msgspec.to_builtins(fold.values())
            opening = segment.opening | {"values": values}
            await journal.open_segment(turn.seq, "changed", segment.manifest, opening)
        await journal.commit(turn, (), turn.seq)
        fold.add(turn)
    assert journal.segment == 2
    await journal.close()
