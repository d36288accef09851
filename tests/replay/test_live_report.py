"""`papertape report`: what a replay does not have (late bars, segments), and verify of a report."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from daemon.assembly import limits_of
from daemon.config import load_config
from daemon.core.events import Input, MarketSlice, Outcome, Reload, Reset
from daemon.feeds.times import iso_z
from daemon.journal.ledger import LedgerRow
from tests.replay.live_tape import LiveTape
from tests.replay.tampering import execute, remark, replace_outputs, replace_text, reseal
from tests.replay.workshop import Row, Workshop, bar_starts, manifest, rows, write_tape

HOUR_NS = 3_600 * 10**9
STARTS = bar_starts()[:10]
BUYS_ONCE = """
class BuysOnce:
    warmup_bars = 0
    @dataclass(frozen=True)
    class Params:
        stop: float = 45.0
    def __init__(self, params, symbols):
        self.stop, self.calls = params.stop, 0
    def decide(self, market, predictions, portfolio):
        self.calls += 1
        if self.calls == 1:
            return [TargetPosition("AMD", 10, Bracket(stop_price=self.stop))]
        return None
"""
RESTS = """
class Rests:
    warmup_bars = 0
    @dataclass(frozen=True)
    class Params:
        pass
    def __init__(self, params, symbols):
        self.calls = 0
    def decide(self, market, predictions, portfolio):
        self.calls += 1
        if self.calls == 1:
            return [OrderRequest("NVDA", Side.BUY, 5, OrderType.LIMIT, limit_price=1.0,
                                 time_in_force=TimeInForce.GTC),
                    OrderRequest("NVDA", Side.BUY, 7)]
        return None
"""
FREE = "{commission: none, slippage_bps: 0, regulatory_fees: false, participation_fraction: null}"


def report(tape: LiveTape, *words: str) -> Path:
    """The run directory of a report that must succeed without a warning."""
    answer = tape.shop.type("report", "--no-html", *words)
    assert (answer.code, answer.err) == (0, "")
    return Path(answer.out.splitlines()[-1].split(maxsplit=1)[1])


def summary(run: Path) -> dict[str, Any]:
    """summary.json of a run."""
    found: dict[str, Any] = json.loads((run / "summary.json").read_text("utf-8"))
    return found


# --- bars that come late ------------------------------------------------------------------------


@pytest.fixture
def late(shop: Workshop) -> LiveTape:
    """Return a tape on which AMD's bar 5 touches a stop and comes after slice 6 was closed.

    NVDA stands at 100; AMD at 50, but for bar 5: 50, 50, 40, 48. Nothing costs anything.
    """
    for symbol, price in (("NVDA", 100.0), ("AMD", 50.0)):
        with (shop.folder / f"{symbol}.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(("timestamp", "open", "high", "low", "close", "volume"))
            for place, start in enumerate(STARTS):
                low, close = (40.0, 48.0) if (symbol, place) == ("AMD", 5) else (price, price)
                out.writerow((iso_z(start), price, price, low, close, 50_000))
    shop.strategy("once", BUYS_ONCE)
    return LiveTape(
        shop,
        [
            ("symbols", "[NVDA, AMD]"), ("tape.path", "'{symbol}.csv'"),
            ("strategy", "{kind: once:BuysOnce}"), ("execution", FREE), ("risk", "{}"),
            ("account.cash_usd", "10000"),
        ],
    )  # fmt: skip


def without_amd(items: Iterator[Input]) -> Iterator[Input]:
    """Slices 5 and 6 lack AMD; its bar of slice 5 comes after both."""
    late = []
    for item in items:
        place = STARTS.index(item.start) if isinstance(item, MarketSlice) else None
        if not isinstance(item, MarketSlice) or place not in (5, 6):
            yield item
            continue
        nvda, amd = item.bars
        late.append(replace(item, bars=(amd,), outcome=Outcome.BACKFILLED))
        yield replace(item, bars=(nvda,), missing=("AMD",))
        if place == 6:
            yield late[0]


def gap(place: int, outcome: str) -> LedgerRow:
    """A row of the ledger on AMD's bar number `place`."""
    start = STARTS[place]
    return LedgerRow("gap", start + HOUR_NS, "AMD", start, start + HOUR_NS, outcome, "made up")


def test_a_bar_that_comes_after_its_slice_has_no_row_of_its_own(late: LiveTape) -> None:
    """10 bought at 50 in slice 1; the stop fills at 45 with what came after slice 6."""
    facts = {5: [gap(5, "missing")], 6: [gap(6, "missing")], 7: [gap(5, "backfilled")]}
    late.run(edit=without_amd, facts=facts)
    run = report(late)
    buys, sells = rows(run / "fills.csv")
    assert (buys["price"], buys["ts_effective"]) == ("50.0000", iso_z(STARTS[1]))
    assert (sells["price"], sells["ts_effective"]) == ("45.0000", iso_z(STARTS[5]))
    equity = rows(run / "equity.csv")
    told = [(row["equity"], row["cash"], row["position_value"]) for row in equity]
    flat, holds, sold = [
        (f"{total}.00", f"{cash}.00", f"{total - cash}.00")
        for total, cash in ((10_000, 10_000), (10_000, 9_500), (9_950, 9_950))
    ]
    assert told == [flat, *[holds] * 5, *[sold] * 4]
    ends = [row["ts"] for row in equity]
    assert ends == sorted(set(ends))
    figures = summary(run)
    assert figures["slices"] == 10
    assert figures["exposure_pct"] == 50
    assert figures["bars"] == 10 + 9
    assert figures["coverage_pct"] == 95
    assert figures["missing_bars"] == 1
    assert [(row["start"], row["outcome"]) for row in rows(run / "gaps.csv")] == [
        (iso_z(STARTS[5]), "backfilled"),
        (iso_z(STARTS[6]), "missing"),
    ]
    assert late.shop.type("verify", run.name).code == 0
    assert late.shop.type("verify").code == 0


def test_the_digest_has_every_slice(late: LiveTape) -> None:
    late.run(edit=without_amd)
    said = json.loads(late.shop.type("verify", "--json").out)
    assert said["bars"] == 11
    assert manifest(report(late))["digest"] == said["digest"]


# --- segments -----------------------------------------------------------------------------------


def test_segments_follow_each_other(shop: Workshop) -> None:
    write_tape(shop.folder / "both_amd.csv", seed=2)
    shutil.copy(shop.folder / "nvda.csv", shop.folder / "both_nvda.csv")
    tape = LiveTape(shop)
    tape.run(60, closes=False)
    tape.settings += [("symbols", "[AMD, NVDA]"), ("tape.path", "'both_{symbol}.csv'")]
    tape.run(60)
    while execute(tape.state, "SELECT 1 FROM positions WHERE symbol = 'NVDA' AND quantity <> 0"):
        tape.run(1)  # only what is not held may leave
    tape.settings.append(("symbols", "[AMD]"))
    tape.run(30)
    run = report(tape)
    said = json.loads(tape.shop.type("verify", "--json").out)
    found = manifest(run)
    assert found["kind"] == "live"
    assert found["digest"] == said["digest"]
    first, second, third = found["segments"]
    assert [one["digest"] for one in (first, second, third)] == [
        one["digest"] for one in said["segments"]
    ]
    assert sum(one["turns"] for one in found["segments"]) == found["turns"] == said["turns"]
    assert third["reason"] == 'symbols: ["AMD", "NVDA"] -> ["AMD"]'
    assert yaml.safe_load((run / "config.yaml").read_text("utf-8"))["symbols"] == ["AMD"]
    assert {row["symbol"] for row in rows(run / "fills.csv")} == {"AMD", "NVDA"}
    assert len(rows(run / "equity.csv")) == said["bars"]
    assert summary(run)["symbols"] == ["AMD", "NVDA"]
    assert tape.shop.type("verify", run.name).code == 0


def test_the_config_is_the_one_in_force(shop: Workshop) -> None:
    """A reload has set another limit since the segment began."""
    tape = LiveTape(shop)
    settings = [*tape.settings, ("risk.max_orders_per_day", "{limit: 3, action: deny}")]
    config = load_config(shop.config, settings, state=shop.state)
    reload = partial(
        Reload,
        source="operator",
        reason="SIGHUP",
        limits=limits_of(config),
        risk=config.risk.model_dump(mode="json"),
        changes=("risk.max_orders_per_day.limit: 1 -> 3",),
    )
    tape.run(40, commands={20: reload})
    run = report(tape)
    written = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    assert written["risk"]["max_orders_per_day"] == {"limit": 3, "action": "deny"}
    assert manifest(run)["inputs"]["config_sha256"] == config.sha256
    assert tape.shop.type("verify", run.name).code == 0


def test_orders_given_up_with_a_mismatch_are_cancelled(shop: Workshop) -> None:
    """A limit order rests for good; the price of the other order's fill is changed afterwards."""
    shop.strategy("rests", RESTS)
    tape = LiveTape(shop, [("strategy", "{kind: rests:Rests}"), ("risk", "{}")])
    tape.run(20, closes=False)

    def resting(run: Path) -> Row:
        return rows(run / "orders.csv")[0]

    assert (resting(report(tape))["status"], resting(report(tape))["reason"]) == (
        "working", "NOT_REACHED",
    )  # fmt: skip
    ((seq, body),) = execute(tape.state, "SELECT seq, body FROM outputs WHERE type = 'Fill'")
    price = json.loads(body)["price_e4"]
    replace_outputs(tape.state, seq, f'"price_e4":{price}', f'"price_e4":{price + 1}')
    remark(tape.state)
    answer = shop.type("report", "--no-html", "--label", "unsure")
    assert answer.code == 0
    (line,) = answer.lines
    assert line.startswith("warning: the account at the end is what the recorded outputs add up to")
    assert f"turn {seq} at " in line
    run = next(path for path in (tape.state / "runs").iterdir() if manifest(path)["label"])
    assert (resting(run)["status"], resting(run)["reason"]) == ("working", "")
    assert "warning     turn " in (run / "run.log").read_text("utf-8")
    tape.run(5, commands={2: partial(Reset, source="operator", reason="ok", accept="mismatch")})
    run = report(tape)
    assert (resting(run)["status"], resting(run)["reason"]) == ("cancelled", "HALTED")
    assert [one["reason"][:8] for one in manifest(run)["segments"]] == ["start", "mismatch"]
    assert rows(run / "fills.csv")[0]["price"] == f"{(price + 1) / 10_000:.4f}"


def test_a_report_needs_no_strategy_after_an_orderly_stop(shop: Workshop) -> None:
    shop.strategy("rests", RESTS)
    tape = LiveTape(shop, [("strategy", "{kind: rests:Rests}"), ("risk", "{}")])
    tape.run(20)
    (shop.folder / "strategies/rests.py").unlink()
    answer = shop.process("report", "--no-html")
    assert (answer.code, answer.err) == (0, "")
    (run,) = (shop.state / "runs").iterdir()
    assert rows(run / "orders.csv")[0]["reason"] == "NOT_REACHED"
    (trade,) = rows(run / "trades.csv")
    assert (trade["open"], trade["quantity"]) == ("true", "7")


# --- the verb -----------------------------------------------------------------------------------


def test_where_it_goes_and_what_it_says(shop: Workshop) -> None:
    tape = LiveTape(shop)
    tape.run(30)
    answer = shop.type("report", "--label", "live", "--out", "here")
    assert (answer.code, answer.err) == (0, "")
    here = shop.folder / "here"
    lines = answer.out.splitlines()
    assert lines[0] == f"state   {shop.state}"
    assert lines[-2:] == [f"run     {here}", f"report  {here}/report.html"]
    assert "<html" in (here / "report.html").read_text("utf-8")[:500].lower()
    assert manifest(here)["label"] == "live"
    log = (here / "run.log").read_text("utf-8").splitlines()
    assert log[0].startswith("segment     1 from turn 1, ")
    assert log[-1].endswith(f"digest {manifest(here)['digest']}")
    assert shop.type("report", "--out", "here").code == 2
    assert shop.type("report", "--label", "latest").code == 2
    run = report(tape)
    assert run.parent == shop.state / "runs"
    assert run.name.endswith(f"-shop-{manifest(run)['digest'][:6]}")


def test_no_journal_is_usage(shop: Workshop) -> None:
    assert shop.type("report").code == 2
    (shop.state / "daemon.lock").touch()
    answer = shop.type("report")
    assert answer.code == 2
    assert "nothing to report: there is no journal.db here" in answer.lines[0]
    assert shop.runs == []


def test_a_damaged_journal_is_refused_and_leaves_nothing(shop: Workshop) -> None:
    tape = LiveTape(shop)
    tape.run(30)
    replace_outputs(tape.state, 20, "[", "[ ")
    answer = shop.type("report")
    assert answer.code == 78
    assert answer.lines[0].startswith(f"{tape.state}/journal.db: turns: seq 20 is not what")
    assert shop.runs == []


# --- verify of a report -------------------------------------------------------------------------


@pytest.fixture
def run(shop: Workshop) -> Path:
    """Return a report of 60 slices."""
    tape = LiveTape(shop)
    tape.run(60)
    return report(tape)


def found(shop: Workshop, run: Path) -> list[str]:
    """What verify finds in a report."""
    answer = shop.type("verify", run.name, "--json")
    findings: list[str] = json.loads(answer.out)["findings"]
    assert answer.code == bool(findings)
    return findings


def test_a_report_is_equal_to_its_journal(shop: Workshop, run: Path) -> None:
    assert found(shop, run) == []


def test_a_changed_file_of_a_report_is_named(shop: Workshop, run: Path) -> None:
    price = rows(run / "fills.csv")[2]["price"]
    replace_text(run / "fills.csv", price, "1.0000")
    (finding,) = found(shop, run)
    assert finding.startswith("fills.csv line 4: says 3,")


def test_a_changed_journal_of_a_report_is_named(shop: Workshop, run: Path) -> None:
    ((seq, body),) = execute(run, "SELECT seq, body FROM outputs WHERE type = 'Fill' LIMIT 1")
    price = json.loads(body)["price_e4"]
    replace_outputs(run, seq, f'"price_e4":{price}', f'"price_e4":{price + 1}')
    assert found(shop, run)[0] == f"storage: turns: row seq {seq} is not what was written"
    reseal(run)
    differs, *files = found(shop, run)
    assert differs.startswith(f"segment 1: turn {seq} at ")
    assert any(line.startswith("fills.csv line 2: ") for line in files)


def test_another_config_or_manifest_is_named(shop: Workshop, run: Path) -> None:
    replace_text(run / "config.yaml", "slow: 8", "slow: 9")
    assert found(shop, run) == ["config: strategy.params.slow was 8, config.yaml says 9"]
    replace_text(run / "config.yaml", "slow: 9", "slow: 8")
    replace_text(run / "manifest.json", '"first_turn": 1', '"first_turn": 2')
    assert found(shop, run) == ["manifest.json: its segments are not those of the journal"]
