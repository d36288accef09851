"""The fee tables that ship, and what a faulty one says."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from daemon.core.costs import FREE, CommissionPlan
from daemon.errors import RefusedError
from daemon.fees import FILES, FOLDER, load_fee_tables


def test_every_table_covers_1998_and_today() -> None:
    tables = load_fee_tables()
    fees = tables.regulatory
    for table in (fees.sec, fees.taf, fees.cat, tables.commissions["ibkr_fixed"]):
        assert table.on(19980101) is not None
        assert table.on(20261122) is not None
        assert table.until >= 20280101


def test_fees_that_did_not_exist_are_zero() -> None:
    fees = load_fee_tables().regulatory
    assert fees.taf.on(20020930).per_share_micros == 0
    assert fees.taf.on(20021001).per_share_micros == 100
    assert fees.cat.on(20240830) == 0
    assert fees.cat.on(20240903) == 35


@pytest.mark.parametrize(
    ("date", "usd_per_million"),
    [
        (20011227, Fraction(100, 3)),
        (20011228, 15),
        (20030331, Fraction("25.20")),
        (20030401, Fraction("46.80")),
        (20080401, Fraction("5.60")),
        (20200217, Fraction("20.70")),
        (20200218, Fraction("22.10")),
        (20210225, Fraction("5.10")),
        (20220514, Fraction("22.90")),
        (20230227, 8),
        (20240522, Fraction("27.80")),
        (20250514, 0),
        (20260403, 0),
        (20260404, Fraction("20.60")),
    ],
)
def test_section_31_rates(date: int, usd_per_million: Fraction) -> None:
    assert load_fee_tables().regulatory.sec.on(date) == usd_per_million


@pytest.mark.parametrize("name", FILES)
def test_every_row_has_a_source(name: str) -> None:
    lines = (FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert rows
    assert all(row["source"] for row in rows)
    assert all(row["status"] for row in rows[:-1])


def test_the_hash_changes_with_any_byte(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    shutil.copytree(FOLDER, folder)
    assert load_fee_tables(folder).sha256 == load_fee_tables().sha256
    cat = folder / "cat_fee.csv"
    cat.write_text(cat.read_text(encoding="utf-8").replace("0.000003", "0.000004"))
    assert load_fee_tables(folder).sha256 != load_fee_tables().sha256


@dataclass(frozen=True)
class Custom:
    per_share_usd: float
    minimum_usd: float
    maximum_pct: float | None


def test_commission_plans() -> None:
    tables = load_fee_tables()
    assert tables.commission("none").on(18000101) == FREE
    assert tables.commission("ibkr_fixed").on(20240102) == CommissionPlan(
        Fraction(5000), 1_000_000, 10_000
    )
    custom = tables.commission(Custom(0.005, 0, None))
    assert custom.on(20240102) == CommissionPlan(Fraction(5000), 0, None)
    capped = tables.commission(Custom(0.0035, 0.35, 1.0))
    assert capped.on(20240102) == CommissionPlan(Fraction(3500), 350_000, 10_000)
    with pytest.raises(RefusedError, match="'ibkr' is not known; choose one of none, ibkr_fixed"):
        tables.commission("ibkr")


GOOD = "effective,usd_per_share,status,source\n1998-01-01,0,primary,x\n2030-01-01,,,end\n"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "expected the columns effective,usd_per_share,status,source"),
        (GOOD.replace("usd_per_share", "rate"), 1, "expected the columns"),
        (GOOD.replace("1998-01-01", "1999-01-01"), 1, "must start on 1998-01-01"),
        (GOOD.replace("1998-01-01", "soon"), 2, "'soon' is not a date"),
        (GOOD.replace("2030-01-01,,,end\n", ""), 2, "the last row must have a date and no rate"),
        (GOOD.replace("2030", "1997"), 3, "1997-01-01 does not come after the row before it"),
        (GOOD.replace("01,0,", "01,-1,"), 2, "-1: not amounts of zero or more"),
        (GOOD.replace("01,0,", "01,1/0,"), 2, "1/0: not amounts"),
        (GOOD.replace("primary", "sure"), 2, "status 'sure' is none of"),
        (GOOD.replace("primary,x", "primary"), 2, "3 cells where 4 are expected"),
        (GOOD + "2031-01-01,1,primary,x\n", 4, "a row after the one without a rate"),
    ],
)
def test_a_faulty_table_names_file_and_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    folder = tmp_path / "tables"
    shutil.copytree(FOLDER, folder)
    (folder / "cat_fee.csv").write_text(text)
    with pytest.raises(RefusedError) as caught:
        load_fee_tables(folder)
    assert any(
        shown.startswith(f"{folder / 'cat_fee.csv'}:{line}: ") and problem in shown
        for shown in caught.value.lines
    ), caught.value.lines


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"cat_fee\.csv: the fee table cannot be read"):
        load_fee_tables(tmp_path)
