"""DESIGN 5: what begins a segment, what it takes over, and what a reload may change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, flat

RAMP = [flat(100.0 + i) for i in range(12)]
PLAN = {
    0: "TargetPosition('AAA', 10, Bracket(stop_price=50.0))",
    1: "OrderRequest('AAA', Side.BUY, 3, OrderType.LIMIT, limit_price=60.0, "
    "time_in_force=TimeInForce.GTC)",
    4: "TargetPosition('AAA', 20)",
}


def segments(made: Stage) -> int:
    ((count,),) = made.query("SELECT count(*) FROM segments")
    return int(count)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """10 shares with a stop at 50 and a limit at 60 that rests, after bar 2."""
    made = Stage(tmp_path_factory.mktemp("segments") / "begun", {"AAA": RAMP}, PLAN)
    return made.play(2)


def again(begun: Stage, folder: Path) -> Stage:
    return begun.twin(folder / "stage")


def test_nothing_changed_is_no_new_segment(begun: Stage, tmp_path: Path) -> None:
    """Started again on the same config, and on one that differs in what is looked at alone."""
    made = again(begun, tmp_path)
    made.play(2)
    assert segments(made) == 1
    made.write_config(observability="{metrics: null, log: text}")
    made.settings.pop("observability.metrics")
    made.play(2)
    assert segments(made) == 1


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("risk", "risk.max_position_shares"),
        ("strategy source", "strategy has changed"),
        ("execution", "execution.slippage_bps: 0.0 -> 1.0"),
    ],
)
def test_what_decides_begins_one_with_the_account_as_it_is(
    begun: Stage, tmp_path: Path, name: str, named: str
) -> None:
    """Position, stop and resting limit go over; 10 more are bought at the open of bar 5."""
    made = again(begun, tmp_path)
    if name == "risk":
        made.write_config(risk="{allow_short: true, max_position_shares: 999}")
    elif name == "execution":
        made.write_config(execution=made.config["execution"].replace("bps: 0", "bps: 1"))
    else:
        path = made.folder / "strategies" / "plan.py"
        path.write_text(path.read_text("utf-8") + "# mended\n", "utf-8")
    made.play(6)
    assert segments(made) == 2
    reasons = [reason for (reason,) in made.query("SELECT reason FROM segments ORDER BY segment")]
    assert named in reasons[1], reasons
    # 105 + 1 bp = 105.0105, a tick against us: 105.02
    assert made.fills() == [(1, 10, 101.0), (5, 10, 105.02 if name == "execution" else 105.0)]
    ids = [number for (number,) in made.query("SELECT order_id FROM orders ORDER BY 1")]
    assert ids == [1, 2, 3, 4, 5]  # the last is the stop, made anew for 20
    assert made.proved()


def test_another_cash_counts_at_a_states_first_start_only(begun: Stage, tmp_path: Path) -> None:
    made = again(begun, tmp_path)
    made.write_config(account="{cash_usd: 5}")
    made.play(3)
    assert made.equity()[-1] == 100_000 + 20  # 10 shares from 101 to 103


def test_a_reload_is_an_input_and_no_segment(begun: Stage, tmp_path: Path) -> None:
    """From mid-bar 3 on at most 15 shares: the 10 of bar 4 are denied. 25: the 12 of bar 8 pass.

    The limit of 3 that rests counts: 10 + 3 + 12 is 25. The answer prints old → new a key.
    """
    made = again(begun, tmp_path)
    made.write_plan({**PLAN, 8: "TargetPosition('AAA', 22)"})
    with made.held():
        before = segments(made)
        made.write_config(risk="{allow_short: true, max_position_shares: 15}")
        said = made.done("reload")
        assert "max_position_shares" in said
        assert "15" in said
        assert "→" in said
        assert made.query("SELECT command FROM commands") == [("Reload",)]
        assert segments(made) == before
        assert "nothing has changed" in made.done("reload")
        assert made.query("SELECT count(*) FROM commands") == [(1,)]
    made.play(5)
    assert made.denials() == [(4, 10, "MAX_POSITION_SHARES")]
    with made.held():
        made.write_config(risk="{allow_short: true, max_position_shares: 25}")
        said = made.done("reload")
        assert "15" in said
        assert "25" in said
    made.play(9)
    assert made.fills() == [(1, 10, 101.0), (9, 12, 109.0)]
    assert made.proved()


def test_what_a_reload_may_not_change_is_refused_by_name(begun: Stage, tmp_path: Path) -> None:
    """All or nothing: the limit beside it does not change either, and nothing is journaled.

    A mistake in the file is told with its place.
    """
    made = again(begun, tmp_path)
    with made.held():
        for key, value in (
            ("execution", "{slippage_bps: 3}"),
            ("symbols", "[AAA, BBB]"),
            ("strategy", "{kind: buy_and_hold}"),
        ):
            before = dict(made.config)
            made.write_config(risk="{allow_short: true, max_position_shares: 1}", **{key: value})
            answer = made.say("reload")
            assert answer.code == 78
            assert key in " ".join(answer.lines)
            made.write_config(**before)
        made.write_config(risk="{allow_short: true, max_position_share: 1}")
        answer = made.say("reload")
        assert answer.code == 78
        line = list(made.config).index("risk") + 1
        assert f"config.yaml:{line}:" in answer.lines[0]
        assert "max_position_shares" in answer.lines[0]  # the nearest name
        assert made.query("SELECT count(*) FROM commands") == [(0,)]
        assert made.read("status")["limits"] == []
        assert made.read("status")["state"] == "ACTIVE"


def test_a_start_plays_what_came_before_a_reload_by_the_limits_of_then(tmp_path: Path) -> None:
    """40 shares were allowed at bar 0; since bar 3 at most 20 are. A SIGKILL in bar 9, a start.

    By today's limit the 40 would never have been bought: that would be a mismatch.
    """
    made = Stage(
        tmp_path / "stage",
        {"AAA": RAMP},
        {0: "TargetPosition('AAA', 40)", 3: "*reload()", 8: "TargetPosition('AAA', 45)"},
        risk="{max_position_shares: 50}",
    )
    old = made.shop.config.read_text("utf-8")
    made.write_config(risk="{max_position_shares: 20}")
    made.shop.config.rename(made.folder / "config.next")
    made.shop.config.write_text(old, "utf-8")
    made.die(9)
    assert made.query("SELECT command FROM commands") == [("Reload",)]
    made.play()
    assert segments(made) == 1
    assert made.fills() == [(1, 40, 101.0)]
    assert made.denials() == [(8, 5, "MAX_POSITION_SHARES")]
    assert made.states() == []
    assert made.proved()


def test_what_cannot_be_played_again_counts_as_recorded_and_halts(tmp_path: Path) -> None:
    """Bought 10, a SIGKILL, and a strategy that would have bought 20 in their place.

    The 10 are what was recorded; halted until somebody accepts it by name. Then 5 are wanted:
    sold at the open of bar 9, at 109.
    """
    made = Stage(tmp_path / "stage", {"AAA": RAMP}, {0: "TargetPosition('AAA', 10)"})
    made.die(5)
    made.write_plan({0: "TargetPosition('AAA', 20)", 6: "TargetPosition('AAA', 5)"})
    made.play(6)
    assert made.states() == []  # it is what the segment opens with
    status = made.read("status")
    assert (status["state"], status["latched"]) == ("HALTED", True)
    assert [hold["source"] for hold in status["holds"]] == ["mismatch"]
    assert [position["quantity"] for position in status["positions"]] == [10]
    assert made.denials() == [(6, -5, "HALTED")]
    answer = made.say("reset", "--reason", "x")
    assert answer.code == 1
    assert "--accept mismatch" in answer.lines[0]
    made.done("reset", "--reason", "looked", "--accept", "mismatch")
    made.write_plan({8: "TargetPosition('AAA', 5)"})
    made.play()
    assert made.fills() == [(1, 10, 101.0), (9, -5, 109.0)]
    assert made.equity()[-1] == 100_000 + 5 * (109 - 101) + 5 * (111 - 101)


def test_the_manifest_says_what_a_segment_went_by(begun: Stage) -> None:
    ((reason, text),) = begun.query("SELECT reason, manifest FROM segments")
    manifest = json.loads(text)
    assert reason
    assert "acceptance" in json.dumps(manifest)
    assert any("strategy" in key for key in _keys(manifest))


def _keys(value: object) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [*value, *(key for inner in value.values() for key in _keys(inner))]
