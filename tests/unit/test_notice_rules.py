"""Which notices are sent, which wait and which are too much; seconds are given."""

from __future__ import annotations

from daemon.config.notify import NoticeEvent
from daemon.observability.notice_rules import (
    BURST_MAX,
    KEYS_MAX,
    QUIET_S,
    REFILL_EVERY_S,
    Notice,
    NoticeRules,
)


def notice(event: NoticeEvent = "gap", key: str = "NVDA", body: str = "text") -> Notice:
    return Notice(event, key, "title", body)


def test_the_first_is_told_and_the_next_wait_and_are_told_as_one() -> None:
    rules, quiet_s = NoticeRules(), QUIET_S["gap"]
    assert rules.offer(notice(body="first"), 1_000) == notice(body="first")
    for n in range(3):
        assert rules.offer(notice(body=f"later {n}"), 1_010 + n) is None
    assert rules.next_due() == 1_000 + quiet_s
    assert rules.due(1_000 + quiet_s - 1) == []
    assert rules.due(1_000 + quiet_s) == [notice(body="later 2\n(2 more like it before)")]
    assert rules.next_due() is None
    assert rules.offer(notice(), 1_001 + quiet_s) is None  # quiet anew since that one
    assert rules.offer(notice(), 1_000 + 3 * quiet_s) == notice()


def test_each_key_and_event_is_quiet_on_its_own() -> None:
    rules = NoticeRules()
    assert rules.offer(notice(), 0) is not None
    assert rules.offer(notice(key="AMD"), 1) is not None
    assert rules.offer(notice("feed"), 2) is not None
    assert rules.offer(notice(), 3) is None


def test_what_is_over_is_not_told_any_more() -> None:
    rules = NoticeRules()
    assert rules.offer(notice("pause", "stopped"), 0) is not None
    assert rules.offer(notice("pause", "stopped"), 5) is None
    rules.clear("pause", "stopped")
    assert rules.next_due() is None
    assert rules.due(10 * QUIET_S["pause"]) == []


def test_each_halt_is_told_however_many_there_are() -> None:
    rules = NoticeRules()
    told = [rules.offer(notice("halt", "stopped"), 1) for _ in range(BURST_MAX * 3)]
    assert None not in told


def test_too_many_are_dropped_counted_and_owned_up_to() -> None:
    rules = NoticeRules()
    told = [rules.offer(notice("fill", str(n)), 0) for n in range(BURST_MAX + 3)]
    assert [each is None for each in told] == [False] * BURST_MAX + [True] * 3
    assert rules.dropped == {"fill": 3}
    assert rules.offer(notice("fill", "x"), REFILL_EVERY_S - 1) is None
    after = rules.offer(notice("fill", "y"), REFILL_EVERY_S)
    assert after == notice("fill", "y", "text\n(4 messages before it were held back)")
    assert rules.offer(notice("fill", "z"), 2 * REFILL_EVERY_S) == notice("fill", "z")


def test_keys_are_forgotten_from_the_oldest() -> None:
    rules = NoticeRules()
    for n in range(KEYS_MAX + 1):
        rules.offer(notice(key=str(n)), n)
    assert len(rules._told) == KEYS_MAX
    assert ("gap", "0") not in rules._told
