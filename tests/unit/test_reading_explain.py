"""Why it did, or did not, trade at a time: one turn explained from a journal that was lived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from daemon.core.events import Bar, Halt, Input, MarketSlice, Outcome, Pause
from daemon.core.units import HOUR_NS, MINUTE_NS
from daemon.errors import UsageError
from daemon.journal.ledger import LedgerRow
from daemon.reading.explain_text import explain_lines
from daemon.reading.explain_verb import explanation
from daemon.reading.journaled import journal_of
from tests.harness import Quote
from tests.live_journals import change
from tests.lived import OPENS, SCRIPTED, SECTIONS, end_of, inputs_of, lived, script
from tests.rules.tools import flat

LIMITS = "{allow_short: true, max_position_shares: 150, max_order_usd: 20000}"


def explain(state: Path, when: str, symbol: str = "NVDA") -> dict[str, Any]:
    """The document of an explanation."""
    with journal_of(state) as journal:
        return explanation(journal, symbol, when)


def acted(
    state: Path,
    acts: str,
    bars: Sequence[Quote | None],
    *commands: Any,
    risk: str = SECTIONS["risk"],
    execution: str = SECTIONS["execution"],
) -> None:
    """Live through bars with a strategy that acts by number of the bar."""
    script(state, acts)
    inputs = inputs_of({"NVDA": bars}, *commands)
    lived(state, inputs, strategy=SCRIPTED, risk=risk, execution=execution)


@pytest.fixture
def bought(tmp_path: Path) -> Path:
    """Return a journal with 100 shares wanted at the first close and bought at 102."""
    bars = [flat(100), (102, 103, 101, 102.5), flat(102), flat(101)]
    wanted = '[TargetPosition("NVDA", 100, Bracket(stop_loss_pct=10.0), "dip")]'
    acted(tmp_path, f"{{0: {wanted}, 2: {wanted}}}", bars, risk=LIMITS)
    return tmp_path


# --- which bar ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "how", "turn"),
    [
        ("2024-01-02T10:30", "ends", 2),
        ("2024-01-02 10:30:00 UTC", "next", 2),
        ("2024-01-02T15:30Z", "ends", 2),
        ("2024-01-02T09:30", "contains", 2),
        ("2024-01-02T10:31", "contains", 3),
        ("11:30", "ends", 3),
        ("2024-01-02", "next", 2),
        ("2023-06-01", "next", 2),
        ("2024-01-02T13:30", "ends", 5),
    ],
)
def test_the_bar_that_ends_then_or_holds_the_time_or_is_next(
    bought: Path, when: str, how: str, turn: int
) -> None:
    document = explain(bought, when)
    assert (document["how"], document["turn"]["seq"]) == (how, turn)


def test_the_answer_names_the_time_and_the_bar(bought: Path) -> None:
    document = explain(bought, "11:00", "nvda")
    assert (document["symbol"], document["asked"]) == ("NVDA", "2024-01-02T16:00:00Z")
    assert document["turn"] == {"seq": 3, "ts": "2024-01-02T16:30:00Z", "slice": "received"}
    assert document["bar"] == {
        "start": "2024-01-02T15:30:00Z",
        "end": "2024-01-02T16:30:00Z",
        "outcome": "received",
        "open": 102.0,
        "high": 103.0,
        "low": 101.0,
        "close": 102.5,
        "volume": 1_000_000,
        "history": [],
    }


def test_a_time_to_come_says_how_far_the_journal_reaches(bought: Path) -> None:
    document = explain(bought, "2024-01-02T14:00")
    assert (document["how"], document["answer"]) == ("not_yet", "not there yet")
    assert document["last_bar"] == document["next_bar"] == "2024-01-02T18:30:00Z"
    assert document["state"] == "ACTIVE"
    assert explain(bought, "2030-01-01")["how"] == "not_yet"


def test_what_holds_up_a_bar_that_is_not_there(tmp_path: Path) -> None:
    facts = {3: [LedgerRow("feed", end_of(1), outcome="lost", detail="socket closed")]}
    pause = Pause(end_of(1) + 1, "feed", "silence")
    lived(tmp_path, [*inputs_of({"NVDA": [flat(1), flat(1)]})[:3], pause], facts=facts)
    document = explain(tmp_path, "2024-01-02T12:30")
    assert document["state"] == "PAUSED"
    assert [row["event"] for row in document["feed_events"]] == ["lost"]


def test_unknown_symbols_and_times_are_usage_errors(bought: Path) -> None:
    with pytest.raises(UsageError, match="AMD: not a symbol of this account: it trades NVDA"):
        explain(bought, "10:30", "AMD")
    with pytest.raises(UsageError, match="'noon' is not a time"):
        explain(bought, "noon")


def test_each_symbol_has_its_own_bars(tmp_path: Path) -> None:
    bars: dict[str, list[Quote | None]] = {"NVDA": [flat(100), flat(101)], "AMD": [None, flat(50)]}
    script(tmp_path, "{}")
    lived(tmp_path, inputs_of(bars), strategy=SCRIPTED, symbols="[NVDA, AMD]")
    assert explain(tmp_path, "2024-01-02T10:30")["bar"]["close"] == 100.0
    later = explain(tmp_path, "2024-01-02T10:30", "AMD")
    assert (later["how"], later["bar"]["close"]) == ("contains", 50.0)  # expected from then on


# --- what was wanted and what came of it --------------------------------------------------------


def test_an_order_and_its_fill(bought: Path) -> None:
    document = explain(bought, "10:30")
    assert document["answer"] == "order 1, buy 100: filled at 102.00"
    assert document["wanted"] == [
        {
            "kind": "target",
            "symbol": "NVDA",
            "quantity": 100,
            "bracket": {"stop_loss_pct": 10.0},
            "reason": "dip",
        }
    ]
    (order,) = document["orders"]
    assert (order["order_id"], order["origin"], order["status"]) == (1, "target", "filled")
    assert [(fill["fill_id"], fill["quantity"]) for fill in order["fills"]] == [(1, 100)]
    assert document["happened"] == []
    assert document["account"]["positions"] == []  # it stands before the fill


def test_each_limit_with_its_use_then(bought: Path) -> None:
    limits = [tuple(row.values()) for row in explain(bought, "10:30")["limits"]]
    assert limits == [
        ("max_position_shares", 0.0, 150.0, 0.0, "deny"),
        ("max_order_usd", 10_000.0, 20_000.0, 0.5, "deny"),  # 100 shares at the close of 100
    ]
    limits = [tuple(row.values()) for row in explain(bought, "11:30")["limits"]]
    assert limits[0] == ("max_position_shares", 100.0, 150.0, 100 / 150, "deny")


def test_the_bar_that_fills_and_the_bracket_that_comes_of_it(bought: Path) -> None:
    document = explain(bought, "11:30")
    assert [one["what"] for one in document["happened"]] == ["fill"]
    assert document["happened"][0]["price"] == 102.0
    (bracket,) = document["orders"]
    assert (bracket["origin"], bracket["stop_price"], bracket["status"]) == (
        "protective", 91.8, "working",
    )  # fmt: skip
    assert bracket["waits_for"] == "NOT_REACHED"
    assert document["answer"] == (
        "no order: the strategy has no opinion: position and orders stay as they are"
    )


def test_a_target_that_is_held_already(bought: Path) -> None:
    assert explain(bought, "12:30")["answer"] == "no order: the target is what is held (+100)"


def test_an_order_whose_bar_has_not_come(tmp_path: Path) -> None:
    acted(tmp_path, '{1: [TargetPosition("NVDA", 5)]}', [flat(100), flat(100)])
    document = explain(tmp_path, "11:30")
    assert document["answer"] == "order 1, buy 5: working, waits: its first bar has not come yet"


def test_an_order_that_rests_waits_for_its_price(tmp_path: Path) -> None:
    limit = "OrderType.LIMIT, 90.0, time_in_force=TimeInForce.GTC"
    acted(tmp_path, f'{{0: [OrderRequest("NVDA", Side.BUY, 5, {limit})]}}', [flat(100)] * 3)
    assert explain(tmp_path, "10:30")["answer"] == "order 1, buy 5: working, waits: NOT_REACHED"


def test_a_denial_with_the_limit_it_broke(tmp_path: Path) -> None:
    acts = '{0: [CancelRequest(9), TargetPosition("NVDA", 200)]}'
    acted(tmp_path, acts, [flat(50), flat(50)], risk=LIMITS)
    document = explain(tmp_path, "10:30")
    assert document["answer"] == (
        "denied: UNKNOWN_ORDER (order 9); +200 denied: MAX_POSITION_SHARES (200 against 150)"
    )
    assert document["orders"] == []
    assert document["wanted"][0] == {"kind": "cancel", "order_id": 9}
    lines = explain_lines(document, plain=True)
    (row,) = (line for line in lines if "max_position_shares" in line)
    assert row.endswith("0        150    0%  deny, and it denied")
    assert sum("and it denied" in line for line in lines) == 1


@pytest.mark.parametrize("command", [Pause, Halt])
def test_a_denial_by_the_state_and_the_hold_behind_it(
    tmp_path: Path, command: Callable[..., Any]
) -> None:
    bars = [flat(100), flat(100), flat(100)]
    given = command(end_of(0), "operator", "lunch")
    acted(tmp_path, '{1: [TargetPosition("NVDA", 5)]}', bars, given)
    document = explain(tmp_path, "11:30")
    name = "PAUSED" if command is Pause else "HALTED"
    assert document["answer"] == f"+5 denied: {name}"
    assert document["account"]["state"] == name
    assert [hold["reason"] for hold in document["account"]["holds"]] == ["lunch"]


def test_an_order_on_its_way_needs_no_other(tmp_path: Path) -> None:
    bars = [flat(100), None, None, flat(100)]
    acted(tmp_path, '{0: [TargetPosition("NVDA", 5)]}', bars)
    document = explain(tmp_path, "11:30")
    assert document["answer"] == "no order: the bar is missing"
    (order,) = document["account"]["orders"]
    assert (order["order_id"], order["status"]) == (1, "waiting_data")


def test_a_target_whose_order_could_not_fill_yet(tmp_path: Path) -> None:
    # 40 shares of volume let one share of 40 fill, the rest is on its way.
    acts = '{0: [TargetPosition("NVDA", 5)], 1: [TargetPosition("NVDA", 5)]}'
    thin = (100, 100, 100, 100, 40)
    free = "{slippage_bps: 0, commission: none, regulatory_fees: false}"
    acted(tmp_path, acts, [flat(100), thin, flat(100)], execution=free)
    document = explain(tmp_path, "11:30")
    assert document["answer"] == "no order: what is wanted is on its way already (order 1)"
    assert document["account"]["positions"][0]["quantity"] == 1


def test_a_strategy_that_failed(tmp_path: Path) -> None:
    acted(tmp_path, '{1: "raise"}', [flat(100), flat(100), flat(100)])
    now, later = explain(tmp_path, "11:30"), explain(tmp_path, "12:30")
    said = "ValueError: no more acts (acts.py:"
    assert now["answer"].startswith(f"no order: the strategy failed: {said}")
    assert [one["what"] for one in now["happened"]] == ["state"]
    assert later["answer"].startswith(f"no order: the strategy is not asked: it failed: {said}")


def test_a_strategy_that_warms_up(tmp_path: Path) -> None:
    lived(tmp_path, inputs_of({"NVDA": [flat(100), flat(101)]}))
    assert explain(tmp_path, "10:30")["answer"] == (
        "no order: the strategy is warming up, 1 of 2 bars seen"
    )
    assert explain(tmp_path, "11:30")["answer"].startswith("order 1, buy 10: working")


def test_a_prediction_and_one_that_failed(tmp_path: Path) -> None:
    lived(
        tmp_path,
        inputs_of({"NVDA": [flat(100)] * 3}),
        predictions={end_of(0): 0.0042, end_of(1): None},
        model="{kind: baseline}",
    )
    assert explain(tmp_path, "10:30")["prediction"] == {"value": 0.0042, "failure": None}
    assert explain(tmp_path, "11:30")["prediction"] == {"value": None, "failure": "no features"}
    assert explain(tmp_path, "12:30")["prediction"] is None


# --- bars that did not come as they should ------------------------------------------------------


def _gap(outcome: str, detail: str, minute: int) -> LedgerRow:
    start = OPENS + HOUR_NS
    return LedgerRow(
        "gap", end_of(1) + minute * MINUTE_NS, "NVDA", start, end_of(1), outcome, detail
    )


def _with_gap(*more: Quote) -> list[Input]:
    return inputs_of({"NVDA": [flat(100), None, *more]})


def test_a_missing_bar_and_a_quarantined_one(tmp_path: Path) -> None:
    script(tmp_path, "{}")
    facts = {3: [_gap("quarantined", "high 9 below low 10", 1)]}
    lived(tmp_path, _with_gap(flat(100)), facts=facts, strategy=SCRIPTED)
    document = explain(tmp_path, "11:30")
    assert document["answer"] == "no order: the bar is quarantined (high 9 below low 10)"
    assert "close" not in document["bar"]
    assert document["bar"]["history"] == [
        {
            "turn": 3,
            "ts": "2024-01-02T16:31:00Z",
            "outcome": "quarantined",
            "reason": "high 9 below low 10",
        }
    ]
    assert document["silence"] == "the strategy is not asked without a bar"


def test_a_bar_that_came_too_late_to_decide(tmp_path: Path) -> None:
    script(tmp_path, '{1: [TargetPosition("NVDA", 5)]}')
    inputs = _with_gap(flat(100))
    missing = inputs[2]
    assert isinstance(missing, MarketSlice)
    bar = Bar("NVDA", missing.start, missing.end, 99.0, 99.0, 99.0, 99.0, 1_000)
    late = replace(missing, bars=(bar,), missing=(), outcome=Outcome.BACKFILLED)
    facts = {3: [_gap("missing", "not in time", 1)], 4: [_gap("backfilled", "600 s late", 10)]}
    lived(tmp_path, [*inputs[:3], late, *inputs[3:]], facts=facts, strategy=SCRIPTED)
    document = explain(tmp_path, "11:30")
    assert document["turn"]["seq"] == 4  # the slice that has the bar
    assert document["other_turns"] == [3]
    assert (document["bar"]["outcome"], document["bar"]["close"]) == ("backfilled", 99.0)
    assert [one["outcome"] for one in document["bar"]["history"]] == ["missing", "backfilled"]
    assert document["answer"] == "+5 denied: TOO_LATE"


def test_a_bar_that_came_after_the_next_one_had_been_given_up(tmp_path: Path) -> None:
    script(tmp_path, "{}")
    inputs = inputs_of({"NVDA": [flat(100), None, None, flat(100)]})
    missing = inputs[2]
    assert isinstance(missing, MarketSlice)
    bar = Bar("NVDA", missing.start, missing.end, 99.0, 99.0, 99.0, 99.0, 1_000)
    late = replace(missing, bars=(bar,), missing=(), outcome=Outcome.BACKFILLED)
    lived(tmp_path, [*inputs[:4], late, *inputs[4:]], strategy=SCRIPTED)
    document = explain(tmp_path, "11:30")
    assert (document["turn"]["seq"], document["other_turns"]) == (5, [3])
    assert explain(tmp_path, "12:30")["turn"]["seq"] == 4


def test_a_bar_of_the_warm_up_is_only_looked_at(tmp_path: Path) -> None:
    script(tmp_path, '{0: [TargetPosition("NVDA", 5)]}')
    tick, first, *rest = inputs_of({"NVDA": [flat(100), flat(100)]})
    assert isinstance(first, MarketSlice)
    lived(tmp_path, [replace(first, outcome=Outcome.WARMUP), tick, *rest], strategy=SCRIPTED)
    document = explain(tmp_path, "10:30")
    assert document["bar"]["outcome"] == "warmup"
    assert document["answer"] == "no order: a bar of the warm-up, which is only looked at"


# --- journals that cannot be played again -------------------------------------------------------


def test_what_is_recorded_is_told_though_the_strategy_is_gone(bought: Path) -> None:
    moved = "UPDATE segments SET manifest = replace(manifest, 'acts:Acts', 'gone:Gone')"
    change(bought / "journal.db", moved)
    document = explain(bought, "10:30")
    assert (document["wanted"], document["account"], document["limits"]) == (None, None, None)
    assert "no module gone" in document["not_played_again"]
    assert document["answer"] == "order 1, buy 100: filled at 102.00"
    assert explain(bought, "12:30")["answer"] == "no order, and nothing was denied"


def test_what_is_recorded_is_told_though_it_comes_out_otherwise(bought: Path) -> None:
    change(bought / "journal.db", "UPDATE turns SET equity = equity + 1 WHERE seq = 2")
    document = explain(bought, "11:30")
    assert "do not come out as recorded" in document["not_played_again"]
    assert document["orders"][0]["waits_for"] is None
    assert explain(bought, "09:00")["bar"]["close"] == 100.0
