"""The bundled sample is what its README says, and its script makes it again."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections import Counter
from itertools import pairwise
from math import log, sqrt
from pathlib import Path
from typing import NamedTuple

import pytest

from daemon.core.units import HOUR_NS
from daemon.feeds.times import parse_iso, parse_when, zone_text
from replay.samples import make_sample

NEW_YORK = "America/New_York"
FOLDER = Path(make_sample.__file__).parent
NVDA, AMD = "nvda_synthetic_hourly.csv", "amd_synthetic_hourly.csv"
PREDICTIONS = "synthetic_predictions.csv"


class Row(NamedTuple):
    start: int
    open: float
    high: float
    low: float
    close: float
    volume: int


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The committed files, unzipped."""
    found = {}
    for name in (NVDA, AMD, PREDICTIONS):
        with zipfile.ZipFile(FOLDER / f"{name}.zip") as archive:
            assert archive.namelist() == [name]
            found[name] = archive.read(name).decode("ascii")
    return found


@pytest.fixture(scope="module")
def tapes(texts: dict[str, str]) -> dict[str, list[Row]]:
    return {name: rows_of(texts[name]) for name in (NVDA, AMD)}


def rows_of(text: str) -> list[Row]:
    header, *rows = csv.reader(io.StringIO(text))
    assert header == ["timestamp", "open", "high", "low", "close", "volume"]
    return [
        Row(parse_iso(stamp), float(opens), float(high), float(low), float(close), int(volume))
        for stamp, opens, high, low, close, volume in rows
    ]


def at(when: str) -> int:
    return parse_when(when, NEW_YORK)


def ends_of(rows: list[Row]) -> list[int]:
    """Bars end an hour after their start, but the last of a day after half an hour."""
    half_days = {"2018-07-03", "2018-11-23", "2018-12-24", "2019-07-03", "2019-11-29"}
    half_days |= {"2019-12-24", "2020-11-27", "2020-12-24", "2021-11-26", "2022-11-25"}
    half_days |= {"2023-07-03", "2023-11-24", "2024-07-03", "2024-11-29", "2024-12-24"}
    ends = []
    for row in rows:
        date, clock = zone_text(row.start, NEW_YORK).split(" ")
        short = clock == ("12:30" if date in half_days else "15:30")
        ends.append(row.start + HOUR_NS // (2 if short else 1))
    return ends


def correlation(xs: list[float], ys: list[float]) -> float:
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    product = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    squares = sum((x - mean_x) ** 2 for x in xs) * sum((y - mean_y) ** 2 for y in ys)
    return product / sqrt(squares)


def test_the_script_makes_the_committed_files(
    texts: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_sample.make_sample()
    assert made == texts
    monkeypatch.setattr(make_sample, "make_sample", lambda: made)
    for path in make_sample.write_sample(tmp_path):
        committed = FOLDER / path.name
        assert committed.stat().st_size < 400_000
        if "ng" in zlib.ZLIB_RUNTIME_VERSION:
            continue  # another compressor: the rows are equal (above), the archive's bytes are not
        assert path.read_bytes() == committed.read_bytes()


def test_bars_and_sessions_are_as_many_as_the_exchange_had(tapes: dict[str, list[Row]]) -> None:
    # Sessions: 2018 251, 2019 252, 2020 253, 2021 252, 2022 251, 2023 250, 2024 252; of them half
    # days, 4 bars instead of 7: 3, 3, 2, 1, 1, 2, 3. Six bars are missing and one stands twice.
    for name, sessions, half_days, missing, twice in (
        (NVDA, 251 + 252 + 253 + 252 + 251 + 250 + 252, 15, 6, 1),
        (AMD, 251 + 250 + 252, 6, 1, 0),
    ):
        rows = tapes[name]
        assert len(rows) == sessions * 7 - half_days * 3 - missing + twice
        assert len({zone_text(row.start, NEW_YORK)[:10] for row in rows}) == sessions
    assert len(tapes[NVDA]) == 12_277
    assert len(tapes[AMD]) == 5_252
    clocks = Counter(zone_text(row.start, NEW_YORK)[11:] for row in tapes[NVDA])
    assert sorted(clocks) == ["09:30", "10:30", "11:30", "12:30", "13:30", "14:30", "15:30"]
    assert clocks["15:30"] == 1761 - 15 - 1


def test_bars_are_sound_but_for_the_faults(tapes: dict[str, list[Row]]) -> None:
    for name, rows in tapes.items():
        spikes, flats, repeated = [], [], []
        for row in rows:
            assert row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high
            assert all(round(price, 2) == price > 0 for price in row[1:5])
            if row.low < 0.5 * row.close or row.high > 2 * row.close:
                spikes.append(row.start)
            if row.volume == 0:
                flats.append(row)
        for before, after in pairwise(rows):
            if before.start == after.start:
                repeated.append(after.start)
                assert before == after
            else:
                assert before.start < after.start
        if name == AMD:
            assert (spikes, flats, repeated) == ([], [], [])
            continue
        assert spikes == [at("2020-10-07 11:30")]
        assert [row.start for row in flats] == [at("2023-06-20 13:30")]
        previous = next(row for row in rows if row.start == at("2023-06-20 12:30"))
        assert set(flats[0][1:5]) == {previous.close}
        assert repeated == [at("2018-09-12 10:30")]


def test_the_missing_bars_are_the_documented_ones(tapes: dict[str, list[Row]]) -> None:
    starts = {name: {row.start for row in rows} for name, rows in tapes.items()}
    halt = [f"2021-08-18 {hour}:30" for hour in (12, 13, 14, 15)]
    for when in ("2019-05-14 11:30", "2022-02-16 14:30", *halt):
        assert at(when) not in starts[NVDA]
    assert at("2023-09-07 12:30") not in starts[AMD]
    assert at("2023-09-07 12:30") in starts[NVDA]
    assert at("2021-08-18 11:30") in starts[NVDA]
    assert at("2021-08-19 09:30") in starts[NVDA]


def test_the_readme_names_every_fault_and_figure(
    texts: dict[str, str], tapes: dict[str, list[Row]]
) -> None:
    readme = " ".join((FOLDER / "README.md").read_text(encoding="utf-8").split())
    for symbol, when, fault in make_sample.FAULTS:
        line = next(part for part in readme.split("| ") if when[:10] in part)
        assert when[11:] in line, f"{symbol} {when} {fault}"
        assert fault in readme or fault == "duplicate"
    for when in (*make_sample.NO_PREDICTION, make_sample.NAN_PREDICTION):
        assert when in readme
    for name, rows in tapes.items():
        assert f"`{name}.zip` | {len(rows):,} | hourly bars" in readme
        assert f"{rows[0].open:.2f} to {rows[-1].close:.2f}" in readme
    assert f"`{PREDICTIONS}.zip` | {texts[PREDICTIONS].count(chr(10)) - 1:,} |" in readme
    assert "adjustment: raw" in readme
    assert readme.startswith("# The bundled sample is synthetic")


def test_volatility_clusters_and_returns_do_not(tapes: dict[str, list[Row]]) -> None:
    for rows in tapes.values():
        closes: dict[str, float] = {}
        for row in rows:
            closes[zone_text(row.start, NEW_YORK)[:10]] = row.close
        returns = [log(after / before) for before, after in pairwise(closes.values())]
        sizes = [abs(value) for value in returns]
        # Under independence these would be 0 +- 0.04 (AMD) and 0.02 (NVDA).
        for lag in (1, 2):
            assert correlation(sizes[:-lag], sizes[lag:]) > 0.1
        assert abs(correlation(returns[:-1], returns[1:])) < 0.06


def test_days_are_busy_at_both_ends(tapes: dict[str, list[Row]]) -> None:
    volumes: dict[str, list[int]] = {}
    for row in tapes[NVDA]:
        volumes.setdefault(zone_text(row.start, NEW_YORK)[11:], []).append(row.volume)
    mean = {clock: sum(values) / len(values) for clock, values in volumes.items()}
    assert mean["09:30"] > mean["10:30"] > mean["12:30"]
    assert mean["15:30"] > mean["14:30"] > mean["13:30"]


def test_the_two_stocks_move_together(tapes: dict[str, list[Row]]) -> None:
    nvda = {row.start: row.close / row.open - 1 for row in tapes[NVDA] if row.volume}
    amd = {row.start: row.close / row.open - 1 for row in tapes[AMD]}
    both = sorted(nvda.keys() & amd.keys())
    assert 0.5 < correlation([nvda[s] for s in both], [amd[s] for s in both]) < 0.75


def predictions_of(text: str, symbol: str) -> dict[int, str]:
    header, *rows = csv.reader(io.StringIO(text))
    assert header == ["ts", "symbol", "value"]
    instants = [parse_iso(row[0]) for row in rows]
    assert instants == sorted(instants)
    found = {parse_iso(row[0]): row[2] for row in rows if row[1] == symbol}
    assert len(found) == sum(row[1] == symbol for row in rows)
    return found


@pytest.mark.parametrize(("symbol", "name"), [("NVDA", NVDA), ("AMD", AMD)])
def test_predictions_have_a_small_edge_on_the_next_bar(
    texts: dict[str, str], tapes: dict[str, list[Row]], symbol: str, name: str
) -> None:
    predictions = predictions_of(texts[PREDICTIONS], symbol)
    rows = [row for row in dict.fromkeys(tapes[name]) if row.volume]
    values, returns = [], []
    for end, following in zip(ends_of(rows), rows[1:], strict=False):
        value = predictions.get(end, "nan")
        if value != "nan":
            values.append(float(value))
            returns.append(following.close / following.open - 1)
    assert len(values) > 5000
    assert 0.05 < correlation(values, returns) < 0.08
    sizes = sorted(abs(value) for value in values)
    assert 0.0005 < sizes[len(sizes) // 2] < 0.0012
    assert 0.003 < sizes[len(sizes) * 99 // 100] < 0.006


def test_predictions_are_absent_where_the_readme_says_so(
    texts: dict[str, str], tapes: dict[str, list[Row]]
) -> None:
    skipped = {
        at(when)
        for when in (
            "2018-03-06 11:30",
            "2019-01-24 14:30",
            "2019-11-05 10:30",
            "2020-06-17 15:30",
            "2022-07-21 13:30",
            "2023-04-13 12:30",
            "2024-10-01 16:00",
            *(f"2021-03-17 {hour}:30" for hour in (10, 11, 12, 13, 14, 15)),
            "2021-03-17 16:00",
        )
    }
    for symbol, name in (("NVDA", NVDA), ("AMD", AMD)):
        predictions = predictions_of(texts[PREDICTIONS], symbol)
        ends = set(ends_of(tapes[name]))
        last = at("2024-12-31 16:00")
        assert ends - predictions.keys() == (skipped & ends) | {last}
        assert predictions.keys() <= ends
        nan_ends = [end for end, value in predictions.items() if value == "nan"]
        assert nan_ends == ([at("2022-11-09 12:30")] if symbol == "NVDA" else [])


def test_the_command_line_writes_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make_sample, "make_sample", lambda: {"one.csv": "a,b\n1,2\n"})
    monkeypatch.setattr("sys.argv", ["make_sample", "--out", str(tmp_path / "new")])
    make_sample.main()
    assert capsys.readouterr().out.startswith(f"{tmp_path}/new/one.csv.zip (")
    with zipfile.ZipFile(tmp_path / "new" / "one.csv.zip") as archive:
        assert archive.read("one.csv") == b"a,b\n1,2\n"
