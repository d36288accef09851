"""What differs between two runs: inputs, metrics, the first trade and fill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import RefusedError, UsageError
from replay.runs.compare import Comparison, compare, runs_diff
from replay.runs.comparison import Verdict, flattened
from replay.runs.comparison_text import comparison_line, comparison_lines
from replay.runs.reader import read_run
from replay.runs.tolerances import IGNORED, Tolerance, Tolerances, read_tolerances
from replay.runs.verbs import runs_accept
from tests.made_runs import CONFIG, FILLS, SUMMARY, TRADES, digest_of, make_run

DEFAULTS = Tolerances()


@pytest.fixture(autouse=True)
def _no_bundled_references(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("replay.runs.baselines.BUNDLED_REFERENCES", tmp_path / "bundled")


def _compared(
    tmp_path: Path,
    tolerances: Tolerances = DEFAULTS,
    *,
    old: Mapping[str, Any] | None = None,
    **new: Any,
) -> Comparison:
    a = read_run(make_run(tmp_path, run_id="a", **(old or {})))
    b = read_run(make_run(tmp_path, run_id="b", **new))
    return compare(a, b, tolerances)


def _text(found: Comparison) -> str:
    return "\n".join(comparison_lines(found, plain=True))


def _inputs(found: Comparison) -> dict[str, tuple[Any, Any, bool]]:
    return {one.name: (one.old, one.new, one.harmless) for one in found.inputs}


def _verdicts(found: Comparison) -> dict[str, Verdict]:
    return {one.key: one.verdict for one in found.metrics if one.verdict is not Verdict.EQUAL}


# --- inputs ---------------------------------------------------------------------------------------


def test_equal_runs_say_so_first(tmp_path: Path) -> None:
    found = _compared(tmp_path)
    assert found.same_trading
    assert found.inputs == ()
    assert found.firsts == ()
    assert found.beyond == []
    lines = comparison_lines(found, plain=True)
    assert lines[2] == f"identical trading: digest {digest_of('this')[:12]}"
    assert "inputs: all equal" in lines
    assert f"metrics: all {len(found.metrics)} equal" in lines
    assert lines[-1] == "within tolerance"


def test_a_config_differs_key_by_key(tmp_path: Path) -> None:
    config = CONFIG | {
        "symbols": ["NVDA", "AAPL"],
        "strategy": {"kind": "sma_cross", "params": {"fast": 12, "slow": 50, "quantity": 100}},
        "risk": {"max_drawdown_pct": {"limit": 15, "action": "halt"}, "allow_short": True},
        "observability": {"metrics": None, "log": "json"},
    }
    hashed = {"config_sha256": "d" * 64}  # told key by key
    found = _compared(tmp_path, config=config, inputs=hashed, traded="other")
    assert _inputs(found) == {
        "config symbols": (["NVDA"], ["NVDA", "AAPL"], False),
        "config strategy.params.fast": (10, 12, False),
        "config risk.max_drawdown_pct.action": ("halt_and_flatten", "halt", False),
        "config risk.allow_short": (None, True, False),
        "config observability.metrics": ("127.0.0.1:9108", None, True),
    }
    text = _text(found)
    assert "config strategy.params.fast" in text
    assert '["NVDA"]' in text
    assert text.index("observability") > text.index("risk.allow_short")  # what matters comes first


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("tape.sha256", "b" * 64, "tape content"),
        ("tape.adjustment", "splits", "tape adjustment"),
        ("strategy.sha256", "6" * 64, "strategy code"),
        ("model.sha256", "7" * 64, "model"),
        ("fee_tables_sha256", "8" * 64, "fee tables"),
        ("calendar.hash", "9" * 64, "calendar"),
        ("corporate_actions", [{"symbol": "NVDA", "ratio": "4:1"}], "corporate actions"),
        ("tape.sha256", None, "tape content"),
    ],
)
def test_other_inputs_differ_by_their_hashes(
    tmp_path: Path, key: str, value: Any, name: str
) -> None:
    found = _compared(tmp_path, inputs={key: value}, traded="other")
    assert [(one.name, one.new, one.harmless) for one in found.inputs] == [(name, value, False)]
    assert not found.program_changed
    shown = "none" if value is None else value[:12] if isinstance(value, str) else "4:1"
    assert shown in _text(found)
    assert "b" * 13 not in _text(found)


def test_the_program_and_the_range_are_inputs(tmp_path: Path) -> None:
    found = _compared(
        tmp_path, engine_version=2, papertape_version="0.2.0", start="2024-01-02", python="3.12.1"
    )
    assert _inputs(found) == {
        "engine version": (1, 2, False),
        "papertape version": ("0.1.0", "0.2.0", True),
        "python": ("3.11.7", "3.12.1", True),
        "start": (None, "2024-01-02", False),
    }


def test_a_path_cut_short_by_a_baseline_is_the_same_path(tmp_path: Path) -> None:
    def run(path: str, recorded: str) -> dict[str, Any]:
        config = CONFIG | {"tape": {"path": path, "dialect": "auto"}}
        return {"config": config, "inputs": {"tape.path": recorded}}

    old = run("nvda.csv", "nvda.csv")
    found = _compared(tmp_path / "same", old=old, **run("/data/nvda.csv", "/x/nvda.csv"))
    assert found.inputs == ()
    found = _compared(tmp_path / "other", old=old, **run("../spy.csv", "/x/spy.csv"))
    assert [one.name for one in found.inputs] == ["tape path", "config tape.path"]
    assert all(one.harmless for one in found.inputs)  # the content has a hash of its own


def test_other_trading_from_equal_inputs_means_another_program(tmp_path: Path) -> None:
    found = _compared(tmp_path, traded="other", papertape_version="0.2.0")
    assert found.program_changed
    assert "ENGINE_VERSION is raised" in _text(found)


# --- metrics --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "old", "new", "verdict"),
    [
        # money: half a cent; percentages: 0.0001 points; ratios: 0.0001; counts: nothing
        ("final_equity_usd", 100.0, 100.005, Verdict.WITHIN),
        ("final_equity_usd", 100.0, 99.995, Verdict.WITHIN),
        ("final_equity_usd", 100.0, 100.0051, Verdict.BEYOND),
        ("total_return_pct", 1.23, 1.2301, Verdict.WITHIN),
        ("total_return_pct", 1.23, 1.23011, Verdict.BEYOND),
        ("sharpe", 1.23, 1.2299, Verdict.WITHIN),
        ("sharpe", 1.23, 1.2298, Verdict.BEYOND),
        ("trades", 2, 3, Verdict.BEYOND),
        ("profit_factor", None, 1.5, Verdict.BEYOND),
        ("sharpe", 1.2, None, Verdict.BEYOND),
        ("trading_state", "ACTIVE", "HALTED", Verdict.BEYOND),
        ("costs_distorted", False, True, Verdict.BEYOND),
        ("best_session_date", "2024-01-02", "2024-01-03", Verdict.CHANGED),
        ("name", "a", "b", Verdict.CHANGED),
        ("made_up_ratio", 1.0, 1.0001, Verdict.WITHIN),
        ("made_up_ratio", 1, 1.0002, Verdict.BEYOND),
    ],
)
def test_a_metric_has_the_tolerance_of_its_unit(
    tmp_path: Path, key: str, old: Any, new: Any, verdict: Verdict
) -> None:
    found = _compared(tmp_path, old={"summary": {key: old}}, summary={key: new})
    assert _verdicts(found) == {key: verdict}
    assert found.beyond == ([key] if verdict is Verdict.BEYOND else [])


def test_tables_of_counts_are_compared_member_by_member(tmp_path: Path) -> None:
    found = _compared(
        tmp_path,
        old={"summary": {"denials_by_reason": {"MIN_CASH": 2, "PAUSED": 1}}},
        summary={"denials_by_reason": {"MIN_CASH": 2, "HALTED": 4}},
    )
    moved = {one.key: (one.old, one.new, one.difference) for one in found.metrics if one.fails}
    assert moved == {
        "denials_by_reason.PAUSED": (1, 0, -1.0),
        "denials_by_reason.HALTED": (0, 4, 4.0),
    }


def test_lists_of_a_summary_are_compared_by_place(tmp_path: Path) -> None:
    months = [{"month": "2024-01", "return_pct": 1.50005}, {"month": "2024-02", "return_pct": 0.1}]
    found = _compared(tmp_path, summary={"monthly_returns": months})
    assert _verdicts(found) == {
        "monthly_returns[0].return_pct": Verdict.WITHIN,
        "monthly_returns[1].month": Verdict.NEW,
        "monthly_returns[1].return_pct": Verdict.NEW,
    }
    assert found.beyond == []


def test_a_metric_that_is_gone_fails_and_a_new_one_does_not(tmp_path: Path) -> None:
    old = read_run(make_run(tmp_path, run_id="a"))
    path = make_run(tmp_path, run_id="b", summary={"sqn": 2.0})
    summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    del summary["sharpe"]
    (path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    found = compare(old, read_run(path), DEFAULTS)
    assert _verdicts(found) == {"sharpe": Verdict.GONE, "sqn": Verdict.NEW}
    assert found.beyond == ["sharpe"]


def test_equal_trading_with_other_statistics_is_told_apart(tmp_path: Path) -> None:
    found = _compared(tmp_path, summary={"sharpe": 2.0})
    text = _text(found)
    assert "identical trading" in text
    assert "beyond tolerance: sharpe" in text
    row = next(line for line in text.splitlines() if line.startswith("  sharpe"))
    assert row.split() == ["sharpe", "1.2345", "2.00", "+0.7655", "0.0001", "beyond"]


def test_the_digest_can_be_a_metric(tmp_path: Path) -> None:
    found = _compared(tmp_path, Tolerances(digest_exact=True), traded="other")
    assert found.beyond == ["digest"]


@given(old=st.floats(-1e9, 1e9), size=st.floats(0, 1e6), relative=st.floats(0, 0.5))
def test_a_tolerance_is_symmetric_and_grows(old: float, size: float, relative: float) -> None:
    tolerance = Tolerance(size, relative)
    assert tolerance.holds(old, old)
    assert tolerance.allowed(old) == tolerance.allowed(-old)
    assert tolerance.allowed(old) >= Tolerance(size).allowed(old)


def test_nested_values_become_dotted_keys() -> None:
    nested = {"a": {"b": [1, {"c": 2}]}, "d": None, "e": {}}
    assert flattened(nested) == {"a.b[0]": 1, "a.b[1].c": 2, "d": None}


# --- tolerances.yaml ------------------------------------------------------------------------------


def _tolerances(tmp_path: Path, text: str) -> Tolerances:
    path = tmp_path / "tolerances.yaml"
    path.write_text(text, encoding="utf-8")
    return read_tolerances(path)


def test_a_file_overrides_tolerances(tmp_path: Path) -> None:
    text = """
digest: exact
metrics:
  sharpe: 0.05
  final_equity_usd: {relative: 0.001}
  fees_usd: {absolute: 1, relative: 0.01}
  denials_by_reason: ignore
"""
    tolerances = _tolerances(tmp_path, text)
    assert tolerances.digest_exact
    assert tolerances.of("sharpe") == Tolerance(0.05)
    assert tolerances.of("denials_by_reason.MIN_CASH", 1, 2) == IGNORED
    assert tolerances.of("final_equity_usd").holds(100_000, 100_100)
    assert not tolerances.of("final_equity_usd").holds(100_000, 100_100.01)
    assert tolerances.of("fees_usd").holds(10, 11)
    assert tolerances.of("fees_usd").holds(1000, 1010)
    assert str(tolerances.of("fees_usd")) == "1 or 1 %"
    found = _compared(
        tmp_path, tolerances, summary={"sharpe": 1.2845, "denials_by_reason": {"MIN_CASH": 900}}
    )
    assert found.beyond == []
    assert _verdicts(found)["sharpe"] is Verdict.WITHIN
    assert _verdicts(found)["denials_by_reason.MIN_CASH"] is Verdict.IGNORED


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_tolerances(tmp_path / "none.yaml") == Tolerances()
    assert _tolerances(tmp_path, "digest: free\nmetrics: null\n").overrides == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metric: {}", "metric: no such key"),
        ("digest: equal", "'equal' is neither 'exact' nor 'free'"),
        ("digest: [exact]", "is neither 'exact' nor 'free'"),
        ("metrics: [sharpe]", "not a mapping"),
        ("metrics: {sharpe: -1}", "metrics.sharpe: -1 is not a number of 0 or more"),
        ("metrics: {sharpe: true}", "metrics.sharpe: True is not a number"),
        ("metrics: {sharpe: much}", "metrics.sharpe: 'much' is not a number"),
        ("metrics: {sharpe: {}}", "say 'absolute', 'relative' or both"),
        ("metrics: {sharpe: {abs: 1}}", "say 'absolute', 'relative' or both"),
        ("metrics: {sharpe: {relative: x}}", "metrics.sharpe.relative: 'x'"),
        ("metrics: {sharpe: 1, sharpe: 2}", "duplicate key"),
        ("- 1", "not a mapping"),
    ],
)
def test_a_wrong_tolerance_file_is_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(RefusedError) as caught:
        _tolerances(tmp_path, text)
    assert words in str(caught.value)
    assert "tolerances.yaml" in str(caught.value)


def test_a_tolerance_for_no_metric_is_refused(tmp_path: Path) -> None:
    tolerances = _tolerances(tmp_path, "metrics: {sharp: 1}")
    with pytest.raises(RefusedError, match=r"metrics\.sharp: no such metric .*'sharpe'"):
        _compared(tmp_path, tolerances)
    groups = _tolerances(tmp_path, "metrics: {denials_by_reason: 1, monthly_returns: ignore}")
    none: dict[str, Any] = {"denials_by_reason": {}}
    found = _compared(tmp_path / "g", groups, old={"summary": none}, summary=none)
    assert found.beyond == []


# --- the first difference -------------------------------------------------------------------------


def test_the_first_trade_and_fill_that_differ_are_shown_with_both_sides(tmp_path: Path) -> None:
    trades = [TRADES[0], TRADES[1] | {"trade_id": "7", "exit_price": "49.6", "pnl": "-42"}]
    fills = [*FILLS[:3], FILLS[3] | {"price": "49.6000"}]
    found = _compared(tmp_path, traded="other", streams={"trades": trades, "fills": fills})
    assert [(one.stream, one.row, one.columns) for one in found.firsts] == [
        ("trades", 2, ("exit_price", "pnl")),
        ("fills", 4, ("price",)),
    ]
    text = _text(found)
    assert "first different trade (row 2, 2024-07-02 10:30 EDT)" in text
    rows = [line.split() for line in text.partition("first different fill")[0].splitlines()]
    assert ["≠", "exit_price", "49.5000", "49.6"] in rows
    assert ["≠", "pnl", "-52", "-42"] in rows
    assert ["quantity", "100", "100"] in rows
    assert "first different fill (row 4, 2024-07-02 15:30 EDT)" in text


def test_a_run_that_ends_earlier_has_no_more(tmp_path: Path) -> None:
    streams = {"trades": TRADES[:1], "fills": FILLS}
    found = _compared(tmp_path, traded="other", streams=streams)
    first = found.firsts[0]
    assert (first.stream, first.row, first.old, first.new) == ("trades", 2, TRADES[1], None)
    assert "  B has no more" in _text(found)
    found = _compared(tmp_path / "x", traded="other", old={"streams": streams})
    assert "  A has no more" in _text(found)


def test_numbers_written_in_another_way_are_no_difference(tmp_path: Path) -> None:
    trades = [TRADES[0] | {"entry_price": "48.16", "extra": "new column"}, TRADES[1]]
    trades[1] = trades[1] | {"extra": "new column"}
    found = _compared(tmp_path, traded="other", streams={"trades": trades})
    assert found.firsts == ()


def test_where_trades_and_fills_agree_the_rest_is_searched(tmp_path: Path) -> None:
    denial = {"ts": "2024-01-05T15:30:00Z", "symbol": "NVDA", "quantity": "5", "reason": "PAUSED"}
    orders = {"orders": [{"order_id": "1", "ts_decided": "2024-01-02T15:30:00Z", "side": "buy"}]}
    found = _compared(
        tmp_path,
        traded="other",
        old={"streams": orders | {"denials": [denial]}},
        streams=orders | {"denials": [denial | {"quantity": "6"}]},
    )
    assert [(one.stream, one.row, one.columns) for one in found.firsts] == [
        ("denials", 1, ("quantity",))
    ]
    assert "first different denial (row 1, 2024-01-05 10:30 EST)" in _text(found)


def test_equal_digests_need_no_csv(tmp_path: Path) -> None:
    old = read_run(make_run(tmp_path, run_id="a"))
    new = read_run(make_run(tmp_path, run_id="b"))
    (new.path / "trades.csv").unlink()
    assert compare(old, new, DEFAULTS).firsts == ()


def test_one_line_tells_what_how_much_why_and_where(tmp_path: Path) -> None:
    found = _compared(
        tmp_path,
        traded="other",
        inputs={"tape.sha256": "b" * 64},
        summary={"sharpe": 1.5, "trades": 3},
        streams={"fills": [FILLS[0] | {"price": "48.17"}, *FILLS[1:]]},
    )
    assert comparison_line(found) == (
        "sharpe 1.2345 → 1.50 (±0.0001), trades 2 → 3 (±0); inputs differ: tape content; "
        "first in fill (row 1, 2024-01-02 10:30 EST)"
    )


# --- the verb -------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory with the runs old and new, whose trading differs."""
    make_run(tmp_path / "runs", run_id="old", label="before")
    make_run(tmp_path / "runs", run_id="new", traded="other", summary={"sharpe": 1.2845})
    return tmp_path


def test_diff_ends_with_1_beyond_tolerance_and_0_within(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs_diff("before", "new", state=state) == 1
    out = capsys.readouterr().out
    assert out.startswith("A  old (before), made 2024-02-01 07:00 EST\nB  new, made ")
    assert "\x1b" not in out
    assert runs_diff("before", "before", state=state) == 0
    tolerances = state / "mine.yaml"
    tolerances.write_text("metrics: {sharpe: 0.05}", encoding="utf-8")
    assert runs_diff("before", "new", state=state, tolerances=tolerances) == 0
    assert "within tolerance" in capsys.readouterr().out


def test_diff_uses_the_tolerances_beside_a_baseline(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs_accept("old", state=state, name="golden")
    assert runs_diff("baseline:golden", "new", state=state) == 1
    beside = state / "reference" / "baselines" / "golden" / "tolerances.yaml"
    beside.write_text("metrics: {sharpe: 0.05}", encoding="utf-8")
    assert runs_diff("baseline:golden", "new", state=state) == 0
    assert runs_diff("new", "baseline:golden", state=state) == 0
    assert "A  old (before), baseline golden, made" in capsys.readouterr().out


def test_diff_as_json_is_one_document(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs_diff("before", "new", state=state, as_json=True) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["a"]["id"] == "old"
    assert answer["b"]["digest"] == digest_of("other")
    assert answer["identical_trading"] is False
    assert answer["beyond_tolerance"] == ["sharpe"]
    sharpe = next(one for one in answer["metrics"] if one["metric"] == "sharpe")
    assert sharpe["tolerance"] == {"absolute": 0.0001, "relative": 0.0}
    assert (sharpe["a"], sharpe["b"], sharpe["verdict"]) == (1.2345, 1.2845, "beyond")
    assert len(answer["metrics"]) == len(flattened(SUMMARY))


def test_diff_refuses_tolerances_that_do_not_exist(state: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml does not exist"):
        runs_diff("old", "new", state=state, tolerances=state / "none.yaml")
