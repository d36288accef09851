"""What the answers from a journal look like on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import Halt
from daemon.journal.creation import create_journal
from daemon.journal.ledger import LedgerRow
from daemon.reading.explain_text import explain_lines
from daemon.reading.explain_verb import explanation
from daemon.reading.journaled import journal_of
from daemon.reading.text import (
    FILLS,
    ORDERS,
    TRADES,
    Screen,
    gaps_lines,
    price,
    profit_lines,
    rows_lines,
)
from daemon.reading.verbs import document_of
from tests.lived import OPENS, SCRIPTED, end_of, inputs_of, lived, script
from tests.rules.tools import flat

COLUMNS = {"orders": ORDERS, "fills": FILLS, "trades": TRADES}
WIDE = Screen()


def lines_of(state: Path, verb: str, screen: Screen = WIDE, *, today: bool = False) -> list[str]:
    """What a verb prints below the name of the directory."""
    with journal_of(state) as journal:
        document = document_of(journal, verb, today=today)
    if verb == "pnl":
        return profit_lines(document, screen)
    if verb == "gaps":
        return gaps_lines(document, screen)
    return rows_lines(document, screen, verb, COLUMNS[verb])


def explained(state: Path, when: str) -> list[str]:
    """What `explain NVDA` prints below the name of the directory."""
    with journal_of(state) as journal:
        return explain_lines(explanation(journal, "NVDA", when), plain=True)


@pytest.fixture
def round_trip(tmp_path: Path) -> Path:
    """Return a journal with 10 shares bought at 102.5 and sold at 103, and a halt at the end."""
    script(
        tmp_path,
        '{0: [TargetPosition("NVDA", 10, None, "dip")], 1: [TargetPosition("NVDA", 0)],'
        ' 3: [OrderRequest("NVDA", Side.BUY, 7, OrderType.STOP_LIMIT, 110.5, 110.0,'
        " time_in_force=TimeInForce.GTC)]}",
    )
    bars = [flat(100), flat(102.5), flat(103), flat(104)]
    halt = Halt(end_of(3), "operator", "enough")
    lived(
        tmp_path,
        inputs_of({"NVDA": bars}, halt),
        strategy=SCRIPTED,
        risk="{allow_short: true, max_position_shares: 150, max_order_usd: 1500.5}",
    )
    return tmp_path


def test_orders(round_trip: Path) -> None:
    head, *table = lines_of(round_trip, "orders")
    assert head == "account   lived: 3 orders until 2024-01-02 13:30 EST"
    assert table[0].split()[-5:] == ["origin", "status", "filled", "average", "reason"]
    assert [" ".join(line.split()) for line in table[1:]] == [
        "1 2024-01-02 10:30 NVDA buy 10 market day target filled 10 102.50",
        "2 2024-01-02 11:30 NVDA sell 10 market day target filled 10 103.00",
        "3 2024-01-02 13:30 NVDA buy 7 stop limit 110.50 110.00 gtc explicit cancelled HALTED",
    ]


def test_fills_leave_out_what_costs_nothing(round_trip: Path) -> None:
    assert lines_of(round_trip, "fills", today=True) == [
        "account   lived: 2 fills on 2024-01-02 (the last turn was at 2024-01-02 13:30 EST)",
        "fill_id  effective         known  order_id  symbol  side  quantity   price  reason",
        "      1  2024-01-02 10:30  11:30         1  NVDA    buy         10  102.50  dip",
        "      2  2024-01-02 11:30  12:30         2  NVDA    sell        10  103.00",
    ]


def test_trades_on_a_narrow_terminal_say_what_is_left_out(round_trip: Path) -> None:
    (head, *wide), narrow = lines_of(round_trip, "trades"), Screen(width=85)
    assert head == "account   lived: 1 trade until 2024-01-02 13:30 EST"
    assert wide[0].endswith("pnl  return %  bars  mae %  mfe %  entry_reason")
    _, *table, note = lines_of(round_trip, "trades", narrow)
    assert table[0].endswith("price    pnl")
    assert max(map(len, table)) <= 85
    assert note == "a wider window also shows mfe %, mae %, bars, entry_reason, return %"


def test_profit_and_what_is_held(tmp_path: Path) -> None:
    script(tmp_path, '{0: [TargetPosition("NVDA", 100)]}')
    lived(tmp_path, inputs_of({"NVDA": [flat(100), flat(101), flat(99)]}), strategy=SCRIPTED)
    assert lines_of(tmp_path, "pnl") == [
        "account   lived: profit and loss in USD until 2024-01-02 12:30 EST",
        "date             start        end   change  realised  unrealised  fees  trades",
        "2024-01-02  100,000.00  99,800.00  -200.00     +0.00     -200.00  0.00       0",
        "total       100,000.00  99,800.00  -200.00     +0.00     -200.00  0.00       0",
        "held      +100 NVDA at 101.00, last 99.00, -200.00",
    ]
    assert lines_of(tmp_path, "pnl", today=True)[2:] == [
        "2024-01-02  100,000.00  99,800.00  -200.00     +0.00     -200.00  0.00       0",
        "held      +100 NVDA at 101.00, last 99.00, -200.00",
    ]


def test_gaps(tmp_path: Path) -> None:
    facts = {
        3: [
            LedgerRow("gap", end_of(1), "NVDA", end_of(0), end_of(1), "missing", "not in time"),
            LedgerRow("feed", end_of(1), outcome="lost", detail="at 2024-01-02T16:30:00Z"),
        ]
    }
    lived(tmp_path, inputs_of({"NVDA": [flat(1), None, flat(1)]}), facts=facts)
    assert lines_of(tmp_path, "gaps") == [
        "account   lived: 3 bars expected until 2024-01-02 12:30 EST",
        "bars      2 received, 1 missing",
        "",
        "symbol  start             end    outcome  reason",
        "NVDA    2024-01-02 10:30  11:30  missing  not in time",
        "",
        "time              event  detail",
        "2024-01-02 11:30  lost   at 2024-01-02 11:30",
    ]


def test_no_gaps(tmp_path: Path) -> None:
    lived(tmp_path, inputs_of({"NVDA": [flat(1)]}))
    assert lines_of(tmp_path, "gaps")[1:] == ["bars      1 received", "feed      no events"]


def test_nothing_yet(tmp_path: Path) -> None:
    create_journal(tmp_path / "journal.db")
    assert lines_of(tmp_path, "orders") == ["no orders yet: nothing is journaled"]
    assert lines_of(tmp_path, "pnl") == ["no bars yet: nothing is journaled"]
    assert lines_of(tmp_path, "gaps", today=True) == ["no bars yet: nothing is journaled"]


def test_nothing_so_far(tmp_path: Path) -> None:
    lived(tmp_path, inputs_of({"NVDA": [flat(100)]}))
    last = "the last turn was at 2024-01-02 10:30 EST"
    assert lines_of(tmp_path, "fills") == [f"no fills yet: {last}"]
    assert lines_of(tmp_path, "trades", today=True) == [f"no trades on 2024-01-02: {last}"]


# --- explain ------------------------------------------------------------------------------------


def test_one_turn_on_one_screen(round_trip: Path) -> None:
    bar = "open 102.50 high 102.50 low 102.50 close 102.50 volume 1,000,000"
    assert explained(round_trip, "11:30") == [
        "asked     NVDA 2024-01-02 11:30 EST: the bar that ends then, 2024-01-02 10:30 to 11:30",
        "answer    order 2, sell 10: filled at 103.00",
        f"bar       {bar}, received (turn 3)",
        "happened  fill 1 of order 1, buy 10 at 102.50, fees 0.00: dip",
        "wanted    target +0",
        "trading   ACTIVE",
        "held      +10 at 102.50, +0.00, no stop; equity 100,000.00, cash 98,975.00",
        "limits    limit                    then   allowed  used  action",
        "          max_position_shares        10       150    7%  deny",
        "          max_order_usd        1,025.00  1,500.50   68%  deny",
        "order     2: sell 10 market day (target)",
        "          filled 10 at 103.00 of 2024-01-02 11:30, known at 12:30",
        "          now filled at 103.00",
    ]


def test_the_terms_of_an_order_and_its_end(round_trip: Path) -> None:
    lines = explained(round_trip, "13:30")
    assert lines[1] == "answer    order 3, buy 7: cancelled, HALTED"
    assert "wanted    buy 7 stop 110.00 limit 110.50" in lines
    assert lines[-2:] == [
        "order     3: buy 7 stop 110.00 limit 110.50 gtc (explicit)",
        "          now cancelled, HALTED",
    ]


def test_the_bar_of_a_time_and_the_next_one(round_trip: Path) -> None:
    assert explained(round_trip, "11:00")[0] == (
        "asked     NVDA 2024-01-02 11:00 EST: the bar of that time, 2024-01-02 10:30 to 11:30; "
        "decided at its end"
    )
    assert explained(round_trip, "2024-01-01")[0] == (
        "asked     NVDA 2024-01-01 00:00 EST: no bar of that time is journaled; the next one, "
        "2024-01-02 09:30 to 10:30"
    )


def test_a_time_to_come(round_trip: Path) -> None:
    assert explained(round_trip, "2024-01-03T10:30") == [
        "asked     NVDA 2024-01-03 10:30 EST",
        "answer    not there yet",
        "journal   the last bar ended 2024-01-02 13:30; the next one begins 2024-01-02 13:30",
        "trading   HALTED",
    ]


def test_what_a_bar_and_a_hold_did(tmp_path: Path) -> None:
    script(tmp_path, '{0: [TargetPosition("NVDA", 10)], 2: "raise"}')
    note = "came at 2024-01-02T21:00:00Z"
    facts = {
        4: [LedgerRow("gap", OPENS, "NVDA", end_of(1), end_of(2), "revised", note)],
    }
    lived(
        tmp_path,
        inputs_of({"NVDA": [flat(100), flat(100), flat(100)]}),
        facts=facts,
        strategy=SCRIPTED,
        predictions={end_of(0): -0.0005, end_of(1): None},
        model="{kind: baseline}",
    )
    assert "predicted -0.000500 (-0.050%)" in explained(tmp_path, "10:30")
    assert "predicted none: no features" in explained(tmp_path, "11:30")
    lines = explained(tmp_path, "12:30")
    raised = "ValueError: no more acts (acts.py:21)"
    assert lines[1] == f"answer    no order: the strategy failed: {raised}"
    assert lines[2].endswith("close 100.00 volume 1,000,000, revised (turn 4)")
    assert lines[3:] == [
        "          revised at 2024-01-02 09:30, turn 4: came at 2024-01-02 16:00",
        f"happened  ACTIVE → HALTED: HALTED of strategy set: {raised}",
        "wanted    nothing",
        "trading   HALTED",
        f"          HALTED by strategy since 2024-01-02 12:30: {raised}",
        "held      +10 at 100.00, +0.00, no stop; equity 100,000.00, cash 99,000.00",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234.50"), (10, "10.00"), (0.1234, "0.1234"), (1.005, "1.005"), (None, "")],
)
def test_prices_have_two_to_four_decimals(value: Any, text: str) -> None:
    assert price(value) == text


def test_a_short_has_a_minus(tmp_path: Path) -> None:
    script(tmp_path, '{0: [TargetPosition("NVDA", -10)]}')
    lived(tmp_path, inputs_of({"NVDA": [flat(100), flat(100)]}), strategy=SCRIPTED)
    assert lines_of(tmp_path, "trades")[2].split()[:4] == ["1", "NVDA", "-10", "2024-01-02"]
