"""Bands of orders and losses: sessions counted by hand, and the file that Prometheus reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.errors import RefusedError, UsageError
from replay.runs import reference
from replay.runs.bands import Band, Session, band, reference_bands, sessions_of
from replay.runs.reader import read_run
from replay.runs.reference import reference_run
from tests.made_runs import CONFIG, digest_of, make_run

NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
DAYS = ("2024-01-02", "2024-01-03", "2024-01-04")

Streams = dict[str, list[dict[str, str]]]


def _streams(orders: Sequence[tuple[str, str]], equity: Mapping[str, Sequence[float]]) -> Streams:
    """Orders as (day, origin) and, a day, the equity at the end of each bar."""
    return {
        "orders": [
            {"order_id": str(n), "ts_decided": f"{day}T15:30:00Z", "origin": origin}
            for n, (day, origin) in enumerate(orders, 1)
        ],
        "equity": [
            {"ts": f"{day}T{15 + n}:30:00Z", "equity": f"{value:.2f}"}
            for day, values in equity.items()
            for n, value in enumerate(values)
        ],
    }


LIVELY = _streams(
    [
        (DAYS[0], "target"), (DAYS[0], "protective"), (DAYS[0], "explicit"), (DAYS[0], "flatten"),
        (DAYS[2], "target"), (DAYS[2], "limit"),
    ],
    {DAYS[0]: (100_100, 99_400, 99_900), DAYS[1]: (99_950, 100_300), DAYS[2]: (100_050, 100_500)},
)  # fmt: skip
"""Two, no and one order of the strategy; down by 600 of the cash, not at all, and by 250."""


class Engine:
    """Stands for the replay: each reference gives the run it was told to."""

    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}

    def __call__(self, config: Path, state: Path, out: Path | None) -> Path:
        folder = out.parent if out else state / "runs"
        run_id = out.name if out else f"{config.stem}-{len(list(folder.glob('*')))}"
        given = {"config": CONFIG | {"account": {"cash_usd": 100_000}}, "streams": LIVELY}
        return make_run(folder, run_id=run_id, **given | self.results.get(config.stem, {}))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Return what plays replays in these tests."""
    made = Engine()
    monkeypatch.setattr(reference, "_replay", made)
    return made


@pytest.fixture
def state(tmp_path: Path, engine: Engine) -> Path:
    """Return a state directory with the reference `own`, of account nvda-hourly, accepted."""
    folder = tmp_path / "state" / "reference"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text("name: own\n", encoding="utf-8")
    _accept(folder.parent)
    return folder.parent


def _accept(state: Path) -> None:
    folders = [state / "reference"]
    reference_run(
        state=state, folders=folders, accept_as_baseline=True, reason="looks\nright", now=NOW
    )


def _bands(state: Path, *names: str, **options: Any) -> str:
    folders = [state / "reference"]
    assert reference_bands(names, state=state, folders=folders, now=NOW, **options) == 0
    out: Path = options.get("out") or state / "reference" / "bands.yml"
    return out.read_text("utf-8")


# --- computing ------------------------------------------------------------------------------------


def test_sessions_of_a_run(tmp_path: Path) -> None:
    config = CONFIG | {"account": {"cash_usd": 100_000}}
    run = read_run(make_run(tmp_path, config=config, streams=LIVELY))
    assert sessions_of(run) == [
        Session(DAYS[0], 2, 600.0),
        Session(DAYS[1], 0, 0.0),
        Session(DAYS[2], 1, 250.0),
    ]


@pytest.mark.parametrize(
    ("values", "quantile", "margin", "expected"),
    [
        # 99 of 100 are at most 2; twice that and a half is 3
        ([0] * 50 + [2] * 49 + [9], 0.99, 1.5, Band(3, 2, 9, 1)),
        # 98 of 100 are at most 2, so 99 are at most 9
        ([0] * 50 + [2] * 48 + [9] * 2, 0.99, 1.5, Band(14, 9, 9, 0)),
        ([1, 2, 3, 4], 0.5, 1, Band(2, 2, 4, 2)),
        ([1, 2, 3, 4], 1, 1, Band(4, 4, 4, 0)),
        ([100.01], 0.99, 1, Band(101, 100.01, 100.01, 0)),
        (
            [0] * 199 + [1],
            0.99,
            1.5,
            Band(1, 0, 1, 0),
        ),  # never 0: the first order would be too many
        ([], 0.99, 1.5, Band(1, 0, 0, 0)),
    ],
)
def test_a_band_is_a_quantile_with_a_margin(
    values: list[float], quantile: float, margin: float, expected: Band
) -> None:
    assert band(values, quantile, margin) == expected
    assert band(values[::-1], quantile, margin) == expected


# --- the file -------------------------------------------------------------------------------------


def test_the_file_is_rules_for_prometheus(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The quantile of three sessions is the greatest: 2 and 600, times 1.5."""
    capsys.readouterr()
    document = yaml.safe_load(_bands(state))
    (group,) = document["groups"]
    assert group["rules"] == [
        {
            "record": "name:papertape_orders_day:band",
            "labels": {"name": "nvda-hourly"},
            "expr": "vector(3)",
        },
        {
            "record": "name:papertape_loss_day_usd:band",
            "labels": {"name": "nvda-hourly"},
            "expr": "vector(900)",
        },
    ]
    said = capsys.readouterr().out.splitlines()
    assert said == [
        (
            "nvda-hourly: more than 3 orders or a loss of more than 900 USD a day raises an alarm "
            "(3 sessions of own)"
        ),
        f"{state / 'reference' / 'bands.yml'}: put it beside alerts.yml and reload Prometheus",
    ]


def test_the_file_says_which_run_and_how_computed(state: Path) -> None:
    text = _bands(state, quantile=0.5, margin=2)
    comment = [line for line in text.splitlines() if line.startswith("#")]
    assert comment == [
        "# Written by `papertape reference bands` at 2024-03-01T12:00:00Z.",
        "# Write it again when a new result has been accepted.",
        "#",
        "# More than a band a day raises TradeSurge or DailyLoss. It is the least number that",
        "# 0.5 of all sessions stay within, times 2, rounded up.",
        "#",
        "# nvda-hourly: 3 sessions, 2024-01-02 to 2024-01-04",
        f"#   reference own, run own-0, digest {digest_of('this')[:12]}",
        "#   accepted 2024-03-01T12:00:00Z: looks right",
        "#   orders of the strategy: 1 is usual, so 2; the most was 2, 0 sessions beyond",
        (
            "#   loss in USD, the worst at the end of a bar: 250 is usual, so 500; "
            "the most was 600, 1 session beyond"
        ),
    ]


def test_bands_may_be_for_a_daemon_of_another_name_in_another_file(
    state: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rules" / "bands_live.yml"
    text = _bands(state, "own", account="nvda", out=out)
    assert re.findall(r"name: (\S+)}", text) == ['"nvda"', '"nvda"']
    assert not (state / "reference" / "bands.yml").exists()
    assert list(out.parent.iterdir()) == [out]


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"summary": {"trades": 5}}, "own: beyond: trades 2 → 5"),
        ({"streams": LIVELY | {"orders": LIVELY["orders"][1:2]}}, "own: no order in 3 sessions"),
        (
            {"streams": LIVELY | _streams([(DAYS[0], "target")], {DAYS[0]: (100_000, 100_001)})},
            "own: no loss in 1 session",
        ),
    ],
)
def test_what_is_not_as_accepted_or_too_quiet_is_refused(
    state: Path, engine: Engine, result: dict[str, Any], said: str
) -> None:
    before = _bands(state)
    engine.results["own"] = result
    with pytest.raises(RefusedError, match=re.escape(said)):
        _bands(state)
    assert (state / "reference" / "bands.yml").read_text("utf-8") == before


def test_a_reference_that_was_never_accepted_is_refused(state: Path) -> None:
    (state / "reference" / "new.yaml").write_text("name: new\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"new: no baseline: .*reference run new --accept"):
        _bands(state, "new")


def test_two_references_of_one_account_are_refused(state: Path) -> None:
    (state / "reference" / "again.yaml").write_text("name: again\n", encoding="utf-8")
    _accept(state)
    with pytest.raises(UsageError, match="more than one reference replay is of nvda-hourly"):
        _bands(state)
    assert "vector(3)" in _bands(state, "again")
    with pytest.raises(
        UsageError, match=r"--for nvda needs the name of one reference .*: again, own"
    ):
        _bands(state, account="nvda")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quantile": 0.0}, "--quantile must be above 0 and at most 1, got 0"),
        ({"quantile": 99.0}, "--quantile must be above 0 and at most 1, got 99"),
        ({"margin": 0.9}, "--margin must be from 1 to 100, got 0.9"),
        ({"margin": float("nan")}, "--margin must be from 1 to 100, got nan"),
    ],
)
def test_a_quantile_or_margin_that_makes_no_sense(
    state: Path, options: dict[str, float], said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        _bands(state, **options)


def test_a_file_that_cannot_be_written_is_one_line(state: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"bands\.yml cannot be written: "):
        _bands(state, out=tmp_path / "file" / "bands.yml")
