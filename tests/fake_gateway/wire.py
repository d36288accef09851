"""Frames of the gateway's protocol: a length of four bytes, then fields that each end in NUL."""

from __future__ import annotations

import struct
from collections.abc import Iterator

PREFIX_BYTES = 4
FRAME_BYTES_MAX = 0xFFFFFF
GREETING = b"API\0"


class ProtocolError(Exception):
    """What a client sent is no frame; the connection cannot go on."""


def frame(*fields: object) -> bytes:
    """Encode one message; None is an empty field, booleans are 1 and 0."""
    payload = b"".join(_text(field).encode() + b"\0" for field in fields)
    return struct.pack(">I", len(payload)) + payload


def _text(field: object) -> str:
    if field is None:
        return ""
    if isinstance(field, bool):
        return "1" if field else "0"
    return str(field)


class Unframer:
    """Collect bytes as they come, split or joined, and give whole payloads."""

    def __init__(self) -> None:
        self._bytes = b""
        self._greeted = False

    def payloads(self, data: bytes) -> Iterator[bytes]:
        """Yield each payload that is complete; the greeting before the first is taken off."""
        self._bytes += data
        if not self._greeted:
            if len(self._bytes) < len(GREETING):
                return
            if not self._bytes.startswith(GREETING):
                raise ProtocolError(f"expected {GREETING!r}, received {self._bytes[:20]!r}")
            self._bytes = self._bytes[len(GREETING) :]
            self._greeted = True
        while len(self._bytes) >= PREFIX_BYTES:
            (length,) = struct.unpack(">I", self._bytes[:PREFIX_BYTES])
            if length > FRAME_BYTES_MAX:
                raise ProtocolError(f"a frame of {length} bytes")
            if len(self._bytes) < PREFIX_BYTES + length:
                return
            payload = self._bytes[PREFIX_BYTES : PREFIX_BYTES + length]
            self._bytes = self._bytes[PREFIX_BYTES + length :]
            yield payload


def fields_of(payload: bytes) -> list[str]:
    """Split a payload into its fields."""
    fields = payload.decode(errors="backslashreplace").split("\0")
    return fields[:-1] if fields[-1] == "" else fields
