"""Bars drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.data.series import Numbers
from daemon.feeds.times import zone_text
from daemon.text_table import EXCHANGE_ZONE, marked

HEIGHT = 14
_BLOCKS = "▁▂▃▄▅▆▇█"
_BODY, _WICK = "┃", "│"
_PLAIN = {_BODY: "#", _WICK: "|", "▁": "."} | dict.fromkeys(_BLOCKS[1:], "#")

Bars = Sequence[tuple[int, Numbers]]
"""Starts and numbers, in order."""


def chart(bars: Bars, height: int = HEIGHT, *, plain: bool = True) -> list[str]:
    """Candles of the bars, one column each, prices at the right; below them volumes and days.

    Bars that close below their open are red on a terminal, the others green.
    """
    top = max(numbers.high for _, numbers in bars)
    bottom = min(numbers.low for _, numbers in bars)
    step = (top - bottom) / height or 1.0
    lines = []
    for row in range(height):
        ceiling = top - row * step
        cells = [_cell(numbers, ceiling - step, ceiling, plain=plain) for _, numbers in bars]
        label = ceiling - step / 2
        lines.append(f"{''.join(cells)} {label:>10,.2f}")
    if any(numbers.volume > 0 for _, numbers in bars):
        lines.append(f"{_volumes(bars)}     volume")
    lines.append(_days(bars))
    return [line.rstrip() for line in lines]


def _cell(numbers: Numbers, floor: float, ceiling: float, *, plain: bool) -> str:
    """What a bar has between two prices: a part of its body, of its wick, or nothing."""
    high, low = max(numbers.open, numbers.close), min(numbers.open, numbers.close)
    if low <= ceiling and high >= floor:
        mark = _BODY
    elif numbers.low <= ceiling and numbers.high >= floor:
        mark = _WICK
    else:
        return " "
    return marked(mark, "red" if numbers.close < numbers.open else "green", plain=plain)


def _volumes(bars: Bars) -> str:
    most = max(numbers.volume for _, numbers in bars)
    parts = (max(numbers.volume, 0) * (len(_BLOCKS) - 1) / most for _, numbers in bars)
    return "".join(_BLOCKS[round(part)] for part in parts)


def _days(bars: Bars) -> str:
    """Each session's date under its first bar, where there is room for it."""
    line, before = "", ""
    for place, (start, _) in enumerate(bars):
        day = zone_text(start, EXCHANGE_ZONE)[:10]
        if day != before and place >= len(line):
            line = line.ljust(place) + day[5:] + " "
        before = day
    return line


def drawable(text: str, encoding: str) -> str:
    """The same in plain characters where an encoding has no others."""
    if "utf" in encoding.lower():
        return text
    return "".join(_PLAIN.get(mark, mark) for mark in text)
