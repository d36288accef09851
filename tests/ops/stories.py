"""Hand-made days of a daemon, minute by minute, on which `promtool test rules` tries the alerts.

    story = Story()
    story.set("papertape_journal_blocked", lambda t: at("10:00") <= t < at("10:20"))
    story.expect("10:05", "JournalFailing page")
    story.expect("10:20")                 # nothing fires, and nothing may but what is said
    story.check()

A story begins on a Monday (day 0), and ends with the last expectation. Everything is in order where
nobody has changed it: the daemon runs, the exchange opens at 09:30 and closes at 16:00, hourly bars
come as they end, checks run at 18:00.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from daemon.observability.checks import HABITS
from tests.ops.programs import RULES, answer_of, program

DAY = 24 * 60
PLACE = {"job": "papertape", "instance": "h:9108"}
SYMBOL = "NVDA"

Minute = Callable[[int], float | None]
"""The value of a series at a minute; None: there is none."""

FRIDAY = "day -3 16:00"

_CLOCK = re.compile(r"(?:day (-?\d+) )?(\d\d):(\d\d)")


def at(text: str) -> int:
    """The minute of `10:30`, or of `day 2 10:30` (day 0 is Monday)."""
    found = _CLOCK.fullmatch(text)
    assert found is not None, f"not a time of a story: {text}"
    day, hour, minute = found.groups()
    return int(day or 0) * DAY + int(hour) * 60 + int(minute)


WEEK = tuple(
    (day * DAY + at("09:30"), day * DAY + at("16:00")) for day in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)
)
"""Two weeks of sessions: opens and closes."""


class Story:
    """One daemon called `d`; `set` changes what it shows, `gone` takes it away.

    promtool's time is 0 when the story begins, so instants of the past are negative. `step` is how
    many minutes lie between two evaluations.
    """

    def __init__(
        self, begins: str = "08:00", sessions: Sequence[tuple[int, int]] = WEEK, step: int = 1
    ) -> None:
        self._begins = at(begins)
        self._step = step
        self._sessions = sessions
        self._series: dict[tuple[str, tuple[tuple[str, str], ...]], Minute] = {}
        self._others: dict[str, Minute] = {}
        self._gone: list[range] = []
        self._expected: list[tuple[int, list[str]]] = []
        self._all_in_order()

    def _all_in_order(self) -> None:
        for name, value in {
            "ready": 1, "feed_live": 1, "bar_duration_seconds": 3600, "kill_latch": 0,
            "flattening": 0, "flat_before_close": 0, "loop_lag_seconds": 0, "orders_day": 2,
            "feed_generation": 1, "pnl_day_usd": -100, "equity_usd": 99_900, "model_failures": 0,
            "journal_blocked": 0, "state_free_bytes": 1e11,
        }.items():  # fmt: skip
            self.set(f"papertape_{name}", value)
        for state in ("ACTIVE", "REDUCING", "PAUSED", "HALTED"):
            self.set("papertape_trading_state", int(state == "ACTIVE"), state=state)
        for state in ("up", "silent", "down"):
            self.set("papertape_feed_state", int(state == "up"), state=state)
        for source in ("operator", "model", "feed"):
            self.set("papertape_holds", 0, source=source)
        self.set("papertape_gap_bars", 0, symbol=SYMBOL)
        self.set("papertape_position_shares", 100, symbol=SYMBOL)
        self.set("papertape_prediction_failures_total", 0, symbol=SYMBOL)
        self.set("papertape_predictions_total", lambda t: t // 60, symbol=SYMBOL)
        self.set("papertape_journal_size_bytes", 4e6, file="wal")
        self.set("process_start_time_seconds", 1)
        self.instant("papertape_clock_timestamp_seconds", lambda t: t)
        self.instant("papertape_next_open_timestamp_seconds", self.next_open)
        self.instant("papertape_next_close_timestamp_seconds", self.next_close)
        self.instant("papertape_previous_close_timestamp_seconds", self.last_close)
        self.instant("papertape_next_bar_timestamp_seconds", self.next_bar, symbol=SYMBOL)
        self.set("papertape_clock_steps_total", 0)
        for check in ("parity", "drill"):
            self.check_runs(check, lambda t: t - (t - at("18:00")) % DAY)

    # --- the exchange -----------------------------------------------------------------------------

    def next_open(self, t: int) -> int:
        """The minute of the next open."""
        return next((opens for opens, _ in self._sessions if opens > t), 0)

    def next_close(self, t: int) -> int:
        """The minute of the next close."""
        return next((closes for _, closes in self._sessions if closes > t), 0)

    def last_close(self, t: int) -> int:
        """The minute of the last close; before Monday's that of Friday."""
        return max((closes for _, closes in self._sessions if closes <= t), default=at(FRIDAY))

    def next_bar(self, t: int) -> int:
        """The end of the next hourly bar of a feed that brings each as it ends."""
        for opens, closes in self._sessions:
            ends: list[int] = [*range(opens + 60, closes, 60), closes]
            for end in ends:
                if end > t:
                    return end
        return 0

    # --- what happens -----------------------------------------------------------------------------

    def set(self, name: str, value: Minute | float, **labels: str) -> None:
        """From now on a series has these values."""
        known = value if callable(value) else _constant(value)
        self._series[name, tuple(sorted(labels.items()))] = known

    def instant(self, name: str, value: Minute, **labels: str) -> None:
        """From now on a series has these instants; the values are minutes."""

        def seconds(t: int) -> float | None:
            minute = value(t)
            return None if minute is None else 60 * (minute - self._begins)

        self.set(name, seconds, **labels)

    def state(self, state: str, during: range) -> None:
        """The trading state for a while; ACTIVE before and after."""
        self.set("papertape_trading_state", lambda t: int(t not in during), state="ACTIVE")
        self.set("papertape_trading_state", lambda t: int(t in during), state=state)

    def feed(self, state: str, during: range) -> None:
        """The feed's state for a while; up before and after."""
        self.set("papertape_feed_state", lambda t: int(t not in during), state="up")
        self.set("papertape_feed_state", lambda t: int(t in during), state=state)

    def check_runs(self, check: str, last: Minute, success: Minute | float = 1) -> None:
        """When a check ran last (a minute), and whether it passed; it is due as a daemon says."""
        self.instant("papertape_check_last_run_timestamp_seconds", last, check=check)
        self.set("papertape_check_success", success, check=check)
        if check in HABITS:
            self.instant(
                "papertape_check_due_timestamp_seconds",
                lambda t: self._due(check, last(t)), check=check,
            )  # fmt: skip

    def never(self, check: str) -> None:
        """A check that has never run, as daemons show it."""
        self.set("papertape_check_last_run_timestamp_seconds", 0, check=check)
        self.set("papertape_check_success", 0, check=check)
        self.set("papertape_check_due_timestamp_seconds", _nothing, check=check)

    def _due(self, check: str, ended: float | None) -> int | None:
        """The minute that a daemon would tell; worked out apart from their code."""
        if ended is None:
            return None
        days = {opens // DAY for opens, _ in self._sessions}
        hours, of_trading_days = HABITS[check]
        left, minute = hours * 60, int(ended)
        while of_trading_days and left:
            midnight = (minute // DAY + 1) * DAY
            counted = minute // DAY in days or minute < 0
            spent = min(left, midnight - minute) if counted else 0
            left -= spent
            minute = minute + spent if counted else midnight
        return minute + left

    def other(self, series: str, value: Minute | float) -> None:
        """A series that is not the daemon's, written as in PromQL."""
        self._others[series] = value if callable(value) else _constant(value)

    def gone(self, during: range) -> None:
        """The process does not answer for a while."""
        self._gone.append(during)

    def expect(self, time: str, *alerts: str) -> None:
        """Exactly these fire then, each as `Name severity`; the watchdog always does."""
        self._expected.append((at(time), ["Watchdog ticket", *alerts]))

    # --- promtool ---------------------------------------------------------------------------------

    def check(self, rules: Path = RULES, up: Minute | None = None) -> None:
        """Let promtool evaluate the rules over the story; `up` instead of what `gone` says."""
        shown = {
            _text(name, {**PLACE, "name": "d", **dict(labels)}): self._while_there(value)
            for (name, labels), value in self._series.items()
        }
        shown[_text("up", PLACE)] = up or (lambda t: int(not self._is_gone(t)))
        shown |= self._others
        series = [
            {"series": name, "values": values}
            for name, value in shown.items()
            if (values := _notation([value(t) for t in self._minutes()]))
        ]
        document = {
            "rule_files": [str(path) for path in sorted(rules.glob("*.yml"))],
            "evaluation_interval": f"{self._step}m",
            "group_eval_order": ["papertape_alerts_recorded", "papertape_alerts"],
            "tests": [
                {
                    "interval": f"{self._step}m",
                    "input_series": series,
                    "promql_expr_test": list(self._questions()),
                }
            ],
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "story.json"  # which is YAML
            path.write_text(json.dumps(document), encoding="utf-8")
            said = answer_of(program("promtool"), "test", "rules", str(path))
            assert "SUCCESS" in said

    def _is_gone(self, t: int) -> bool:
        return any(t in during for during in self._gone)

    def _while_there(self, value: Minute) -> Minute:
        return lambda t: None if self._is_gone(t) else value(t)

    def _minutes(self) -> range:
        return range(self._begins, self._expected[-1][0] + 1, self._step)

    def _questions(self) -> Iterator[dict[str, object]]:
        for minute, alerts in self._expected:
            counts = {alert: alerts.count(alert) for alert in alerts}
            yield {
                "expr": 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minute - self._begins}m",
                "exp_samples": [
                    {
                        "labels": _text(
                            "", dict(zip(("alertname", "severity"), alert.split(), strict=True))
                        ),
                        "value": count,
                    }
                    for alert, count in counts.items()
                ],
            }


def hours(opens: str, closes: str) -> tuple[int, int]:
    """A session."""
    return at(opens), at(closes)


def during(begins: str, ends: str) -> range:
    """The minutes from one time to just before another."""
    return range(at(begins), at(ends))


def _nothing(_: int) -> None:
    """No value."""


def _constant(value: float) -> Minute:
    return lambda _: value


def _text(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def _notation(values: Sequence[float | None]) -> str:
    """Values as promtool reads them; a series that ends is marked stale, as by a failed scrape."""
    words: list[str] = []
    place = 0
    while place < len(values):
        value = values[place]
        end = place
        while end < len(values) and values[end] == value:
            end += 1
        if value is not None:
            words.append(f"{float(value):.17g}+0x{end - place - 1}")
        else:
            words.append("stale" if words else "_")
            words.extend([f"_x{end - place - 1}"] if end - place > 1 else [])
        place = end
    return " ".join(words) if any(value is not None for value in values) else ""
