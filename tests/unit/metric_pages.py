"""Reads a page of metrics back, as whoever scrapes it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from daemon.core.account import Account
from daemon.core.turn import Turn
from daemon.observability.metrics import Metrics
from daemon.observability.standing import standing_of
from daemon.pipeline import TASKS, Pipeline
from tests.harness import Quote, Result, play

NAME = "made"


class Page:
    """The series of one scrape; each must have the constant label."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.series: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = dict(sample.labels)
                assert labels.pop("name") == NAME, sample
                key = (sample.name, frozenset(labels.items()))
                assert key not in self.series, f"twice: {key}"
                self.series[key] = sample.value

    def __call__(self, metric: str, **labels: str) -> float:
        """The value of one series, named without the prefix."""
        return self.series[f"papertape_{metric}", frozenset(labels.items())]

    def all(self, metric: str) -> dict[tuple[str, ...], float]:
        """The series of a metric that are not zero, by the values of their labels in order."""
        return {
            tuple(value for _, value in sorted(labels)): number
            for (name, labels), number in self.series.items()
            if name == f"papertape_{metric}" and number
        }


def lived(bars: Mapping[str, Sequence[Quote | None]], **how: Any) -> Result:
    """Play bars as the daemon does: every turn is kept, whatever came of it."""

    def keep_all(pipeline: Pipeline) -> None:
        pipeline._sink.every_turn = True  # type: ignore[misc]  # the harness's result, a dataclass

    return play(bars, during=keep_all, chunk_bars=1, **how)


def made(state: Path, *symbols: str) -> Metrics:
    """Metrics of an account named NAME."""
    return Metrics(NAME, symbols or ("NVDA",), TASKS, state, {"version": "1.2.3"})


def scrape(metrics: Metrics) -> Page:
    """What the metrics show now."""
    reply = metrics.page()
    assert reply.status == 200
    return Page(reply.body.decode())


def told(metrics: Metrics, result: Result) -> Page:
    """Let the metrics see every turn of a result, each with the account as it is at the end."""
    return counted(metrics, result.turns, result.account)


def counted(metrics: Metrics, turns: list[Turn], account: Account) -> Page:
    """What the metrics show after these turns."""
    for turn in turns:
        metrics.turn(turn, (), metrics.steps_s())
    metrics.stand(standing_of(account, latched=False))
    assert metrics.failures == 0
    return scrape(metrics)
