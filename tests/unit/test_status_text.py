"""The standing as text: what stands on the lines that only trouble shows."""

from __future__ import annotations

from typing import Any

from daemon.control.status_text import render

DOCUMENT: dict[str, Any] = {
    "name": "nvda-hourly",
    "daemon": {"running": True, "process": 7, "started": "2024-01-02T14:00:00Z", "blocked": None},
    "state": "ACTIVE",
    "holds": [],
    "latched": False,
    "latch": None,
    "flatten": False,
    "flattening": False,
    "warming": None,
    "equity_usd": 100_000.0,
    "day_pnl_usd": 0.0,
    "total_pnl_usd": 0.0,
    "drawdown_pct": 0.0,
    "positions": [],
    "orders": [],
    "feed": {"kind": "tape", "state": "up, 60 x"},
    "last_bars": {"NVDA": "2024-01-02T15:30:00Z"},
    "versions": {
        "papertape": "1",
        "engine": 3,
        "strategy": "threshold",
        "model": {"kind": None, "sha256": None},
    },
    "last_turn": 12,
    "segment": 1,
    "digest": "0123456789abcdef",
}
HELD = {
    "symbol": "NVDA",
    "quantity": 100,
    "average_usd": 50.0,
    "close_usd": 49.5,
    "unrealised_usd": -50.0,
    "has_stop": False,
}
PAUSE = {"source": "feed", "level": "PAUSED", "since": "2024-01-02T15:32:00Z", "reason": "silent"}
HALT = {"source": "operator", "level": "HALTED", "since": "2024-01-02T15:32:00Z", "reason": "x"}


def lines(**changes: Any) -> list[str]:
    return render({**DOCUMENT, **changes}).splitlines()


def test_all_is_well() -> None:
    assert lines() == [
        "account   nvda-hourly   process 7, up since 2024-01-02 09:00",
        "trading   ACTIVE",
        "equity    100,000.00 USD   today +0.00   total +0.00   drawdown 0.00 %",
        "position  flat",
        "feed      tape: up, 60 x",
        "last bar  NVDA 2024-01-02 10:30",
        "versions  papertape 1, engine 3, strategy threshold, model none",
        "journal   turn 12, segment 1, digest 0123456789ab",
    ]


def test_a_turn_that_cannot_be_stored_is_not_in_the_journal() -> None:
    blocked = {**DOCUMENT["daemon"], "blocked": "the disk is full"}
    said = lines(daemon=blocked)
    assert said[0] == "account   nvda-hourly   process 7, up since 2024-01-02 09:00   BLOCKED"
    assert said[1] == "          the disk is full (`papertape kill` works all the same)"
    assert said[-1] == "journal   turn 12 (not stored yet), segment 1, digest 0123456789ab"


def test_what_a_halt_leaves_and_what_lifts_it() -> None:
    said = lines(state="HALTED", holds=[HALT], positions=[HELD])
    assert said[1:4] == [
        "trading   HALTED",
        "          HALTED by operator since 2024-01-02 10:32: x",
        "          `papertape reset --reason TEXT` lifts it",
    ]
    assert said[5:7] == [
        "position  +100 NVDA at 50.0000, last 49.50, -50.00   no stop",
        "          `papertape kill --flatten` closes it",
    ]
    closing = lines(state="HALTED", holds=[HALT], positions=[HELD], flattening=True)
    assert "          `papertape kill --flatten` closes it" not in closing


def test_the_hold_of_the_feed_alone_needs_nobody() -> None:
    assert lines(state="PAUSED", holds=[PAUSE])[2:4] == [
        "          PAUSED by feed since 2024-01-02 10:32: silent",
        "          a stable feed lifts it",
    ]


def test_a_latch_says_why_where_no_hold_does() -> None:
    latch = {"when": "", "source": "restore", "reason": "restored 2024-01-02T15:30:00Z"}
    said = lines(latched=True, latch=latch)
    assert said[1:4] == [
        "trading   HALTED by the latch (ACTIVE in the journal: its turn is not committed yet)",
        "latch     set by restore: restored 2024-01-02 10:30",
        "          `papertape reset --reason TEXT` lifts it",
    ]
    touched = {"when": "", "source": "", "reason": ""}
    assert "latch     set" in lines(latched=True, latch=touched, daemon={"running": False})


def test_quarantined_bars_stand_below_the_gaps() -> None:
    aside = {"symbol": "NVDA", "start": "2024-01-02T15:30:00Z", "reason": "a spike"}
    feed = {**DOCUMENT["feed"], "gaps": {"quarantined": 1}, "quarantined": [aside]}
    said = lines(feed=feed)
    assert said[6:9] == [
        "gaps      1 quarantined",
        "          quarantined: NVDA 2024-01-02 10:30, a spike",
        "          `papertape data release SYMBOL START` or `data reject` judges one",
    ]
