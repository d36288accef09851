"""A replay's inputs as blocks of its journal, and back: a journal is a tape."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from daemon import ENGINE_VERSION, __version__
from daemon.core.events import Dividend, Prediction, Split
from daemon.feeds.calendar import Hours
from daemon.feeds.expected import BAR_SIZES_NS, ExpectedSession, expected_session
from daemon.journal.codec import from_bytes, to_bytes
from daemon.journal.reader import JournalReader
from daemon.journal.writer import JournalWriter
from daemon.strategies.loader import strategy_source_sha256
from replay.run import Inputs, Played, applied_actions
from replay.slices import Part, cut

BLOCK_BARS = 65_536
INTEGERS = ("start", "end", "volume")
PRICES = ("open", "high", "low", "close")
_TEXTS_END = "\0"


def journal_manifest(inputs: Inputs) -> dict[str, Any]:
    """What a segment must know to be played again, and the hashes of what decides."""
    window = inputs.window
    return {
        "papertape_version": __version__,
        "engine_version": ENGINE_VERSION,
        "config": inputs.config.resolved(),
        "inputs": inputs_of(inputs),
        "window": {"warm": window.warm, "start": window.start, "end": window.end},
        "volume_known": inputs.tape.has_volume,
        "adjustment": inputs.tape.adjustment,
        "splits": [
            [action.symbol, action.effective, action.numerator, action.denominator]
            for action in inputs.actions
            if isinstance(action, Split)
        ],
        "applied": [_action_row(action) for action in applied_actions(inputs)],
    }


def inputs_of(inputs: Inputs) -> dict[str, Any]:
    """The hashes of everything that decides what a run does."""
    config, tape = inputs.config, inputs.tape
    return {
        "config_sha256": config.sha256,
        "tape": {
            "path": ", ".join(tape.understood.files),
            "sha256": tape.sha256,
            "dialect": tape.understood.dialect,
            "adjustment": tape.adjustment,
        },
        "model": {
            "kind": config.model.kind if config.model else None,
            "sha256": inputs.predictor.sha256 if inputs.predictor else None,
        },
        "strategy": {
            "kind": config.strategy.kind,
            "sha256": strategy_source_sha256(config.strategy_class),
        },
        "calendar": {
            "name": inputs.calendar.name,
            "hash": inputs.calendar.hash,
            "package_version": inputs.calendar.package_version,
        },
        "fee_tables_sha256": inputs.tables.sha256,
        "corporate_actions": [_action_row(action) for action in inputs.actions],
    }


def write_blocks(writer: JournalWriter, played: Played) -> None:
    """Append sessions, bars, predictions and equity of a finished replay."""
    inputs = played.inputs
    sessions = inputs.sessions
    columns = {
        name: to_bytes([getattr(session, name) for session in sessions], "q")
        for name in ("date", "opens", "closes", "next_opens")
    }
    writer.add_block("sessions", "", len(sessions), columns)
    for symbol in inputs.config.symbols:
        part = cut(inputs.tape.columns[symbol], inputs.window.warm, inputs.window.end)
        for begin in range(0, len(part), BLOCK_BARS):
            rows = slice(begin, begin + BLOCK_BARS)
            names = {name: getattr(part, name)[rows] for name in (*INTEGERS, *PRICES)}
            block = {name: to_bytes(values, _code(name)) for name, values in names.items()}
            writer.add_block("bars", symbol, len(names["start"]), block)
    _write_predictions(writer, played.pipeline.predictions)
    _write_gaps(writer, played)
    pipeline = played.pipeline
    for begin in range(0, len(pipeline.ends), BLOCK_BARS):
        ends = pipeline.ends[begin : begin + BLOCK_BARS]
        marks = pipeline.equity[begin : begin + BLOCK_BARS]
        block = {"end": to_bytes(ends, "q"), "equity": to_bytes(marks, "q")}
        writer.add_block("equity", "", len(ends), block)


def _write_predictions(
    writer: JournalWriter, predictions: Sequence[tuple[int, Prediction]]
) -> None:
    by_symbol: dict[str, list[tuple[int, int, Prediction]]] = {}
    for place, (end, prediction) in enumerate(predictions):
        by_symbol.setdefault(prediction.symbol, []).append((place, end, prediction))
    for symbol, rows in by_symbol.items():
        values = [0.0 if row.value is None else row.value for _, _, row in rows]
        columns = {
            "place": to_bytes([place for place, _, _ in rows], "q"),
            "end": to_bytes([end for _, end, _ in rows], "q"),
            "value": to_bytes(values, "d"),
            "failed": bytes(row.value is None for _, _, row in rows),
            "failure": _TEXTS_END.join(row.failure or "" for _, _, row in rows).encode(),
        }
        writer.add_block("predictions", symbol, len(rows), columns)


def _write_gaps(writer: JournalWriter, played: Played) -> None:
    for symbol in played.inputs.config.symbols:
        rows = [gap for gap in played.feed.played.gaps if gap.symbol == symbol]
        if rows:
            columns = {
                "start": to_bytes([gap.start for gap in rows], "q"),
                "end": to_bytes([gap.end for gap in rows], "q"),
                "session": to_bytes([gap.session for gap in rows], "q"),
                "reason": "\n".join(f"{gap.outcome.value} {gap.reason}" for gap in rows).encode(),
            }
            writer.add_block("gaps", symbol, len(rows), columns)


# --- reading back -----------------------------------------------------------------------------


def read_sessions(reader: JournalReader, size: str, grid: str) -> list[ExpectedSession]:
    """The sessions of a journal with the bars expected in them."""
    found = []
    for block in reader.blocks("sessions"):
        names = ("date", "opens", "closes", "next_opens")
        columns = [from_bytes(block.columns[name], "q") for name in names]
        for date, opens, closes, next_opens in zip(*columns, strict=True):
            hours = Hours(int(date), int(opens), int(closes))
            found.append(expected_session(hours, int(next_opens), BAR_SIZES_NS[size], grid))
    return found


def read_bars(reader: JournalReader, symbols: Sequence[str]) -> dict[str, Part]:
    """The bars of a journal as columns by symbol."""
    joined: dict[str, dict[str, array[Any]]] = {
        symbol: {name: array(_code(name)) for name in (*INTEGERS, *PRICES)} for symbol in symbols
    }
    for block in reader.blocks("bars"):
        for name in joined[block.symbol]:
            joined[block.symbol][name] += from_bytes(block.columns[name], _code(name))
    return {
        symbol: Part(**{name: memoryview(column) for name, column in columns.items()})
        for symbol, columns in joined.items()
    }


def read_predictions(reader: JournalReader) -> dict[int, list[Prediction]]:
    """The recorded predictions by bar end, those of one end in the order they were made."""
    found: list[tuple[int, int, Prediction]] = []
    for block in reader.blocks("predictions"):
        columns = block.columns
        places, ends = (from_bytes(columns[name], "q") for name in ("place", "end"))
        values = from_bytes(columns["value"], "d")
        failures = columns["failure"].decode().split(_TEXTS_END)
        rows = zip(places, ends, values, columns["failed"], failures, strict=True)
        for place, end, value, failed, failure in rows:
            prediction = Prediction(block.symbol, None if failed else value, failure or None)
            found.append((int(place), int(end), prediction))
    found.sort(key=itemgetter(0))
    by_end: dict[int, list[Prediction]] = {}
    for _, end, prediction in found:
        by_end.setdefault(end, []).append(prediction)
    return by_end


def read_equity(reader: JournalReader) -> tuple[array[Any], array[Any]]:
    """Bar ends and equity in micro-dollars."""
    ends, equity = array("q"), array("q")
    for block in reader.blocks("equity"):
        ends += from_bytes(block.columns["end"], "q")
        equity += from_bytes(block.columns["equity"], "q")
    return ends, equity


def splits_of(manifest: Mapping[str, Any]) -> list[Split]:
    """The splits a segment's prices were worked out with."""
    return [Split(*row) for row in manifest["splits"]]


def actions_of(manifest: Mapping[str, Any]) -> list[Split | Dividend]:
    """The corporate actions that were applied in a segment."""
    return [
        Split(*row[1:]) if row[0] == "split" else Dividend(*row[1:]) for row in manifest["applied"]
    ]


def _action_row(action: Split | Dividend) -> list[Any]:
    if isinstance(action, Split):
        return ["split", action.symbol, action.effective, action.numerator, action.denominator]
    return ["dividend", action.symbol, action.effective, action.pay_date, action.amount_micros]


def _code(name: str) -> str:
    return "d" if name in PRICES else "q"
