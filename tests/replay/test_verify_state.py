"""`papertape verify` of a daemon's journal: equal, or the first turn that differs and why."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import Pause, Reset, Resume
from daemon.core.folded_ledger import FoldedLedger
from daemon.core.outputs import Fill
from daemon.errors import RefusedError
from daemon.feeds.times import iso_z
from daemon.fees import load_fee_tables
from daemon.journal.integrity import JournalEnds, check_state
from tests.replay.live_tape import LiveTape
from tests.replay.tampering import execute, remark, replace_outputs
from tests.replay.workshop import Workshop, manifest, write_tape

SLICES = 308
"""All that the workshop's tape has."""
FOLLOWER = """
class Follower:
    warmup_bars = 0
    @dataclass(frozen=True)
    class Params:
        quantity: int = 10
    def __init__(self, params, symbols):
        self.quantity, self.calls = params.quantity, 0
    def decide(self, market, predictions, portfolio):
        self.calls += 1
        return [TargetPosition(market.bars[0].symbol, self.quantity * (self.calls // 20 % 2))]
"""
FOLLOWS = ("strategy", "{kind: following:Follower}")


def pause(instant: int) -> Pause:
    """A pause by the operator."""
    return Pause(instant, "operator", "lunch")


def resume(instant: int) -> Resume:
    """Its end."""
    return Resume(instant, "operator", "back")


@pytest.fixture
def tape(shop: Workshop) -> LiveTape:
    """Return a journal of 100 slices in two segments, with a crash and a pause in between."""
    tape = LiveTape(shop)
    tape.run(30, closes=False)
    tape.run(30, commands={5: pause, 9: resume})
    tape.settings.append(("strategy.params.fast", "4"))
    tape.run(40)
    return tape


def verified(tape: LiveTape) -> dict[str, Any]:
    """What verify says; its exit code must agree."""
    answer = tape.shop.type("verify", "--json")
    assert answer.err == ""
    document: dict[str, Any] = json.loads(answer.out)
    assert document["state_directory"] == str(tape.state)
    assert document["equal"] is (not document["findings"])
    assert answer.code == bool(document["findings"])
    return document


def found(tape: LiveTape) -> list[str]:
    """The findings."""
    findings: list[str] = verified(tape)["findings"]
    return findings


def noted(tape: LiveTape) -> list[str]:
    """The notes, of a journal in which nothing is found."""
    document = verified(tape)
    assert document["equal"] is True
    notes: list[str] = document["notes"]
    return notes


def turn_of(tape: LiveTape, kind: str, place: int = 0) -> tuple[int, str, dict[str, Any]]:
    """Number, instant as text and body of the place-th output of a kind."""
    query = "SELECT seq, instant, body FROM outputs WHERE type = ?"
    seq, instant, body = execute(tape.state, query, kind)[place]
    return seq, iso_z(instant), json.loads(body)


# --- equal --------------------------------------------------------------------------------------


def test_a_journal_is_equal_segment_by_segment(tape: LiveTape) -> None:
    document = verified(tape)
    ((turns,),) = execute(tape.state, "SELECT count(*) FROM turns")
    first, second = document["segments"]
    assert (document["equal"], document["notes"]) == (True, [])
    assert (document["turns"], document["bars"]) == (turns, 100)
    assert (first["reason"], second["reason"]) == ("start", "strategy.params.fast: 3 -> 4")
    assert first["turns_equal"] == second["first_turn"] - 1
    assert first["turns_equal"] + second["turns_equal"] == turns
    assert execute(tape.state, "SELECT count(*) FROM fills")[0][0] > 10


def test_the_answer_for_people_names_the_directory_first(tape: LiveTape) -> None:
    document = verified(tape)
    answer = tape.shop.type("verify")
    assert answer.code == 0
    assert answer.out == (
        f"state   {tape.state}\n"
        f"equal. {document['turns']} turns in 2 segments over 100 slices played again, "
        f"digest {document['digest'][:12]}\n"
    )


def test_the_digest_is_that_of_a_replay_of_the_tape(shop: Workshop) -> None:
    run = shop.replay()
    tape = LiveTape(shop)
    tape.run(100, closes=False)
    tape.run(100)
    tape.run()
    document = verified(tape)
    assert document["bars"] == SLICES
    assert document["digest"] == manifest(run)["digest"]
    assert [one["digest"] for one in document["segments"]] == [document["digest"]]


def test_verify_writes_nothing(tape: LiveTape) -> None:
    before = {path: path.stat().st_mtime_ns for path in tape.state.iterdir()}
    assert found(tape) == []
    assert {path: path.stat().st_mtime_ns for path in tape.state.iterdir()} == before


# --- storage ------------------------------------------------------------------------------------


def test_a_changed_row_is_damage_and_its_turn_is_named(tape: LiveTape) -> None:
    seq, instant, body = turn_of(tape, "Fill", 3)
    price = body["price_e4"]
    replace_outputs(tape.state, seq, f'"price_e4":{price}', f'"price_e4":{price + 100}')
    damage, differs, *_ = found(tape)
    assert damage == (
        f"storage: {tape.state}/journal.db: turns: seq {seq} is not what was written: "
        f"`papertape restore` puts a copy in its place"
    )
    assert differs.startswith(
        f"segment 1: turn {seq} at {instant}: Fill (fill {body['fill_id']}): "
    )


def test_lost_turns_are_damage(tape: LiveTape) -> None:
    ((last,),) = execute(tape.state, "SELECT max(seq) FROM turns")
    execute(tape.state, "DELETE FROM closings WHERE seq = ?", last)
    execute(tape.state, "DELETE FROM turns WHERE seq = ?", last)
    (finding,) = found(tape)
    assert f"the mark says turn {last} was committed, the journal ends at {last - 1}" in finding


def test_a_missing_mark_is_a_remark(tape: LiveTape) -> None:
    (tape.state / "journal.mark").unlink()
    assert verified(tape)["notes"] == [f"{tape.state}/journal.mark: missing; it is written anew"]
    assert "note: " in tape.shop.type("verify").out


def test_a_journal_that_is_lost_is_refused(tape: LiveTape) -> None:
    (tape.state / "journal.db").unlink()
    (tape.state / "daemon.lock").touch()
    answer = tape.shop.type("verify")
    assert answer.code == 78
    assert "missing, though journal.mark is there" in answer.lines[0]


def test_a_file_that_is_no_journal_is_refused(tape: LiveTape) -> None:
    (tape.state / "journal.db").write_bytes(b"not a database, but long enough to be one" * 99)
    answer = tape.shop.type("verify")
    assert answer.code == 78
    assert "not a journal" in answer.lines[0]


def test_a_daemon_that_begins_meanwhile_is_no_damage(
    tape: LiveTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first checkpoint changes the file under whoever reads it as closed."""
    journal = tape.state / "journal.db"
    at_first = iter([True])

    def check(state: Path) -> JournalEnds:
        if next(at_first, False):
            os.utime(journal)
            raise RefusedError(f"{journal}: it was written to while it was read: read it again")
        return check_state(state)

    monkeypatch.setattr("replay.verify_state.check_state", check)
    assert found(tape) == []


# --- changed and covered up ---------------------------------------------------------------------


def test_a_fill_with_another_price_contradicts_the_equity(tape: LiveTape) -> None:
    seq, instant, body = turn_of(tape, "Fill", 3)
    price = body["price_e4"]
    replace_outputs(tape.state, seq, f'"price_e4":{price}', f'"price_e4":{price + 100}')
    remark(tape.state)
    differs, _opening = found(tape)
    assert differs.startswith(
        f"segment 1: turn {seq} at {instant}: Fill (fill {body['fill_id']}): "
        f"price {(price + 100) / 1e4:.4f}, played again {price / 1e4:.4f}; cause: "
    )
    assert "cause: the journal contradicts itself there" in differs


def test_a_changed_bar_is_named_by_the_first_turn_it_changes(tape: LiveTape) -> None:
    query = (
        "SELECT t.seq, t.input FROM turns AS t WHERE t.kind = 'slice' AND seq > 40 AND "
        "t.equity <> (SELECT o.equity FROM turns AS o WHERE o.kind = 'slice' AND o.seq < t.seq "
        "ORDER BY o.seq DESC LIMIT 1) LIMIT 1"
    )
    ((seq, text),) = execute(tape.state, query)
    market = json.loads(text)
    market["bars"][0]["close"] = round(market["bars"][0]["close"] + 1, 2)
    changed = json.dumps(market, separators=(",", ":"))
    execute(tape.state, "UPDATE turns SET input = ? WHERE seq = ?", changed, seq)
    remark(tape.state)
    differs = found(tape)[0]
    assert differs.startswith(f"segment 1: turn {seq} at ")
    assert "equity was" in differs
    assert "cause: the journal contradicts itself there" in differs


def test_a_denial_with_another_quantity_is_not_a_matter_of_arithmetic(tape: LiveTape) -> None:
    seq, _, body = turn_of(tape, "Denial")
    was = f'"quantity":{body["quantity"]}'
    replace_outputs(tape.state, seq, was, '"quantity":7')
    remark(tape.state)
    (differs,) = found(tape)
    assert f"turn {seq} at " in differs
    assert "cause: strategy, engine, fee tables and config are those of the record" in differs


def test_a_changed_closing_is_named(tape: LiveTape) -> None:
    ((closing, seq, account),) = execute(
        tape.state, "SELECT closing, seq, account FROM closings ORDER BY closing LIMIT 1"
    )
    values = json.loads(account)
    cash = values["portfolio"]["cash_micros"]
    values["portfolio"]["cash_micros"] = cash + 1
    update = "UPDATE closings SET account = ? WHERE closing = ?"
    execute(tape.state, update, json.dumps(values), closing)
    remark(tape.state)
    (finding,) = found(tape)
    assert finding == (
        f"segment 1: the account stored at the stop after turn {seq}: portfolio.cash_micros is "
        f"{cash + 1}, played again {cash}"
    )


def test_a_changed_opening_is_named_and_changes_the_segment(tape: LiveTape) -> None:
    ((text,),) = execute(tape.state, "SELECT opening FROM segments WHERE segment = 2")
    opening = json.loads(text)
    cash = opening["values"]["portfolio"]["cash_micros"]
    opening["values"]["portfolio"]["cash_micros"] = cash + 5
    execute(tape.state, "UPDATE segments SET opening = ? WHERE segment = 2", json.dumps(opening))
    remark(tape.state)
    differs, opens = found(tape)
    assert differs.startswith("segment 2: turn ")
    assert opens == (
        "segment 2: it does not open with the account that the one before ended with: "
        f"portfolio.cash_micros is {cash + 5}, played again {cash}"
    )


def test_an_error_in_the_ledger_that_repeats_itself_shows(
    tape: LiveTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = FoldedLedger.fill

    def books_otherwise(self: FoldedLedger, fill: Fill) -> None:
        books(self, fill)
        self._cash += fill.fill_id == 2

    monkeypatch.setattr(FoldedLedger, "fill", books_otherwise)
    (finding,) = found(tape)
    assert finding.startswith("segment 1: what is recorded adds up to another ledger: ")
    assert "portfolio" not in finding
    assert "cash_micros is" in finding


# --- causes -------------------------------------------------------------------------------------


def test_changed_strategy_code_that_makes_a_difference_is_the_cause(shop: Workshop) -> None:
    shop.strategy("following", FOLLOWER)
    tape = LiveTape(shop, [FOLLOWS])
    tape.run(60)
    shop.strategy("following", FOLLOWER.replace("// 20", "// 21"))
    answer = shop.process("verify", "--json")
    assert (answer.code, answer.err) == (1, "")
    (finding,) = json.loads(answer.out)["findings"]
    seq, instant, _ = turn_of(tape, "OrderAccepted")
    assert finding.startswith(f"segment 1: turn {seq} at {instant}: recorded OrderAccepted (")
    assert finding.endswith(
        "cause: code: the source of strategy following:Follower has changed since"
    )


def test_changed_strategy_code_that_makes_none_is_a_remark(shop: Workshop) -> None:
    shop.strategy("following", FOLLOWER)
    tape = LiveTape(shop, [FOLLOWS])
    tape.run(60)
    with (shop.folder / "strategies/following.py").open("a", encoding="utf-8") as file:
        file.write("# later\n")
    document = verified(tape)
    assert document["findings"] == []
    assert document["notes"] == [
        "segment 1: equal, though code: the source of strategy following:Follower has changed since"
    ]


def test_a_strategy_that_depends_on_chance_is_suspected(shop: Workshop) -> None:
    """It counts its calls in a file: played again it goes on from there."""
    code = FOLLOWER.replace(
        "        self.calls += 1\n",
        "        calls = Path('calls.txt')\n"
        "        self.calls = int(calls.read_text()) + 1 if calls.exists() else 1\n"
        "        calls.write_text(str(self.calls))\n",
    )
    shop.strategy("chancy", code)
    tape = LiveTape(shop, [("strategy", "{kind: chancy:Follower}")])
    tape.run(30)
    (finding,) = found(tape)
    assert "depends on more than its inputs" in finding


def test_a_strategy_that_is_gone_cannot_be_played_again(shop: Workshop) -> None:
    shop.strategy("following", FOLLOWER)
    LiveTape(shop, [FOLLOWS]).run(30)
    (shop.folder / "strategies/following.py").unlink()
    answer = shop.process("verify", "--json")
    assert answer.code == 1
    (finding,) = json.loads(answer.out)["findings"]
    assert "segment 1: it cannot be played again: " in finding
    assert finding.endswith("cause: config or code: what it traded with is not there any more")


def test_changed_fee_tables_are_the_cause(tape: LiveTape, monkeypatch: pytest.MonkeyPatch) -> None:
    seq, _, body = turn_of(tape, "Denial")
    replace_outputs(tape.state, seq, f'"quantity":{body["quantity"]}', '"quantity":7')
    remark(tape.state)
    changed = replace(load_fee_tables(), sha256="0" * 64)
    monkeypatch.setattr("replay.journal_check.load_fee_tables", lambda: changed)
    over, _ = noted(tape)  # the other segment is equal, though they have changed
    assert over.startswith("segment 1: over, and beyond proof by today's code: turn ")
    assert over.endswith("fee tables: they have changed since")


def test_another_engine_is_the_cause(tape: LiveTape, monkeypatch: pytest.MonkeyPatch) -> None:
    seq, _, body = turn_of(tape, "Denial")
    replace_outputs(tape.state, seq, f'"quantity":{body["quantity"]}', '"quantity":7')
    remark(tape.state)
    monkeypatch.setattr("replay.journal_check.ENGINE_VERSION", 99)
    over, _ = noted(tape)
    assert "engine: it was traded by version " in over
    assert over.endswith(", this is 99")


# --- mismatches, symbols ------------------------------------------------------------------------


def test_a_mismatch_counts_until_it_is_accepted(tape: LiveTape) -> None:
    seq, _, body = turn_of(tape, "Fill", -1)
    price = body["price_e4"]
    replace_outputs(tape.state, seq, f'"price_e4":{price}', f'"price_e4":{price + 1}')
    remark(tape.state)
    opened = tape.run(5)
    assert opened.new_segment is not None
    assert opened.new_segment.reason.startswith("mismatch: ")
    (finding,) = found(tape)
    assert finding.startswith(f"segment 2: turn {seq} at ")
    tape.run(5, commands={2: partial(Reset, source="operator", reason="seen", accept="mismatch")})
    document = verified(tape)
    assert document["findings"] == []
    (note,) = document["notes"]
    assert note.endswith(": noticed at a start, and accepted by an operator since")
    assert [one["accepted"] for one in document["segments"]] == [False, True, False]


def test_a_mismatch_that_was_not_folded_from_what_is_recorded_is_named(tape: LiveTape) -> None:
    seq, _, body = turn_of(tape, "Fill", -1)
    price = body["price_e4"]
    replace_outputs(tape.state, seq, f'"price_e4":{price}', f'"price_e4":{price + 1}')
    remark(tape.state)
    tape.run(5)
    replace_outputs(tape.state, seq, f'"price_e4":{price + 1}', f'"price_e4":{price}')
    remark(tape.state)
    (finding,) = found(tape)
    assert finding.startswith("segment 3: it does not open with the account")


def test_a_symbol_may_join(shop: Workshop) -> None:
    tape = LiveTape(shop)
    tape.run(60)
    write_tape(shop.folder / "amd.csv", seed=2)
    (shop.folder / "nvda.csv").rename(shop.folder / "both_nvda.csv")
    (shop.folder / "amd.csv").rename(shop.folder / "both_amd.csv")
    tape.settings += [("symbols", "[AMD, NVDA]"), ("tape.path", "'both_{symbol}.csv'")]
    tape.run(60)
    document = verified(tape)
    assert (document["findings"], len(document["segments"])) == ([], 2)
    assert {row[0] for row in execute(tape.state, "SELECT symbol FROM fills")} == {"AMD", "NVDA"}


# --- which one is meant -------------------------------------------------------------------------


def test_without_a_journal_the_latest_run_is_meant(shop: Workshop) -> None:
    run = shop.replay()
    assert shop.type("verify").out.startswith(f"{run.name}: equal.")
    LiveTape(shop).run(10)
    assert shop.type("verify").out.startswith(f"state   {shop.state}\nequal.")
    assert shop.type("verify", "latest").out.startswith(f"{run.name}: equal.")


def test_a_word_means_a_daemon_of_that_name(
    tape: LiveTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tape.shop.folder / "var"
    home.mkdir()
    tape.state.rename(home / "shop")
    monkeypatch.setattr("daemon.paths.HOME", home)
    assert tape.shop.type("verify", "shop").out.startswith(f"state   {home}/shop\nequal.")
    answer = tape.shop.type("verify", "shop", "--state", str(home / "shop"))
    assert answer.code == 2
    assert "no run 'shop'" in answer.lines[0]


def test_the_only_daemon_is_meant_where_nothing_is_here(
    tape: LiveTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tape.shop.folder / "var"
    home.mkdir()
    tape.state.rename(home / "shop")
    monkeypatch.setattr("daemon.paths.HOME", home)
    monkeypatch.delenv("PAPERTAPE_STATE")
    assert tape.shop.type("verify").out.startswith(f"state   {home}/shop\nequal.")


def test_nothing_to_verify_is_usage(shop: Workshop) -> None:
    answer = shop.type("verify")
    assert answer.code == 2
    assert "no runs in" in answer.lines[0]
