"""`data import`: any dialect into the state's own form, merged, with what was seen kept apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from daemon.core.units import SECOND_NS
from daemon.data.files import read_about, read_series
from daemon.data.folder import DataFolder
from daemon.errors import BusyError, Exit, RefusedError, StoppedError, UsageError
from replay.data_import import ImportRequest, data_import
from replay.tapes import PlainTapeSpec
from tests.unit.tape_files import WRITERS, Row, at, bars, calendar, opened, papertape, rows_of, save

NOW = at("2024-02-01 17:00")
DAYS = {day: bars(20240100 + day, 20240100 + day) for day in (2, 3, 4, 5)}


def run(
    folder: Path,
    *files: Path,
    now: int = NOW,
    adjustment: str = "splits",
    replace: bool = False,
    **given: Any,
) -> DataFolder:
    data = DataFolder(folder / "state" / "data")
    given = {"symbols": ["NVDA"], **given}
    request = ImportRequest(
        files, PlainTapeSpec(None, adjustment=adjustment), replace=replace, **given
    )
    assert data_import(request, data, calendar(), folder / "state", now) == Exit.OK
    return data


def stored(data: DataFolder, symbol: str = "NVDA", size: str = "1h") -> list[Row]:
    """The bars as any reader of tapes sees them."""
    return rows_of(opened(data.file(symbol, size).path, symbols=[symbol]), symbol)


def moved(rows: Sequence[Row], by: int, cents: int = 10) -> list[Row]:
    """Every `by`th bar closes lower."""
    return [
        row._replace(close=round(row.open - cents / 100, 2), low=round(row.low - 0.2, 2))
        if n % by == 0 else row
        for n, row in enumerate(rows)
    ]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "lean hour"])
def test_every_dialect_becomes_papertapes_own_form(name: str, tmp_path: Path) -> None:
    writer, _, _ = WRITERS[name]
    options: dict[str, Any] = {}
    path = save(tmp_path, writer(bars()), "nvda.csv")
    data = run(tmp_path, path, **options)
    text = data.file("NVDA", "1h").path.read_text("utf-8")
    assert text.splitlines()[:2] == [
        "timestamp,open,high,low,close,volume", "2024-01-02T14:30:00Z,100,100.06,99.95,100.01,1000",
    ]  # fmt: skip
    assert stored(data) == bars()


def test_the_file_is_kept_as_it_came_and_once(tmp_path: Path) -> None:
    path = save(tmp_path, papertape(bars()), "nvda.csv")
    data = run(tmp_path, path)
    run(tmp_path, path)
    (kept,) = data.raw.iterdir()
    assert kept.name.endswith("-nvda.csv")
    assert kept.read_bytes() == path.read_bytes()


def test_files_that_overlap_are_merged_without_duplicates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = save(tmp_path, papertape([*DAYS[2], *DAYS[3]]), "a.csv")
    second = save(tmp_path, papertape([*DAYS[3], *DAYS[5]]), "b.csv")
    data = run(tmp_path, first)
    capsys.readouterr()
    run(tmp_path, second)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("NVDA 1h: 7 new bars, 7 known; ")
    assert said.endswith(
        "nvda_hourly.csv holds 21 bars, 2024-01-02 09:30 to 2024-01-05 15:30 exchange time, "
        "7 missing in between"
    )
    assert stored(data) == [*DAYS[2], *DAYS[3], *DAYS[5]]
    assert not data.file("NVDA", "1h").revisions.exists()


def test_what_was_seen_first_stays_and_what_differs_is_kept_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seven bars a day: the first and the sixth come again otherwise."""
    data = run(tmp_path, save(tmp_path, papertape(DAYS[2]), "a.csv"))
    later = moved(DAYS[2], 5)
    run(tmp_path, save(tmp_path, papertape(later), "b.csv"), now=NOW + 60 * SECOND_NS)
    assert "5 known, 2 that differ from what was seen first" in capsys.readouterr().out
    assert stored(data) == DAYS[2]
    lines = data.file("NVDA", "1h").revisions.read_text("utf-8").splitlines()
    assert lines == [
        "timestamp,open,high,low,close,volume,seen,source",
        "2024-01-02T14:30:00Z,100,100.06,99.95,100.01,1000,2024-02-01T22:00:00Z,a.csv",
        "2024-01-02T14:30:00Z,100,100.06,99.75,99.9,1000,2024-02-01T22:01:00Z,b.csv",
        "2024-01-02T19:30:00Z,100.15,100.21,100.1,100.16,1005,2024-02-01T22:00:00Z,a.csv",
        "2024-01-02T19:30:00Z,100.15,100.21,99.9,100.05,1005,2024-02-01T22:01:00Z,b.csv",
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_order_of_files_means_nothing(order: tuple[int, ...], tmp_path: Path) -> None:
    texts = [DAYS[2] + DAYS[3], moved(DAYS[3] + DAYS[4], 3), moved(DAYS[4] + DAYS[5], 2, 20)]
    paths = [save(tmp_path, papertape(rows), f"{n}.csv") for n, rows in enumerate(texts)]
    together = run(tmp_path / "one", *(paths[n] for n in order)).file("NVDA", "1h")
    one_by_one = [run(tmp_path / "two", paths[n]) for n in order][-1].file("NVDA", "1h")
    expected = run(tmp_path / "three", *paths).file("NVDA", "1h")
    for file in (together, one_by_one):
        assert file.path.read_bytes() == expected.path.read_bytes()
        assert file.revisions.read_bytes() == expected.revisions.read_bytes()
        assert file.about.read_bytes() == expected.about.read_bytes()


def test_a_file_put_there_by_hand_was_seen_before_everything(tmp_path: Path) -> None:
    file = DataFolder(tmp_path / "state" / "data").file("NVDA", "1h")
    file.path.parent.mkdir(parents=True)
    file.path.write_text(papertape(DAYS[2]), encoding="utf-8")
    run(tmp_path, save(tmp_path, papertape(moved(DAYS[2], 7) + DAYS[3]), "b.csv"))
    series = read_series(file, "", "")
    assert [(one.seen, one.source) for one in series.bars[DAYS[2][0].start]] == [
        (0, ""), (NOW, "b.csv"),
    ]  # fmt: skip
    about = read_about(file)
    assert about is not None
    assert about.runs == [
        ("2024-01-02T14:30:00Z", "", ""), ("2024-01-03T14:30:00Z", "2024-02-01T22:00:00Z", "b.csv"),
    ]  # fmt: skip


def test_replace_begins_anew_and_keeps_what_was_there(tmp_path: Path) -> None:
    data = run(tmp_path, save(tmp_path, papertape(DAYS[2]), "a.csv"))
    run(tmp_path, save(tmp_path, papertape(moved(DAYS[2], 2)), "b.csv"))
    file = data.file("NVDA", "1h")
    names = [path.name for path in (file.about, file.path, file.revisions)]
    before = [(data.processed / name).read_bytes() for name in names]
    run(tmp_path, save(tmp_path, papertape(DAYS[3]), "c.csv"), replace=True, adjustment="raw")
    assert stored_raw(data) == DAYS[3]
    assert not data.file("NVDA", "1h").revisions.exists()
    kept = sorted(data.raw.glob("replaced-*"))
    assert [path.name for path in kept] == [f"replaced-20240201T220000Z-{name}" for name in names]
    assert [path.read_bytes() for path in kept] == before


def stored_raw(data: DataFolder) -> list[Row]:
    return rows_of(opened(data.file("NVDA", "1h").path, adjustment="raw"))


def test_bars_that_cannot_be_true_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*DAYS[2]]
    rows[3] = rows[3]._replace(high=1.0)
    data = run(tmp_path, save(tmp_path, papertape(rows), "a.csv"))
    assert (
        "  error       T03 prices outside high and low: 1, quarantined; line 5: open 100.09, high 1"
        in capsys.readouterr().out
    )
    assert stored(data) == rows[:3] + rows[4:]


def test_several_symbols_of_one_file(tmp_path: Path) -> None:
    header = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap"
    lines = [header]
    for row in bars(20240102, 20240102):
        for symbol in ("NVDA", "AMD", "TSLA"):
            stamp = f"2024-01-02 {row.start // 3_600_000_000_000 % 24:02d}:30:00+00:00"
            lines.append(f"{symbol},{stamp},{row.open},{row.high},{row.low},{row.close},7,1,1")
    path = save(tmp_path, "\n".join(lines) + "\n", "all.csv")
    data = run(tmp_path, path, symbols=None)
    assert [(file.symbol, file.size) for file in data.files()] == [
        ("AMD", "1h"), ("NVDA", "1h"), ("TSLA", "1h"),
    ]  # fmt: skip
    assert run(tmp_path / "b", path, symbols=["AMD"]).files()[0].path.name == "amd_hourly.csv"


def test_a_source_without_volume(tmp_path: Path) -> None:
    rows = [row._replace(volume=-1) for row in DAYS[2]]
    data = run(tmp_path, save(tmp_path, papertape(rows), "a.csv"))
    assert not opened(data.file("NVDA", "1h").path).has_volume
    with pytest.raises(RefusedError, match="what is there has no volume: --replace begins anew"):
        run(tmp_path, save(tmp_path, papertape(DAYS[3]), "b.csv"))


# --- what is refused, and changes nothing ---------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"adjustment": "raw"}, "adjusted as splits, the import is given as raw"),
        ({"grid": "clock"}, "cut on the session grid, those of the import on the clock grid"),
    ],
)
def test_what_cannot_be_one_series(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    data = run(tmp_path, save(tmp_path, papertape(DAYS[2]), "a.csv"))
    before = data.file("NVDA", "1h").path.read_bytes()
    rows = bars(20240103, 20240103, grid=given.get("grid", "session"))
    with pytest.raises(RefusedError, match=words):
        run(tmp_path, save(tmp_path, papertape(rows), "b.csv"), size="1h", **given)
    assert data.file("NVDA", "1h").path.read_bytes() == before


def test_prices_of_another_split_are_not_taken_for_revisions(tmp_path: Path) -> None:
    data = run(tmp_path, save(tmp_path, papertape(DAYS[2]), "a.csv"))
    tenth = [
        row._replace(
            open=round(row.open / 10, 4), high=round(row.high / 10, 4),
            low=round(row.low / 10, 4), close=round(row.close / 10, 4),
        )
        for row in DAYS[2]
    ]  # fmt: skip
    path = save(tmp_path, papertape(tenth + DAYS[3]), "b.csv")
    with pytest.raises(RefusedError, match=r"are 10 times those of the import: .* split 10:1"):
        run(tmp_path, path)
    assert stored(data) == DAYS[2]


def test_a_listed_split_is_applied_to_what_came_before_it(tmp_path: Path) -> None:
    data = run(tmp_path, save(tmp_path, papertape(DAYS[2]), "a.csv"))
    data.actions.write_text(
        "symbol,kind,effective,ratio,amount_usd,pay_date,source\nNVDA,split,2024-01-03,10:1,,,\n",
        encoding="utf-8",
    )
    new = [row._replace(open=10.0, high=10.1, low=9.9, close=10.0) for row in DAYS[3]]
    run(tmp_path, save(tmp_path, papertape(new), "b.csv"))
    found = stored(data)
    assert found[0] == Row(DAYS[2][0].start, 10.0, 10.006, 9.995, 10.001, 10_000)
    assert found[7:] == new
    about = json.loads(data.file("NVDA", "1h").about.read_text("utf-8"))
    assert (about["adjusted_until"], about["splits"]) == (20240102, [[20240103, 10, 1]])


def test_a_foreign_form_under_our_name_is_refused_with_its_line(tmp_path: Path) -> None:
    file = DataFolder(tmp_path / "state" / "data").file("NVDA", "1h")
    file.path.parent.mkdir(parents=True)
    file.path.write_text("Datetime,Open\n", encoding="utf-8")
    path = save(tmp_path, papertape(DAYS[2]), "a.csv")
    with pytest.raises(RefusedError, match=r"nvda_hourly.csv:1: is not papertape's own form"):
        run(tmp_path, path)
    file.path.write_text(papertape(DAYS[2]) + "2024-01-03T14:30:00Z,1,1,x,1,1\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"nvda_hourly.csv:9: could not convert string"):
        run(tmp_path, path)
    file.path.write_text(papertape(DAYS[2]) + "2024-01-03T14:30:00Z,1,1,0,1,1\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"nvda_hourly.csv:9: prices 1, 1, 0, 1 are not all"):
        run(tmp_path, path)


def test_one_data_job_at_a_time(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "state" / "data")
    path = save(tmp_path, papertape(DAYS[2]), "a.csv")
    with (
        data.held(),
        pytest.raises(BusyError, match=r"process \d+ is at work here, another data job"),
    ):
        run(tmp_path, path)
    run(tmp_path, path)


def test_a_bar_that_is_not_over_is_not_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At 12:00 the bars of 09:30 and 10:30 are over, that of 11:30 is running, 12:30 is made up."""
    path = save(tmp_path, papertape([*DAYS[2], *DAYS[3][:4]]), "a.csv")
    data = run(tmp_path, path, now=at("2024-01-03 12:00"))
    assert stored(data) == [*DAYS[2], *DAYS[3][:2]]
    assert "  left out    2 bars not over yet\n" in capsys.readouterr().out
    run(tmp_path / "b", path, now=at("2024-01-02 10:00"))
    assert capsys.readouterr().out.endswith("NVDA 1h: none of its bars is over\n")
    assert not (tmp_path / "b" / "state" / "data" / "processed").exists()


@pytest.mark.parametrize(
    ("name", "symbols", "traded", "taken"),
    [
        ("20240102.csv", None, ["NVDA"], ["NVDA"]),
        ("20240102.csv", ["AMD"], None, ["AMD"]),
        ("nvda.csv", None, ["AMD", "NVDA"], ["NVDA"]),
        ("20240102.csv", None, None, "says nowhere which symbol it is of: give --symbol"),
        ("20240102.csv", None, ["AMD", "NVDA"], "says nowhere which symbol"),
        ("amd.csv", None, ["NVDA"], "is of AMD, the config trades NVDA: give --symbol"),
    ],
)
def test_whose_bars_these_are(
    name: str, symbols: Any, traded: Any, taken: list[str] | str, tmp_path: Path
) -> None:
    path = save(tmp_path, papertape(DAYS[2]), name)
    if isinstance(taken, str):
        with pytest.raises(UsageError, match=taken):
            run(tmp_path, path, symbols=symbols, traded=traded)
        assert not (tmp_path / "state").exists()
    else:
        data = run(tmp_path, path, symbols=symbols, traded=traded)
        assert [file.symbol for file in data.files()] == taken


def test_a_jump_by_a_splits_ratio_needs_a_declaration(tmp_path: Path) -> None:
    """Prices as traded are not taken for adjusted ones because nobody said what they are."""
    tenth = [row._replace(open=10.0, high=10.1, low=9.9, close=10.0) for row in DAYS[3]]
    path = save(tmp_path, papertape(DAYS[2] + tenth), "a.csv")
    with pytest.raises(
        UsageError, match=r"2024-01-03: opens at 10\.0 after .*say --adjustment raw"
    ):
        run(tmp_path, path, declared=False)
    assert not (tmp_path / "state").exists()
    run(tmp_path, path, adjustment="raw")
    run(tmp_path / "b", save(tmp_path, papertape(DAYS[2]), "b.csv"), declared=False)


@pytest.mark.parametrize(("odd", "refused"), [(4, True), (3, False)])
def test_bars_of_another_symbol_or_zone_are_no_revisions(
    odd: int, refused: bool, tmp_path: Path
) -> None:
    """Seven bars are there: four of them without a price in common are most."""
    data = run(tmp_path, save(tmp_path, papertape(DAYS[2]), "a.csv"))
    other = [
        row._replace(open=7.0, high=8.0 + n, low=6.0, close=7.0) if n < odd else row
        for n, row in enumerate(DAYS[2])
    ]
    path = save(tmp_path, papertape(other), "b.csv")
    if refused:
        with pytest.raises(RefusedError, match="4 of 7 bars that are there have no price in comm"):
            run(tmp_path, path, now=NOW + SECOND_NS)
    else:
        run(tmp_path, path, now=NOW + SECOND_NS)
    assert stored(data) == DAYS[2]


def test_whoever_stops_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("replay.data_import.write_series", stop)
    with pytest.raises(StoppedError, match="each symbol is as it was, or has all of the import"):
        run(tmp_path, save(tmp_path, papertape(DAYS[2]), "a.csv"))
