"""Made-up prices: a seeded walk in cents that looks like a stock and means nothing."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from tests.fake_gateway.market import MarketBar
from tests.fake_gateway.sessions import SIZES_NS


def walk(
    starts: Iterable[int], bar_size: str, seed: int, first_price: float = 100.0
) -> list[MarketBar]:
    """Return a bar for each start; the same seed makes the same bars.

    Low < open, close < high and a volume of thousands, so that a part of a bar is never equal to
    the whole of it.
    """
    random = Random(seed)
    size_ns = SIZES_NS[bar_size]
    cents = round(first_price * 100)
    bars = []
    for start_ns in starts:
        open_cents = max(500, cents + random.randint(-5, 5))
        cents = max(500, open_cents + random.randint(-60, 60))
        high = max(open_cents, cents) + random.randint(1, 30)
        low = min(open_cents, cents) - random.randint(1, 30)
        bars.append(
            MarketBar(
                start_ns,
                start_ns + size_ns,
                open_cents / 100,
                high / 100,
                low / 100,
                cents / 100,
                float(random.randint(1_000, 90_000)),
                count=random.randint(10, 900),
            )
        )
    return bars
