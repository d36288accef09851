"""DESIGN 4 and C3: what a pause, a reduction, a kill and a flattening do that come in mid-bar.

Seven symbols, hourly bars, nothing costs anything. The command comes seconds after the start of
bar 2. The plan, by the bar at whose close it is decided:

    0  BBB 50 with a stop at 9.00; DDD 20; FFF 30; GGG 10         all filled at the open of bar 1
    1  AAA 10 and DDD 0 at the market                              their bar has started: they fill
       CCC buy 5 limit 8.50, GGG sell 10 limit 12.00, both gtc     rest
    2  EEE 10, an entry; FFF 10, an exit of 20     (reviewed first, as it shrinks)
    3  FFF -15, a flip

In bar 2 BBB and CCC fall to 8.00, in bar 3 GGG rises to 13.00.
"""

from __future__ import annotations

import json

import pytest

from tests.acceptance.stage import Stage, flat

QUOTES = {
    "AAA": [flat(100.0 + i) for i in range(6)],
    "BBB": [flat(10.0), flat(10.0), (10.0, 11.0, 8.0, 9.0), *[flat(9.0)] * 3],
    "CCC": [flat(9.0), flat(9.0), (9.0, 9.0, 8.0, 9.0), *[flat(9.0)] * 3],
    "DDD": [flat(20.0 + i) for i in range(6)],
    "EEE": [flat(30.0)] * 6,
    "FFF": [flat(40.0 + i) for i in range(6)],
    "GGG": [*[flat(10.0)] * 3, (10.0, 13.0, 10.0, 11.0), flat(11.0), flat(11.0)],
}
PLAN = {
    0: "TargetPosition('BBB', 50, Bracket(stop_price=9.0)), TargetPosition('DDD', 20), "
    "TargetPosition('FFF', 30), TargetPosition('GGG', 10)",
    1: "TargetPosition('AAA', 10), TargetPosition('DDD', 0), "
    "OrderRequest('CCC', Side.BUY, 5, OrderType.LIMIT, limit_price=8.5, "
    "time_in_force=TimeInForce.GTC), "
    "OrderRequest('GGG', Side.SELL, 10, OrderType.LIMIT, limit_price=12.0, "
    "time_in_force=TimeInForce.GTC)",
    2: "TargetPosition('EEE', 10), TargetPosition('FFF', 10)",
    3: "TargetPosition('FFF', -15)",
}
BY_THE_MARKET = {"AAA": [(2, 10, 102.0)], "DDD": [(1, 20, 21.0), (2, -20, 22.0)], "CCC": []}
"""Beyond anybody's recall, the same after each command; CCC's entry is recalled by each."""

# the word, the fills of the other symbols, the denials (bar, shares, reason), the equity at the end
PAUSE = (
    ("pause",),
    {
        "BBB": [(1, 50, 10.0), (2, -50, 9.0)],  # the stop is kept
        "EEE": [],
        "FFF": [(1, 30, 41.0)],  # the exit and the flip are denied
        "GGG": [(1, 10, 10.0), (3, -10, 12.0)],  # an exit that worked is kept
    },
    [(2, -20, "PAUSED"), (2, 10, "PAUSED"), (3, -45, "PAUSED")],
    # AAA 10 x 3, BBB -50 x 1, DDD 20 x 1, FFF 30 x 4, GGG 10 x 2
    100_000 + 30 - 50 + 20 + 120 + 20,
)
REDUCE = (
    ("reduce",),
    {
        "BBB": [(1, 50, 10.0), (2, -50, 9.0)],
        "EEE": [],
        "FFF": [(1, 30, 41.0), (3, -20, 43.0), (4, -10, 44.0)],  # the flip is cut to what is held
        "GGG": [(1, 10, 10.0), (3, -10, 12.0)],
    },
    [(2, 10, "REDUCING"), (3, -15, "REDUCING")],
    # FFF 20 x 2 + 10 x 3
    100_000 + 30 - 50 + 20 + 70 + 20,
)
KILL = (
    ("kill",),
    {
        "BBB": [(1, 50, 10.0)],  # its stop has gone
        "EEE": [],
        "FFF": [(1, 30, 41.0)],
        "GGG": [(1, 10, 10.0)],
    },
    [(2, -20, "HALTED"), (2, 10, "HALTED"), (3, -45, "HALTED")],
    # BBB 50 x -1 and GGG 10 x 1 are still held
    100_000 + 30 - 50 + 20 + 120 + 10,
)
FLATTEN = (
    ("kill", "--flatten"),
    {
        "AAA": [(2, 10, 102.0), (3, -10, 103.0)],  # ordered when bar 2 had shown the entry
        "BBB": [(1, 50, 10.0), (3, -50, 9.0)],
        "EEE": [],
        "FFF": [(1, 30, 41.0), (3, -30, 43.0)],
        "GGG": [(1, 10, 10.0), (3, -10, 10.0)],
    },
    # flat by the close of bar 3; with -30 working, -20 more would no longer shrink
    [(2, 10, "HALTED"), (2, -20, "HALTED"), (3, -15, "HALTED")],
    # AAA 10 x 1, BBB -50 x 1, DDD 20 x 1, FFF 30 x 2, GGG nothing
    100_000 + 10 - 50 + 20 + 60,
)
Case = tuple[
    tuple[str, ...], dict[str, list[tuple[int, int, float]]], list[tuple[int, int, str]], int
]


class Played:
    """What came of a case: the answer to the command, the status after it, the stage at the end."""

    def __init__(self, stage: Stage, case: Case) -> None:
        self.words, self.moves, self.denials, self.equity = case
        self.stage = stage
        self.state = {"pause": "PAUSED", "reduce": "REDUCING"}.get(self.words[0], "HALTED")
        with stage.held():
            self.said = stage.done(*self.words, "--reason", "because")
            self.status = stage.read("status")
            self.shown = stage.done("status")
        stage.play()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The account after bar 1."""
    return Stage(tmp_path_factory.mktemp("mid_bar") / "begun", QUOTES, PLAN).play(1)


@pytest.fixture(
    scope="module",
    params=[PAUSE, REDUCE, KILL, FLATTEN],
    ids=["pause", "reduce", "kill", "flatten"],
)
def played(begun: Stage, request: pytest.FixtureRequest) -> Played:
    return Played(begun.twin(begun.folder.parent / request.param[0][-1]), request.param)


def test_each_symbol_fills_as_worked_out(played: Played) -> None:
    expected = BY_THE_MARKET | played.moves
    assert {symbol: played.stage.fills(symbol) for symbol in QUOTES} == expected


def test_what_was_wanted_later_is_denied(played: Played) -> None:
    assert played.stage.denials() == played.denials


def test_the_equity_at_the_end(played: Played) -> None:
    assert played.stage.equity()[-1] == played.equity


def test_the_command_has_an_instant_in_the_bar(played: Played) -> None:
    """Stamped with tape time: after the end of bar 1, before the end of bar 2; in one turn."""
    ((kind, instant, source, reason),) = played.stage.query(
        "SELECT command, instant, c.source, c.reason FROM commands AS c JOIN turns USING (seq)"
    )
    assert (
        kind
        == {"pause": "Pause", "reduce": "Reduce", "kill": "Halt", "--flatten": "Flatten"}[
            played.words[-1]
        ]
    )
    assert (source, reason) == ("operator", "because")
    second = 10**9
    assert played.stage.starts[2] < instant < played.stage.starts[2] + 600 * second


def test_orders_the_command_ended_say_so(played: Played) -> None:
    assert played.stage.orders("CCC") == [("explicit", "cancelled", played.state)]
    halted = played.state == "HALTED"
    stop, limit = played.stage.orders("BBB")[1], played.stage.orders("GGG")[1]
    assert stop == (
        ("protective", "cancelled", "HALTED") if halted else ("protective", "filled", "")
    )
    assert limit == (("explicit", "cancelled", "HALTED") if halted else ("explicit", "filled", ""))


def test_a_cancellation_that_the_bar_made_doubtful_keeps_the_other_outcome(played: Played) -> None:
    """CCC's limit and, where it was cancelled, BBB's stop were touched in the very bar."""
    found = [
        json.loads(body)
        for (body,) in played.stage.query("SELECT body FROM outputs WHERE type = 'CancelAmbiguous'")
    ]
    prices = sorted((one["symbol"], one["quantity"], one["price_e4"]) for one in found)
    doubtful = [("CCC", 5, 8_5000)]
    if played.words[0] == "kill":
        doubtful.insert(0, ("BBB", 50, 9_0000))
    assert prices == doubtful


def test_status_shows_what_fills_nevertheless(played: Played) -> None:
    """Bar 2 ends at 12:30 in New York; until then nobody knows the price."""
    lines = [line for line in played.shown.splitlines() if "FILL_PENDING" in line]
    orders = sorted(" ".join(line.split("FILL")[0].split()[-5:]) for line in lines)
    assert orders == ["buy 10 AAA market day", "sell 20 DDD market day"]
    assert all("known at 2024-01-02 12:30" in line for line in lines)


def test_status_names_state_and_hold(played: Played) -> None:
    assert played.status["state"] == played.state
    ((source, level, reason),) = [
        (hold["source"], hold["level"], hold["reason"]) for hold in played.status["holds"]
    ]
    assert (source, level, reason) == ("operator", played.state, "because")
    assert played.status["flattening"] is (played.words[-1] == "--flatten")


def test_the_latch_is_there_for_a_kill_alone(played: Played) -> None:
    latch, flatten = played.stage.state / "HALT", played.stage.state / "FLATTEN"
    assert latch.exists() is (played.words[0] == "kill")
    assert flatten.exists() is (played.words[-1] == "--flatten")
    if latch.exists():
        assert "because" in latch.read_text("utf-8")


def test_the_answer_speaks_of_what_is_held(played: Played) -> None:
    """50 BBB lose their stop at a kill; a flattening says when each closes."""
    if played.words == ("kill",):
        assert "+50 BBB now without a stop; `papertape kill --flatten` closes it" in played.said
    if played.words[-1] == "--flatten":
        for held in ("+50 BBB", "+30 FFF", "+10 GGG"):
            (line,) = [line for line in played.said.splitlines() if line.startswith(held)]
            assert "2024-01-02 12:30" in line  # the open of bar 3
            assert "known at 2024-01-02 13:30" in line


def test_it_can_be_proved_afterwards(played: Played) -> None:
    assert played.stage.proved()
