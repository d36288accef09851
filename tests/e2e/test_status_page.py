"""The status page in a real headless Chromium, served by a real daemon on a tape."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemons.running import GIVE_UP_S, LOOK_EVERY_S, Daemon
from tests.e2e.browser import Page, browser_page
from tests.faults.free_ports import free_port
from tests.replay.workshop import Workshop

pytestmark = pytest.mark.browser

PACE = "7200"
"""A bar in half a second."""
SLOW = "1800"
"""A bar in two, so that what lies between two bars is seen as well."""
HOSTILE = "<img src=x onerror=document.title='owned'>"

BLOCKS = '''
class Blocks:
    """Stands still at the fifth bar until it is let go."""

    warmup_bars = 0

    @dataclass(frozen=True)
    class Params:
        """None."""

    def __init__(self, params, symbols):
        self.seen = 0

    def decide(self, market, predictions, portfolio):
        self.seen += 1
        while self.seen == 5 and not Path("go").exists():
            pass
'''


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Page]:
    # A short path: the browser puts a socket into its profile.
    profile = Path(tempfile.mkdtemp(prefix="papertape-"))
    try:
        with browser_page(chromium, profile) as page:
            yield page
    finally:
        shutil.rmtree(profile, ignore_errors=True)


class Watched:
    """A daemon and the page that shows it."""

    def __init__(self, shop: Workshop, page: Page) -> None:
        self.port = free_port()
        self.page = page
        self.daemon = Daemon(
            shop,
            pace=PACE,
            settings={
                "observability.metrics": f"127.0.0.1:{self.port}",
                "strategy": "{kind: sma_cross, params: {fast: 1, slow: 2, quantity: 100, "
                "allow_short: true}}",
                "risk.max_orders_per_day": "null",
            },
        )

    def open(self, *, width: int = 1320, mobile: bool = False, scheme: str = "light") -> None:
        self.page.media(scheme=scheme)
        self.page.size(width, mobile=mobile)
        self.page.requests.clear()
        self.page.complaints.clear()
        self.page.visit(f"http://127.0.0.1:{self.port}/")

    def text(self, selector: str) -> str:
        found: str = self.page.run(
            f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"
        )
        return found

    def wait_for(self, true: Callable[[], Any]) -> None:
        """As the daemon's; fails with what the page says."""
        until = time.monotonic() + GIVE_UP_S
        while not true():
            assert time.monotonic() < until, f"it never came true; the page:\n{self.text('body')}"
            time.sleep(LOOK_EVERY_S)

    @property
    def bars(self) -> int:
        """How many bars the page has."""
        found: int = self.page.run("past.rows.length")
        return found


@pytest.fixture
def watched(shop: Workshop, browser: Page) -> Iterator[Watched]:
    made = Watched(shop, browser)
    yield made
    browser.visit("about:blank")  # it asks no more
    made.daemon.clean_up()


@pytest.mark.parametrize(
    ("width", "mobile", "scheme"),
    [(390, True, "light"), (1320, False, "dark")],
    ids=["phone", "desktop"],
)
def test_what_happens_is_seen_as_it_happens(
    watched: Watched, width: int, mobile: bool, scheme: str, tmp_path: Path
) -> None:
    watched.daemon.settings["feed"] = f"{{kind: tape, pace: {SLOW}}}"
    watched.daemon.start()
    watched.open(width=width, mobile=mobile, scheme=scheme)
    watched.wait_for(lambda: watched.bars >= 2)
    seen = watched.bars
    watched.wait_for(lambda: watched.bars > seen)
    assert watched.text("#state") == "ACTIVE"
    watched.wait_for(lambda: watched.text("#link") == "live")
    watched.wait_for(lambda: "FILL PENDING" in watched.text("#orders"))
    watched.wait_for(
        lambda: "+100" in watched.text("#positions") or "−100" in watched.text("#positions")
    )
    page = watched.page
    assert page.run("document.querySelectorAll('#price-chart .mark').length") >= 1
    assert page.run("document.querySelector('#equity-chart .line').getTotalLength()") > 50
    assert page.run("document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(tmp_path / "page.png")
    here = f"http://127.0.0.1:{watched.port}/"
    assert set(page.requests) == {here, f"{here}status.json", f"{here}history.json"}
    assert page.complaints == []


def test_halted_is_seen_with_its_reason_and_nothing_in_it_runs(watched: Watched) -> None:
    watched.daemon.start()
    watched.open()
    watched.wait_for(lambda: watched.text("#state") == "ACTIVE")
    assert watched.daemon.type("kill", "--reason", HOSTILE).code == 0
    watched.wait_for(lambda: watched.text("#state") == "HALTED")
    assert "HALTED by operator since 2024-01-0" in watched.text("#why")
    assert f"Kill latch set by operator: {HOSTILE}" in watched.text("#why")
    watched.wait_for(lambda: watched.page.run("!!document.querySelector('.shade.HALTED')"))
    assert watched.page.run("document.title") == "HALTED shop: papertape"
    assert watched.page.run("document.querySelectorAll('img').length") == 0
    assert watched.page.complaints == []


def test_a_blocked_loop_is_told_with_what_was_known_before(
    watched: Watched, shop: Workshop
) -> None:
    shop.strategy("blocks", BLOCKS)
    watched.daemon.settings["strategy"] = "{kind: 'blocks:Blocks'}"
    watched.daemon.start(wait=False)
    watched.daemon.wait_for(lambda: watched.daemon.turns() >= 5)  # the tick of the open among them
    watched.open()
    watched.wait_for(lambda: watched.text("#link").startswith("last seen"))
    assert watched.text("#state") == "ACTIVE"
    assert watched.bars in {3, 4}  # the last may have come just before
    assert watched.daemon.type("kill").code == 75  # latched, and nobody acknowledges it
    watched.wait_for(lambda: "Kill latch set" in watched.text("#why"))
    assert watched.text("#state") == "ACTIVE"
    assert watched.page.complaints == []
    (shop.folder / "go").touch()
    watched.wait_for(lambda: watched.text("#link") == "live")
    watched.wait_for(lambda: watched.bars > 5 and watched.text("#state") == "HALTED")


def test_a_daemon_that_has_gone_is_told_and_one_that_came_back_is_shown(watched: Watched) -> None:
    watched.daemon.start()
    watched.open()
    watched.wait_for(lambda: watched.bars >= 5)
    assert watched.daemon.stop() == 0
    watched.wait_for(lambda: "No answer since" in watched.text("#trouble"))
    assert watched.text("#link") == "no answer"
    before = watched.bars
    watched.daemon.start()
    watched.wait_for(lambda: watched.text("#link") == "live" and watched.text("#trouble") == "")
    # What the journal holds is there again, and goes on.
    watched.wait_for(lambda: watched.bars > before)


def test_the_cursor_and_the_ranges_read_the_charts(watched: Watched) -> None:
    watched.daemon.settings["feed"] = "{kind: tape, pace: 40000}"
    watched.daemon.start()
    watched.open()
    watched.wait_for(lambda: watched.bars >= 20)
    page = watched.page
    x, y = page.middle("#equity-chart")
    page.mouse("mouseMoved", x, y)
    page.settle()
    assert page.run("document.querySelector('#price-chart .cursor').style.visibility") == "visible"
    at, row = page.run("[view.cursor, drawn.rows[view.cursor]]")
    assert 0 < at < watched.bars - 1
    close = f"{row['bars']['NVDA'][3]:,.2f}"
    assert watched.text("#price-readout").endswith(f"close {close}")
    page.click("[data-days='1']")
    days = page.run("[...new Set(drawn.rows.map(row => dayOf(row.end)))]")
    assert len(days) == 1
    assert page.complaints == []
