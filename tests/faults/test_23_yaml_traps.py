"""A value that YAML takes for something else (16:00, NO, 0123, .nan) -> a typed error with its
place or the text as it stands, never a number that nobody wrote; no limit without a number.
"""

from __future__ import annotations

import pytest

from tests.faults.conftest import Daemons
from tests.faults.trouble import refusal
from tests.replay.workshop import CONFIG, Workshop

REFUSED = [
    # as YAML 1.1 reads it, the left one would be: 960, 83, 1000, true, infinite, not a number
    ("account: {cash_usd: 16:00}", "account.cash_usd: expected a number, got '16:00'"),
    ("account: {cash_usd: 0123}", "account.cash_usd: expected a number, got '0123'"),
    ("account: {cash_usd: 1_000}", "account.cash_usd: expected a number, got '1_000'"),
    ("account: {cash_usd: yes}", "account.cash_usd: expected a number, got 'yes'"),
    ("account: {cash_usd: .inf}", "account.cash_usd: expected a number, got '.inf'"),
    ("account: {cash_usd: .nan}", "account.cash_usd: expected a number, got '.nan'"),
    ("account: {cash_usd: 0x10}", "account.cash_usd: expected a number, got '0x10'"),
    ("execution: {regulatory_fees: 'no'}", "execution.regulatory_fees: expected true or false"),
    ("execution: {slippage_bps: -.inf}", "execution.slippage_bps: expected a number"),
]
LIMITS = [".nan", ".inf", "-.inf", "1e999", "NaN", "~x", "-5"]


@pytest.mark.parametrize(("line", "words"), REFUSED)
def test_a_value_is_never_guessed(shop: Workshop, line: str, words: str) -> None:
    shop.config.write_text(CONFIG + line + "\n")
    answer = shop.type("config", "check", str(shop.config))
    assert answer.code == 78
    assert f"{shop.config}:7:" in answer.out
    assert words in answer.out


@pytest.mark.parametrize("value", LIMITS)
def test_a_limit_that_limits_nothing_is_refused(shop: Workshop, value: str) -> None:
    shop.config.write_text(CONFIG.replace("risk: {", f"risk: {{max_daily_loss_usd: {value}, "))
    answer = shop.type("config", "check", str(shop.config))
    assert answer.code == 78
    assert f"{shop.config}:6:" in answer.out
    assert "risk.max_daily_loss_usd: " in answer.out


def test_the_daemon_refuses_it_too(shop: Workshop, daemons: Daemons) -> None:
    shop.config.write_text(CONFIG.replace("risk: {", "risk: {max_daily_loss_usd: .nan, "))
    assert "risk.max_daily_loss_usd" in refusal(daemons())


@pytest.mark.parametrize("symbol", ["NO", "ON", "Y", "TRUE", "NULL"])
def test_a_ticker_that_looks_like_a_word_of_yaml_is_a_ticker(shop: Workshop, symbol: str) -> None:
    shop.config.write_text(CONFIG.replace("[NVDA]", f"[{symbol}]"))
    answer = shop.type("config", "show", str(shop.config), "--json")
    assert answer.code == 0
    assert f'"{symbol}"' in answer.out


def test_numbers_people_write_are_numbers(shop: Workshop) -> None:
    shop.config.write_text(CONFIG + "account: {cash_usd: 1e5}\n")
    answer = shop.type("config", "show", str(shop.config), "--json")
    assert answer.code == 0
    assert '"cash_usd": 100000.0' in answer.out
