"""Real recorded bars through the command line, against results from elsewhere and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replay.run import Period, load_inputs, play
from tests.replay.workshop import ROOT, Workshop, manifest, rows

GOLDEN = ROOT / "configs" / "golden_spy.yaml"
YEARS = ("--start", "2010-01-01", "--end", "2020-12-31")

AAPL = """\
name: aapl-split
symbols: [AAPL]
bars: {{size: 1h, grid: clock}}
tape: {{path: "{path}", dialect: lean, timezone: America/New_York, adjustment: raw}}
strategy: {{kind: buy_and_hold, params: {{quantity: 10}}}}
execution: {{commission: none, slippage_bps: 0, regulatory_fees: false, tick_usd: 0.0001,
            participation_fraction: null}}
"""

SPLITS = """\
symbol,kind,effective,ratio,amount_usd,pay_date,source
AAPL,split,2014-06-09,7:1,,,apple.com
AAPL,split,2020-08-31,4:1,,,apple.com
"""


@pytest.mark.data
def test_the_golden_result_to_the_cent(shop: Workshop, recorded_data: Path) -> None:
    assert recorded_data.is_dir()
    answer = shop.process("replay", "--config", str(GOLDEN), *YEARS, "--quiet", "--no-html")
    assert (answer.code, answer.err) == (0, "")
    run = Path(answer.out.strip())
    fills, equity = rows(run / "fills.csv"), rows(run / "equity.csv")
    assert len(fills) == 503
    assert sum(round(100_000 * float(fill["commission"])) for fill in fills) == 251_50_000
    assert {fill["regulatory_fees"] for fill in fills} == {"0.00"}
    assert equity[-1]["equity"] == "117700.00"
    assert len(equity) == manifest(run)["bars"] == 19_311
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    assert summary["final_equity_usd"] == 117_700
    assert summary["fees_usd"] == 251.5
    assert summary["coverage_pct"] == 100
    assert shop.process("verify", run.name).code == 0


@pytest.mark.data
def test_one_digest_for_every_chunk_and_for_a_warm_and_a_cold_cache(
    shop: Workshop, recorded_data: Path
) -> None:
    assert recorded_data.is_dir()
    period = Period("2018-01-01", "2018-12-31")
    digests = set()
    for chunk_bars in (1, 7, 512, 100_000):
        inputs = load_inputs(GOLDEN, shop.state, (), period)  # the first one fills the cache
        digests.add(play(inputs, chunk_bars=chunk_bars).digest)
    assert len(digests) == 1
    assert list((shop.state / "cache" / "bars").glob("*.bars"))


@pytest.mark.data
def test_a_split_of_a_raw_tape_changes_no_equity(shop: Workshop, recorded_data: Path) -> None:
    path = recorded_data / "aapl_1h_lean_raw_1998_2021.zip"
    shop.config.write_text(AAPL.format(path=path), encoding="utf-8")
    (shop.state / "data").mkdir()
    (shop.state / "data" / "corporate_actions.csv").write_text(SPLITS, encoding="utf-8")
    run = shop.replay("--start", "2014-06-05", "--end", "2020-09-01")

    (fill,) = rows(run / "fills.csv")
    assert (fill["side"], fill["quantity"], fill["price"]) == ("buy", "10", "647.0500")
    equity = {row["ts"]: row for row in rows(run / "equity.csv")}
    # cash 100,000 - 10 x 647.05 = 93,529.50 throughout; the tape's own closes times the shares
    for end, position_value, total in (
        ("2014-06-06T20:00:00Z", "6455.70", "99985.20"),  # 10 x 645.57
        ("2014-06-09T14:00:00Z", "6461.70", "99991.20"),  # 70 x 92.31
        ("2020-08-28T20:00:00Z", "34946.10", "128475.60"),  # 70 x 499.23
        ("2020-08-31T14:00:00Z", "35851.20", "129380.70"),  # 280 x 128.04
        ("2020-09-01T20:00:00Z", "37570.40", "131099.90"),  # 280 x 134.18
    ):
        row = equity[end]
        assert (row["cash"], row["position_value"]) == ("93529.50", position_value)
        assert row["equity"] == total
    assert shop.type("verify").code == 0


def test_the_cache_of_a_tape_changes_nothing(shop: Workshop) -> None:
    cold, warm = shop.replay(), shop.replay()
    assert manifest(cold)["digest"] == manifest(warm)["digest"]
    for name in ("fills.csv", "trades.csv", "orders.csv", "denials.csv", "equity.csv"):
        assert (cold / name).read_bytes() == (warm / name).read_bytes()


@pytest.mark.parametrize("chunk_bars", [1, 3, 64, 4096])
def test_one_digest_for_every_chunk_of_the_small_tape(shop: Workshop, chunk_bars: int) -> None:
    inputs = load_inputs(shop.config, shop.state)
    digest = play(inputs, chunk_bars=chunk_bars).digest
    assert digest == play(load_inputs(shop.config, shop.state)).digest
    assert digest == manifest(shop.replay())["digest"]
