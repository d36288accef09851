"""What a reload would change: limits and observability, and nothing else.

The file is validated whole before anything happens; a mistake in it, or a change of anything that
a reload cannot change, is refused by name and the config in force stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.assembly import limits_of
from daemon.config import Config, load_config
from daemon.config.models import UNHASHED
from daemon.core.events import Reload
from daemon.core.trading_state import HoldSource
from daemon.errors import RefusedError
from daemon.live.segments import changed_keys

if TYPE_CHECKING:
    from daemon.live.running import Live

RELOADABLE = frozenset({"risk", *UNHASHED})


@dataclass(frozen=True, slots=True)
class Reloading:
    """The new config, its changes as texts, and the command they need (None: no limit changes)."""

    config: Config
    changes: tuple[str, ...]
    make: Callable[[int], Reload] | None


def plan_reload(live: Live) -> Reloading:
    """Compare the file with what is in force; RefusedError where it cannot be taken over."""
    old = live.config
    path = old.path.absolute()  # whoever reads of it may be in another folder
    try:
        new = load_config(path, live.overrides, state=live.state.path)
    except RefusedError as error:
        raise RefusedError(
            *error.lines, "nothing was reloaded: the config in force stays"
        ) from error
    changed = list(changed_keys(old.resolved(), new.resolved()))
    fixed = [key for key, _, _ in changed if key.partition(".")[0] not in RELOADABLE]
    if fixed:
        raise RefusedError(
            f"{path}: {', '.join(fixed)} cannot be reloaded: the config in force stays; "
            f"restart the daemon to change it (a new segment)"
        )
    changes = tuple(f"{key}: {_text(was)} → {_text(now)}" for key, was, now in changed)
    risk = tuple(
        text for text, (key, _, _) in zip(changes, changed, strict=True) if key.startswith("risk.")
    )
    if not risk:
        return Reloading(new, changes, None)

    def make(now: int) -> Reload:
        return Reload(
            now,
            HoldSource.OPERATOR,
            "; ".join(risk),
            limits_of(new),
            new.resolved()["risk"],
            risk,
        )

    return Reloading(new, changes, make)


def _text(value: object) -> str:
    if value is None:
        return "off"
    if isinstance(value, dict) and set(value) == {"limit", "action"}:
        return f"{value['limit']:g} ({value['action']})"
    return str(value).lower() if isinstance(value, bool) else str(value)
