"""How turns and columns are written down, and the hashes over them."""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from daemon.core.events import Commands, Input, MarketSlice, Prediction, Tick
from daemon.core.outputs import Output

_encoder = msgspec.json.Encoder(order="deterministic")
_outputs = msgspec.json.Decoder(tuple[Output, ...])
_slice = msgspec.json.Decoder(MarketSlice)
_tick = msgspec.json.Decoder(Tick)
_command: msgspec.json.Decoder[Commands] = msgspec.json.Decoder(Commands)
_predictions = msgspec.json.Decoder(tuple[Prediction, ...])
_columns = msgspec.msgpack.Decoder(dict[str, bytes])

GENESIS = hashlib.sha256(b"papertape").digest()
"""What the first row of a chain follows."""


def encode_outputs(outputs: Sequence[Output]) -> str:
    """A turn's outputs as JSON."""
    return _json(outputs)


def decode_outputs(text: str) -> tuple[Output, ...]:
    """The outputs of a turn; msgspec.DecodeError where they are not what was written."""
    return _outputs.decode(text)


def encode_input(item: Input) -> tuple[str, str]:
    """The kind of a turn's input, and the input as JSON."""
    return kind_of(item), _json(item)


def decode_input(kind: str, text: str) -> Input:
    """The input of a turn; msgspec.DecodeError where it is not what was written."""
    if kind == "slice":
        return _slice.decode(text)
    return _tick.decode(text) if kind == "tick" else _command.decode(text)


def kind_of(item: Input) -> str:
    """What the column `kind` says of an input."""
    if isinstance(item, MarketSlice):
        return "slice"
    return "tick" if isinstance(item, Tick) else "command"


def encode_predictions(predictions: Sequence[Prediction]) -> str | None:
    """A turn's predictions as JSON; None where there are none."""
    return _json(predictions) if predictions else None


def decode_predictions(text: str | None) -> tuple[Prediction, ...]:
    """The predictions of a turn; msgspec.DecodeError where they are not what was written."""
    return () if text is None else _predictions.decode(text)


def encode_values(values: object) -> str:
    """A manifest or an account's values as JSON; what is JSON already stays as it is."""
    return values if isinstance(values, str) else _json(values)


def decode_command(text: str) -> Commands:
    """A command from its JSON."""
    return _command.decode(text)


def _json(value: object) -> str:
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        # Half a character, as undecodable file names and arguments carry: no fault of the turn.
        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace").decode()


def encode_columns(columns: Mapping[str, bytes]) -> bytes:
    """Named columns as one blob; each is a little-endian array of 8-byte values, or text."""
    return msgspec.msgpack.encode(dict(columns))


def decode_columns(blob: bytes) -> dict[str, bytes]:
    """The columns of a block by name."""
    return _columns.decode(blob)


def to_bytes(values: Iterable[int] | Iterable[float], typecode: str) -> bytes:
    """A column as little-endian bytes; `typecode` is `q` (integers) or `d` (floats)."""
    column = values if isinstance(values, array) else array(typecode, values)
    if sys.byteorder == "big":
        column = array(typecode, column)
        column.byteswap()
    return column.tobytes()


def from_bytes(data: bytes, typecode: str) -> array[Any]:
    """A column from its little-endian bytes."""
    column: array[Any] = array(typecode)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def chained(previous: bytes, *parts: object) -> bytes:
    """The hash of a row that follows the row hashed `previous`."""
    return hashlib.sha256(previous + msgspec.msgpack.encode(parts)).digest()


NO_OUTPUTS = "[]"


class Digest:
    """The digest of a run: equal digests mean equal trading.

    sha256 over (a) every output in order, without seq, run id, wall times and versions, and (b)
    the columns bar end and equity in micro-dollars.
    """

    def __init__(self) -> None:
        self._outputs = hashlib.sha256()

    def add(self, encoded: str) -> None:
        """Take the outputs of the next turn, as `encode_outputs` wrote them.

        A turn without any, such as that of a note, trades as no turn at all does.
        """
        if encoded != NO_OUTPUTS:
            self._outputs.update(encoded.encode())

    def hexdigest(self, ends: array[int], equity: array[int]) -> str:
        """The digest, given the columns."""
        whole = hashlib.sha256(self._outputs.digest())
        whole.update(to_bytes(ends, "q"))
        whole.update(to_bytes(equity, "q"))
        return whole.hexdigest()
