"""Answers with bars in them that are wrong in a way that a gateway has been seen to be wrong."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from tests.fake_gateway.answers import Fields

HEAD_FIELDS = 5  # message number, request, start, end, number of bars
ROW_FIELDS = 8  # date, open, high, low, close, volume, average, count
OPEN, HIGH, LOW, CLOSE, VOLUME = 1, 2, 3, 4, 5
HOUR_S = 3_600

Row = list[object]


class Mangling(StrEnum):
    """What is wrong."""

    DUPLICATE = "duplicate"  # the last bar comes twice
    OUT_OF_ORDER = "out_of_order"  # the last two bars have changed places
    REVERSED = "reversed"  # newest first
    NAIVE_DATE = "naive_date"  # the last date has no zone, the others are epoch seconds
    UNKNOWN_ZONE = "unknown_zone"  # the last date is in a zone that nobody knows
    BAD_FIELD = "bad_field"  # a price is no number
    NOT_FINITE = "not_finite"  # a price is nan
    CROSSED = "crossed"  # high below low
    ZERO = "zero"  # all prices are 0
    NEGATIVE_VOLUME = "negative_volume"
    FUTURE = "future"  # a bar more, which starts an hour after the last
    SHORT = "short"  # fewer bars than announced


def mangled(fields: Fields, how: Mangling) -> Fields:
    """Return an answer of epoch-second bars with something wrong in it; an empty one as it is."""
    head, flat = list(fields[:HEAD_FIELDS]), list(fields[HEAD_FIELDS:])
    rows = [flat[place : place + ROW_FIELDS] for place in range(0, len(flat), ROW_FIELDS)]
    if not rows:
        return fields
    announced = len(_change(rows, how))
    if how is Mangling.SHORT:
        rows.pop()
    head[-1] = announced
    return (*head, *(field for row in rows for field in row))


def _change(rows: list[Row], how: Mangling) -> list[Row]:
    last = rows[-1]
    match how:
        case Mangling.DUPLICATE:
            rows.append([*last])
        case Mangling.OUT_OF_ORDER:
            rows[-2:] = reversed(rows[-2:])
        case Mangling.REVERSED:
            rows.reverse()
        case Mangling.NAIVE_DATE:
            last[0] = _local(last[0])
        case Mangling.UNKNOWN_ZONE:
            last[0] = f"{_local(last[0])} Mars/Olympus"
        case Mangling.FUTURE:
            rows.append([str(int(str(last[0])) + HOUR_S), *last[1:]])
        case _:
            _change_numbers(last, how)
    return rows


def _change_numbers(row: Row, how: Mangling) -> None:
    match how:
        case Mangling.BAD_FIELD:
            row[CLOSE] = "1O3.5"
        case Mangling.NOT_FINITE:
            row[CLOSE] = "nan"
        case Mangling.CROSSED:
            row[HIGH], row[LOW] = row[LOW], row[HIGH]
        case Mangling.ZERO:
            row[OPEN:VOLUME] = [0.0, 0.0, 0.0, 0.0]
        case Mangling.NEGATIVE_VOLUME:
            row[VOLUME] = -5


def _local(epoch_s: object) -> str:
    moment = datetime.fromtimestamp(int(str(epoch_s)), ZoneInfo("America/New_York"))
    return f"{moment:%Y%m%d %H:%M:%S}"
