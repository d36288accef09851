"""The dated fee tables of `daemon/fee_tables/`, read, checked and hashed.

Which rate holds on which date is data with a source beside each row, never code. Every table
covers 1998-01-01 and ends with a row that has a date and no rate, from which on nothing is known.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeVar

from daemon.core.costs import (
    FREE,
    CommissionPlan,
    DatedTable,
    RegulatoryTables,
    TafRate,
)
from daemon.core.units import MICROS_PER_USD, percent_ppm, usd_micros
from daemon.errors import RefusedError

Row = TypeVar("Row")

FOLDER = Path(__file__).parent / "fee_tables"
FIRST_DATE = 19980101
STATUSES = frozenset({"primary", "second-hand", "derived", "unverified"})
FILES = ("cat_fee", "finra_taf", "ibkr_fixed", "sec_section31")


class CustomCommission(Protocol):
    """A commission plan written out in the config."""

    @property
    def per_share_usd(self) -> float: ...
    @property
    def minimum_usd(self) -> float: ...
    @property
    def maximum_pct(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class FeeTables:
    """All tables; `sha256` is over the bytes of the files, in the order of their names."""

    regulatory: RegulatoryTables
    commissions: Mapping[str, DatedTable[CommissionPlan]]
    sha256: str

    def commission(self, chosen: str | CustomCommission) -> DatedTable[CommissionPlan]:
        """The dated plans of `execution.commission`: none, a table's name, or a custom plan."""
        if not isinstance(chosen, str):
            return _always("execution.commission", _custom_plan(chosen))
        if chosen == "none":
            return _always("none", FREE)
        try:
            return self.commissions[chosen]
        except KeyError:
            known = ", ".join(("none", *sorted(self.commissions)))
            raise RefusedError(
                f"execution.commission: {chosen!r} is not known; choose one of {known}, "
                f"or give per_share_usd, minimum_usd and maximum_pct"
            ) from None


def load_fee_tables(folder: Path = FOLDER) -> FeeTables:
    """Read and check every table; RefusedError lists each faulty row as file:line."""
    texts = {name: _read(folder / f"{name}.csv") for name in FILES}
    problems: list[str] = []

    def table(
        name: str, columns: tuple[str, ...], build: Callable[..., Row]
    ) -> DatedTable[Row] | None:
        reader = _Reader(folder / f"{name}.csv", columns)
        found = reader.table(texts[name], build)
        problems.extend(reader.problems)
        return found

    sec = table("sec_section31", ("usd_per_million",), Fraction)
    taf = table("finra_taf", ("usd_per_share", "usd_cap"), _taf_rate)
    cat = table("cat_fee", ("usd_per_share",), _micros)
    fixed = table("ibkr_fixed", ("usd_per_share", "usd_minimum", "maximum_pct"), _dated_plan)
    if problems:
        raise RefusedError(*problems)
    assert sec and taf and cat and fixed, "a table that is missing has its problem listed"
    digest = hashlib.sha256()
    for name, text in texts.items():
        digest.update(f"{name}\0{text}\0".encode())
    return FeeTables(RegulatoryTables(sec, taf, cat), {"ibkr_fixed": fixed}, digest.hexdigest())


class _Reader:
    """One file's rows into a DatedTable, with every problem noted as file:line."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._path = path
        self._columns = columns
        self.problems: list[str] = []

    def table(self, text: str, build: Callable[..., Row]) -> DatedTable[Row] | None:
        """The table, or None when `problems` says why there is none."""
        header = ["effective", *self._columns, "status", "source"]
        lines = [
            (number, line)
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip() and not line.startswith("#")
        ]
        if not lines or lines[0][1].split(",") != header:
            self._note(lines[0][0] if lines else 1, f"expected the columns {','.join(header)}")
            return None
        dates: list[int] = []
        rows: list[Row] = []
        until = 0
        cells_of = csv.reader(line for _, line in lines[1:])
        for (number, _), cells in zip(lines[1:], cells_of, strict=True):
            if until:
                self._note(number, "a row after the one without a rate, which must be the last")
                break
            if len(cells) != len(header):
                self._note(number, f"{len(cells)} cells where {len(header)} are expected")
                continue
            day = self._day(number, cells[0], after=dates[-1] if dates else 0)
            values = cells[1 : 1 + len(self._columns)]
            if not any(values):
                until = day
            elif (row := self._row(number, values, cells[-2], build)) is not None:
                dates.append(day)
                rows.append(row)
        if not dates or dates[0] > FIRST_DATE:
            self._note(lines[0][0], "the table must start on 1998-01-01 or earlier")
        if not until:
            self._note(lines[-1][0], "the last row must have a date and no rate (the table's end)")
        if self.problems:
            return None
        return DatedTable(self._path.stem, tuple(dates), tuple(rows), until)

    def _day(self, number: int, text: str, after: int) -> int:
        try:
            parsed = date.fromisoformat(text)
        except ValueError:
            self._note(number, f"{text!r} is not a date YYYY-MM-DD")
            return after
        day = parsed.year * 10000 + parsed.month * 100 + parsed.day
        if day <= after:
            self._note(number, f"{text} does not come after the row before it")
        return day

    def _row(
        self, number: int, values: list[str], status: str, build: Callable[..., Row]
    ) -> Row | None:
        if status not in STATUSES:
            self._note(number, f"status {status!r} is none of {', '.join(sorted(STATUSES))}")
            return None
        try:
            if any(Fraction(value) < 0 for value in values):
                raise ValueError
            return build(*values)
        except (ValueError, ArithmeticError):  # Decimal's errors are ArithmeticError
            self._note(number, f"{','.join(values)}: not amounts of zero or more")
            return None

    def _note(self, number: int, problem: str) -> None:
        self.problems.append(f"{self._path}:{number}: {problem}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{path}: the fee table cannot be read ({error.strerror})") from None


def _micros(usd: str) -> Fraction:
    return Fraction(usd) * MICROS_PER_USD


def _taf_rate(per_share_usd: str, cap_usd: str) -> TafRate:
    return TafRate(_micros(per_share_usd), usd_micros(cap_usd))


def _dated_plan(per_share_usd: str, minimum_usd: str, maximum_pct: str) -> CommissionPlan:
    return CommissionPlan(_micros(per_share_usd), usd_micros(minimum_usd), percent_ppm(maximum_pct))


def _custom_plan(chosen: CustomCommission) -> CommissionPlan:
    maximum_pct = chosen.maximum_pct
    return CommissionPlan(
        # a float is meant as the decimal it prints as: 0.005 is 5/1000
        per_share_micros=_micros(str(chosen.per_share_usd)),
        minimum_micros=usd_micros(chosen.minimum_usd),
        maximum_ppm=None if maximum_pct is None else percent_ppm(maximum_pct),
    )


def _always(name: str, plan: CommissionPlan) -> DatedTable[CommissionPlan]:
    return DatedTable(name, (1,), (plan,), 99991231)
