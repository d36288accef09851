"""The report's last parts: how fills and figures are made, the parameters, the hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from replay.record import RunRecord
from replay.report.data import applied_actions
from replay.report.format import EXCHANGE_ZONE, block, section, text

OVERNIGHT = {
    "next_open": "One decided on a session's last bar waits for the next session's open.",
    "deny": "One decided on a session's last bar is denied (MARKET_CLOSED).",
}
ADJUSTMENT = {
    "raw": "Prices as traded; splits and dividends act through a table of corporate actions alone.",
    "splits": "Prices adjusted for splits, not for dividends.",
    "splits_dividends": "Prices adjusted for splits and dividends.",
}
READING = {
    "MAE, MFE": (
        "The furthest the price went against and in favour of the position, in percent of the "
        "entry price, from the bars' lows and highs."
    ),
    "Times": (
        f"Exchange time ({EXCHANGE_ZONE}; EST in winter, EDT in summer). The charts leave out the "
        "hours in which the exchange is closed: a step to the right is a bar, not an hour."
    ),
}


def method_section(record: RunRecord, summary: Mapping[str, Any]) -> str:
    """How fills are decided under the config in force, and how the figures are computed."""
    items = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(what)}</dd></div>"
        for name, what in {**_fills(record), **READING}.items()
    )
    conventions = "".join(f"<li>{text(each)}</li>" for each in summary.get("conventions") or ())
    return section(
        "method",
        "Assumptions and conventions",
        f"<dl class=method>{items}</dl>",
        block("Conventions of the figures", f"<ul class=conventions>{conventions}</ul>"),
    )


def _fills(record: RunRecord) -> dict[str, str]:
    execution = record.config.get("execution") or {}
    price = "close" if execution.get("fill") == "next_close" else "open"
    participation = execution.get("participation_fraction")
    return {
        "When an order fills": (
            "A decision is made at a bar's close and knows nothing later; a market order fills at "
            f"the next expected bar's {price}. "
            f"{OVERNIGHT.get(str(execution.get('overnight')), '')}"
        ),
        "Stops and limits": (
            "A stop that the open has passed fills at the open, not at its level (the gap "
            "decides). A limit fills at its price or better, and only when the bar trades through "
            "it by a tick."
        ),
        "Stop and target in one bar": (
            "Stop first, unless the open decides. Such fills are flagged ambiguous and listed with "
            "the result that the other order of prices would have given."
        ),
        "Slippage and tick": (
            f"{execution.get('slippage_bps', 'n/a')} bp against us on market and stop orders, then "
            f"rounded against us to a tick of {execution.get('tick_usd', 'n/a')} USD."
        ),
        "Commission and fees": _fee_words(execution),
        "Volume": (
            "Orders fill in full whatever a bar's volume."
            if participation is None
            else f"At most {participation:.2%} of a bar's volume; the rest goes on working."
        ),
        "Tape": _tape_words(record),
    }


def _tape_words(record: RunRecord) -> str:
    tape = record.config.get("tape") or {}
    kind = str(tape.get("adjustment"))
    words = ADJUSTMENT.get(kind, "Adjustment not stated.")
    if kind == "raw":
        actions = applied_actions(record)
        applied = (
            f"{len(actions)} corporate actions were applied" if actions else "none was applied"
        )
        words += f" In this run {applied}."
    if record.notes.get("costs_distorted"):
        words += " Per-share costs are distorted: there is no table of splits."
    return words


def _fee_words(execution: Mapping[str, Any]) -> str:
    commission = execution.get("commission")
    if isinstance(commission, Mapping):
        written = ", ".join(f"{name} {value}" for name, value in commission.items())
    else:
        written = str(commission)
    regulatory = "charged" if execution.get("regulatory_fees") else "not charged"
    return (
        f"Commission per order: {written}. Regulatory fees (SEC, FINRA TAF, CAT) by date: "
        f"{regulatory}."
    )


def parameters_section(record: RunRecord) -> str:
    """The resolved config (to copy: JSON is YAML too), and what identifies the run's inputs."""
    return section(
        "parameters",
        "Parameters and hashes",
        "<div class=pair>",
        block(
            "Resolved config",
            "<p class=actions><button type=button id=copy-config>Copy as config file</button>"
            "<span id=copy-said role=status></span></p>",
            _dotted(record.config),
            f"<pre id=config hidden>{text(json.dumps(record.config, indent=2, default=str))}</pre>",
            note="dotted names as --set takes them; every default is filled in",
        ),
        block("Manifest", _dotted(record.manifest), note="versions, hashes and counts of the run"),
        "</div>",
    )


def _dotted(values: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{text(name)}</th><td>{text(value)}</td></tr>"
        for name, value in dotted(values)
    )
    return f"<div class=scroll tabindex=0><table class=dotted><tbody>{rows}</tbody></table></div>"


def dotted(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested mappings as dotted names with their values as JSON, plain strings without quotes."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            rows += dotted(value, f"{path}.")
        elif isinstance(value, str):
            rows.append((path, value))
        elif isinstance(value, Sequence) and all(isinstance(part, str) for part in value):
            rows.append((path, ", ".join(value) or "[]"))
        else:
            rows.append((path, json.dumps(value, default=str)))
    return rows
