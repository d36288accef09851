"""`papertape data action add | list`: the table of corporate actions, validated before it grows."""

from __future__ import annotations

import csv
import io
from typing import Any

from daemon.core.events import CorporateAction, Split
from daemon.core.units import MICROS_PER_USD
from daemon.corporate_actions import COLUMNS, parse_corporate_actions, read_actions
from daemon.data.folder import DataFolder
from daemon.data.replacing import write_whole
from daemon.errors import RefusedError, UsageError
from daemon.feeds.calendar import Calendar
from daemon.feeds.times import date_text, number_date, parse_date

SOURCE = "papertape data action"


def split_of(symbol: str, ratio: str, effective: str | None) -> dict[str, str]:
    """The cells of a split; UsageError where something is not said."""
    if effective is None:
        raise UsageError("--effective DATE: the first session at the new price")
    return _cells(symbol, "split", effective, ratio=ratio)


def dividend_of(symbol: str, amount: str, ex: str | None, pay: str | None) -> dict[str, str]:
    """The cells of a dividend; UsageError where something is not said."""
    if ex is None:
        raise UsageError("--ex DATE: the first session without the dividend")
    return _cells(symbol, "dividend", ex, amount_usd=amount, pay_date=_day(pay) if pay else "")


def _cells(symbol: str, kind: str, effective: str, **more: str) -> dict[str, str]:
    cells = dict.fromkeys(COLUMNS, "") | {"symbol": symbol.upper(), "kind": kind}
    return cells | {"effective": _day(effective), "source": SOURCE} | more


def _day(text: str) -> str:
    try:
        return date_text(parse_date(text))
    except ValueError as error:
        raise UsageError(str(error)) from error


def add_action(
    folder: DataFolder, cells: dict[str, str], calendar: Calendar
) -> tuple[CorporateAction, bool]:
    """Append one row, whole or not at all; the action, and whether it is new to the table.

    RefusedError where the table, or the table with the row, is not valid, or the exchange is
    closed on the day it is to take effect.
    """
    path = folder.actions
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow([cells[name] for name in COLUMNS])
    header = ",".join(COLUMNS) + "\n"
    try:
        (action,) = parse_corporate_actions("", io.StringIO(header + row.getvalue()))
    except RefusedError as error:
        raise UsageError(error.lines[0].partition(": ")[2]) from error
    if calendar.session(action.effective) is None:
        following = calendar.next_session(action.effective).date
        raise RefusedError(
            f"{date_text(action.effective)} ({number_date(action.effective):%A}) is no session of "
            f"{calendar.name}: the next one is {date_text(following)}"
        )
    with folder.held():
        if action in read_actions(path):
            return action, False
        before = path.read_text(encoding="utf-8-sig") if path.exists() else header
        before += "" if before.endswith("\n") else "\n"
        text = before + _row_for(before, cells)
        try:
            parse_corporate_actions(str(path), io.StringIO(text))
        except RefusedError as error:
            # The table was valid before, so it is the new row that contradicts one of its rows.
            fault = error.lines[0].partition(": ")[2]
            raise RefusedError(
                f"{path}: {fault}: correct that line if this is right; nothing was listed"
            ) from None
        write_whole(path, text)
    return action, True


def _row_for(text: str, cells: dict[str, str]) -> str:
    """The row in the order of the columns that the file has."""
    rows = csv.reader(io.StringIO(text))
    header = next(row for row in rows if any(row) and not row[0].startswith("#"))
    line = io.StringIO()
    names = [name.strip().lower() for name in header]
    csv.writer(line, lineterminator="\n").writerow([cells.get(name, "") for name in names])
    return line.getvalue()


def action_text(action: CorporateAction) -> str:
    """An action as people say it."""
    day = date_text(action.effective)
    if isinstance(action, Split):
        return f"{action.symbol} split {action.numerator}:{action.denominator}, effective {day}"
    amount = f"{action.amount_micros / MICROS_PER_USD:.6f}".rstrip("0").rstrip(".")
    return f"{action.symbol} dividend {amount} a share, ex {day}, paid {date_text(action.pay_date)}"


def plain_action(action: CorporateAction) -> dict[str, Any]:
    """An action as JSON."""
    plain = {"symbol": action.symbol, "effective": date_text(action.effective)}
    if isinstance(action, Split):
        return {**plain, "kind": "split", "ratio": f"{action.numerator}:{action.denominator}"}
    return {
        **plain, "kind": "dividend", "amount_usd": action.amount_micros / MICROS_PER_USD,
        "pay_date": date_text(action.pay_date),
    }  # fmt: skip
