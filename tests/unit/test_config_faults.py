"""The faults of a tape feed, and the patience that both feeds share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.config import TapeFeedConfig, load_config
from daemon.config.faults import ReviseFault, WithholdFault
from daemon.feeds.clock_rules import ClockRules, clock_rules
from daemon.feeds.times import parse_iso
from tests.unit.config_files import FOUR_LINES, complaints, load

HEAD = FOUR_LINES + "tape: {}\nfeed: {kind: tape, faults: ["
AT = "c.yaml:6:"

FAULTS = """\
feed:
  kind: tape
  faults:
    - {kind: withhold, bar: 2024-01-03 10:30, for_s: 300, symbol: NVDA}
    - {kind: drop, bar: 2024-01-03T11:30}
    - {kind: lost, at: 2024-07-03 12:00, for_s: 1800}
    - {kind: silent, at: 2024-01-05T17:00Z, for_s: 7200.5}
    - {kind: duplicate, bar: 2024-01-08 09:30 Europe/Berlin}
    - {kind: revise, bar: 2024-01-08 10:30, close: 101.5}
    - {kind: quarantine, bar: 2024-01-08 11:30}
"""


def test_each_kind_is_read_and_written_back(tmp_path: Path) -> None:
    config = load(tmp_path, FOUR_LINES + "tape: {}\n" + FAULTS)
    feed = config.feed
    assert isinstance(feed, TapeFeedConfig)
    kinds = [fault.kind for fault in feed.faults]
    assert kinds == ["withhold", "drop", "lost", "silent", "duplicate", "revise", "quarantine"]
    withheld, _, lost, silent, doubled, revised, _ = feed.faults
    assert isinstance(withheld, WithholdFault)
    assert (withheld.symbol, withheld.for_s) == ("NVDA", 300.0)
    assert withheld.start == parse_iso("2024-01-03T15:30:00Z")  # New York in winter
    assert lost.kind == "lost"
    assert lost.instant == parse_iso("2024-07-03T16:00:00Z")  # and in summer
    assert silent.kind == "silent"
    assert silent.instant == parse_iso("2024-01-05T17:00:00Z")
    assert doubled.kind == "duplicate"
    assert (doubled.start, doubled.symbol) == (parse_iso("2024-01-08T08:30:00Z"), None)
    assert isinstance(revised, ReviseFault)
    assert revised.close == 101.5
    copy = tmp_path / "copy.yaml"
    copy.write_text(config.to_yaml())
    assert load_config(copy) == config


REFUSED = [
    (
        "{kind: withhold, bar: 2024-01-03 10:30}",
        "29: feed.faults[0].for_s: required key is missing",
    ),
    (
        "{kind: withold, bar: 2024-01-03 10:30}",
        (
            "36: feed.faults[0].kind: expected withhold, drop, duplicate, revise, quarantine, "
            "lost or silent, got 'withold' (did you mean 'withhold'?)"
        ),
    ),
    (
        "{bar: 2024-01-03 10:30}",
        (
            "29: feed.faults[0].kind: required key is missing: withhold, drop, duplicate, revise, "
            "quarantine, lost or silent"
        ),
    ),
    (
        "{kind: drop, bar: 2024-01-03}",
        "47: feed.faults[0].bar: expected a date and time (2024-01-03 10:30), got '2024-01-03'",
    ),
    ("{kind: drop, bar: 10:30}", "47: feed.faults[0].bar: expected a date and time, got '10:30'"),
    (
        "{kind: drop, bar: 2024-13-03 10:30}",
        "47: feed.faults[0].bar: '2024-13-03' is not a day of the calendar",
    ),
    (
        "{kind: drop, bar: 2024-11-03 01:30}",
        (
            "47: feed.faults[0].bar: 2024-11-03 01:30 happens twice in America/New_York (clocks go "
            "back): add the offset, -04:00 or -05:00"
        ),
    ),
    (
        "{kind: drop, bar: 2024-01-03 10:30, at: 5}",
        "65: feed.faults[0].at: unknown key (known: kind, bar, symbol)",
    ),
    (
        "{kind: lost, at: 2024-01-03 10:30, for_s: x}",
        "71: feed.faults[0].for_s: expected a number, got 'x'",
    ),
    (
        "{kind: silent, at: 2024-01-03 10:30, for_s: 0}",
        "73: feed.faults[0].for_s: must be above 0, got 0",
    ),
    (
        "{kind: revise, bar: 2024-01-03 10:30, close: -1}",
        "74: feed.faults[0].close: must be above 0, got -1",
    ),
    ("lost", "29: feed.faults[0]: expected a mapping (lines of 'key: value'), got 'lost'"),
    (
        "{kind: drop, bar: 2024-01-03 10:30}, {kind: drop, bar: 2024-01-03 10:30, symbol: AMD}",
        "110: feed.faults[1].symbol: 'AMD' is not traded (symbols: NVDA)",
    ),
]


@pytest.mark.parametrize(("fault", "said"), REFUSED, ids=[fault for fault, _ in REFUSED])
def test_a_mistake_is_told_with_its_place(tmp_path: Path, fault: str, said: str) -> None:
    assert complaints(tmp_path, HEAD + fault + "]}") == [AT + said]


def test_faults_are_a_list(tmp_path: Path) -> None:
    text = FOUR_LINES + "tape: {}\nfeed: {kind: tape, faults: {kind: lost}}"
    assert complaints(tmp_path, text) == [
        AT + "28: feed.faults: expected a list, got a mapping",
    ]


def test_a_live_feed_has_faults_enough_of_its_own(tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, FOUR_LINES + "feed: {faults: []}")
    assert line.startswith("c.yaml:5:8: feed.faults: unknown key (known: kind, host, port,")


def test_the_schema_describes_them(capsys: pytest.CaptureFixture[str]) -> None:
    from daemon.config.verbs import config_schema

    config_schema()
    schema = json.loads(capsys.readouterr().out)
    withhold = schema["$defs"]["WithholdFault"]["properties"]
    assert withhold["for_s"]["description"] == "Tape seconds by which it is late."
    items = schema["$defs"]["TapeFeedConfig"]["properties"]["faults"]["items"]
    assert len(items["oneOf"]) == 7


def test_the_clocks_rules_are_those_of_the_feed(tmp_path: Path) -> None:
    patience = "decide_within_s: 30, pause_after_s: 40, resume: {stable_s: 50, after: next_bar}"
    live = load(tmp_path, FOUR_LINES + f"feed: {{grace_s: 7, {patience}}}\n").feed
    assert live is not None
    assert clock_rules(live) == ClockRules(7, 30, 40, 50, "next_bar", deadlines=True)
    for pace, deadlines in (("60", True), ("max", False)):
        text = f"tape: {{}}\nfeed: {{kind: tape, pace: {pace}, {patience}}}\n"
        played = load(tmp_path, FOUR_LINES + text).feed
        assert played is not None
        rules = ClockRules(0, 30, 40, 50, "next_bar", deadlines=deadlines)
        assert clock_rules(played) == rules
