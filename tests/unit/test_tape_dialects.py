"""Every dialect gives the same bars; what fits none is refused in one line that says what to do."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from tests.unit.tape_files import (
    WRITERS,
    Row,
    at,
    bars,
    iso_z,
    local,
    moment,
    opened,
    papertape,
    rows_of,
    save,
    save_zip,
    starts,
    text_of,
)


@pytest.mark.parametrize("name", list(WRITERS))
def test_each_dialect_is_recognised_and_gives_the_bars_back(name: str, tmp_path: Path) -> None:
    write, dialect, grid = WRITERS[name]
    rows = bars(grid=grid)
    tape = opened(save(tmp_path, write(rows)), grid=grid)
    assert rows_of(tape) == rows
    assert tape.understood.dialect == dialect
    assert tape.understood.detected
    assert not tape.faults


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_named_dialect_reads_the_same(name: str, tmp_path: Path) -> None:
    write, dialect, grid = WRITERS[name]
    tape = opened(save(tmp_path, write(bars(grid=grid))), grid=grid, dialect=dialect)
    assert rows_of(tape) == bars(grid=grid)
    assert not tape.understood.detected


@st.composite
def markets(draw: st.DrawFn, grid: str) -> list[Row]:
    """Some expected bars with prices of at most four decimals and consistent highs and lows."""
    possible = starts(20240301, 20240315, "1h", grid)
    chosen = draw(st.lists(st.sampled_from(possible), max_size=5, unique=True))
    rows = []
    # a whole session among them, or a few bars hours apart would rightly be taken for a wrong size
    for start in sorted({*possible[:7], *chosen}):
        units = sorted(draw(st.lists(st.integers(1, 10**9), min_size=4, max_size=4)))
        low, one, other, high = (unit / 10_000 for unit in units)
        rows.append(Row(start, one, high, low, other, draw(st.integers(1, 10**12))))
    return rows


@pytest.mark.parametrize("name", list(WRITERS))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_writing_and_reading_is_the_identity(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    write, _, grid = WRITERS[name]
    rows = data.draw(markets(grid))
    assert rows_of(opened(save(tmp_path, write(rows)), grid=grid)) == rows


def test_download_with_two_tickers_has_a_group_of_columns_for_each(tmp_path: Path) -> None:
    header = (
        "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n"
        "Ticker,AMD,NVDA,AMD,NVDA,AMD,NVDA,AMD,NVDA,AMD,NVDA\nDatetime,,,,,,,,,,"
    )
    first, second, third = starts(20240102, 20240102)[:3]
    text = text_of(
        header,
        [
            (moment(first).isoformat(" "), 11, 21, 12, 22, 9, 19, 10, 20, 100, 200),
            (moment(second).isoformat(" "), "", 21.5, "", 22, "", 20, "", 21, "", 300),
            (moment(third).isoformat(" "), 12, 21, 12, 22, 9, 19, 11, 20, 100, 200),
        ],
    )
    tape = opened(save(tmp_path, text), symbols=("NVDA", "AMD"))
    assert list(tape.columns) == ["NVDA", "AMD"]
    assert rows_of(tape, "NVDA")[1] == Row(second, 21.0, 22.0, 20.0, 21.5, 300)
    assert [row.start for row in rows_of(tape, "AMD")] == [first, third]
    assert not tape.fault_counts.get("T02"), "an empty cell of another ticker is no fault"


def test_one_file_with_a_symbol_column_holds_many_symbols(tmp_path: Path) -> None:
    rows = bars(20240102, 20240103)
    text = "symbol,timestamp,open,high,low,close,volume\n"
    for row in rows:
        for symbol, factor in (("NVDA", 1), ("AMD", 2), ("SPY", 3)):
            values = [round(value * factor, 4) for value in row[1:]]
            text += f"{symbol},{iso_z(row.start)},{','.join(map(str, values))}\n"
    tape = opened(save(tmp_path, text), symbols=("SPY", "NVDA"))
    assert list(tape.columns) == ["SPY", "NVDA"]
    assert rows_of(tape, "NVDA") == rows
    assert rows_of(tape, "SPY")[0].open == 300.0
    assert tape.understood.rows_dropped == {"of other symbols": len(rows)}


def test_a_path_may_hold_the_symbol_as_written_or_in_lower_case(tmp_path: Path) -> None:
    save(tmp_path, papertape(bars()), "NVDA_x.csv")
    save(tmp_path, papertape(bars(20240103, 20240105)), "amd_x.csv")
    tape = opened(tmp_path / "{symbol}_x.csv", symbols=("NVDA", "AMD"))
    assert [len(rows_of(tape, symbol)) for symbol in ("NVDA", "AMD")] == [28, 21]
    assert tape.understood.files == ("NVDA_x.csv", "amd_x.csv")


def test_lean_minute_files_have_their_date_in_the_name(tmp_path: Path) -> None:
    rows = [
        (34_200_000 + n * 60_000, 1_000_000, 1_000_500, 999_500, 1_000_100, 10) for n in range(390)
    ]
    member = "20240102_nvda_minute_trade.csv"
    path = save_zip(tmp_path, {member: text_of("", rows)}, "20240102_trade.zip")
    tape = opened(path, size="1m")
    assert rows_of(tape)[0] == Row(at("2024-01-02 09:30"), 100.0, 100.05, 99.95, 100.01, 10)
    assert len(rows_of(tape)) == 390
    assert tape.understood.zone == "America/New_York (defined by the dialect)"


def test_named_columns_with_date_and_time_apart(tmp_path: Path) -> None:
    rows = [(local(row.start, "%Y-%m-%d"), local(row.start, "%H:%M"), *row[1:]) for row in bars()]
    path = save(tmp_path, text_of("Tag;Zeit;E;H;T;S;Stk", rows).replace(",", ";"))
    columns = {
        "date": "Tag",
        "time": "Zeit",
        "open": "E",
        "high": "H",
        "low": "T",
        "close": "S",
        "volume": "Stk",
    }
    tape = opened(path, columns=columns, timezone="America/New_York")
    assert rows_of(tape) == bars()
    assert tape.understood.dialect == "columns"
    assert tape.understood.zone == "America/New_York (configured)"


def test_stamps_may_be_bar_ends(tmp_path: Path) -> None:
    half_day = 20240703
    rows = bars(20240702, half_day)
    ends = [row.start + 3_600 * SECOND_NS for row in rows]
    # One tape stamps the short last bar of a session with the close, another with an hour on.
    cut = [min(end, at(f"{local(end, '%Y-%m-%d')} 16:00")) for end in ends]
    cut[-1] = at("2024-07-03 13:00")
    for stamps in (ends, cut):
        shifted = [row._replace(start=stamp) for row, stamp in zip(rows, stamps, strict=True)]
        tape = opened(save(tmp_path, papertape(shifted)), stamps="end")
        assert rows_of(tape) == rows
        assert tape.columns["NVDA"].end[-1] == at("2024-07-03 13:00")


def test_a_tape_without_volume_says_so(tmp_path: Path) -> None:
    header = ",date,open,high,low,close,volume,average,barCount"
    rows = [(n, moment(row.start).isoformat(" "), *row[1:5], -1, -1, -1)
            for n, row in enumerate(bars())]  # fmt: skip
    from_quotes = opened(save(tmp_path, text_of(header, rows)))
    bare = text_of("timestamp,open,high,low,close", [(iso_z(r.start), *r[1:5]) for r in bars()])
    for tape in (from_quotes, opened(save(tmp_path, bare))):
        assert not tape.has_volume
        assert len(rows_of(tape)) == 28
        assert set(tape.columns["NVDA"].volume) == {0}
        assert not tape.faults


def test_prices_are_rounded_to_four_decimals_and_counted(tmp_path: Path) -> None:
    text = "timestamp,open,high,low,close,volume\n"
    text += f"{iso_z(at('2024-01-02 09:30'))},138.99000549316406,139.61,135.8,137.1234,10\n"
    # Halfway between two prices; in binary a trifle more than 0.00005 from the nearer.
    text += f"{iso_z(at('2024-01-02 10:30'))},137.300004,139.610004,100.00035,137.120004,10\n"
    tape = opened(save(tmp_path, text))
    first, second = rows_of(tape)
    assert (second.open, second.high, second.close) == (137.3, 139.61, 137.12)
    assert first.open == 138.99
    assert second.low == 100.0004
    assert tape.understood.prices_moved == 5
    assert tape.understood.prices_moved_far == 1
    assert tape.understood.largest_move == pytest.approx(0.00005, abs=1e-9)
    assert tape.understood.lines()[-1] == (
        "prices      5 rounded to four decimals, the furthest by 0.0000500; 1 by more than 0.00005"
    )


def test_what_was_understood_is_told_in_lines(tmp_path: Path) -> None:
    path = save_zip(tmp_path, {"nvda.csv": WRITERS["lean hour"][0](bars(grid="clock"))})
    lines = opened(path, grid="clock", adjustment="raw").understood.lines()
    assert lines[0] == "file        nvda.zip (CSV in a zip: nvda.csv)"
    assert lines[1] == "dialect     lean (detected)"
    assert lines[3] == "time zone   America/New_York (defined by the dialect)"
    assert lines[4] == "stamps      a row's stamp is the start of its bar"
    assert lines[5] == "bars        1h on the clock grid"
    assert lines[6] == "adjustment  raw"
    assert lines[7] == "rows        28 read, 28 kept"


# --- what is refused --------------------------------------------------------------------------

NAIVE = "timestamp,open,high,low,close,volume\n2024-01-02 09:30:00,1,2,1,2,5\n"
Z_ROW = "2024-01-02T14:30:00Z,1,2,1,2,5"
HEADER = "timestamp,open,high,low,close,volume"

REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "the file is empty"),
    "blank lines": ("\n\n", "the file is empty"),
    "header only": (HEADER + "\n", "nvda.csv:1: a header and no bars"),
    "naive stamp": (NAIVE, "nvda.csv:2: the stamp '2024-01-02 09:30:00' carries no time zone"),
    "daily": ("Date,Open,High,Low,Close,Volume\n2024-01-02,1,2,1,2,5\n", "csv:2: .* daily bars"),
    "missing column": (
        "timestamp,open,high,close,volume\n" + Z_ROW,
        r"no known dialect \(closest: .*, missing: low\); name its columns: tape\.columns",
    ),
    "unknown header": (
        "when,open,high,low,close,volume\n" + Z_ROW,
        "name its columns: tape.columns: {timestamp: when, open: open, high: high",
    ),
    "not a table of prices": ("name,age\nEve,30\n", "neither a header of prices nor a row of"),
    "binary": (b"\x00\x01\x02\xff" * 50, "is binary; a tape is CSV"),
    "latin-1": (HEADER.encode() + b"\n" + b"\xe9\xe8,1,2,1,2,5\n", "not readable text"),
    "gzip": (b"\x1f\x8b\x08\x00junk", "is compressed with gzip"),
    "broken zip": (b"PK\x03\x04junk", "is a damaged zip"),
    "broken parquet": (b"PAR1junk", "damaged Parquet|needs pyarrow"),
    "words for stamps": (HEADER + "\nyesterday,1,2,1,2,5\n", "csv:2: 'yesterday' is not a time"),
    "outside the calendar": (
        HEADER + "\n2023-01-03T14:30:00Z,1,2,1,2,5\n",
        "csv:2: NVDA: 2023-01-03 is outside what calendar TEST knows",
    ),
    "weekend": (HEADER + "\n2024-01-06T14:30:00Z,1,2,1,2,5\n", "not one of 1 rows is a usable"),
    "lean daily": ("20240102 00:00,1,2,1,2,5\n20240103 00:00,1,2,1,2,5\n", "LEAN daily"),
    "lean minute without a date": ("34200000,1,2,1,2,5\n", "have their date in the name"),
    "repeated hour": (
        "timestamp,open,high,low,close,volume\n2024-11-03 01:30:00,1,2,1,2,5\n",
        "csv:2: .* happens twice",
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_a_tape_is_one_clear_line(name: str, tmp_path: Path) -> None:
    text, says = REFUSED[name]
    zone = "America/New_York" if name == "repeated hour" else None
    with pytest.raises(RefusedError, match=says) as caught:
        opened(save(tmp_path, text), timezone=zone)
    assert len(caught.value.lines) == 1
    assert "\n" not in str(caught.value)
    assert "nvda.csv" in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=f"{tmp_path}/none.csv: there is no such file"):
        opened(tmp_path / "none.csv")
    with pytest.raises(RefusedError, match=r"cannot be read|is a folder"):
        opened(tmp_path)
    two = save_zip(tmp_path, {"a.csv": "1", "b.csv": "2"})
    with pytest.raises(RefusedError, match=r"must hold one file, this holds 2: a\.csv, b\.csv"):
        opened(two)


def test_the_wrong_size_names_both(tmp_path: Path) -> None:
    path = save(tmp_path, papertape(bars(20240102, 20240102, "5m")))
    with pytest.raises(
        RefusedError, match=r"bars are 5 minutes apart, but bars\.size is 1h; set bars\.size: 5m"
    ):
        opened(path)


def test_the_wrong_grid_or_kind_of_stamp_says_what_fits(tmp_path: Path) -> None:
    on_clock = save(tmp_path, papertape(bars(grid="clock")))
    with pytest.raises(RefusedError, match=r"not on the 1h session grid.*bars\.grid: clock"):
        opened(on_clock, grid="session")


def test_the_wrong_symbol(tmp_path: Path) -> None:
    column = save(tmp_path, WRITERS["alpaca"][0](bars()))
    with pytest.raises(RefusedError, match="holds NVDA, not AMD"):
        opened(column, symbols=("AMD",))
    stacked = save(tmp_path, WRITERS["yfinance download()"][0](bars()))
    with pytest.raises(RefusedError, match="holds NVDA, not AMD"):
        opened(stacked, symbols=("AMD",))
    member = save_zip(tmp_path, {"spy.csv": WRITERS["lean hour"][0](bars(grid="clock"))})
    with pytest.raises(RefusedError, match="holds SPY, not AMD"):
        opened(member, symbols=("AMD",), grid="clock")
    plain = save(tmp_path, papertape(bars()))
    with pytest.raises(RefusedError, match="name no symbol, so it cannot hold NVDA, AMD"):
        opened(plain, symbols=("NVDA", "AMD"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dialect": "stooq"}, r"tape\.dialect: 'stooq' is none of auto, papertape"),
        ({"dialect": "lean"}, "dialect lean has rows like"),
        ({"dialect": "alpaca"}, "closest: alpaca, missing: none of the columns that tell it apart"),
        ({"stamps": "middle"}, r"tape\.stamps: 'middle' is none of start, end"),
        ({"size": "2h"}, r"bars\.size: '2h' is none of 1h"),
        ({"columns": {"open": "open"}}, r"tape\.columns: date, high, low, close must be named"),
        (
            {"columns": {n: n for n in ("date", "open", "high", "low", "close")}},
            "tape.columns names date, which the header",
        ),
    ],
)
def test_options_that_do_not_fit(options: dict[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=says):
        opened(save(tmp_path, papertape(bars())), **options)  # type: ignore[arg-type]  # table


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_file_holds_the_answer_is_a_tape_or_one_line(
    data: st.DataObject, tmp_path: Path
) -> None:
    write, _, grid = WRITERS[data.draw(st.sampled_from(list(WRITERS)))]
    lines = write(bars(20240102, 20240104, grid=grid)).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        n = data.draw(st.integers(0, len(lines) - 1))
        cells = lines[n].split(",")
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(
            st.one_of(
                st.sampled_from(["", "nan", "-inf", "1e308", "1e5000", '"', "0", "-1", "9" * 25]),
                st.text(max_size=8),
            )
        )
        lines[n] = ",".join(cells)
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    with suppress(RefusedError):
        tape = opened(save(tmp_path, text), grid=grid, timezone="UTC")
        assert all(row.low <= row.open <= row.high for row in rows_of(tape))


# --- Parquet ----------------------------------------------------------------------------------


def _parquet(path: Path, stamps: object, rows: list[Row], stamp_name: str) -> Path:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = ("Open", "High", "Low", "Close", "Volume")
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names, 1)}
    parquet.write_table(arrow.table({stamp_name: stamps} | columns), path)
    return path


def test_parquet_with_zoned_and_with_naive_stamps(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    rows = bars()
    zoned = arrow.array([row.start for row in rows], arrow.timestamp("ns", "America/New_York"))
    naive = arrow.array([moment(row.start).replace(tzinfo=None) for row in rows])
    path = _parquet(tmp_path / "a.parquet", zoned, rows, "Datetime")
    assert rows_of(opened(path)) == rows
    path = _parquet(tmp_path / "b.parquet", naive, rows, "__index_level_0__")
    assert rows_of(opened(path, timezone="UTC")) == rows
    with pytest.raises(RefusedError, match=r"b\.parquet:2: .* carries no time zone"):
        opened(path)


def test_parquet_reports_a_missing_price_by_its_row(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    rows = bars()
    rows[3] = rows[3]._replace(high=None)  # type: ignore[arg-type]  # what a null is
    stamps = arrow.array([row.start for row in rows], arrow.timestamp("ns", "UTC"))
    tape = opened(_parquet(tmp_path / "a.parquet", stamps, rows, "Datetime"))
    (fault,) = [fault for fault in tape.faults if fault.rule.startswith("T02")]
    assert (fault.line, fault.message) == (5, "high is None")


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RefusedError, match=r"pip install 'papertape\[parquet\]'"):
        opened(save(tmp_path, b"PAR1" + bytes(20), "a.parquet"))
