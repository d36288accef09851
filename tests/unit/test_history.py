"""What the status page remembers of turns whose bars and fills are written here."""

from __future__ import annotations

from msgspec.structs import replace

from daemon.core.events import Action as Told
from daemon.core.events import (
    MarketSlice,
    Note,
    Outcome,
    Pause,
    Reduce,
    Release,
    Resume,
    Split,
    TargetPosition,
)
from daemon.core.limits import Action, Limit, Limits
from daemon.core.turn import Turn
from daemon.core.units import HOUR_NS, SECOND_NS
from daemon.journal.ledger import LedgerRow
from daemon.observability.history import HAPPENINGS_MAX, SLICES_MAX, History, SliceRow
from tests.harness import opens_ns
from tests.unit.metric_pages import lived

OPEN_S = opens_ns(0) // SECOND_NS
HOUR_S = 3600
SPLIT = Split("NVDA", 20240103, 2, 1)
FLAT = (100, 100, 100, 100)
BARS = {"NVDA": [FLAT, (102, 103, 101, 102), None, (104, 105, 103, 104)]}


def same(text: str) -> str:
    return text


def remembered(turns: list[Turn], state: str = "ACTIVE") -> History:
    history = History(same)
    for turn in turns:
        history.turn(turn, state)
    return history


def test_a_row_has_what_the_charts_show() -> None:
    result = lived(BARS, at={0: [TargetPosition("NVDA", 10, reason="up")]})
    rows = remembered(result.turns).kept().rows
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert [row.end for row in rows] == [OPEN_S + HOUR_S * n for n in (1, 2, 3, 4)]
    # Ten shares bought at 102 are worth as much at 102, carried at 102, then 20 more.
    assert [row.equity for row in rows] == [1e6, 1e6, 1e6, 1_000_020.0]
    assert rows[1].bars == {"NVDA": (102, 103, 101, 102)}
    assert (rows[2].bars, rows[2].missing) == ({}, ("NVDA",))
    (fill,) = rows[1].fills
    assert (fill.symbol, fill.side, fill.quantity, fill.price) == ("NVDA", "buy", 10, 102.0)
    assert (fill.at, fill.reason) == (OPEN_S + HOUR_S, "up")


def test_what_was_handed_out_does_not_change() -> None:
    turns = lived(BARS).turns
    history = remembered(turns[:3])
    kept = history.kept()
    assert history.kept() is kept
    history.turn(turns[-1], "HALTED")
    assert (len(kept.rows), len(history.kept().rows)) == (2, 3)


def test_a_bar_that_came_late_joins_its_row() -> None:
    slices = [turn for turn in lived(BARS).turns if isinstance(turn.input, MarketSlice)]
    late = slices[1].input
    assert isinstance(late, MarketSlice)
    bar = replace(late.bars[0], start=late.bars[0].start + HOUR_NS, end=late.end + HOUR_NS)
    backfilled = replace(
        late, start=late.start + HOUR_NS, end=bar.end, bars=(bar,), outcome=Outcome.BACKFILLED
    )
    history = remembered(slices)
    assert history.kept().revision == 0
    history.turn(Turn(9, bar.end, backfilled, (), equity=1_000_007_000_000), "ACTIVE")
    rows = history.kept().rows
    assert len(rows) == 4
    assert (rows[2].bars, rows[2].missing) == ({"NVDA": (102, 103, 101, 102)}, ())
    assert [row.equity for row in rows] == [1e6, 1e6, 1e6, 1_000_007.0]
    assert history.kept().revision == 1  # whoever has the rows asks for all again


def test_only_so_much_is_kept() -> None:
    turn = next(turn for turn in lived(BARS).turns if isinstance(turn.input, MarketSlice))
    history = History(same)
    for n in range(SLICES_MAX + 5):
        market = replace(turn.input, end=turn.instant + n * HOUR_NS)
        history.turn(replace(turn, input=market), "ACTIVE")
        history.turn(Turn(n, n, Note(n, "operator", f"remark {n}"), ()), "ACTIVE")
    kept = history.kept()
    assert (len(kept.rows), kept.rows[0].number) == (SLICES_MAX, 5)
    assert len(kept.happened) == HAPPENINGS_MAX
    assert kept.happened[-1].text == f"note: remark {SLICES_MAX + 4}"


def test_the_state_of_recorded_bars_is_what_it_was_then() -> None:
    """The journal says what changed; before its first change stands what that one ended."""

    half_past = [opens_ns(0) + n * HOUR_NS + HOUR_NS // 2 for n in (0, 1, 2)]
    commands = (
        Reduce(half_past[0], "operator", "calm"),
        Pause(half_past[1], "operator", "coffee"),
        Resume(half_past[2], "operator", "back"),
    )
    turns = lived({"NVDA": [FLAT] * 4}, commands=commands).turns
    history = History(same)
    history.recover([(turn, ()) for turn in turns[2:]], "ACTIVE")
    kept = history.kept()
    assert [row.state for row in kept.rows] == ["REDUCING", "PAUSED", "ACTIVE", "ACTIVE"]
    assert kept.happened[0].text == "REDUCING → PAUSED: PAUSED of operator set: coffee"
    without_changes = History(same)
    without_changes.recover([(turns[-1], ())], "HALTED")
    assert [row.state for row in without_changes.kept().rows] == ["HALTED"]


def test_happenings_are_told_in_words_and_repeats_are_counted() -> None:
    limits = Limits(max_position_shares=Limit(5, Action.DENY))
    result = lived(
        {"NVDA": [FLAT] * 4},
        at={n: [TargetPosition("NVDA", 10)] for n in range(3)},
        limits=limits,
    )
    history = remembered(result.turns)
    (denied,) = history.kept().happened
    assert denied.text.startswith("buy 10 NVDA denied: MAX_POSITION_SHARES")
    assert (denied.kind, denied.times) == ("denial", 3)
    assert denied.at == OPEN_S + 3 * HOUR_S


def test_what_the_feed_was_told_says_what_it_is_about() -> None:
    turns = [
        Turn(1, 5 * SECOND_NS, Release(5 * SECOND_NS, "operator", "it is true", "NVDA", 1), ()),
        Turn(2, 6 * SECOND_NS, Told(6 * SECOND_NS, "operator", "split 2:1", SPLIT), ()),
    ]
    kept = remembered(turns).kept().happened
    assert sorted(one.text for one in kept) == [
        "action: split 2:1", "release NVDA: it is true",
    ]  # fmt: skip


def test_gaps_and_the_feed_are_told_with_their_turn() -> None:
    turn = lived({"NVDA": [FLAT]}).turns[0]
    start = opens_ns(0)
    facts = (
        LedgerRow("feed", start, outcome="lost", detail="reset by peer"),
        LedgerRow("gap", start, "NVDA", start, start + HOUR_NS, "missing", "not there in time"),
    )
    history = History(same)
    history.turn(turn, "ACTIVE", facts)
    told = [(each.kind, each.text) for each in history.kept().happened]
    assert told[0] == ("feed", "feed lost: reset by peer")
    assert told[1] == ("gap", "NVDA: bar missing: not there in time")


def test_secrets_are_taken_out_of_what_is_kept() -> None:
    history = History(lambda text: text.replace("canary", "***"))
    history.turn(Turn(1, 0, Note(0, "operator", "the canary sings"), ()), "ACTIVE")
    result = lived(BARS, at={0: [TargetPosition("NVDA", 10, reason="canary")]})
    for turn in result.turns:
        history.turn(turn, "ACTIVE")
    kept = history.kept()
    assert "canary" not in str(kept)
    assert kept.rows[1].fills[0].reason == "***"


def test_rows_are_what_the_page_reads() -> None:
    assert SliceRow.__struct_fields__ == (
        "number", "end", "equity", "state", "bars", "missing", "fills",
    )  # fmt: skip
