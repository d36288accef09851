"""The tests' own reading of PromQL, on expressions whose selectors are plain to see."""

from __future__ import annotations

import pytest

from tests.ops.promql import PromqlError, Selector, selectors


def test_a_selector_has_matchers_a_range_and_the_function_around_it() -> None:
    found = selectors('sum by (side) (increase(fills_total{job=~"$job", side!="buy"}[5m]))')
    matchers = {"job": ("=~", "$job"), "side": ("!=", "buy")}
    assert found == [Selector("fills_total", matchers, "5m", "increase")]


def test_labels_of_a_grouping_are_no_metrics() -> None:
    text = "max(up) * on (job, instance) group_left (name) last_over_time(build[$__range])"
    found = selectors(text)
    assert [(each.metric, each.range) for each in found] == [("up", None), ("build", "$__range")]


def test_words_between_expressions_are_no_metrics() -> None:
    found = selectors("1000 * (max(a) > bool 0) or b unless c offset 5m")
    assert [each.metric for each in found] == ["a", "b", "c"]


def test_brackets_in_strings_are_text() -> None:
    found = selectors('label_replace(a, "to", "($1", "from", "(.*)")')
    assert [each.metric for each in found] == ["a"]


@pytest.mark.parametrize(
    "text", ["", "sum(a", "a)", "a{b}", 'a{b="c"', "rat(a[5m])", "a # b", "a[5m)", 'a{b="c" d="e"}']
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(PromqlError):
        selectors(text)
