"""The top of the report: name, period, strategy, and the key figures with buy and hold beside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from replay.record import RunRecord
from replay.report.format import (
    NOT_AVAILABLE,
    day,
    number,
    percent,
    section,
    stamp_of,
    text,
    usd,
)
from replay.summary.figures import FIGURES, Figure, Section, Unit

DECIMALS = {Unit.USD: 2, Unit.BPS: 2, Unit.RATIO: 3, Unit.COUNT: 0, Unit.DAYS: 1, Unit.HOURS: 1}
SUFFIXES = {
    Unit.USD: "\N{NO-BREAK SPACE}USD",
    Unit.BPS: "\N{NO-BREAK SPACE}bp",
    Unit.DAYS: "\N{NO-BREAK SPACE}days",
    Unit.HOURS: "\N{NO-BREAK SPACE}hours",
    Unit.BARS: "\N{NO-BREAK SPACE}bars",
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
Summary = Mapping[str, Any]


def is_synthetic(record: RunRecord) -> bool:
    """Whether the tape's file name, or a note about the tape, says that its bars are made up."""
    inputs = record.manifest.get("inputs") or {}
    tapes = (record.config.get("tape"), inputs.get("tape"), record.notes)
    return any(_says_synthetic(value) for value in tapes)


def _says_synthetic(value: object) -> bool:
    if isinstance(value, str):
        return "synthetic" in PurePath(value).name.lower()
    if isinstance(value, Mapping):
        return any(
            _says_synthetic(part) or (part is True and "synthetic" in str(name).lower())
            for name, part in value.items()
        )
    if isinstance(value, Sequence):
        return any(_says_synthetic(part) for part in value)
    return False


def heading(record: RunRecord, summary: Summary) -> str:
    """Name, symbols, period, strategy, label and digest; what a reader must know before more."""
    config, manifest = record.config, record.manifest
    strategy = config.get("strategy") or {}
    bars = config.get("bars") or {}
    period = "no bars"
    if record.session_dates:
        period = f"{day(record.session_dates[0])} to {day(record.session_dates[-1])}"
    facts = {
        "Label": manifest.get("label"),
        "Digest": manifest.get("digest"),
        "Run": manifest.get("run_id"),
        "Made": stamp_of(manifest.get("created") or ""),
    }
    shown = "".join(
        f"<div><dt>{name}</dt><dd>{text(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    banner = (
        "<p class=banner role=note><b>Synthetic tape.</b> These bars were made by a program; "
        "no figure on this page says anything about a real market.</p>"
        if is_synthetic(record)
        else ""
    )
    warnings = _warnings(summary, is_said=bool(banner))
    warned = "".join(f"<li>{text(each)}</li>" for each in warnings)
    size = f"{bars['size']} bars" if bars.get("size") else "bars"
    symbols = ", ".join(map(str, record.symbols))
    return (
        "<header class=masthead><p class=eyebrow>papertape run report</p>"
        f"<h1>{text(config.get('name', 'run'))}</h1>"
        f"<p class=lede><span>{text(symbols)}</span><span>{text(size)}</span>"
        f"<span>{text(period)}</span><span>{text(_strategy(strategy))}</span></p>"
        f"<dl class=facts>{shown}</dl>{banner}"
        + (f"<ul class=warnings role=note>{warned}</ul>" if warned else "")
        + "</header>"
    )


def _warnings(summary: Summary, *, is_said: bool) -> list[str]:
    """The summary's warnings with their instants in exchange time; the banner's is not repeated."""
    return [
        INSTANT.sub(lambda found: stamp_of(found.group()), warning)
        for warning in summary.get("warnings") or ()
        if not (is_said and "synthetic" in warning)
    ]


def _strategy(strategy: Mapping[str, Any]) -> str:
    params = ", ".join(
        f"{name} {value}"
        for name, value in (strategy.get("params") or {}).items()
        if value is not None
    )
    return f"{strategy.get('kind', 'no strategy')}" + (f" ({params})" if params else "")


def figures_section(record: RunRecord, summary: Summary) -> str:
    """The key figures as tiles, with buy and hold beside, and all figures below."""
    tiles = "".join(_tile(*tile) for tile in _tiles(record, summary))
    return section(
        "figures",
        "Key figures",
        f"<dl class=tiles>{tiles}</dl>",
        f"<details><summary>All figures</summary>{_all_figures(summary)}</details>",
    )


def _tiles(record: RunRecord, summary: Summary) -> list[tuple[str, str, str, str]]:
    """Label, value, what stands below it, tone."""
    get = summary.get
    total = get("total_return_pct")
    tone = "" if not total else "gain" if total > 0 else "loss"
    reasons = get("not_available") or {}

    def below(key: str, otherwise: str) -> str:
        return str(reasons.get(key, otherwise)) if get(key) is None else otherwise

    def held(key: str) -> str:
        value = get(f"buy_and_hold_{key}")
        if value is None:
            return ""
        written = (
            percent(value, sign="drawdown" not in key) if key.endswith("_pct") else number(value)
        )
        return f"buy & hold {written}"

    return [
        ("Total return", percent(total, sign=True), held("return_pct"), tone),
        (
            "Final equity",
            number(get("final_equity_usd")),
            f"USD, from {usd(record.starting_cash_micros)}",
            "",
        ),
        ("CAGR", percent(get("cagr_pct"), sign=True), below("cagr_pct", held("cagr_pct")), ""),
        ("Sharpe", number(get("sharpe")), below("sharpe", _sharpe_note(summary)), ""),
        ("Max drawdown", percent(get("max_drawdown_pct")), held("max_drawdown_pct"), ""),
        (
            "Sortino · Calmar",
            f"{number(get('sortino'))} · {number(get('calmar'))}",
            below("sortino", held("sharpe").replace("hold", "hold: Sharpe")),
            "",
        ),
        (
            "Trades",
            number(get("trades"), 0),
            below("win_rate_pct", f"{percent(get('win_rate_pct'), 1)} won"),
            "",
        ),
        (
            "Profit factor",
            number(get("profit_factor")),
            below("profit_factor", "sum of wins / sum of losses"),
            "",
        ),
        ("Exposure", percent(get("exposure_pct"), 1), "of bars with a position", ""),
        ("Fees", number(get("fees_usd")), f"USD, turnover {number(get('turnover_usd'), 0)}", ""),
        ("Coverage", percent(get("coverage_pct")), f"{number(get('bars'), 0)} bars", ""),
        ("Ambiguous fills", number(get("ambiguous_fills"), 0), "order within a bar guessed", ""),
    ]


def _sharpe_note(summary: Summary) -> str:
    """The interval and the number of sessions behind the Sharpe ratio."""
    interval, sessions = summary.get("sharpe_interval"), summary.get("sessions")
    parts = []
    if interval:
        parts.append(f"95 %: {number(interval[0])} to {number(interval[1])}")
    if sessions is not None:
        parts.append(f"n {number(sessions, 0)}")
    return " · ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)


def _tile(label: str, value: str, below: str, tone: str) -> str:
    return (
        f'<div><dt>{text(label)}</dt><dd class="{tone}">{text(value)}</dd>'
        f"<dd class=below>{text(below)}</dd></div>"
    )


def _all_figures(summary: Summary) -> str:
    """Every figure of the summary under its heading; its meaning is in the row's tooltip."""
    reasons = summary.get("not_available") or {}
    groups = []
    for heading_of_group in Section:
        rows = "".join(
            _figure_row(figure, summary[figure.key], reasons.get(figure.key, ""))
            for figure in FIGURES
            if figure.section is heading_of_group and figure.key in summary
        )
        if rows:
            groups.append(
                f"<div class=group-of-figures><h3>{text(heading_of_group)}</h3>"
                f"<table><tbody>{rows}</tbody></table></div>"
            )
    return f"<div class=all-figures>{''.join(groups)}</div>"


def _figure_row(figure: Figure, value: object, reason: str) -> str:
    title = figure.meaning + (f"; not available: {reason}" if reason else "")
    return (
        f'<tr title="{text(title)}"><th scope=row>{text(figure.label)}</th>'
        f"<td class=num>{text(written(value, figure.unit))}</td></tr>"
    )


def written(value: object, unit: Unit) -> str:
    """A figure's value as its unit asks; instants of summary.json in exchange time."""
    if value is None:
        return NOT_AVAILABLE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        if unit is Unit.PCT:
            return percent(value, 2)
        return number(value, DECIMALS.get(unit, 2)) + SUFFIXES.get(unit, "")
    return stamp_of(value) if unit is Unit.INSTANT else str(value)
