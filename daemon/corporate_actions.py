"""The table of splits and dividends, `corporate_actions.csv`: what it must be, and reading it.

Columns: `symbol,kind,effective,ratio,amount_usd,pay_date,source`.

* `kind` is `split` or `dividend`; `effective` (YYYY-MM-DD) is the first session at the new price
  (a dividend's ex-date); `source` says where the row comes from and is not read.
* a split has `ratio` new:old in whole numbers: `10:1`, `3:2`, and `1:8` for a reverse split.
* a dividend has `amount_usd` per share, as of that date, and `pay_date`; without one the cash is
  paid on the ex-date.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from daemon.core.events import CorporateAction, Dividend, Split
from daemon.core.units import usd_micros
from daemon.errors import RefusedError

COLUMNS = ("symbol", "kind", "effective", "ratio", "amount_usd", "pay_date", "source")


def read_corporate_actions(path: Path) -> tuple[CorporateAction, ...]:
    """All rows by effective date, splits before dividends of one date.

    RefusedError lists every fault as file:line; a file that is missing is one as well (whether
    a table is needed at all is the caller's question).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return parse_corporate_actions(str(path), lines)
    except OSError as error:
        raise RefusedError(
            f"{path}: the corporate actions cannot be read ({error.strerror})"
        ) from None
    except (UnicodeDecodeError, csv.Error):
        raise RefusedError(f"{path}: not a CSV file in UTF-8") from None


def read_actions(path: Path) -> tuple[CorporateAction, ...]:
    """The same, and none where there is no file."""
    return read_corporate_actions(path) if path.exists() else ()


class _FaultError(Exception):
    """What is wrong with a row."""


def parse_corporate_actions(where: str, lines: Iterable[str]) -> tuple[CorporateAction, ...]:
    """The same from lines; `where` names them in what is said of a fault."""
    rows = csv.reader(lines)
    problems: list[str] = []
    seen: dict[tuple[str, str, int], int] = {}
    actions: list[CorporateAction] = []
    header: dict[str, int] | None = None
    for cells in rows:
        number = rows.line_num
        if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
            continue
        try:
            if header is None:
                header = _header(cells)
                continue
            action = _action(header, cells)
            key = (action.symbol, type(action).__name__, action.effective)
            if key in seen:
                raise _FaultError(
                    f"a second {key[1].lower()} of {key[0]} on that date; the first is in "
                    f"line {seen[key]}"
                )
            seen[key] = number
            actions.append(action)
        except _FaultError as fault:
            problems.append(f"{where}:{number}: {fault}")
            if header is None:
                break
    if problems:
        raise RefusedError(*problems)
    return tuple(sorted(actions, key=_order))


def _order(action: CorporateAction) -> tuple[int, bool, str]:
    # a dividend's amount is per new share when both fall on one date, so the split goes first
    return action.effective, isinstance(action, Dividend), action.symbol


def _header(cells: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in cells]
    required = [name for name in COLUMNS if name != "source"]
    if missing := [name for name in required if name not in names]:
        raise _FaultError(f"no column {', '.join(missing)}; the header must be {','.join(COLUMNS)}")
    return {name: names.index(name) for name in required}


def _action(header: dict[str, int], cells: list[str]) -> CorporateAction:
    try:
        cell = {name: cells[index].strip() for name, index in header.items()}
    except IndexError:
        raise _FaultError(f"{len(cells)} cells where the header has more") from None
    if not cell["symbol"]:
        raise _FaultError("no symbol")
    effective = _date("effective", cell["effective"])
    if cell["kind"] == "split":
        numerator, denominator = _ratio(cell["ratio"])
        if cell["amount_usd"]:
            raise _FaultError("a split has no amount_usd")
        return Split(cell["symbol"], effective, numerator, denominator)
    if cell["kind"] == "dividend":
        if cell["ratio"]:
            raise _FaultError("a dividend has no ratio")
        pay_date = _date("pay_date", cell["pay_date"]) if cell["pay_date"] else effective
        if pay_date < effective:
            raise _FaultError("pay_date is before effective")
        return Dividend(cell["symbol"], effective, pay_date, _amount_micros(cell["amount_usd"]))
    raise _FaultError(f"kind {cell['kind']!r} is neither split nor dividend")


def _date(name: str, text: str) -> int:
    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        raise _FaultError(f"{name} {text!r} is not a date YYYY-MM-DD") from None
    return parsed.year * 10000 + parsed.month * 100 + parsed.day


def _ratio(text: str) -> tuple[int, int]:
    new, colon, old = text.partition(":")
    if not (colon and new.strip().isdecimal() and old.strip().isdecimal()):
        raise _FaultError(f"ratio {text!r} is not new:old in whole numbers, like 10:1 or 3:2")
    numerator, denominator = int(new), int(old)
    if not (numerator and denominator) or numerator == denominator:
        raise _FaultError(f"ratio {text!r} is no split")
    return numerator, denominator


def _amount_micros(text: str) -> int:
    try:
        amount_usd = Decimal(text)
    except InvalidOperation:
        raise _FaultError(f"amount_usd {text!r} is not a number of dollars") from None
    if not amount_usd.is_finite() or amount_usd <= 0:
        raise _FaultError(f"amount_usd {text!r} must be more than 0")
    return usd_micros(amount_usd)
