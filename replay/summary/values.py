"""The values of a summary while it is made: set once each, rounded by unit, nulls with a reason."""

from __future__ import annotations

from typing import Any

from daemon.core.units import MICROS_PER_USD
from replay.summary.figures import FIGURE_OF, FIGURES
from replay.summary.statistics import NotAvailable

# Six decimals hold a micro-dollar, 0.01 ppm of a percentage and more of a ratio than is known;
# what lies beyond them differs between machines' math libraries.
DECIMALS = 6

Value = float | str | NotAvailable


class SummaryValues:
    """Collects the figures of `summary_figures.FIGURES`; an unknown or second key is a bug."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}

    def set(self, **values: Value) -> None:
        """Set figures by key; money in dollars, percentages as percent."""
        for key, value in values.items():
            assert key in FIGURE_OF, f"{key} is no figure of a summary"
            assert key not in self._values, f"{key} is set twice"
            if isinstance(value, NotAvailable):
                self._values[key] = None
                self._reasons[key] = value.reason
            else:
                self._values[key] = rounded(value) if isinstance(value, float) else value

    def finished(self) -> tuple[dict[str, Any], dict[str, str]]:
        """All figures in the order of the table, and why some are null."""
        missing = [figure.key for figure in FIGURES if figure.key not in self._values]
        assert not missing, f"figures not set: {', '.join(missing)}"
        ordered = {figure.key: self._values[figure.key] for figure in FIGURES}
        return ordered, {key: self._reasons[key] for key in ordered if key in self._reasons}


def rounded(value: float) -> float:
    """A finite float to six decimals, without a negative zero."""
    assert value - value == 0, "a figure is never infinite or NaN"
    return round(value, DECIMALS) + 0.0


def usd(micros: int) -> float:
    """Micro-dollars as dollars; exact to the micro-dollar when printed."""
    return micros / MICROS_PER_USD


def pct(fraction: float | NotAvailable) -> float | NotAvailable:
    """A fraction as percent."""
    return fraction if isinstance(fraction, NotAvailable) else fraction * 100


def share_pct(part: float, whole: float, reason: str) -> float | NotAvailable:
    """`part` in percent of `whole`; not available for `reason` where the whole is nothing."""
    return part / whole * 100 if whole else NotAvailable(reason)


def iso_date(date: int) -> str:
    """YYYYMMDD as `2024-01-02`."""
    return f"{date // 10_000:04}-{date // 100 % 100:02}-{date % 100:02}"
