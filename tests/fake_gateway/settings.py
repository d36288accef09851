"""What kind of gateway is faked; every value may differ from gateway to gateway."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's configuration, as a person would set it in its window, and its habits."""

    server_version: int = 176
    accounts: tuple[str, ...] = ("DU1234567",)
    first_order_id: int = 1
    read_only: bool = True  # "Read-Only API": requests about orders are refused
    close_on_326: bool = True  # whether a client id in use also closes the connection
    client_id_linger_s: float = 0.0  # how long an id stays taken after its connection broke
    notices: tuple[int, ...] = (2104, 2106, 2158)  # said to each client right after its start
    legal_steps: bool = True  # refuse durations that the vendor's table does not allow for a size
    enforce_pacing: bool = True  # answer requests beyond the vendor's limits with error 162
    history_max: int = 60  # requests for bars within ten minutes, where pacing is enforced
    # Nobody has seen whether "2 D" counts sessions or days, and whether a bar that began before the
    # asked span is shown: a client must be right either way.
    days: Literal["sessions", "calendar"] = "sessions"
    first_bar: Literal["inside", "overlapping"] = "inside"
    stream_every_s: float = 5.0  # how often a bar that is kept up to date is sent
