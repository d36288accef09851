"""`papertape reference bands`: what is usual, from reference replays that are as accepted.

The alerts TradeSurge and DailyLoss compare a day's orders and loss with a band: the quantile of
the sessions of a reference, times a margin. The file is one of Prometheus's rules; how each band
came about stands in it.
"""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from daemon.core.outputs import Origin
from daemon.errors import Exit, RefusedError, UsageError
from daemon.text_table import counted
from replay.runs.baselines import Baseline, read_baseline
from replay.runs.reader import RunDirectory
from replay.runs.reference import OK, Reference, find_references, played, told

BANDS = "bands.yml"
"""The file in `STATE/reference`."""

QUANTILE, MARGIN = 0.99, 1.5
MARGIN_MAX = 100.0

_COUNTED = (Origin.TARGET, Origin.EXPLICIT)
"""Orders of the strategy; protective ones and those that limits demand follow from these."""


class Session(NamedTuple):
    """A day of a replay: the strategy's orders, and the most it was down at a bar's end."""

    date: str
    orders: int
    loss_usd: float


class Band(NamedTuple):
    """A bound, and how it came about: what the quantile was, the most there was, how often more."""

    bound: int
    usual: float
    most: float
    beyond: int


class Bands(NamedTuple):
    """The bands of one account, from one reference."""

    account: str
    baseline: Baseline
    sessions: Sequence[Session]
    orders: Band
    loss_usd: Band


def reference_bands(
    names: Sequence[str] = (),
    *,
    state: Path,
    account: str | None = None,
    out: Path | None = None,
    quantile: float = QUANTILE,
    margin: float = MARGIN,
    folders: Sequence[Path] | None = None,
    now: datetime | None = None,
) -> int:
    """Write the rule file with the bands of these references, or of all where none is named.

    Raises RefusedError where a reference is not as accepted, or too quiet to tell what is usual;
    then the file stays as it was.
    """
    if not 0 < quantile <= 1:
        raise UsageError(f"--quantile must be above 0 and at most 1, got {quantile:g}")
    if not 1 <= margin <= MARGIN_MAX:
        raise UsageError(f"--margin must be from 1 to {MARGIN_MAX:g}, got {margin:g}")
    chosen = find_references(names, state=state, folders=folders)
    if account is not None and len(chosen) != 1:
        known = ", ".join(one.name for one in chosen)
        raise UsageError(f"--for {account} needs the name of one reference replay: {known}")
    found = [_bands(reference, state, account, quantile, margin) for reference in chosen]
    twice = [name for name, times in Counter(one.account for one in found).items() if times > 1]
    if twice:
        raise UsageError(
            f"more than one reference replay is of {twice[0]}: name the one whose bands count"
        )
    target = out or state / "reference" / BANDS
    text = _file(found, quantile, margin, now or datetime.now(UTC))
    _write(target, text)
    for one in found:
        print(
            f"{one.account}: more than {counted(one.orders.bound, 'order')} or a loss of more than "
            f"{one.loss_usd.bound:,} USD a day raises an alarm "
            f"({counted(len(one.sessions), 'session')} of {one.baseline.name})"
        )
    print(f"{target.absolute()}: put it beside alerts.yml and reload Prometheus")
    return Exit.OK


# --- computing ------------------------------------------------------------------------------------


def _bands(
    reference: Reference, state: Path, account: str | None, quantile: float, margin: float
) -> Bands:
    with tempfile.TemporaryDirectory(prefix="papertape-reference-") as scratch:
        result = played(reference, state, Path(scratch) / "run")
        if result.verdict != OK or result.run is None:
            raise RefusedError(
                f"{reference.name}: {result.verdict}: {told(result)}; "
                "bands come from results that are as accepted"
            )
        sessions = sessions_of(result.run)
        name = account or result.run.name
    orders = band([each.orders for each in sessions], quantile, margin)
    loss = band([each.loss_usd for each in sessions], quantile, margin)
    if not orders.most or not loss.most:
        missing = "loss" if orders.most else "order"
        raise RefusedError(
            f"{reference.name}: no {missing} in {counted(len(sessions), 'session')}: "
            "nothing tells what is usual"
        )
    return Bands(name, read_baseline(reference.baseline), sessions, orders, loss)


def sessions_of(run: RunDirectory) -> list[Session]:
    """The sessions of a run. Each lies within one UTC date; the first begins with the cash."""
    orders = Counter(
        row["ts_decided"][:10] for row in run.rows("orders") if row["origin"] in _COUNTED
    )
    closes: dict[str, float] = {}
    lowest: dict[str, float] = {}
    for row in run.equity():
        day, equity = row["ts"][:10], float(row["equity"])
        closes[day] = equity
        lowest[day] = min(equity, lowest.get(day, equity))
    begins = [float(run.config["account"]["cash_usd"]), *closes.values()]
    return [
        Session(day, orders[day], max(0.0, before - lowest[day]))
        for day, before in zip(closes, begins, strict=False)  # nothing begins at the last close
    ]


def band(values: Sequence[float], quantile: float, margin: float) -> Band:
    """The bound of these values: the smallest with `quantile` of them at or below, times `margin`.

    Rounded up to a whole number, at least 1.
    """
    ordered = sorted(values)
    usual = ordered[max(0, math.ceil(quantile * len(ordered)) - 1)] if ordered else 0
    bound = max(1, math.ceil(usual * margin))
    most = ordered[-1] if ordered else 0
    return Band(bound, usual, most, sum(value > bound for value in values))


# --- writing --------------------------------------------------------------------------------------


def _file(found: Sequence[Bands], quantile: float, margin: float, now: datetime) -> str:
    lines = [
        f"# Written by `papertape reference bands` at {now:%Y-%m-%dT%H:%M:%SZ}.",
        "# Write it again when a new result has been accepted.",
        "#",
        "# More than a band a day raises TradeSurge or DailyLoss. It is the least number that",
        f"# {quantile:.4g} of all sessions stay within, times {margin:g}, rounded up.",
        *(line for one in found for line in _about(one)),
        "",
        "groups:",
        "  - name: papertape_bands",
        "    rules:",
        *(line for one in found for line in _rules(one)),
    ]
    return "\n".join(lines) + "\n"


def _about(one: Bands) -> Iterator[str]:
    run, first, last = one.baseline.run, one.sessions[0].date, one.sessions[-1].date
    reason = " ".join(one.baseline.reason.split())
    yield "#"
    yield f"# {one.account}: {counted(len(one.sessions), 'session')}, {first} to {last}"
    yield f"#   reference {one.baseline.name}, run {run.run_id}, digest {run.digest[:12]}"
    yield f"#   accepted {one.baseline.accepted_at}: {reason or 'no reason given'}"
    yield f"#   orders of the strategy: {_how(one.orders)}"
    yield f"#   loss in USD, the worst at the end of a bar: {_how(one.loss_usd)}"


def _how(known: Band) -> str:
    return (
        f"{known.usual:,.6g} is usual, so {known.bound:,}; the most was {known.most:,.6g}, "
        f"{counted(known.beyond, 'session')} beyond"
    )


def _rules(one: Bands) -> Iterator[str]:
    for metric, known in (("orders_day", one.orders), ("loss_day_usd", one.loss_usd)):
        yield f"      - record: name:papertape_{metric}:band"
        yield f"        labels: {{name: {json.dumps(one.account)}}}"
        yield f"        expr: vector({known.bound})"


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise RefusedError(f"{path} cannot be written: {error.strerror or error}") from None
