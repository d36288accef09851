"""What a closed turn says, and that whatever is logged is in the list of events."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from daemon.core.events import Halt, TargetPosition
from daemon.core.limits import Action, Limit, Limits
from daemon.core.outputs import Output
from daemon.journal.ledger import LedgerRow
from daemon.observability.events import EVENTS, INSTANTS, Telling, output_event, tell
from tests.harness import Result, opens_ns, play
from tests.unit.metric_pages import lived

DAEMON = Path(__file__).resolve().parents[2] / "daemon"
FLAT = (100, 100, 100, 100)


class Heard:
    """A log that keeps what it is told."""

    def __init__(self, lowest: str = "info") -> None:
        self.said: list[Telling] = []
        self.sizes: list[int] = []
        self._lowest = lowest

    def says(self, level: str) -> bool:
        return level != "debug" or self._lowest == "debug"

    def tell(self, lines: Iterable[Telling], size: int) -> None:
        self.said += lines
        self.sizes.append(size)


def _said(result: Result) -> list[Telling]:
    heard = Heard()
    for turn in result.turns:
        tell(heard, turn)
    return heard.said


def test_a_bar_like_any_other_wakes_nobody_who_does_not_want_to_hear_of_it() -> None:
    turns = lived({"NVDA": [FLAT, FLAT]}, at={1: [TargetPosition("NVDA", 10)]}).turns
    tick, quiet, ordered = turns
    for turn, told_of in ((tick, 1), (quiet, 0), (ordered, 2)):
        heard = Heard()
        tell(heard, turn)
        assert len(heard.said) == told_of
        assert heard.sizes == ([told_of] if told_of else [])
    everything = Heard("debug")
    tell(everything, quiet)
    assert [said.event for said in everything.said] == ["slice_closed"]
    assert everything.sizes == [1]


def test_a_prediction_that_failed_is_told() -> None:
    failing = {("NVDA", 0): None, ("NVDA", 1): 0.01}
    turns = lived({"NVDA": [FLAT, FLAT]}, predictions=failing).turns
    heard = Heard()
    for turn in turns:
        tell(heard, turn)
    assert [said.event for said in heard.said] == ["session", "slice_closed", "prediction_failed"]
    assert heard.said[2].level == "warning"


def test_a_turn_tells_its_input_and_each_output() -> None:
    result = play(
        {"NVDA": [FLAT, (102, 103, 101, 102), FLAT]},
        at={0: [TargetPosition("NVDA", 10, reason="up")]},
    )
    said = _said(result)
    opens, hour = opens_ns(0), 3_600_000_000_000
    told = {"end": opens + hour, "outcome": "received", "bars": 1, "equity_usd": 1e6}
    assert said[0] == ("debug", "slice_closed", told)
    assert said[1] == (
        "info",
        "order_accepted",
        {
            "order_id": 1, "symbol": "NVDA", "side": "buy", "quantity": 10, "order_type": "market",
            "time_in_force": "day", "origin": "target", "decided": opens + hour,
            "eligible_from": opens + hour, "reason": "up",
        },
    )  # fmt: skip
    level, event, fields = said[3]
    assert (level, event) == ("info", "fill")
    assert (fields["price_usd"], fields["reference_usd"]) == (102.0, 102.0)
    assert "commission_usd" not in fields  # it is nothing


def test_what_the_ledger_learnt_is_told_first() -> None:
    turn = play({"NVDA": [FLAT]}, at={0: [TargetPosition("NVDA", 10)]}).turns[0]
    heard = Heard()
    gap = LedgerRow("gap", 9, "NVDA", 1, 2, "missing", "asked 5 times")
    tell(heard, turn, [gap, LedgerRow("feed", 9, outcome="lost", detail="reset by peer")])
    gap_fields = {
        "symbol": "NVDA", "start": 1, "end": 2, "outcome": "missing", "detail": "asked 5 times",
    }  # fmt: skip
    assert heard.said[0] == ("warning", "bar_ledgered", gap_fields)
    feed_fields = {"instant": 9, "what": "lost", "detail": "reset by peer"}
    assert heard.said[1] == ("warning", "feed_event", feed_fields)
    assert heard.said[2][1] == "slice_closed"


def test_what_needs_a_person_is_louder() -> None:
    result = play(
        {"NVDA": [FLAT, FLAT, (90, 90, 80, 80), FLAT]},
        at={0: [TargetPosition("NVDA", 10)], 1: [TargetPosition("NVDA", 1000)]},
        limits=Limits(
            max_position_shares=Limit(10),
            max_daily_loss_usd=Limit(100_000_000, Action.HALT),
        ),
        commands=[Halt(opens_ns(0) + 4 * 3_600_000_000_000, "operator", "enough")],
    )
    levels = {(event, level) for level, event, _ in _said(result)}
    assert ("denial", "warning") in levels
    assert ("state_changed", "error") in levels
    assert ("command", "info") in levels
    changed = [fields for _, event, fields in _said(result) if event == "state_changed"]
    assert changed[0]["hold"] == "HALTED"
    assert changed[0]["reason"] == "lost 200.00 USD since the last close, limit 100.00"


def test_names_are_snake_case_and_every_output_has_one() -> None:
    outputs = [output_event(output) for output in get_args(Output)]
    assert "order_accepted" in outputs
    assert not set(outputs) & set(EVENTS)
    for name in [*outputs, *EVENTS]:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)


def test_fields_that_are_instants_are_known_as_such() -> None:
    """A number that ends up as a date, or a date that stays a number, is of no use."""
    named = {name for output in get_args(Output) for name in output.__struct_fields__}
    assert {"instant", "decided", "eligible_from", "effective", "known", "entry", "exit"} <= named
    assert named & INSTANTS == {
        "instant", "decided", "eligible_from", "effective", "known", "entry", "exit",
    }  # fmt: skip


# --- the list -------------------------------------------------------------------------------------

_LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def _calls(text: str) -> Iterator[tuple[int, str, set[str]]]:
    """Every `log.info("event", field=…)`: its line, event and fields."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        logs = ast.unparse(node.func.value).rpartition(".")[2].strip("_") == "log"
        if logs and node.func.attr in _LEVELS and node.args:
            event = node.args[0]
            assert isinstance(event, ast.Constant), f"line {node.lineno}: an event is a literal"
            yield node.lineno, str(event.value), {word.arg or "**" for word in node.keywords}


def _unlisted(path: str, text: str) -> list[str]:
    found = []
    for line, event, fields in _calls(text):
        if event not in EVENTS:
            found.append(f"{path}:{line}: not in EVENTS: {event}")
        elif more := fields - EVENTS[event].fields:
            found.append(f"{path}:{line}: {event} has no field {sorted(more)}")
    return found


def test_whatever_the_daemon_logs_is_listed() -> None:
    found = []
    for path in sorted(DAEMON.rglob("*.py")):
        found += _unlisted(str(path.relative_to(DAEMON)), path.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def test_something_unlisted_would_be_found() -> None:
    text = 'self._log.info("nonsense")\nlog.warning("stopping", sauce=1)\nlog.info("ready")\n'
    assert _unlisted("x.py", text) == [
        "x.py:1: not in EVENTS: nonsense",
        "x.py:2: stopping has no field ['sauce']",
    ]
