"""Put one entry into the text of `STATE/calendar.yaml` and leave everything else as it stands.

The text is not written anew: people keep comments in it. An entry goes behind the last one of its
kind, in the form that those have, or at the end under a key of its own.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from daemon.errors import RefusedError
from daemon.feeds.calendar_overlay import compose, parse_overlay
from daemon.feeds.times import parse_date


def with_entry(text: str, file: Path, day: str, clock: str | None, reason: str) -> str:
    """The text with a closure on `day` (2025-01-09), or an early close at `clock` (13:00).

    RefusedError, with what to write by hand, where the text has a form that cannot be added to.
    """
    key = "closures" if clock is None else "early_closes"
    entry = day if clock is None else f'{day}: "{clock}"'
    added = _added(text, compose(text, file), key, entry, reason)
    if _said(added, file) != _joined(_said(text, file), day, clock):
        raise RefusedError(f"{file}: put {entry} into its {key} by hand: its form is not added to")
    return added


def _said(text: str, file: Path) -> dict[int, str] | None:
    """What a text says of each date, None where it cannot be read."""
    try:
        overlay = parse_overlay(text, file)
    except RefusedError:
        return None
    closed = dict.fromkeys(overlay.closures, "closed")
    return closed | {date: clock for date, (clock, _) in overlay.early_closes.items()}


def _joined(said: dict[int, str] | None, day: str, clock: str | None) -> dict[int, str] | None:
    return None if said is None else said | {parse_date(day): clock or "closed"}


def _added(text: str, root: yaml.Node | None, key: str, entry: str, reason: str) -> str:
    remark = f"   # {reason}" if reason else ""
    places = {} if root is None else {one.value: (one, value) for one, value in root.value}
    if key not in places:
        dash = "- " if key == "closures" else ""
        return _on_new_line(text, len(text), f"{key}:\n  {dash}{entry}{remark}")
    written, node = places[key]
    if node.flow_style:
        last = _last(node)
        at = node.start_mark.index + 1 if last is None else last.end_mark.index
        text = text[:at] + (entry if last is None else f", {entry}") + text[at:]
        day = entry.partition(":")[0]
        # A comment would hide what stands behind it on the same line.
        above = f"# {day}: {reason}\n" if reason else ""
        begins = text.rfind("\n", 0, written.start_mark.index) + 1
        return text[:begins] + above + text[begins:]
    last = _last(node)
    assert last is not None, "a list without brackets has an item"
    dash = "- " if isinstance(node, yaml.SequenceNode) else ""
    line = " " * node.start_mark.column + dash + entry + remark
    end = text.find("\n", last.end_mark.index)
    return _on_new_line(text, len(text) if end < 0 else end + 1, line)


def _last(node: yaml.CollectionNode) -> yaml.Node | None:
    """The last item of a list, the last value of a mapping."""
    last: yaml.Node | tuple[yaml.Node, yaml.Node] | None = node.value[-1] if node.value else None
    return last[1] if isinstance(last, tuple) else last


def _on_new_line(text: str, at: int, line: str) -> str:
    before = text[:at]
    if before and not before.endswith("\n"):
        before += "\n"
    return f"{before}{line}\n{text[at:]}"
