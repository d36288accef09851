"""Predictions recorded in a file: CSV with `ts,symbol,value`, or the same in a zip.

* `ts` is the end of the bar the prediction was made at, ISO-8601 with its zone
  (2024-01-02T15:30:00Z).
* `value` is the fractional return expected of the next bar. An empty cell, NaN or infinity is a
  failed prediction; where a column `failure` exists it says why (a run's own predictions.csv can
  be played again as it is). No row at all is no prediction. Other columns are not read.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path

from daemon.core.events import MarketSlice, Prediction
from daemon.errors import RefusedError

NOT_FINITE = "not finite"
MAX_PROBLEMS = 20


class Recorded:
    """Hands out what was recorded for the end of each slice.

    `sha256` is of the file's bytes. `rows` counts the rows of our symbols, `other_rows` those of
    symbols that are not traded.
    """

    warmup_bars = 0

    def __init__(
        self, by_end: Mapping[int, tuple[Prediction, ...]], sha256: str, rows: int, other_rows: int
    ) -> None:
        self.sha256 = sha256
        self.rows = rows
        self.other_rows = other_rows
        self._by_end = by_end

    def predict(self, market: MarketSlice) -> Sequence[Prediction]:
        """See `Predictor`; empty where nothing was recorded for this instant."""
        return self._by_end.get(market.end, ())

    def warm(self, market: MarketSlice) -> None:
        """Nothing is remembered."""


def read_predictions(path: Path, symbols: Sequence[str]) -> Recorded:
    """Read the whole file; RefusedError lists its faults as file:line, the first twenty."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RefusedError(f"{path}: the predictions cannot be read ({error.strerror})") from None
    name, text = _text(path, content)
    reader = _Reader(name, symbols)
    try:
        reader.read(text)
    except csv.Error as error:
        reader.note(reader.line, f"not a CSV ({error})")
    if reader.problems:
        raise RefusedError(*reader.problems)
    return Recorded(
        reader.by_end(), hashlib.sha256(content).hexdigest(), reader.rows, reader.other_rows
    )


def _text(path: Path, content: bytes) -> tuple[str, str]:
    """What to call the file in messages, and its text."""
    name = str(path)
    if content[:4] == b"PK\x03\x04":
        name, content = _unzipped(path, content)
    try:
        return name, content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefusedError(f"{name}: not a CSV file in UTF-8, nor a zip of one") from None


def _unzipped(path: Path, content: bytes) -> tuple[str, bytes]:
    import zipfile  # 10 ms that a plain CSV does not pay

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [info.filename for info in archive.infolist() if not info.is_dir()]
            if len(members) != 1:
                raise RefusedError(
                    f"{path}: a zip of predictions must hold one file, not {len(members)}"
                )
            return f"{path}/{members[0]}", archive.read(members[0])
    except zipfile.BadZipFile as error:
        raise RefusedError(f"{path}: not a readable zip ({error})") from None


class _Reader:
    """Rows into predictions; every fault noted with its line."""

    def __init__(self, name: str, symbols: Sequence[str]) -> None:
        self.problems: list[str] = []
        self.other_rows = 0
        self.line = 1
        self._name = name
        self._symbols = symbols
        self._found: dict[str, dict[int, Prediction]] = {symbol: {} for symbol in symbols}
        self._first_lines: dict[tuple[str, int], int] = {}

    @property
    def rows(self) -> int:
        return sum(len(found) for found in self._found.values())

    def by_end(self) -> dict[int, tuple[Prediction, ...]]:
        """Predictions by the end of their bar, in the order of the config's symbols."""
        merged: dict[int, tuple[Prediction, ...]] = {}
        for symbol in self._symbols:
            for end, prediction in self._found[symbol].items():
                merged[end] = (*merged.get(end, ()), prediction)
        return merged

    def note(self, line: int, problem: str) -> None:
        """Keep a fault for the error to come."""
        self.problems.append(f"{self._name}:{line}: {problem}")

    def read(self, text: str) -> None:
        """Take every row in, stopping after MAX_PROBLEMS faults."""
        rows = csv.reader(io.StringIO(text, newline=""))
        header = [cell.strip().lower() for cell in next(rows, [])]
        if missing := [name for name in ("ts", "symbol", "value") if name not in header]:
            self.note(1, f"no column {', '.join(missing)}; the header must be ts,symbol,value")
            return
        ts, symbol, value = (header.index(name) for name in ("ts", "symbol", "value"))
        failure = header.index("failure") if "failure" in header else None
        for cells in rows:
            if not cells:
                continue
            self.line = rows.line_num
            try:
                if len(cells) < len(header):
                    raise ValueError(f"{len(cells)} cells where the header has {len(header)}")
                why = "" if failure is None else cells[failure].strip()
                self._row(cells[ts].strip(), cells[symbol].strip(), cells[value].strip(), why)
            except ValueError as error:
                self.note(self.line, str(error))
                if len(self.problems) == MAX_PROBLEMS:
                    self.problems.append(f"{self._name}: and perhaps more; stopped reading here")
                    return

    def _row(self, stamp: str, symbol: str, value: str, failure: str) -> None:
        end = _instant(stamp)
        prediction = _prediction(symbol, value, failure)
        found = self._found.get(symbol)
        if found is None:
            self.other_rows += 1
            return
        if end in found:
            raise ValueError(
                f"a second prediction for {symbol} at {stamp}; the first is in line "
                f"{self._first_lines[symbol, end]}"
            )
        found[end] = prediction
        self._first_lines[symbol, end] = self.line


def _prediction(symbol: str, value: str, failure: str) -> Prediction:
    if not symbol:
        raise ValueError("no symbol")
    if not value:
        # pandas writes NaN as an empty cell
        return Prediction(symbol, None, failure or NOT_FINITE)
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"value {value!r} is not a number") from None
    if not isfinite(number):
        return Prediction(symbol, None, failure or NOT_FINITE)
    return Prediction(symbol, number)


def _instant(stamp: str) -> int:
    """ISO-8601 with a zone as UTC nanoseconds; ValueError says what is wrong."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        raise ValueError(f"ts {stamp!r} is not a time like 2024-01-02T15:30:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"ts {stamp!r} has no zone; write 2024-01-02T15:30:00Z or +00:00")
    # a float holds the microseconds of any year up to 2255 exactly
    return round(moment.timestamp() * 1_000_000) * 1000
