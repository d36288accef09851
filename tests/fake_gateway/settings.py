"""What kind of gateway is faked; every value may differ from gateway to gateway."""

from __future__ import annotations

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
    stream_every_s: float = 5.0  # how often a bar that is kept up to date is sent
