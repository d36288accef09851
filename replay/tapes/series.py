"""Checks over a whole tape: they warn with their evidence and change no bar.

All of them look at usable bars alone (`Placed`), after structural faults are out of the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from daemon.feeds.times import date_text, zone_text
from replay.tapes.model import Severity
from replay.tapes.placing import Placed
from replay.tapes.rules import (
    EARLY_TRADES,
    NO_OVERNIGHT_GAPS,
    NOT_IN_CENTS,
    SLOT_NEVER_THERE,
    SPIKE,
    SPLIT_RATIO,
    UNFINISHED,
    VOLUME_REGIME,
    Findings,
)

REGIME_RATIO = 8.0
REGIME_SESSIONS = 20
NEVER_SHARE = 0.9
SESSIONS_NEEDED = 20
UNFINISHED_SHARE = 0.05
SPIKE_WICK_SHARE = 0.05
SPIKE_RANGES = 8.0
SPIKE_WINDOW = 50
SPLIT_FACTORS = (2, 3, 4, 5, 7, 10, 20)
SPLIT_TOLERANCE = 0.03
EQUAL_OPENS_SHARE = 0.95
# Quotes went from sixteenths to cents in April 2001; before that no price tells anything.
CENTS_FROM = 20010410
CENTS_SAMPLE = 2_000
CENTS_SAMPLE_MIN = 50
# A 2:1 split leaves half of the closes off the cent. Quotes' midpoints leave up to a third, which
# no factor explains; adjusting for dividends leaves nearly all of them.
NOT_CENTS_SHARE = 0.4
NOT_CENTS_SHARE_UNEXPLAINED = 0.8
ADJUSTED_FACTORS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 20, 21, 24, 28, 30, 40, 50)


def check_series(placed: Placed, zone: str, adjustment: str, findings: Findings) -> float | None:
    """Run every check of a symbol; returns the split factor that shows in its prices.

    None: prices are as traded. 0: they are adjusted by something that is no split factor.
    """
    if not len(placed):
        return None
    _volume_regime(placed, findings)
    _same_bar_missing(placed, findings)
    _unfinished_last(placed, zone, findings)
    _spikes(placed, zone, findings)
    _split_ratios(placed, adjustment, findings)
    _no_overnight_gaps(placed, findings)
    if placed.early_trades:
        findings.add(
            EARLY_TRADES,
            placed.symbol,
            0,
            f"in {placed.early_trades:,} sessions the bar labelled before the open follows bars"
            " of the early session and may hold their trades",
        )
    return _adjusted_factor(placed, adjustment, findings)


def _volume_regime(placed: Placed, findings: Findings) -> None:
    """A session's volume against the median of the 20 before; only the first of a run is told."""
    sums = [sum(placed.volume[span.begin : span.stop]) for span in placed.spans]
    whole = [span.stop - span.begin == span.expected for span in placed.spans]
    calm = True
    for at in range(REGIME_SESSIONS, len(sums)):
        usual = median(sums[at - REGIME_SESSIONS : at])
        if not usual or not whole[at]:
            continue
        ratio = sums[at] / usual
        if 1 / REGIME_RATIO <= ratio <= REGIME_RATIO:
            calm = True
        elif calm:
            calm = False
            span = placed.spans[at]
            findings.add(
                VOLUME_REGIME,
                placed.symbol,
                placed.lines[span.begin],
                f"{date_text(span.date)}: volume {sums[at]:,} is {ratio:.3g} times the median of"
                f" the 20 sessions before ({usual:,.0f}): another venue, or a split adjusted in"
                " price only?",
                start=placed.start[span.begin],
            )


def _same_bar_missing(placed: Placed, findings: Findings) -> None:
    spans = [span for span in placed.spans if span.expected > 1]
    if len(spans) < SESSIONS_NEEDED:
        return
    for which, has in (("first", "has_first"), ("last", "has_last")):
        missing = sum(1 for span in spans if not getattr(span, has))
        if missing < NEVER_SHARE * len(spans):
            continue
        hint = ""
        if which == "first" and placed.at_close >= NEVER_SHARE * len(spans):
            hint = "; there is a row at each close instead: are the stamps bar ends (stamps: end)?"
        findings.add(
            SLOT_NEVER_THERE,
            placed.symbol,
            0,
            f"the {which} bar is missing in {missing:,} of {len(spans):,} sessions{hint}",
        )


def _unfinished_last(placed: Placed, zone: str, findings: Findings) -> None:
    """The tape's last bar against the same bar of the sessions before it."""
    last = placed.spans[-1]
    offset = last.stop - 1 - last.begin
    same = [
        placed.volume[span.begin + offset]
        for span in placed.spans[-1 - REGIME_SESSIONS : -1]
        if span.begin + offset < span.stop
    ]
    if len(same) < REGIME_SESSIONS // 2:
        return
    usual, volume = median(same), placed.volume[-1]
    if volume < UNFINISHED_SHARE * usual:
        findings.add(
            UNFINISHED,
            placed.symbol,
            placed.lines[-1],
            f"{zone_text(placed.start[-1], zone)}: volume {volume:,} where the same bar usually"
            f" has {usual:,.0f}: recorded before it ended?",
            start=placed.start[-1],
        )


def _spikes(placed: Placed, zone: str, findings: Findings) -> None:
    """Wicks far outside the body, by the usual range of the bars before it; never quarantined.

    The first bars of a tape are compared with those that follow.
    """
    columns = zip(placed.open, placed.high, placed.low, placed.close, strict=True)
    for at, (open_, high, low, close) in enumerate(columns):
        if high <= low * (1 + SPIKE_WICK_SHARE):
            continue
        top, bottom = max(open_, close), min(open_, close)
        above, below = high / top - 1, 1 - low / bottom
        wick = max(above, below)
        if wick <= SPIKE_WICK_SHARE:
            continue
        nearby = range(max(0, at - SPIKE_WINDOW), min(len(placed), max(at, SPIKE_WINDOW)))
        ranges = [placed.high[i] / placed.low[i] - 1 for i in nearby if i != at]
        usual = median(ranges) if ranges else 0.0
        if wick <= SPIKE_RANGES * usual:
            continue
        which, price, body = ("high", high, top) if above >= below else ("low", low, bottom)
        shift = body / price if which == "low" else price / body
        decimal = "; a decimal shift?" if 8 < shift < 12.5 or 80 < shift < 125 else ""
        findings.add(
            SPIKE,
            placed.symbol,
            placed.lines[at],
            f"{zone_text(placed.start[at], zone)}: {which} {price} is {100 * wick:.1f} % outside"
            f" open {open_} and close {close}; bars nearby span {100 * usual:.2f} %{decimal}",
            start=placed.start[at],
        )


def _split_ratios(placed: Placed, adjustment: str, findings: Findings) -> None:
    """A session's open against the close before: near a split's ratio it needs an explanation.

    A ratio alone proves nothing (stocks do fall by half), so this only asks for the list of
    corporate actions.
    """
    for before, span in zip(placed.spans, placed.spans[1:], strict=False):
        close, open_ = placed.close[before.stop - 1], placed.open[span.begin]
        ratio = close / open_
        if 0.6 < ratio < 1.7 or not span.has_first:
            continue
        for factor in SPLIT_FACTORS:
            if abs(ratio / factor - 1) <= SPLIT_TOLERANCE:
                what = f"{factor}:1 split"
            elif abs(ratio * factor - 1) <= SPLIT_TOLERANCE:
                what = f"1:{factor} reverse split"
            else:
                continue
            then = (
                "list it in corporate_actions.csv if it was one"
                if adjustment == "raw"
                else f"but the tape is declared adjusted for {adjustment.replace('_', ' and ')}"
            )
            findings.add(
                SPLIT_RATIO,
                placed.symbol,
                placed.lines[span.begin],
                f"{date_text(span.date)}: opens at {open_} after {close}, as a {what} would;"
                f" {then}",
                start=placed.start[span.begin],
            )
            break


def _no_overnight_gaps(placed: Placed, findings: Findings) -> None:
    pairs = list(zip(placed.spans, placed.spans[1:], strict=False))
    if len(pairs) < SESSIONS_NEEDED:
        return
    equal = sum(
        1 for before, span in pairs if placed.close[before.stop - 1] == placed.open[span.begin]
    )
    if equal >= EQUAL_OPENS_SHARE * len(pairs):
        findings.add(
            NO_OVERNIGHT_GAPS,
            placed.symbol,
            0,
            f"{equal:,} of {len(pairs):,} sessions open exactly at the close before: overnight"
            " gaps were removed, and nothing that depends on them can be believed",
        )


def adjusted_factor(closes: Sequence[float]) -> int | None:
    """The largest split factor that explains closes which are no whole cents.

    None where they are whole cents, 0 where no factor explains them. Looked for in the oldest
    closes, which must be from when trading was in cents, since factors are largest there. A price
    that was p cents before a k:1 split times k is whole cents but for rounding (k x 0.00005).
    """
    units, odd = _units(closes)
    if len(units) < CENTS_SAMPLE_MIN or len(odd) < NOT_CENTS_SHARE * len(units):
        return None
    factor = next((k for k in ADJUSTED_FACTORS if _explains(k, odd)), 0)
    if not factor and len(odd) < NOT_CENTS_SHARE_UNEXPLAINED * len(units):
        return None
    return factor


def _units(closes: Sequence[float]) -> tuple[list[int], list[int]]:
    """The first closes in 1/10,000 dollar: all, and those that are no whole cents."""
    units = [round(close * 10_000) for close in closes[:CENTS_SAMPLE]]
    return units, [unit for unit in units if unit % 100]


def _adjusted_factor(placed: Placed, adjustment: str, findings: Findings) -> float | None:
    begin = next((span.begin for span in placed.spans if span.date >= CENTS_FROM), len(placed))
    closes = placed.close[begin : begin + CENTS_SAMPLE]
    factor = adjusted_factor(closes)
    if factor is None:
        return None
    units, odd = _units(closes)
    by = f"a split factor of {factor} explains them" if factor else "no split factor explains them"
    declared = adjustment.replace("_", " and ")
    findings.add(
        NOT_IN_CENTS,
        placed.symbol,
        0,
        f"{len(odd):,} of the first {len(units):,} closes are not whole cents, {by}: prices are"
        f" adjusted (declared: {declared}); costs per share and ticks are distorted",
        severity=Severity.WARNING if adjustment == "raw" else Severity.INFO,
    )
    return float(factor)


def _explains(factor: int, units: list[int]) -> bool:
    tolerance = factor / 2 + 0.5
    hits = sum(1 for unit in units if min(unit * factor % 100, -unit * factor % 100) <= tolerance)
    by_chance = min(1.0, (2 * tolerance + 1) / 100)
    return hits >= len(units) * (0.9 + 0.1 * by_chance)
