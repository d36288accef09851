"""PromQL in the forms that the pages need: every series by job, instance and account."""

from __future__ import annotations

from collections.abc import Sequence

TARGET = 'job=~"$job", instance=~"$instance"'
ACCOUNT = f'{TARGET}, name="$name"'
OTHER = f'{TARGET}, name="$other"'
BOTH = f'{TARGET}, name=~"$name|$other"'

SEEN = "7d"
"""A daemon that was seen within this time and does not answer is missed, not unknown."""


def series(metric: str, *matchers: str, whose: str = ACCOUNT) -> str:
    """The series of a metric: of the chosen account, unless `whose` says otherwise."""
    return f"{metric}{{{', '.join((whose, *matchers))}}}"


KNOWN = f"last_over_time({series('papertape_build_info')}[{SEEN}])"
"""Where the account was scraped, also while it does not answer."""

UP = f"up{{{TARGET}}} and on (job, instance) {KNOWN}"
"""Whether the account's own target answers: others may be scraped by any job as well."""


def increase(metric: str, *matchers: str, whose: str = ACCOUNT, by: Sequence[str] = ()) -> str:
    """How much a counter has grown from one point of a graph to the next."""
    return _sum(f"increase({series(metric, *matchers, whose=whose)}[$__rate_interval])", by)


def in_range(metric: str, *matchers: str, whose: str = ACCOUNT, by: Sequence[str] = ()) -> str:
    """How much a counter has grown within the time that the dashboard shows."""
    return _sum(f"increase({series(metric, *matchers, whose=whose)}[$__range])", by)


def rate(metric: str, *matchers: str, by: Sequence[str] = ()) -> str:
    """How fast a counter grows, a second."""
    return _sum(f"rate({series(metric, *matchers)}[$__rate_interval])", by)


def quantile(part: float, metric: str, by: Sequence[str] = ()) -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({part:g}, {rate(f'{metric}_bucket', by=('le', *by))})"


def highest(metric: str, *matchers: str, whose: str = ACCOUNT, by: Sequence[str] = ()) -> str:
    """One gauge, whichever target it comes from."""
    return f"max{_by(by)}({series(metric, *matchers, whose=whose)})"


def total(metric: str, *matchers: str, whose: str = ACCOUNT, by: Sequence[str] = ()) -> str:
    """The sum of gauges."""
    return _sum(series(metric, *matchers, whose=whose), by)


def code(
    metric: str,
    label: str,
    values: Sequence[str],
    *,
    whose: str = ACCOUNT,
    by: Sequence[str] = (),
) -> str:
    """The place (0, 1 ...) of the one value for which a gauge of 0 and 1 is 1."""
    found = (highest(metric, f'{label}="{value}"', whose=whose, by=by) for value in values)
    return " + ".join(f"{place} * {each}" for place, each in enumerate(found))


def instants(metric: str, *, whose: str = ACCOUNT, by: Sequence[str] = ()) -> str:
    """A gauge of seconds since 1970 as milliseconds, for Grafana's units of time; 0 is none."""
    return f"1000 * ({highest(metric, whose=whose, by=by)} > 0)"


def reason(text: str, weight: int, found: str, taken: str = "") -> str:
    """A series `reason=TEXT` of value `weight` for each one found; $1 is its label `taken`."""
    return label("reason", text, f"{weight} + 0 * {found}", taken)


def label(name: str, text: str, found: str, taken: str = "") -> str:
    """What is found, with one more label; $1 in its text is the label `taken`."""
    given = f'"{taken}", "(.*)"' if taken else '"", ""'
    return f'label_replace({found}, "{name}", "{text}", {given})'


def _sum(expression: str, by: Sequence[str]) -> str:
    return f"sum{_by(by)}({expression})"


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
