"""Bars that come after their slices, across a corporate action."""

from __future__ import annotations

import pytest

from daemon.core.events import Bar, CorporateAction, Dividend, Outcome, Split
from daemon.feeds.closed_bars import ClosedBars, Slot
from tests.harness import sessions

FIRST, SECOND = sessions(2, 2)
SPLIT = Split("AMD", 20240103, 10, 1)
DIVIDEND = Dividend("AMD", 20240103, 20240110, 1_000_000)


def slot(day: int, index: int, actions: tuple[CorporateAction, ...] = ()) -> Slot:
    expected = (FIRST, SECOND)[day]
    start, end = expected.starts[index], expected.ends[index]
    return Slot(start, end, ("NVDA", "AMD"), expected.session, index, actions)


def bar(symbol: str, of: Slot, price: float = 100.0) -> Bar:
    return Bar(symbol, of.start, of.end, price, price, price, price, 1000)


@pytest.mark.parametrize(
    ("actions", "ends"),
    [
        ((), Outcome.BACKFILLED),
        ((DIVIDEND,), Outcome.BACKFILLED),
        ((Split("NVDA", 20240103, 10, 1),), Outcome.BACKFILLED),
        ((SPLIT,), Outcome.LATE),
        ((DIVIDEND, SPLIT), Outcome.LATE),
    ],
)
@pytest.mark.parametrize("seen", [(), ("AMD",)])
def test_a_bar_of_before_a_split_is_late_after_it(
    actions: tuple[CorporateAction, ...], ends: Outcome, seen: tuple[str, ...]
) -> None:
    """AMD lacks the first day's last bar; the second day's first slice closes without AMD too."""
    closed = ClosedBars()
    before, last, after = slot(0, 0), slot(0, 1), slot(1, 0, actions)
    closed.close(
        before, dict.fromkeys(("NVDA", *seen), Outcome.RECEIVED), {s: bar(s, before) for s in seen}
    )
    for each in (last, after):
        outcomes = {"NVDA": Outcome.RECEIVED, "AMD": Outcome.MISSING}
        closed.close(each, outcomes, {"NVDA": bar("NVDA", each)})
    assert closed.come(bar("AMD", last)) == (Outcome.MISSING, ends)
    # the split's own first bar is of the new shares
    assert closed.come(bar("AMD", after, 10.0)) == (Outcome.MISSING, Outcome.BACKFILLED)
