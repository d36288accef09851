"""One run as one HTML file that opens anywhere, offline: `write_report`.

The page is put together from `replay/assets` with the run's data inside. A content security
policy forbids every request, and every script but those that this module put there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from replay.record import RunRecord
from replay.report.data import chart_data, hold_micros
from replay.report.figures import figures_section, heading
from replay.report.format import EXCHANGE_ZONE, section, text
from replay.report.method import method_section, parameters_section
from replay.report.orders import by_reasons, costs_section, data_section
from replay.report.returns import returns_section

ASSETS = Path(__file__).parent.parent / "assets"
SCRIPTS = (
    "report_core.js",
    "report_axes.js",
    "report_overlays.js",
    "report_charts.js",
    "report_trades.js",
)


def write_report(record: RunRecord, summary: Mapping[str, Any], path: Path) -> None:
    """Write the run's report to `path`, replacing a file of that name at once.

    `summary` is the content of summary.json. The file is UTF-8; about 0.5 MB for 12,000 bars.
    Raises OSError where the file cannot be written.
    """
    page = report_html(record, summary)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)


def report_html(record: RunRecord, summary: Mapping[str, Any]) -> str:
    """The whole page as text."""
    data = chart_data(record, hold_micros(record))
    licence = _asset("uPlot.LICENSE").replace("*/", "* /")
    library = f"/*\nuPlot 1.6.32\n{licence}*/\n{_asset('uPlot.iife.min.js')}"
    script = "\n".join((library, *map(_asset, SCRIPTS)))
    body = "".join(
        (
            figures_section(record, summary),
            charts_section(record, data),
            returns_section(record, summary),
            trades_section(record, summary),
            costs_section(record),
            data_section(record),
            method_section(record, summary),
            parameters_section(record),
        )
    )
    return _frame(
        "template.html",
        title=text(f"{record.config.get('name', 'run')}: papertape run report"),
        policy=_policy(script),
        style=_asset("uPlot.min.css") + "\n" + _asset("report.css"),
        heading=heading(record, summary),
        body=body,
        zone=EXCHANGE_ZONE,
        data=embedded_json(data),
        script=script,
    )


def embedded_json(data: object) -> str:
    """JSON that cannot end the script element it stands in."""
    written = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _frame(name: str, **parts: str) -> str:
    return Template(_asset(name)).substitute(parts)


def _policy(script: str) -> str:
    """Nothing is fetched, and only this very script runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def charts_section(record: RunRecord, data: Mapping[str, Any]) -> str:
    """The frame that the page's script fills with charts."""
    return section(
        "charts",
        "Equity, drawdown and price",
        _frame("charts.html", symbols=_options(record.symbols)),
        _thinned_words(data),
    )


def _thinned_words(data: Mapping[str, Any]) -> str:
    """What was left out of the drawing, in words, or nothing."""
    parts = []
    if data["kept"] < data["count"]:
        parts.append(
            f"The curves show {data['kept']:,} of {data['count']:,} bars: of each stretch the "
            "first, the last and the extremes of each curve, so peaks and drawdowns are exact"
        )
    bucket = max((symbol["bucket"] for symbol in data["symbols"]), default=1)
    if bucket > 1:
        parts.append(
            f"prices are drawn as open, high, low and close of up to {bucket} bars; equity.csv "
            "and the tape have every bar"
        )
    return f"<p class=note>{text('; '.join(parts))}.</p>" if parts else ""


def trades_section(record: RunRecord, summary: Mapping[str, Any]) -> str:
    """The frame of the trades table, and profit by symbol and by reason."""
    if not record.trades and not record.open_trades:
        return section("trades", "Trades", "<p class=note>There were no trades.</p>")
    reasons = sorted({trade.exit_reason for trade in record.trades})
    choices = {"symbols": _options(record.symbols), "reasons": _options(reasons)}
    return section("trades", "Trades", _frame("trades.html", **choices), by_reasons(summary))


def _options(values: Sequence[str]) -> str:
    return "".join(f"<option>{text(value)}</option>" for value in values)
