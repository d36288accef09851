"""Returns as the report shows them: by month, and as a distribution of sessions and of trades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, fsum, log10, sqrt
from typing import Any

from replay.record import RunRecord
from replay.report.format import block, number, percent, section, stamp_of, table, text
from replay.summary.statistics import (
    month_of,
    period_returns,
    session_end_rows,
    year_of,
)
from replay.summary.trades import trade_return_fraction

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FULL_COLOUR_PCT = 15.0
BINS_WANTED = 44
CLIP_DEVIATIONS = 4.0


def monthly_returns_pct(record: RunRecord) -> dict[int, dict[int, float]]:
    """Year → month (0 for the whole year) → return in percent, from closes of sessions."""
    rows = session_end_rows(record.session_dates)
    dates = [record.session_dates[row] for row in rows]
    closes = [record.equity[row] for row in rows]
    start = record.starting_cash_micros
    returns: dict[int, dict[int, float]] = {
        year.period: {0: year.return_fraction * 100}
        for year in period_returns(dates, closes, start, year_of)
    }
    for month in period_returns(dates, closes, start, month_of):
        returns[month.period // 100][month.period % 100] = month.return_fraction * 100
    return returns


def _session_returns_pct(record: RunRecord) -> list[float]:
    """The return of each session in percent; none where the account was ever worth nothing."""
    closes = [record.equity[row] for row in session_end_rows(record.session_dates)]
    values = [record.starting_cash_micros, *closes]
    if min(values) <= 0:
        return []
    return [(after / before - 1) * 100 for before, after in pairwise(values)]


def returns_section(record: RunRecord, summary: Mapping[str, Any]) -> str:
    """The monthly table, the two histograms and the deepest drawdowns."""
    sessions = _session_returns_pct(record)
    flat = sum(value == 0 for value in sessions)
    trades = [trade_return_fraction(trade) * 100 for trade in record.trades]
    left_out = f"{flat:,} sessions with a return of exactly 0 are not drawn" if flat else ""
    return section(
        "returns",
        "Returns",
        _monthly_table(monthly_returns_pct(record)),
        "<div class=pair>",
        _histogram("Sessions", sessions, "sessions", left_out),
        _histogram("Closed trades, net", trades, "trades", ""),
        "</div>",
        _drawdowns(summary.get("drawdowns") or ()),
    )


def _drawdowns(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    return block(
        "Deepest drawdowns",
        table(
            ("Depth", "Peak", "Trough", "Recovered", "Days"),
            [
                (
                    percent(row["depth_pct"]),
                    stamp_of(row["start"]),
                    stamp_of(row["trough"]),
                    stamp_of(row["end"]) if row["end"] else "not yet",
                    number(row["days"], 1),
                )
                for row in rows
            ],
            numeric=frozenset({4}),
            css="drawdowns",
        ),
    )


def _monthly_table(returns: dict[int, dict[int, float]]) -> str:
    """Years down, months across; depth of colour is the size of the return."""

    def cell(value: float | None, css: str = "") -> str:
        if value is None:
            return f'<td class="{css}"></td>'
        tone = "" if round(value, 1) == 0 else " gain" if value > 0 else " loss"
        depth = min(1.0, abs(value) / FULL_COLOUR_PCT)
        return (
            f'<td class="num heat{tone} {css}" style="--depth:{depth:.2f}">'
            f"{number(value, 1, sign=True)}</td>"
        )

    head = "".join(f"<th class=num>{month}</th>" for month in (*MONTHS, "Year"))
    body = "".join(
        f"<tr><th scope=row>{year}</th>"
        + "".join(cell(row.get(month)) for month in range(1, 13))
        + cell(row[0], "total")
        + "</tr>"
        for year, row in returns.items()
    )
    return block(
        "By month, %",
        '<div class=scroll tabindex=0><table class="months"><thead><tr><th>Year</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>",
    )


@dataclass(frozen=True, slots=True)
class Bins:
    """Counts of values in bins of equal width; the outer two take what lies beyond them."""

    first: float
    width: float
    counts: tuple[int, ...]

    @property
    def last(self) -> float:
        return self.first + self.width * len(self.counts)


def binned(values: Sequence[float], mean: float, deviation: float) -> Bins:
    """About `BINS_WANTED` bins of a round width, one edge at zero, within 4 sd of the mean."""
    low = max(min(values), mean - CLIP_DEVIATIONS * deviation)
    high = min(max(values), mean + CLIP_DEVIATIONS * deviation)
    width = _round_up((high - low) / BINS_WANTED) if high > low else 1.0
    first, after = floor(low / width), max(ceil(high / width), floor(low / width) + 1)
    counts = [0] * (after - first)
    for value in values:
        counts[min(max(floor(value / width) - first, 0), len(counts) - 1)] += 1
    return Bins(first * width, width, tuple(counts))


def _round_up(width: float) -> float:
    """The next of 1, 2, 2.5 and 5 times a power of ten."""
    power = 10.0 ** floor(log10(width))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width * (1 - 1e-9))


def _histogram(title: str, values: Iterable[float], what: str, remark: str) -> str:
    """Bars split at zero, with the mean and one standard deviation either side marked."""
    every = list(values)
    drawn = [value for value in every if value != 0] or every
    if len(every) < 2:
        return block(f"{title}, %", f"<p class=note>fewer than two {text(what)}</p>")
    mean, deviation = _mean_and_deviation(every)
    bins = binned(drawn, *_mean_and_deviation(drawn))
    top = max(bins.counts)
    bars = "".join(
        _bar(bins, index, count, top, what) for index, count in enumerate(bins.counts) if count
    )

    def place(value: float) -> float:
        return (value - bins.first) / (bins.last - bins.first) * 100

    marks = "".join(
        f'<i class="mark {css}" style="left:{place(value):.2f}%"><b>{label}</b></i>'
        for value, label, css in (
            (mean, "mean", "mean"),
            (mean - deviation, f"{number(-1, 0)} sd", "sd left"),
            (mean + deviation, "+1 sd", "sd"),
        )
        if 0 <= place(value) <= 100
    )
    ends = "".join(
        f'<span style="left:{place(value):.2f}%">{number(value, 1)}</span>'
        for value in _labels(bins)
    )
    figures = (
        f"{len(every):,} {what} · mean {percent(mean, 3, sign=True)} · sd {percent(deviation)} · "
        f"worst {percent(min(every), sign=True)} · best {percent(max(every), sign=True)}"
    )
    return block(
        f"{title}, %",
        f"<div class=histogram><svg viewBox='0 0 100 100' preserveAspectRatio=none role=img "
        f"aria-label='{text(figures)}'>{bars}</svg>{marks}<div class=ticks>{ends}</div></div>"
        f"<p class=note>{text(figures)}{text('. ' + remark if remark else '')}</p>",
    )


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the standard deviation (ddof 1; 0 for a single value)."""
    mean = fsum(values) / len(values)
    squares = fsum((value - mean) ** 2 for value in values)
    return mean, sqrt(squares / max(1, len(values) - 1))


def _bar(bins: Bins, index: int, count: int, top: int, what: str) -> str:
    low = bins.first + index * bins.width
    height, width = count / top * 96, 100 / len(bins.counts)
    tone = "gain" if low + bins.width / 2 > 0 else "loss"
    label = f"{number(low, 2)} to {number(low + bins.width, 2)} %: {count:,} {what}"
    return (
        f"<rect class={tone} x='{index * width + width * 0.06:.3f}' y='{100 - height:.2f}' "
        f"width='{width * 0.88:.3f}' height='{height:.2f}'><title>{text(label)}</title></rect>"
    )


def _labels(bins: Bins) -> list[float]:
    """Four to nine round values along the axis."""
    step = _round_up((bins.last - bins.first) / 8)
    return [at * step for at in range(ceil(bins.first / step), floor(bins.last / step) + 1)]
