"""S26: after a split a limit of shares is one of new shares, until somebody sets another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.account import Account
from daemon.core.events import Dividend, Reload, Split
from daemon.core.fold import Fold
from daemon.core.limits import Limit, Limits
from daemon.core.share_limits import ShareLimits
from daemon.core.values import restore, values_of
from tests.harness import Result, play, rules
from tests.rules.tools import at_end, denied, fills, flat, limits, target

DAY_2, DAY_3 = 20240103, 20240104
TEN, EIGHTH = Split("NVDA", DAY_2, 10, 1), Split("NVDA", DAY_2, 1, 8)


def most(shares: int) -> Limits:
    return limits(max_position_shares=Limit(shares))


def played(quotes: list[Any], at: dict[int, Any], **more: Any) -> Result:
    return play({"NVDA": quotes}, at=at, per_session=2, every_turn=True, **more)


@pytest.mark.parametrize(
    ("split", "close", "after", "wanted", "granted"),
    [
        (TEN, 500.0, 50.0, 5000, True),
        (TEN, 500.0, 50.0, 5001, False),
        (EIGHTH, 10.0, 80.0, 62, True),  # 500 / 8 = 62.5
        (EIGHTH, 10.0, 80.0, 63, False),
        (Split("NVDA", DAY_2, 3, 2), 90.0, 60.0, 750, True),
        (Split("NVDA", DAY_2, 3, 2), 90.0, 60.0, 751, False),
    ],
)
def test_as_much_as_before_in_new_shares(
    split: Split, close: float, after: float, wanted: int, granted: bool
) -> None:
    result = played(
        [flat(close), flat(close), *[flat(after)] * 4],
        {2: [target(wanted)]},
        actions=[split],
        limits=most(500),
    )
    assert fills(result) == ([(3, wanted, after)] if granted else [])
    assert denied(result) == ([] if granted else [("MAX_POSITION_SHARES", wanted)])


def test_before_the_split_and_for_other_symbols_it_is_as_configured() -> None:
    result = play(
        {"NVDA": [flat(500.0)] * 4 + [flat(50.0)] * 2, "AMD": [flat(20.0)] * 6},
        at={0: [target(501), target(501, "AMD")], 3: [target(501)], 4: [target(501, "AMD")]},
        per_session=2,
        actions=[Split("NVDA", DAY_3, 10, 1)],
        limits=most(500),
    )
    assert denied(result) == [("MAX_POSITION_SHARES", 501)] * 4
    details = {denial.detail for denial in result.denials}
    assert details == {"501 against 500"}


def test_the_reason_names_the_limit_that_counts() -> None:
    result = played(
        [flat(500.0)] * 2 + [flat(50.0)] * 2, {2: [target(5001)]}, actions=[TEN], limits=most(500)
    )
    assert [denial.detail for denial in result.denials] == ["5001 against 5000"]


def test_splits_add_up_and_dividends_change_nothing() -> None:
    result = played(
        [flat(600.0)] * 2 + [flat(60.0)] * 2 + [flat(30.0)] * 2,
        {4: [target(10_001)], 5: [target(10_000)]},
        actions=[TEN, Dividend("NVDA", DAY_2, DAY_3, 10), Split("NVDA", DAY_3, 2, 1)],
        limits=most(500),
    )
    assert denied(result) == [("MAX_POSITION_SHARES", 10_001)]
    assert result.account.risk.shares.rescaled == {"NVDA": 10_000}


def test_without_a_limit_there_is_nothing_to_rescale() -> None:
    result = played([flat(500.0)] * 2 + [flat(50.0)] * 2, {2: [target(9999)]}, actions=[TEN])
    assert fills(result) == [(3, 9999, 50.0)]
    assert result.account.risk.shares.rescaled == {}


@pytest.mark.parametrize(("shares", "granted"), [(500, True), (600, False)])
def test_a_reload_with_another_limit_means_new_shares(shares: int, granted: bool) -> None:
    """The same limit again, beside another change: it stays rescaled."""
    new = limits(max_position_shares=Limit(shares), max_orders_per_day=Limit(99))
    command = Reload(at_end(2, 2), "operator", "", new, {}, ())
    result = played(
        [flat(500.0)] * 2 + [flat(50.0)] * 4,
        {3: [target(5000)]},
        actions=[TEN],
        limits=most(500),
        commands=[command],
    )
    assert denied(result) == ([] if granted else [("MAX_POSITION_SHARES", 5000)])


def reopened(values: Any, limits_: Limits) -> Account:
    account = Account(("NVDA",), 0, rules(), limits_)
    restore(account, values)
    return account


def test_it_outlasts_a_restart_unless_the_config_has_changed() -> None:
    result = played([flat(500.0)] * 2 + [flat(50.0)] * 2, {}, actions=[TEN], limits=most(500))
    values = values_of(result.account)
    assert reopened(values, most(500)).risk.shares.rescaled == {"NVDA": 5000}
    assert reopened(values, most(5000)).risk.shares.rescaled == {}
    assert reopened(values, Limits()).risk.shares.rescaled == {}


def test_the_outputs_alone_tell_it_too() -> None:
    same = limits(max_position_shares=Limit(500), max_orders_per_day=Limit(9))
    other = limits(max_position_shares=Limit(700))
    quotes = [flat(500.0)] * 2 + [flat(50.0)] * 2 + [flat(25.0)] * 2
    actions = [TEN, Split("NVDA", DAY_3, 2, 1)]
    for new, limit, after in ((None, 500, 10_000), (same, 500, 10_000), (other, 700, 1400)):
        commands = [Reload(at_end(2, 2), "operator", "", new, {}, ())] if new else []
        opening: list[Any] = []
        result = played(
            quotes, {}, actions=actions, limits=most(500), commands=commands,
            during=lambda pipeline, kept=opening: kept.append(values_of(pipeline.account)),
        )  # fmt: skip
        fold = Fold(opening[0])
        for turn in result.turns:
            fold.add(turn)
        assert fold.values().risk.rescaled == values_of(result.account).risk.rescaled
        assert fold.values().risk.shares_limit == limit
        assert dict(fold.values().risk.rescaled) == {"NVDA": after}


@given(st.integers(1, 10**6), st.integers(1, 100), st.integers(1, 100))
def test_a_split_never_takes_a_limit_away(limit: int, numerator: int, denominator: int) -> None:
    shares = ShareLimits()
    shares.obey(limit)
    shares.split(Split("NVDA", DAY_2, numerator, denominator))
    after = shares.rescaled["NVDA"]
    assert after >= 1
    assert after == 1 or after * denominator <= limit * numerator < (after + 1) * denominator
