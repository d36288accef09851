"""Every code of the error table, as an answer and as a notice, and what is refused for good."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Pause
from daemon.feeds.ib.errors import HISTORY_TEXTS, ROWS, Meaning, row_of
from tests.fake_gateway import Kind, Step
from tests.fake_gateway.faults import AnyFault, Delay, Refuse, Say
from tests.fake_gateway.texts import words
from tests.ib.feeding import NEW_YORK, TUESDAY, Fed, clock_of, feed, market_of

# Codes as the vendor's pages and people's threads have them, and what must be done (IB.md 7).
EXPECTED: dict[int, Meaning] = {
    165: Meaning.IGNORE,
    200: Meaning.NO_CONTRACT,
    321: Meaning.INVALID,
    322: Meaning.INVALID,
    354: Meaning.NO_PERMISSION,
    366: Meaning.IGNORE,
    420: Meaning.PACING,
    502: Meaning.RECONNECT,
    503: Meaning.RECONNECT,
    504: Meaning.RECONNECT,
    1100: Meaning.UPSTREAM_LOST,
    1101: Meaning.UPSTREAM_BACK,
    1102: Meaning.UPSTREAM_BACK,
    1300: Meaning.RECONNECT,
    2103: Meaning.MARKET_FARM_BROKEN,
    2104: Meaning.MARKET_FARM_OK,
    2105: Meaning.HISTORY_FARM_BROKEN,
    2106: Meaning.HISTORY_FARM_OK,
    2107: Meaning.IGNORE,
    2108: Meaning.IGNORE,
    2110: Meaning.UPSTREAM_LOST,
    2158: Meaning.IGNORE,
    10089: Meaning.NO_PERMISSION,
    10090: Meaning.IGNORE,
    10168: Meaning.NO_PERMISSION,
    10182: Meaning.IGNORE,
    10197: Meaning.COMPETING,
    10225: Meaning.IGNORE,
    10314: Meaning.INVALID,
}
TEXTS = [
    ("pacing", Meaning.PACING),
    ("no_data", Meaning.NO_DATA),
    ("no_permission", Meaning.NO_PERMISSION),
    ("cancelled", Meaning.IGNORE),
    ("other_address", Meaning.COMPETING),
    ("history_farm_down", Meaning.HISTORY_FARM_BROKEN),
]


def step(clock: str, fault: AnyFault) -> Step:
    return Step(at=f"{TUESDAY}T{clock} {NEW_YORK}", fault=fault)


def day(*steps: Step, until: str = "12:00", **more: Any) -> Fed:
    fed = feed(until=until, steps=steps, **more)
    assert fed.broken() == []
    return fed


def test_the_table_is_whole() -> None:
    assert {code: row.meaning for code, row in ROWS.items()} == EXPECTED
    ok = (Meaning.MARKET_FARM_OK, Meaning.HISTORY_FARM_OK)
    told = {*Meaning} - {Meaning.IGNORE, Meaning.NO_DATA, *ok}
    for row in [*ROWS.values(), *(row for _, row in HISTORY_TEXTS)]:
        assert bool(row.line) == (row.meaning in told), row
    assert row_of(12345, "x") == (Meaning.FAILED, "the gateway answered 12345: x")


@pytest.mark.parametrize(("name", "meaning"), TEXTS)
def test_a_162_is_told_apart_by_its_text(name: str, meaning: Meaning) -> None:
    assert row_of(162, words(162, name, symbol="NVDA")).meaning is meaning
    assert row_of(162, "in words that nobody has seen").meaning is Meaning.FAILED


@pytest.mark.parametrize("code", [*ROWS, 12345])
def test_each_code_as_an_answer_is_got_over(code: int) -> None:
    fed = day(step("10:29", Refuse(code=code)), until="12:31")
    assert fed.standing["connection"] == "live"
    assert [end for end, _, _ in fed.told()] == ["10:30", "11:30", "12:30"]
    assert all(one.bars for one in fed.slices)
    assert len(fed.gateway.log.of(Kind.HISTORY)) < 10


@pytest.mark.parametrize("code", [*ROWS, 12345])
def test_each_code_as_a_notice_is_got_over(code: int) -> None:
    fed = day(step("10:29", Say(code=code)), until="12:31")
    assert fed.standing["connection"] == "live"
    assert [end for end, _, _ in fed.told()] == ["10:30", "11:30", "12:30"]
    assert all(one.bars for one in fed.slices)


def test_a_changed_port_says_what_to_change() -> None:
    fed = day(step("10:10", Say(code=1300)))
    line = "the gateway's port was changed: put the new one into the config, feed.port"
    assert ("10:10", "lost", line) in fed.feed_rows()


# --- one symbol of several ----------------------------------------------------------------------


def test_a_symbol_without_permission_does_not_hold_up_the_others() -> None:
    refuse = Refuse(code=162, text="no_permission", symbol="AMD", for_s=86_400)
    fed = day(step("09:00", refuse), symbols=("NVDA", "AMD"), until="13:00")
    assert [one.missing for one in fed.slices] == [("AMD",)] * 3
    assert all(came < f"{end}:07" for end, _, came in fed.told())
    assert fed.holds() == []
    assert fed.standing["connection"] == "live"
    assert fed.standing["state"].startswith(
        "live; AMD: no market data subscription: subscribe in Client Portal, Settings"
    )
    told = [row for row in fed.feed_rows() if row[1] == "symbol_out"]
    assert len(told) == 1
    # once for the warm-up, and once a bar: it is no reason to ask more often
    assert len(fed.gateway.log.of(Kind.HISTORY, "AMD")) == 4


def test_permission_that_is_given_is_noticed() -> None:
    refuse = Refuse(code=354, symbol="AMD", for_s=5_400)
    fed = day(step("09:00", refuse), symbols=("NVDA", "AMD"), until="13:31")
    assert [one.missing for one in fed.slices][-1] == ()
    assert "AMD" not in fed.standing["state"]


def test_without_permission_for_anything_trading_pauses() -> None:
    refuse = Refuse(code=162, text="no_permission", for_s=86_400)
    fed = feed(until="13:00", steps=[step("10:00", refuse)])
    (pause,) = fed.of(Pause)
    assert "NVDA: no market data subscription" in pause.reason
    assert fed.slices == []  # held, not given up: it may be given yet
    assert fed.standing["connection"] == "degraded"
    assert fed.standing["needs_a_person"] is True
    assert str(fed.standing["state"]).count("NVDA: no market data subscription") == 1


def test_an_unknown_symbol_is_named_and_the_others_go_on() -> None:
    market = market_of(("NVDA",))
    fed = feed(until="11:31", market=market, symbols=("NVDA", "NVDAX"))
    assert [one.missing for one in fed.slices] == [("NVDAX",), ("NVDAX",)]
    assert "NVDAX: Interactive Brokers knows no such stock: correct `symbols`" in str(
        fed.standing["state"]
    )
    asked = fed.gateway.log.of(Kind.CONTRACT, "NVDAX")
    assert 5 <= len(asked) <= 25  # from a minute to ten between two


def test_an_ambiguous_symbol_is_named() -> None:
    market = market_of(("NVDA",))
    market.add("NVDA", 999, primary_exchange="MEXI")
    fed = feed(until="10:00", market=market)
    assert "NVDA: 2 US stocks have this symbol" in str(fed.standing["state"])
    assert fed.standing["connection"] == "degraded"


def test_a_contract_that_is_unknown_during_maintenance_stays_known() -> None:
    steps = [
        step("10:10", Refuse(code=200, kind=Kind.CONTRACT, for_s=3_600)),
        step("10:10:01", Say(code=1102)),  # everything is looked up again
    ]
    fed = day(*steps)
    assert [outcome for _, outcome, _ in fed.told()] == ["received", "received"]
    assert [clock_of(one.at_ns) for one in fed.gateway.log.of(Kind.CONTRACT)][-1] == "10:10:01"


def test_a_symbol_that_is_refused_for_no_known_reason_is_left_out() -> None:
    refuse = Refuse(code=1, text="nobody knows what this is", symbol="AMD", for_s=7_200)
    fed = day(step("10:00", refuse), symbols=("NVDA", "AMD"), until="12:31")
    assert [(clock_of(one.end), len(one.bars), one.missing) for one in fed.slices] == [
        ("10:30", 1, ("AMD",)),
        ("11:30", 1, ("AMD",)),
        ("11:30", 1, ()),  # it comes with the next one
        ("12:30", 2, ()),
    ]
    out = [row for row in fed.feed_rows() if row[1] == "symbol_out"]
    assert [row[2] for row in out] == ["AMD: the gateway answered 1: nobody knows what this is"]
    assert len(fed.gateway.log.of(Kind.HISTORY, "AMD")) < 15


def test_a_class_of_shares_has_a_blank_at_the_gateway() -> None:
    fed = feed(until="10:31", market=market_of(("BRK B",)), symbols=("BRK.B",))
    assert fed.gateway.log.of(Kind.CONTRACT)[0].request.fields[4] == "BRK B"
    assert [bar.symbol for bar in fed.slices[0].bars] == ["BRK.B"]


def test_eight_symbols_keep_to_six_requests_at_once() -> None:
    symbols = tuple(f"S{number}" for number in range(8))
    slow = Delay(by_s=3.0, for_s=86_400)
    fed = day(step("10:00", slow), symbols=symbols, until="11:31")
    assert max(entry.open_history for entry, _ in fed.gateway.log.history()) == 6
    assert [len(one.bars) for one in fed.slices] == [8, 8]
    assert [one.outcome for one in fed.slices] == ["received", "received"]
