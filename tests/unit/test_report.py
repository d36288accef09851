"""The report's text; what a browser makes of it is tests/e2e/test_report_browser.py."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.core.events import Outcome, Side
from daemon.core.outputs import Denial, Fill, Origin, Reason
from daemon.core.units import HOUR_NS
from replay.record import GapRow, RunRecord
from replay.report import figures, method, orders, page, returns, write_report
from replay.report import format as written
from replay.summary.figures import FIGURES, Unit
from replay.summary.summarise import summarise
from tests.report_records import flat_record, make_record

ATTACK = "<script>alert(1)</script>&\"'"


class Reader(HTMLParser):
    """Which elements and scripts a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return make_record(1_400)


@pytest.fixture(scope="module")
def html(record: RunRecord) -> str:
    return page.report_html(record, summarise(record))


# --- figures, costs, returns ----------------------------------------------------------------------


def test_numbers_have_separators_and_a_true_minus() -> None:
    assert written.number(-1234.5) == "−1,234.50"
    assert written.number(0.2, 1, sign=True) == "+0.2"
    assert written.number(-0.001, 2, sign=True) == "0.00"
    assert written.number(None) == written.number(float("nan")) == "n/a"


def test_instants_are_shown_in_exchange_time_with_their_zone() -> None:
    winter = 1_704_209_400_000_000_000  # 2024-01-02T15:30:00Z
    assert written.stamp(winter) == "2024-01-02 10:30 EST"
    assert written.stamp_of("2024-07-02T14:30:00Z") == "2024-07-02 10:30 EDT"
    assert written.stamp_of("soon") == "soon"


def test_months_and_years_compound_from_session_closes() -> None:
    # January ends at 1,100 (+10 %), February at 990 (-10 %), the next January at 1,188 (+20 %)
    record = flat_record([1_050, 1_100, 990, 1_188], dates=[20240102, 20240131, 20240215, 20250103])
    months = returns.monthly_returns_pct(record)
    assert months[2024][1] == pytest.approx(10.0)
    assert months[2024][2] == pytest.approx(-10.0)
    assert months[2024][0] == pytest.approx(-1.0)
    assert months[2025] == {0: pytest.approx(20.0), 1: pytest.approx(20.0)}


def test_bins_have_an_edge_at_zero_and_lose_no_value() -> None:
    values = [-3.0, -0.1, 0.1, 0.2, 50.0]
    bins = returns.binned(values, mean=0.0, deviation=1.0)
    assert sum(bins.counts) == len(values)
    edges = [bins.first + at * bins.width for at in range(len(bins.counts) + 1)]
    assert min(abs(edge) for edge in edges) == pytest.approx(0.0, abs=1e-12)
    assert bins.last == pytest.approx(4.0)  # 50 is counted in the last bin, at 4 sd


def test_costs_by_kind_add_up() -> None:
    fills = [
        Fill(1, 1, "NVDA", Side.BUY, 100, 1_000_100, 1_000_000, 0, 1, Origin.TARGET, 1_000_000),
        Fill(2, 2, "NVDA", Side.SELL, 100, 999_900, 1_000_000, 0, 1, Origin.TARGET, 1_000_000, 200),
    ]
    # slippage 0.01 x 100 shares each way = 2.00; commission 2.00; SEC 0.0002
    rows = re.findall(r"<tr><td>(.*?)</td><td class=num>(.*?)</td>", orders._costs(fills))
    assert ("Commission", "2.00") in rows
    assert ("Slippage and tick", "2.00") in rows
    assert ("Total", "4.00") in rows


def test_orders_and_denials_are_counted_by_reason(html: str, record: RunRecord) -> None:
    count = len(record.denials)
    assert f"<tr><td>NEAR_CLOSE</td><td>target</td><td class=num>{count}</td></tr>" in html
    assert "<tr><td>OCO</td><td>stop</td><td class=num>30</td></tr>" in html


def test_ambiguous_fills_are_listed_with_what_they_decide() -> None:
    # sold at 99.00 where the other guess gives 101.00: 100 shares, 200 dollars less
    guess = Fill(
        7, 7, "NVDA", Side.SELL, 100, 990_000, 990_000, 0, HOUR_NS, Origin.PROTECTIVE,
        ambiguous=True, other_e4=1_010_000,
    )  # fmt: skip
    listed = orders._ambiguous([guess])
    assert "<td class=num>−200.00</td>" in listed
    assert "1 fills rest on a guess" in listed


def test_every_figure_of_the_summary_is_on_the_page(html: str, record: RunRecord) -> None:
    missing = [each.label for each in FIGURES if written.text(each.label) not in html]
    assert not missing
    assert figures.written(-12.345, Unit.PCT) == "−12.35\N{NO-BREAK SPACE}%"
    assert figures.written(None, Unit.USD) == "n/a"


def test_a_figure_that_is_null_says_why() -> None:
    record = make_record(140, look_back=10)  # twenty sessions
    text = page.report_html(record, summarise(record))
    assert "nothing is annualised under 60" in text


def test_the_words_on_fills_follow_the_config(record: RunRecord) -> None:
    words = method._fills(record)
    assert "2.50%" in words["Volume"]
    assert "1 bp against us" in words["Slippage and tick"]
    free = flat_record([1_000])
    free.config = {"execution": {"participation_fraction": None}, "tape": {"adjustment": "raw"}}
    assert "in full whatever" in method._fills(free)["Volume"]
    assert "none was applied" in method._fills(free)["Tape"]


def test_parameters_are_written_as_dotted_names() -> None:
    nested = {"a": {"b": 1, "c": None}, "d": ["x", "y"], "e": {}}
    assert method.dotted(nested) == [("a.b", "1"), ("a.c", "null"), ("d", "x, y"), ("e", "{}")]


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "manifest", "notes", "expected"),
    [
        ({"tape": {"path": "data/nvda_synthetic_hourly.csv"}}, {}, {}, True),
        ({}, {"inputs": {"tape": {"files": ["x/SYNTHETIC.csv"]}}}, {}, True),
        ({}, {}, {"synthetic": True}, True),
        ({}, {}, {"synthetic": False}, False),
        ({"tape": {"path": "synthetic/nvda.csv"}}, {}, {}, False),
    ],
)
def test_a_synthetic_tape_is_said_to_be_one(
    config: dict[str, Any], manifest: dict[str, Any], notes: dict[str, Any], *, expected: bool
) -> None:
    record = flat_record([1_000])
    record.config, record.manifest, record.notes = config, manifest, notes
    assert figures.is_synthetic(record) is expected
    banner = "Synthetic tape." in figures.heading(record, {})
    assert banner is expected


def test_nothing_from_data_becomes_markup() -> None:
    record = make_record(300, look_back=10, symbols=(ATTACK,))
    record.trades = [
        msgspec.structs.replace(trade, entry_reason=ATTACK, exit_reason=ATTACK)
        for trade in record.trades
    ]
    record.manifest |= {"label": ATTACK, "digest": ATTACK, ATTACK: {ATTACK: [ATTACK]}}
    record.config |= {"name": ATTACK, "strategy": {"kind": ATTACK, "params": {ATTACK: ATTACK}}}
    record.config |= {"execution": {"commission": {ATTACK: ATTACK}, "slippage_bps": ATTACK}}
    record.states[0] = msgspec.structs.replace(record.states[0], reason=ATTACK, source=ATTACK)
    record.gaps[0] = GapRow(ATTACK, 0, 1, 20240102, Outcome.MISSING, ATTACK)
    record.denials.append(Denial(0, ATTACK, Reason.BAD_ORDER, 1, Origin.TARGET, ATTACK))
    summary = summarise(record)
    summary["warnings"].append(ATTACK)
    summary["conventions"].append(ATTACK)
    html = page.report_html(record, summary)
    reader = Reader()
    reader.feed(html)
    assert ATTACK not in html
    assert "<script>alert" not in html
    assert html.count("</script>") == 2  # the data and the program
    assert sum(tag == "script" for tag, _ in reader.tags) == 2
    assert ATTACK in unescape(html)
    embedded = re.search(r'id="run-data">(.*?)</script>', html, re.DOTALL)
    assert embedded is not None
    assert ATTACK in json.loads(embedded.group(1))["trades"]["words"]


def test_the_page_names_no_other_place(html: str) -> None:
    reader = Reader()
    reader.feed(html)
    links = [
        value
        for _, attributes in reader.tags
        for name, value in attributes.items()
        if name in ("src", "href", "action", "data") and value
    ]
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"@import|url\(", html)
    assert not [tag for tag, _ in reader.tags if tag in ("link", "img", "iframe", "base")]


def test_only_the_page_s_own_script_may_run(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert policy.group(1).startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy.group(1)


def test_links_within_the_page_lead_somewhere(html: str) -> None:
    targets = set(re.findall(r'\bid="?([\w-]+)', html))
    assert set(re.findall(r'href="#([\w-]+)"', html)) <= targets


def test_a_run_without_bars_or_trades_has_a_report() -> None:
    record = flat_record([])
    record.bars = {}
    html = page.report_html(record, summarise(record))
    assert "There were no trades." in html
    assert "no bars" in html


def test_the_library_is_the_one_that_its_readme_names() -> None:
    readme = (page.ASSETS / "README.md").read_text(encoding="utf-8")
    for name in ("uPlot.iife.min.js", "uPlot.min.css", "uPlot.LICENSE"):
        digest = hashlib.sha256((page.ASSETS / name).read_bytes()).hexdigest()
        assert f"| `{name}` | `{digest}` |" in readme


def test_the_licence_of_the_library_travels_with_it(html: str) -> None:
    assert "Copyright (c) 2022 Leon Sorokin" in html
    assert "Permission is hereby granted, free of charge" in html


@pytest.mark.parametrize("name", [*page.SCRIPTS, "report.css"])
def test_our_assets_stay_readable(name: str) -> None:
    lines = (page.ASSETS / name).read_text(encoding="utf-8").splitlines()
    assert 20 < len(lines) < 400


def test_seven_years_of_hours_fit_in_a_megabyte(tmp_path: Path) -> None:
    record = make_record(12_250)
    summary = summarise(record)
    write_report(record, summary, tmp_path / "report.html")
    size = (tmp_path / "report.html").stat().st_size
    assert len(record.trades) > 400
    assert size < 700_000, f"{size:,} bytes"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_long_run_is_thinned_and_says_so() -> None:
    record = make_record(60_000, minutes=5, first=date(2021, 1, 4))
    html = page.report_html(record, summarise(record))
    assert len(html) < 1_500_000
    assert re.search(r"The curves show [\d,]+ of 60,000 bars", html)
    assert "up to 3 bars" in html
