"""A key of the config is misspelt, unknown or there twice -> exit 78 with file, line and the
nearest name, every mistake at once; nothing is started and no state directory is touched.
"""

from __future__ import annotations

import pytest

from tests.faults.conftest import Daemons
from tests.faults.trouble import refusal
from tests.replay.workshop import CONFIG, Workshop

CASES = [
    ("symbols:", "simbols:", "2:1: simbols: unknown key (did you mean 'symbols'?)"),
    ("{size: 1h}", "{size: 1h, sise: 2h}", "3:18: bars.sise: unknown key (did you mean 'size'?)"),
    (
        "max_orders_per_day",
        "max_order_per_day",
        "6:27: risk.max_order_per_day: unknown key (did you mean 'max_orders_per_day'?)",
    ),
    ("quantity: 100", "quantities: 100", "5:56: strategy.params.quantities: unknown"),
    ("name: shop", "name: shop\nname: shop", "2:1: name: duplicate key (first at line 1)"),
    ("fast: 3", "fast: 3, fast: 4", "5:47: strategy.params.fast: duplicate key"),
]


@pytest.mark.parametrize(("old", "new", "line"), CASES)
def test_a_mistake_is_named_with_its_place(
    shop: Workshop, daemons: Daemons, old: str, new: str, line: str
) -> None:
    assert old in CONFIG
    shop.config.write_text(CONFIG.replace(old, new))
    before = sorted(path.name for path in shop.state.iterdir())
    said = refusal(daemons())
    assert f"{shop.config}:{line}" in said
    assert sorted(path.name for path in shop.state.iterdir()) == before


def test_all_mistakes_are_told_at_once(shop: Workshop) -> None:
    text = CONFIG
    for old, new, _ in CASES[:3]:
        text = text.replace(old, new)
    shop.config.write_text(text)
    answer = shop.type("config", "check", str(shop.config))
    assert answer.code == 78
    for _, _, line in CASES[:3]:
        assert line in answer.out
    assert "symbols: required key is missing" in answer.out


def test_a_limit_is_never_dropped_by_a_second_one(shop: Workshop, daemons: Daemons) -> None:
    """PyYAML alone would keep the last of two, silently."""
    shop.config.write_text(
        CONFIG.replace("risk: {", "risk: {max_daily_loss_usd: 10, max_daily_loss_usd: 1000000, ")
    )
    assert "risk.max_daily_loss_usd: duplicate key" in refusal(daemons())
