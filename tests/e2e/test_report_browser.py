"""The report in a real headless Chromium: drawn, linked, sorted, filtered, silent, offline."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from replay.record import RunRecord
from replay.report import write_report
from replay.report.format import stamp
from replay.summary.summarise import summarise
from tests.e2e.browser import Page, browser_page
from tests.report_records import make_record

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"

# The share of a chart's pixels that have a colour at all.
INKED = """(panel => {
  const canvas = document.querySelector(`#${panel}-panel canvas`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
  return inked / (canvas.width * canvas.height);
})"""
AXIS = """(panel => {
  const plot = document.querySelector(`#${panel}-panel .u-over`).getBoundingClientRect();
  return [plot.left, plot.width];
})"""


@pytest.fixture(scope="module")
def record() -> RunRecord:
    made = make_record(2_100, symbols=("NVDA", "AMD"))
    made.trades[0] = msgspec.structs.replace(made.trades[0], entry_reason=HOSTILE)
    made.trades[1] = msgspec.structs.replace(made.trades[1], symbol="AMD")
    made.manifest["label"] = HOSTILE
    return made


@pytest.fixture(scope="module")
def report(record: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    write_report(record, summarise(record), file)
    return file


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Page]:
    # A short path: the browser puts a socket into its profile.
    profile = Path(tempfile.mkdtemp(prefix="papertape-"))
    try:
        with browser_page(chromium, profile) as page:
            yield page
    finally:
        shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def page(browser: Page, report: Path) -> Page:
    """The report, just opened on a wide screen in light colours."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.media()
    browser.size(1400)
    browser.open(report)
    return browser


def column(page: Page, heading: str) -> list[str]:
    """The texts of a column of the trades table, as shown."""
    texts: list[str] = page.run(
        f"""(() => {{
          const table = document.getElementById("trade-table");
          const at = [...table.tHead.rows[0].cells].findIndex(c => c.textContent === "{heading}");
          return [...table.tBodies[0].rows].map(row => row.cells[at].textContent);
        }})()"""
    )
    return texts


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace(",", "").replace("−", "-")) for text in texts]


def readout(page: Page, panel: str) -> str:
    written: str = page.run(f"document.querySelector('#{panel}-panel .readout').textContent")
    return written


def choose(page: Page, selector: str, value: str) -> None:
    page.run(
        f"(e => {{ e.value = '{value}'; e.dispatchEvent(new Event('change', {{bubbles: true}})) }})"
        f"(document.querySelector('{selector}'))"
    )
    page.settle()


def test_it_asks_for_nothing_and_says_nothing(page: Page, report: Path) -> None:
    page.click("#log-scale")
    page.click("#show-trades")
    page.media(scheme="dark")
    page.size(390, mobile=True)
    assert page.requests == [report.resolve().as_uri()]
    assert page.complaints == []
    resources = page.run("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert resources == []


def test_nothing_from_data_runs(page: Page) -> None:
    assert page.run("document.title") == "nvda-hourly: papertape run report"
    assert page.run("document.querySelectorAll('img').length") == 0
    assert column(page, "Entry reason")[0] == HOSTILE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn(page: Page, scheme: str) -> None:
    page.media(scheme=scheme)
    shares = {panel: page.run(f"{INKED}('{panel}')") for panel in ("equity", "drawdown", "price")}
    assert all(0.01 < share < 0.9 for share in shares.values()), shares


def test_the_charts_share_one_x_axis(page: Page) -> None:
    assert page.run(f"{AXIS}('equity')") == page.run(f"{AXIS}('price')")


def test_the_cursor_reads_all_charts_at_one_bar(page: Page, record: RunRecord) -> None:
    x, y = page.middle("#equity-panel .u-over")
    page.mouse("mouseMoved", x, y)
    page.settle()
    instant = readout(page, "equity").rpartition("bar to ")[2]
    assert instant.endswith((" EST", " EDT"))
    assert readout(page, "price").endswith(instant)
    row = [stamp(end) for end in record.ends].index(instant)
    assert row == pytest.approx(1_050, abs=2)
    assert f"{record.equity[row] / 1_000_000:,.2f}" in readout(page, "equity")
    assert f"{record.bars['NVDA'].close[row]:,.2f}" in readout(page, "price")


def test_dragging_zooms_all_charts_and_a_double_click_shows_all(page: Page) -> None:
    all_of_it = readout(page, "equity")
    x, y = page.middle("#price-panel .u-over")
    page.mouse("mouseMoved", x - 100, y)
    page.mouse("mousePressed", x - 100, y, buttons=1)
    for step in range(5):
        page.mouse("mouseMoved", x - 100 + step * 50, y, buttons=1)
    page.mouse("mouseReleased", x + 100, y)
    page.mouse("mouseMoved", 2, 2)
    page.settle()
    zoomed = readout(page, "equity")
    assert zoomed != all_of_it
    for clicks in (1, 2):
        page.mouse("mousePressed", x, y, buttons=1, clicks=clicks)
        page.mouse("mouseReleased", x, y, clicks=clicks)
    page.mouse("mouseMoved", 2, 2)
    page.settle()
    assert readout(page, "equity") == all_of_it


def test_ranges_and_keys_move_the_view(page: Page) -> None:
    page.click("[data-months='1']")
    assert page.run("document.querySelector(\"[data-months='1']\").ariaPressed") == "true"
    month = readout(page, "equity")
    page.run("document.querySelector('#equity-panel .plot').focus()")
    page.key("ArrowLeft")
    earlier = readout(page, "equity")
    page.key("Home")
    everything = readout(page, "equity")
    assert len({month, earlier, everything}) == 3
    assert page.run("document.querySelector(\"[data-months='all']\").ariaPressed") == "true"


def test_another_symbol_and_the_log_scale_redraw_the_price(page: Page) -> None:
    before = page.run("document.querySelector('#price-panel canvas').toDataURL()")
    page.click("#log-scale")
    logarithmic = page.run("document.querySelector('#price-panel canvas').toDataURL()")
    choose(page, "#chart-symbol", "AMD")
    other = page.run("document.querySelector('#price-panel canvas').toDataURL()")
    assert len({before, logarithmic, other}) == 3
    assert readout(page, "price").startswith("AMD")


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(page: Page) -> None:
    heading = "#trade-table th:nth-child(9) button"
    page.click(heading)
    down = numbers(column(page, "Profit, USD"))
    assert down == sorted(down, reverse=True)
    page.click(heading)
    up = numbers(column(page, "Profit, USD"))
    assert up == sorted(up)
    assert up[0] < 0 < down[0]
    assert page.run("document.querySelectorAll('#trade-table [aria-sort=ascending]').length") == 1


def test_filters_count_and_add_up(page: Page, record: RunRecord) -> None:
    won = [trade for trade in record.trades if trade.pnl_micros > 0]
    choose(page, "#filter-result", "win")
    assert all(value > 0 for value in numbers(column(page, "Profit, USD")))
    sums: str = page.run("document.getElementById('trade-sums').textContent")
    assert sums.startswith(f"{len(won)} of {len(record.trades) + len(record.open_trades)} trades")
    assert f"+{sum(trade.pnl_micros for trade in won) / 1_000_000:,.2f} USD"[:-6] in sums
    choose(page, "#filter-result", "")
    choose(page, "#filter-symbol", "AMD")
    assert column(page, "#") == ["2"]
    choose(page, "#filter-symbol", "")
    choose(page, "#filter-exit", "stop_loss")
    assert set(column(page, "Exit reason")) == {"stop_loss"}


def test_pages_go_on_and_back(page: Page) -> None:
    first = column(page, "#")
    assert len(first) == 50
    page.click("[data-page=on]")
    second = column(page, "#")
    assert second[0] == "51"
    page.click("[data-page=back]")
    assert column(page, "#") == first


def test_a_trade_is_shown_in_the_chart(page: Page, record: RunRecord) -> None:
    page.click("#trade-table tbody tr:nth-child(2) button")
    page.mouse("mouseMoved", 2, 2)
    page.settle()
    profit = f"{record.trades[1].pnl_micros / 1_000_000:+,.2f}".replace("-", "−")
    assert readout(page, "price").startswith("AMD")
    assert f"trade 2 long\N{NO-BREAK SPACE}{profit}" in readout(page, "price")
    assert page.run("document.getElementById('chart-symbol').value") == "AMD"


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_no_width_scrolls_sideways(page: Page, width: int) -> None:
    page.size(width, mobile=width < 500)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    left, plot = page.run(f"{AXIS}('price')")
    assert left + plot <= width


def test_it_prints_in_light_colours_with_its_charts(page: Page) -> None:
    page.media(scheme="dark", kind="print")
    paper = page.run("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(253, 252, 249)"
    assert page.call("Page.printToPDF")["data"]


def test_all_controls_have_names_and_can_be_reached_by_keyboard(page: Page) -> None:
    nameless = page.run(
        "[...document.querySelectorAll('button, select, a')].filter(e => "
        "!(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map(e => e.outerHTML)"
    )
    assert nameless == []
    assert page.run("document.querySelectorAll('[tabindex]:not([tabindex=\"0\"])').length") == 0
    page.run("document.querySelector('#trade-table th:nth-child(5) button').focus()")
    page.key("Enter")
    assert page.run("document.activeElement.textContent") == "Entry"


def test_a_run_without_bars_opens_without_complaint(browser: Page, tmp_path: Path) -> None:
    empty = make_record(7, look_back=30)
    for name in ("ends", "equity", "cash", "worst", "session_dates"):
        del getattr(empty, name)[:]
    empty.held.clear()
    empty.bars, empty.fills, empty.trades, empty.states = {}, [], [], []
    file = tmp_path / "empty.html"
    write_report(empty, summarise(empty), file)
    browser.complaints.clear()
    browser.open(file)
    assert browser.complaints == []
    assert browser.run("document.getElementById('charts').hidden")
