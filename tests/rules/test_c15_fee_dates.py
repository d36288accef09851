"""C15: tables cover 1998 and later; a date outside is an error that names the table."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from daemon.core.costs import DateOutsideTableError, regulatory_fees
from daemon.core.events import Side
from daemon.fees import load_fee_tables
from tests import harness
from tests.harness import play, rules
from tests.rules.tools import flat, target

TABLES = load_fee_tables()
ALL: dict[str, Any] = {
    "sec_section31": TABLES.regulatory.sec,
    "finra_taf": TABLES.regulatory.taf,
    "cat_fee": TABLES.regulatory.cat,
    "ibkr_fixed": TABLES.commissions["ibkr_fixed"],
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("day", [19971231, 20990101])
def test_outside(name: str, day: int) -> None:
    with pytest.raises(DateOutsideTableError, match=name):
        ALL[name].on(day)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("day", [19980102, 20101231, 20200302, 20261122])
def test_inside(name: str, day: int) -> None:
    assert ALL[name].on(day) is not None


@pytest.mark.parametrize(
    ("day", "sec", "taf", "cat"),
    [
        # 1000 shares at 10: 10,000 dollars; before a fee existed it is 0
        (19980102, 333_333, 0, 0),  # 1/300 of one percent
        (20020930, 301_000, 0, 0),  # 30.10 a million
        (20021001, 301_000, 100_000, 0),
        (20240830, 278_000, 166_000, 0),
        (20240903, 278_000, 166_000, 35_000),
        (20250513, 278_000, 166_000, 35_000),
        (20250514, 0, 166_000, 35_000),
        (20251201, 0, 166_000, 0),  # nothing invoiced
        (20260403, 0, 195_000, 0),
        (20260404, 206_000, 195_000, 0),
        (20260501, 206_000, 195_000, 3_000),
        (20260930, 206_000, 195_000, 3_000),
        (20261001, 206_000, 0, 3_000),
        (20261231, 206_000, 0, 3_000),
        (20270101, 206_000, 195_000, 3_000),
    ],
)
def test_the_day_a_rate_changes(day: int, sec: int, taf: int, cat: int) -> None:
    fees = regulatory_fees(TABLES.regulatory, day, Side.SELL, 1000, 100_000, 10_000_000_000)
    assert (fees.sec_micros, fees.taf_micros, fees.cat_micros) == (sec, taf, cat)


def test_a_fill_outside_the_tables_is_an_error_not_a_zero(monkeypatch: Any) -> None:
    monkeypatch.setattr(harness, "FIRST_DAY", date(2031, 1, 6))
    pricing = rules(commission=TABLES.commission("ibkr_fixed"))
    with pytest.raises(Exception, match="ibkr_fixed"):
        play({"NVDA": [flat(100.0)] * 3}, at={0: [target(10)]}, pricing=pricing)
