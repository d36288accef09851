"""`papertape verify`: what was recorded comes out again, and whatever was changed is named."""

from __future__ import annotations

import json
import shutil
import sqlite3
from array import array
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon import ENGINE_VERSION
from daemon.feeds.times import iso_z
from daemon.fees import load_fee_tables
from tests.replay.tampering import (
    change_bar,
    edit_block,
    execute,
    replace_outputs,
    replace_text,
    reseal,
)
from tests.replay.workshop import Workshop, bar_starts, manifest, rows, write_tape

THRESHOLD = (
    "strategy={kind: threshold, params: {enter_long_bps: 10, exit_long_bps: -10, quantity: 50, "
    "stop_loss_pct: 1}}"
)
RAISES = """
class Raises:
    warmup_bars = 0
    @dataclass(frozen=True)
    class Params:
        at: int = 5
    def __init__(self, params, symbols):
        self.at, self.calls = params.at, 0
    def decide(self, market, predictions, portfolio):
        self.calls += 1
        with Path("calls.txt").open("a") as file:
            file.write(f"{self.calls}\\n")
        if self.calls == self.at:
            raise ValueError("first line\\nsecond line")
        return [TargetPosition(market.bars[0].symbol, 10)]
"""


@pytest.fixture
def run(shop: Workshop) -> Path:
    """Return a run of the moving averages with fills, trades and denials."""
    return shop.replay()


def _findings(shop: Workshop, run: Path) -> list[str]:
    """What verify finds; its exit code must agree."""
    answer = shop.type("verify", str(run), "--json")
    assert answer.err == ""
    document = json.loads(answer.out)
    assert document["run"] == run.name
    assert document["equal"] is (not document["findings"])
    assert answer.code == bool(document["findings"])
    findings: list[str] = document["findings"]
    return findings


def _turn_of(run: Path, kind: str, place: int = 0) -> tuple[int, int, dict[str, Any]]:
    """Sequence number, instant and body of the place-th output of a kind."""
    found = execute(run, "SELECT seq, instant, body FROM outputs WHERE type = ? LIMIT 99", kind)
    seq, instant, body = found[place]
    return seq, instant, json.loads(body)


def _quiet_held_place(run: Path) -> int:
    """The place of a bar over which a position is held, without any turn at it or the next."""
    instants = {iso_z(instant) for (instant,) in execute(run, "SELECT instant FROM turns")}
    equity = rows(run / "equity.csv")
    held = [row["position_value"] != "0.00" and row["ts"] not in instants for row in equity]
    return next(n for n in range(50, len(held)) if held[n - 1] and held[n] and held[n + 1])


# --- what is as it was --------------------------------------------------------------------------


def test_a_fresh_run_verifies(shop: Workshop, run: Path) -> None:
    answer = shop.type("verify")
    turns, bars = manifest(run)["turns"], manifest(run)["bars"]
    assert bars == len(bar_starts()) == 308
    assert turns == 308 + 2 * 44  # each session opens and closes
    assert answer.code == 0
    assert f"{run.name}: equal. {turns} turns over {bars} bars" in answer.out
    assert len(rows(run / "fills.csv")) > 20
    assert rows(run / "denials.csv")


def test_a_run_can_be_verified_where_it_was_moved_to(shop: Workshop, run: Path) -> None:
    moved = shop.folder / "kept"
    run.rename(moved)
    for name in ("nvda.csv", "config.yaml"):
        (shop.folder / name).unlink()
    shutil.rmtree(shop.state / "cache")
    assert shop.type("verify", "./kept").code == 0


def test_a_run_with_an_end_and_warm_up_verifies(shop: Workshop) -> None:
    run = shop.replay(
        "--start", "2024-01-10", "--end", "2024-02-09T12:00", "--set", "warmup_bars=auto"
    )
    assert _findings(shop, run) == []
    assert manifest(run)["first_bar"] == "2024-01-10T14:30:00Z"
    assert manifest(run)["last_bar"] == "2024-02-09T16:30:00Z"
    assert rows(run / "equity.csv")[0]["ts"] == "2024-01-10T15:30:00Z"


def test_a_run_whose_strategy_raised_is_verified_without_asking_it_again(shop: Workshop) -> None:
    shop.strategy("raising", RAISES)
    words = shop.words("--set", "strategy={kind: raising:Raises}")
    answer = shop.type(*words)
    assert answer.code == 1
    run = Path(answer.out.strip())
    calls = shop.folder / "calls.txt"
    assert calls.read_text("utf-8").split() == ["1", "2", "3", "4", "5"]
    calls.unlink()
    assert _findings(shop, run) == []
    assert calls.read_text("utf-8").split() == ["1", "2", "3", "4"]
    (change,) = rows(run / "state_changes.csv")
    assert (change["state"], change["source"]) == ("HALTED", "strategy")
    assert change["reason"].startswith("ValueError: first line second line (raising.py:")


@pytest.mark.parametrize("afterwards", ["changed", "gone"])
def test_recorded_predictions_are_part_of_the_journal(shop: Workshop, afterwards: str) -> None:
    path = shop.folder / "predictions.csv"
    ends = [start + 3_600 * 10**9 for start in bar_starts() if start % 7]
    values = ((-1) ** (n // 5) * 0.002 for n in range(len(ends)))
    path.write_text(
        "ts,symbol,value\n"
        + "".join(f"{iso_z(e)},NVDA,{v}\n" for e, v in zip(ends, values, strict=True)),
        encoding="utf-8",
    )
    run = shop.replay("--set", THRESHOLD, "--set", "model={kind: recorded, path: predictions.csv}")
    assert len(rows(run / "fills.csv")) > 10
    if afterwards == "gone":
        path.unlink()
    else:
        path.write_text("ts,symbol,value\n", encoding="utf-8")
    assert _findings(shop, run) == []


def test_predictions_of_a_bar_that_is_missing_are_played_again(shop: Workshop) -> None:
    write_tape(shop.folder / "amd.csv", seed=2, without=range(20, 32))
    ends = [start + 3_600 * 10**9 for start in bar_starts()]
    lines = ["ts,symbol,value,failure"]
    for place, end in enumerate(ends):
        lines.append(f'{iso_z(end)},AMD,{"" if 100 < place < 130 else 0.001},"a\nfailure"')
        lines.append(f"{iso_z(end)},NVDA,{0.001 if place % 9 else ''},")
    (shop.folder / "predictions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shop.strategy(
        "follows",
        """
class Follows:
    warmup_bars = 0
    @dataclass(frozen=True)
    class Params:
        pass
    def __init__(self, params, symbols):
        pass
    def decide(self, market, predictions, portfolio):
        return [TargetPosition("NVDA", 10 * len(predictions))]
""",
    )
    run = shop.replay(
        "--set", "symbols=[NVDA, AMD]",
        "--set", 'tape.path="{symbol}.csv"',
        "--set", "strategy={kind: follows:Follows}",
        "--set", "risk.max_orders_per_day=null",
        "--set", "model={kind: recorded, path: predictions.csv}",
    )  # fmt: skip
    assert len(rows(run / "fills.csv")) > 10
    assert _findings(shop, run) == []


# --- storage ------------------------------------------------------------------------------------


def test_a_changed_bar_breaks_the_chain_of_blocks(shop: Workshop, run: Path) -> None:
    change_bar(run, "close", _quiet_held_place(run), 0.01)
    ((block,),) = execute(run, "SELECT block FROM blocks WHERE kind = 'bars'")
    first = _findings(shop, run)[0]
    assert first == f"storage: blocks: row block {block} is not what was written"


def test_a_last_block_that_is_gone_is_missed(shop: Workshop, run: Path) -> None:
    execute(run, "DELETE FROM blocks WHERE block = (SELECT max(block) FROM blocks)")
    findings = _findings(shop, run)
    assert findings[0].startswith("storage: blocks: rows after block")
    assert "0 bars were recorded, 308 were played again" in findings[1]


@pytest.mark.parametrize("table", ["turns", "segments", "blocks"])
def test_an_appended_row_is_seen(shop: Workshop, run: Path, table: str) -> None:
    key = {"turns": "seq", "segments": "segment", "blocks": "block"}[table]
    columns = [row[1] for row in execute(run, f"PRAGMA table_info({table})")]
    copied = ", ".join(f"{key} + 1000" if name == key else name for name in columns)
    execute(run, f"INSERT INTO {table} SELECT {copied} FROM {table} LIMIT 1")  # noqa: S608 - names
    first = _findings(shop, run)[0]
    assert first.startswith(f"storage: {table}: row {key}")


@pytest.mark.parametrize(
    ("kept", "word"),
    [
        (0, "not a journal (it is empty)"),
        (50, "not a journal (it is empty)"),
        (20_000, "damaged (database disk image is malformed)"),
    ],
)
def test_a_truncated_journal_is_refused(shop: Workshop, run: Path, kept: int, word: str) -> None:
    journal = run / "journal.db"
    journal.write_bytes(journal.read_bytes()[:kept])
    before = journal.read_bytes()
    answer = shop.type("verify", run.name)
    assert answer.code == 78
    (line,) = answer.lines
    assert line.startswith(f"{journal}: ")
    assert word in line
    assert journal.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("UPDATE turns SET outputs = '[' WHERE seq = (SELECT max(seq) FROM turns)", "turns: row"),
        ("UPDATE turns SET outputs = '[{}]' WHERE seq = (SELECT max(seq) FROM turns)", "turns"),
        ("UPDATE blocks SET columns = x'c1' WHERE kind = 'bars'", "blocks: row block"),
        ("UPDATE blocks SET columns = x'80' WHERE kind = 'equity'", "blocks: row block"),
        ("UPDATE blocks SET columns = x'80' WHERE kind = 'sessions'", "blocks: row block"),
        ("UPDATE segments SET manifest = '{}'", "segments: row segment 1"),
        ("UPDATE segments SET manifest = '{'", "segments: row segment 1"),
    ],
)
def test_whatever_is_damaged_is_a_finding(
    shop: Workshop, run: Path, statement: str, word: str
) -> None:
    execute(run, statement)
    assert word in _findings(shop, run)[0]
    reseal(run)
    assert _findings(shop, run)


def test_a_manifest_without_the_ends_of_the_chains_is_refused(shop: Workshop, run: Path) -> None:
    for seal in (None, {}, {"turns_hash": 1, "blocks_hash": "", "segments_hash": ""}):
        document = manifest(run) | {"journal": seal}
        (run / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
        answer = shop.type("verify", run.name)
        assert answer.code == 78
        assert "does not say how its journal ended" in answer.lines[0]


# --- turns and bars -----------------------------------------------------------------------------


def test_one_changed_bar_is_named_though_the_storage_is_whole(shop: Workshop, run: Path) -> None:
    place = _quiet_held_place(run)
    equity = rows(run / "equity.csv")[place]
    shares = 100 if float(equity["position_value"]) > 0 else -100
    change_bar(run, "close", place, 0.01)
    reseal(run)
    was = float(equity["equity"])
    assert _findings(shop, run)[0] == (
        f"bar {equity['ts']}: equity was {was:.6f}, played again {was + shares * 0.01:.6f}"
    )


def test_a_changed_open_is_named_by_the_turn_that_filled_there(shop: Workshop, run: Path) -> None:
    fill = rows(run / "fills.csv")[3]
    place = [iso_z(start) for start in bar_starts()].index(fill["ts_effective"])
    change_bar(run, "open", place, 0.02)
    change_bar(run, "high", place, 5.0)
    change_bar(run, "low", place, -5.0)
    reseal(run)
    seq, _, body = _turn_of(run, "Fill", 3)
    first = _findings(shop, run)[0]
    assert first.startswith(f"turn {seq} at {fill['ts_known']}: Fill (fill 4): ")
    was = body["reference_e4"]
    assert f"reference {was / 1e4:.4f}, played again {(was + 200) / 1e4:.4f}" in first


def test_a_bar_no_market_could_make_is_a_finding_not_a_crash(shop: Workshop, run: Path) -> None:
    change_bar(run, "low", 100, float("nan"))
    edit_block(run, "bars", "high", "d", lambda values: values.__setitem__(101, -1.0))
    edit_block(run, "bars", "close", "d", lambda values: values.__setitem__(102, float("inf")))
    reseal(run)
    assert _findings(shop, run)


def test_one_changed_fill_is_named(shop: Workshop, run: Path) -> None:
    seq, instant, body = _turn_of(run, "Fill", 5)
    price = body["price_e4"]
    replace_outputs(run, seq, f'"price_e4":{price}', f'"price_e4":{price + 1}')
    assert _findings(shop, run)[0] == f"storage: turns: row seq {seq} is not what was written"
    reseal(run)
    first = _findings(shop, run)[0]
    assert first == (
        f"turn {seq} at {iso_z(instant)}: Fill (fill 6): "
        f"price {(price + 1) / 1e4:.4f}, played again {price / 1e4:.4f}"
    )


@pytest.mark.parametrize("place", [0, 7, -1])
def test_a_removed_turn_is_named(shop: Workshop, run: Path, place: int) -> None:
    seq, instant = execute(run, "SELECT seq, instant FROM turns ORDER BY seq")[place]
    execute(run, "DELETE FROM turns WHERE seq = ?", seq)
    reseal(run)
    first = _findings(shop, run)[0]
    assert first.startswith(f"turn {seq} at {iso_z(instant)}: recorded nothing; played again ")


def test_an_added_turn_is_named(shop: Workshop, run: Path) -> None:
    used = {seq for (seq,) in execute(run, "SELECT seq FROM turns")}
    seq = next(number for number in range(max(used)) if number not in used and number - 1 in used)
    execute(
        run,
        "INSERT INTO turns (seq, segment, instant, kind, input, outputs, hash) "
        "SELECT ?, segment, instant, kind, input, outputs, hash FROM turns WHERE seq = ?",
        seq,
        seq - 1,
    )
    reseal(run)
    first = _findings(shop, run)[0]
    assert first.startswith(f"turn {seq} at ")
    assert first.endswith("; played again nothing")


def test_turns_in_another_order_differ(shop: Workshop, run: Path) -> None:
    (first, second) = [row[0] for row in execute(run, "SELECT seq FROM turns LIMIT 2")]
    for old, new in ((first, -1), (second, first), (-1, second)):
        execute(run, "UPDATE turns SET seq = ? WHERE seq = ?", new, old)
    reseal(run)
    assert _findings(shop, run)[0].startswith(f"turn {first} at ")


def test_a_changed_mark_is_named_as_a_bar(shop: Workshop, run: Path) -> None:
    def more(values: array[Any]) -> None:
        values[123] += 1

    edit_block(run, "equity", "equity", "q", more)
    reseal(run)
    row = rows(run / "equity.csv")[123]
    assert _findings(shop, run)[0].startswith(f"bar {row['ts']}: equity was ")


def test_a_changed_digest_is_seen(shop: Workshop, run: Path) -> None:
    digest = manifest(run)["digest"]
    replace_text(run / "manifest.json", digest, digest[::-1])
    assert _findings(shop, run) == [
        f"digest: manifest.json says {digest[::-1][:12]}, played again {digest[:12]}"
    ]


# --- inputs -------------------------------------------------------------------------------------


def test_one_changed_parameter_is_named_with_what_it_changes(shop: Workshop, run: Path) -> None:
    replace_text(run / "config.yaml", "slow: 8", "slow: 9")
    findings = _findings(shop, run)
    assert findings[0] == "config: strategy.params.slow was 8, config.yaml says 9"
    seq, instant, _ = _turn_of(run, "OrderAccepted")
    assert findings[1].startswith(f"turn {seq} at {iso_z(instant)}: recorded OrderAccepted (")


def test_a_config_that_is_none_any_more_is_refused(shop: Workshop, run: Path) -> None:
    replace_text(run / "config.yaml", "slow: 8", "slwo: 8")
    answer = shop.type("verify", run.name)
    assert answer.code == 78
    assert "slwo" in answer.lines[0]


def test_a_changed_hash_of_an_input_is_seen(shop: Workshop, run: Path) -> None:
    sha256 = manifest(run)["inputs"]["tape"]["sha256"]
    replace_text(run / "manifest.json", sha256, "0" * 64)
    assert _findings(shop, run) == ["manifest.json: its inputs are not those of the journal"]


def test_a_config_hash_without_a_changed_key_is_seen(shop: Workshop, run: Path) -> None:
    sha256 = manifest(run)["inputs"]["config_sha256"]
    replace_text(run / "manifest.json", sha256, "0" * 64)
    execute(run, "UPDATE segments SET manifest = replace(manifest, ?, ?)", sha256, "0" * 64)
    reseal(run)
    assert any(finding.startswith("config: ") for finding in _findings(shop, run))


def test_changed_strategy_code_is_named(shop: Workshop) -> None:
    shop.strategy("raising", RAISES)
    run = shop.replay("--set", "strategy={kind: raising:Raises, params: {at: 0}}")
    assert _findings(shop, run) == []
    with (shop.folder / "strategies/raising.py").open("a", encoding="utf-8") as file:
        file.write("# later\n")
    assert _findings(shop, run) == ["code: the source of strategy raising:Raises has changed since"]


def test_strategy_code_that_is_gone_is_one_clear_line(shop: Workshop) -> None:
    shop.strategy("raising", RAISES)
    run = shop.replay("--set", "strategy={kind: raising:Raises, params: {at: 0}}")
    (shop.folder / "strategies/raising.py").unlink()
    answer = shop.process("verify", str(run))
    assert answer.code == 78
    (line,) = answer.lines
    assert "no module raising" in line


def test_changed_fee_tables_are_named(
    shop: Workshop, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = replace(load_fee_tables(), sha256="0" * 64)
    monkeypatch.setattr("replay.verify.load_fee_tables", lambda: changed)
    assert _findings(shop, run) == ["fee tables: they have changed since"]


def test_another_engine_is_named(
    shop: Workshop, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.verify.ENGINE_VERSION", 99)
    (finding,) = _findings(shop, run)
    assert finding == f"engine: the run was made by version {ENGINE_VERSION}, this is 99"


# --- the other files ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fills", "trades", "denials", "equity"])
def test_a_changed_row_of_a_file_is_named(shop: Workshop, run: Path, name: str) -> None:
    path = run / f"{name}.csv"
    lines = path.read_text("utf-8").splitlines()
    was = lines[4]
    lines[4] = was.replace("NVDA", "AMD") if name != "equity" else was.replace(".", "9.", 1)
    assert lines[4] != was
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (finding,) = _findings(shop, run)
    assert finding.startswith(f"{name}.csv line 5: says ")


@pytest.mark.parametrize("name", ["fills", "trades", "denials", "equity"])
def test_a_row_that_is_gone_from_a_file_is_counted(shop: Workshop, run: Path, name: str) -> None:
    path = run / f"{name}.csv"
    closed = [row for row in rows(path) if row.get("open") != "true"]
    lines = path.read_text("utf-8").splitlines()[: len(closed)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert _findings(shop, run) == [
        f"{name}.csv: has {len(closed) - 1} rows, the journal {len(closed)}"
    ]


def test_a_file_that_is_gone_is_named(shop: Workshop, run: Path) -> None:
    (run / "fills.csv").unlink()
    assert _findings(shop, run) == ["fills.csv: cannot be read (No such file or directory)"]


def test_verify_writes_nothing(shop: Workshop, run: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    assert shop.type("verify").code == 0
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_the_answer_for_people_names_the_run_and_every_finding(shop: Workshop, run: Path) -> None:
    replace_text(run / "config.yaml", "slow: 8", "slow: 9")
    answer = shop.type("verify")
    assert answer.code == 1
    lines = answer.out.splitlines()
    assert lines[0] == f"{run.name}: NOT what was recorded"
    assert lines[1] == "  config: strategy.params.slow was 8, config.yaml says 9"


def test_the_journal_stays_readable_by_sqlite_alone(run: Path) -> None:
    with closing(sqlite3.connect(f"{run.as_uri()}/journal.db?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (count,) = connection.execute("SELECT count(*) FROM fills").fetchone()
    assert count == len(rows(run / "fills.csv"))
