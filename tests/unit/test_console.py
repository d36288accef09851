"""The summary on a terminal and in a pipe: what it says, how wide it is, what it never prints."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from daemon.core.outputs import Denial, Origin, Reason
from replay.summary.console import localised, plain_lines, print_rich, print_summary
from replay.summary.console_rows import _ROWS, Cell, Footnotes, Row, Tone, blocks_of, value_text
from replay.summary.figures import FIGURE_OF, Unit
from replay.summary.summarise import summarise
from tests.factories import make_record

ESCAPE = "\x1b"


def summary_of(sessions: int = 80, **options: Any) -> dict[str, Any]:
    return summarise(make_record(sessions, **options))


def rows_of(summary: dict[str, Any], baseline: dict[str, Any] | None = None) -> dict[str, Row]:
    blocks = blocks_of(summary, baseline, Footnotes())
    return {row.label: row for block in blocks for row in block.rows}


def printed(capsys: pytest.CaptureFixture[str], summary: dict[str, Any], **options: Any) -> str:
    print_summary(summary, {"label": "first"}, plain=True, **options)
    return capsys.readouterr().out


def rich_text(summary: dict[str, Any], width: int, **options: Any) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system="standard")
    print_rich(console, summary, {}, options.get("baseline"))
    return file.getvalue()


# --- what it says ---------------------------------------------------------------------------------


def test_headings_and_rows_stand_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, summary_of())
    wanted = [
        "nvda-hourly  NVDA 1h  first",
        "Period and data",
        "From",
        "Result",
        "Starting cash (USD)",
        "Final equity (USD)",
        "Total profit (%)",
        "CAGR (%)",
        "Sortino",
        "Sharpe",
        "Calmar",
        "Profit factor",
        "Buy and hold (%)",
        "Risk",
        "Max drawdown (%)",
        "Trades",
        "Win rate (%)",
        "Costs",
        "Commission (USD)",
        "Denials and data quality",
        "Ambiguous fills",
        "Exit reason",
        "Times are exchange time",
    ]
    found = [text.index("\n" + words if words != wanted[0] else words) for words in wanted]
    assert found == sorted(found)


def test_values_read_as_people_write_them() -> None:
    rows = rows_of(summary_of() | {"final_equity_usd": 1234567.891, "trades": 12345})
    assert rows["Final equity (USD)"].value.text == "1,234,567.89"
    assert rows["Trades"].value.text == "12,345"
    assert rows["From"].value.text == "2019-01-02 09:30"  # exchange time
    assert rows["Sessions won/flat/lost"].value.text.count("/") == 2


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("coverage_pct", 99.999, "99.99"),  # never rounded up to complete
        ("coverage_pct", 100.0, "100.00"),
        ("average_trade_hours", 1.26, "1.3h"),
        ("average_trade_hours", 36, "1.5d"),
        ("drawdown_days", 12.34, "12.3"),
        ("information_coefficient", 0.01234, "0.0123"),
        ("sharpe_interval", [-0.5, 1.25], "-0.50 to 1.25"),
        ("trading_state", "HALTED", "HALTED"),
        ("fills", 1000, "1,000"),
        ("adjustment", "raw", "nothing (raw)"),
        ("adjustment", "splits", "splits"),
    ],
)
def test_value_text(key: str, value: object, text: str) -> None:
    assert value_text(key, value) == text


def test_every_label_carries_its_unit() -> None:
    words = {Unit.USD: "(USD)", Unit.PCT: "(%", Unit.BPS: "(bps)", Unit.DAYS: "(days)"}
    words |= {Unit.BARS: "(bars)", Unit.HOURS: "min/avg/max"}  # hours carry h or d in the value
    checked = 0
    for label, keys in (spec for specs in _ROWS.values() for spec in specs):
        units = {FIGURE_OF[key].unit for key in keys if key in FIGURE_OF}
        for unit in units & set(words):
            assert words[unit] in label, keys
            checked += 1
    assert checked > 35


def test_what_is_not_available_says_why_in_a_footnote(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, summary_of(20, trade_chance=0))
    assert re.search(r"^Sharpe +n/a \(1\)$", text, re.MULTILINE)
    assert re.search(r"^  95 % interval +n/a \(1\)$", text, re.MULTILINE)
    assert "\n(1) 20 sessions; nothing is annualised under 60\n" in text
    assert "\n(2) no closed trade\n" in text
    assert "(3)" not in text


def test_rows_that_would_say_nothing_are_left_out() -> None:
    idle = rows_of(summary_of(70, trade_chance=0))
    for label in ("  recovered", "Win rate (%)", "Predictions", "  their profit (USD)"):
        assert label not in idle
    busy = rows_of(summary_of(80, predictions=True))
    for label in ("Max drawdown (%)", "Win rate (%)", "Predictions", "  right direction (%)"):
        assert label in busy


def test_a_drawdown_that_lasts_is_not_yet_recovered() -> None:
    summary = summary_of() | {"drawdown_end": None}
    assert rows_of(summary)["  recovered"].value.text == "not yet"


def test_reasons_stand_below_their_count() -> None:
    record = make_record(10)
    reasons = [*Reason][:8]
    record.denials = [Denial(0, "NVDA", reason, 1, Origin.TARGET) for reason in reasons]
    record.denials += [Denial(0, "NVDA", Reason.HALTED, 1, Origin.TARGET)] * 4
    rows = rows_of(summarise(record))
    assert rows["Denied intents"].value.text == "12"
    assert rows["    HALTED"].value.text == "5"
    assert rows["    2 more reasons"].value.text == "2"


def test_warnings_are_lines_beneath_with_exchange_time(capsys: pytest.CaptureFixture[str]) -> None:
    summary = summary_of() | {"warnings": ["Trading ended HALTED, since 2024-07-01T14:30:00Z (x)."]}
    text = printed(capsys, summary)
    assert "\n! Trading ended HALTED, since 2024-07-01 10:30 EDT (x).\n" in text
    assert localised("at 2024-01-02T14:30:00Z: a, Z.") == "at 2024-01-02 09:30 EST: a, Z."


def test_the_manifest_closes_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = {"bars": 12_250, "wall_seconds": 0.05, "digest": "0123456789abcdef"}
    print_summary(summary_of(), manifest, plain=True)
    text = " ".join(capsys.readouterr().out.split())
    assert text.endswith("12,250 bars in 0.05 s (245,000 a second). Digest 0123456789ab.")


# --- beside a baseline ----------------------------------------------------------------------------


def test_a_baseline_stands_beside_with_the_change() -> None:
    before = summary_of()
    after = before | {
        "final_equity_usd": before["final_equity_usd"] + 12.5,
        "max_drawdown_pct": before["max_drawdown_pct"] - 1,
        "fees_usd": before["fees_usd"] - 2,
        "turnover_usd": before["turnover_usd"] + 3,
        "calmar": None,
        "average_trade_pct": before["average_trade_pct"] + 0.0021,
    }
    rows = rows_of(after, before)
    assert rows["Final equity (USD)"].change == Cell("+12.50", Tone.BETTER)
    assert rows["Max drawdown (%)"].change == Cell("-1.00", Tone.WORSE)
    assert rows["Fees (USD)"].change == Cell("-2.00", Tone.BETTER)
    assert rows["Turnover (USD)"].change == Cell("+3.00")
    assert rows["Average trade (%)"].change == Cell("+2.1e-03", Tone.BETTER)
    assert rows["Sharpe"].change == Cell("=", Tone.DIM)
    assert rows["  won/even/lost"].change == Cell("=", Tone.DIM)
    assert rows["Calmar"].change == Cell("differs")
    assert rows["Fees (USD)"].baseline == Cell(f"{before['fees_usd']:,.2f}")


def test_differences_within_tolerance_are_none() -> None:
    before = summary_of()
    near = before | {"final_equity_usd": before["final_equity_usd"] + 0.004}
    assert rows_of(near, before)["Final equity (USD)"].change == Cell("=", Tone.DIM)


# --- how it looks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("has_baseline", [False, True])
@pytest.mark.parametrize("width", [80, 110, 160, 200])
def test_lines_fit_the_width(width: int, has_baseline: bool) -> None:
    summary = summary_of(300, symbols=("NVDA", "SPY"), predictions=True)
    baseline = summary_of(300, symbols=("NVDA", "SPY"), seed=2) if has_baseline else None
    lines = plain_lines(summary, {}, baseline, width)
    assert max(map(len, lines)) <= width
    text = rich_text(summary, width, baseline=baseline)
    without_codes = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, without_codes.splitlines())) <= width
    assert "…" not in without_codes


def test_a_wide_terminal_has_two_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = summary_of()
    monkeypatch.setenv("COLUMNS", "120")
    wide = printed(capsys, summary)
    assert re.search(r"^Period and data +Risk$", wide, re.MULTILINE)
    monkeypatch.setenv("COLUMNS", "100")
    narrow = printed(capsys, summary)
    assert "Risk\n" in narrow.replace("Period and data\n", "")
    assert len(narrow.splitlines()) > len(wide.splitlines()) + 20


@pytest.mark.parametrize("columns", ["80", "120"])
def test_a_pipe_has_no_colours_and_no_trailing_blanks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    print_summary(summary_of(), {}, plain=False)  # captured output is no terminal
    text = capsys.readouterr().out
    assert ESCAPE not in text
    assert "─" in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_an_ascii_output_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_summary(summary_of() | {"name": "müller"}, {}, plain=True)
    sys.stdout.flush()
    text = raw.getvalue().decode("ascii")
    assert "m?ller" in text
    assert "-----" in text


def test_only_negative_figures_are_red_on_a_terminal() -> None:
    text = rich_text(summary_of() | {"profit_usd": -12.5, "total_return_pct": 3.25}, 80)
    assert re.search(r"\x1b\[31m *-12\.50", text)
    assert not re.search(r"\x1b\[31m *3\.25", text)
    assert "3.25" in text


def test_both_forms_say_the_same() -> None:
    summary, baseline = summary_of(predictions=True), summary_of(seed=2)
    for other in (None, baseline):
        plain = " ".join(plain_lines(summary, {}, other, 80)).split()
        rich = re.sub(r"\x1b\[[0-9;]*m", "", rich_text(summary, 80, baseline=other)).split()
        words = [word for word in rich if not set(word) <= set("─━")]
        assert words == [word for word in plain if not set(word) <= set("-")]


def test_plain_text_does_not_load_rich() -> None:
    code = (
        "import sys; from tests.factories import make_record;"
        "from replay.summary.summarise import summarise;"
        "from replay.summary.console import print_summary;"
        "print_summary(summarise(make_record(5)), {}, plain=True);"
        "sys.exit(any(name.partition('.')[0] in ('rich', 'numpy') for name in sys.modules))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=root, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Period and data" in done.stdout
