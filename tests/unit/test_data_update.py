"""`data update` fetches what is missing, keeps what changed apart, and can be interrupted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import Bar
from daemon.core.units import HOUR_NS
from daemon.data.files import read_series, write_series
from daemon.data.folder import DataFolder
from daemon.data.history import Fetched, HistoryAwayError, Wanted
from daemon.data.progress import Progress
from daemon.data.series import Key, Numbers, Series, sighted
from daemon.data.update import missing_bars
from daemon.data.update_verb import data_update
from daemon.errors import Exit, RefusedError, StoppedError
from daemon.observability.checks import Checks
from replay.data_import import FileHistory
from replay.tapes import PlainTapeSpec
from tests.unit.tape_files import Row, at, bars, calendar, papertape, save, starts

WANTED = Wanted(("NVDA",), "1h", "session", "splits")
EVENING = at("2024-01-12 16:45")
ALL = bars(20240102, 20240112)
"""Nine sessions of seven bars."""


class Memory:
    """A source that answers from memory, and remembers what it was asked for."""

    name = "ib"
    adjustment = "splits"

    def __init__(self, rows: Sequence[Row], ends: dict[int, int] | None = None) -> None:
        self.rows = list(rows)
        self.asked: list[tuple[str, int, int]] = []
        self.fails_after = 1 << 30
        self.closed = False
        self.days = 1_000
        self._ends = ends or {}

    def days_at_once(self, size: str) -> int:
        return self.days

    async def fetch(self, symbol: str, size: str, start: int, end: int) -> Fetched:
        if len(self.asked) == self.fails_after:
            raise HistoryAwayError("the gateway does not answer")
        if symbol == "NOPE":
            raise RefusedError("NOPE: no such contract")
        self.asked.append((symbol, start, end))
        found = [
            Bar(symbol, row.start, self._ends.get(row.start) or ENDS[row.start], *row[1:])
            for row in self.rows
        ]
        return Fetched([bar for bar in found if start <= bar.start and bar.end <= end])

    async def close(self) -> None:
        self.closed = True


def ends_of(first: int, last: int) -> dict[int, int]:
    """Hourly bars end an hour later, the session's last at 16:00."""
    return {
        s: s + (HOUR_NS if n % 7 != 6 else HOUR_NS // 2) for n, s in enumerate(starts(first, last))
    }


ENDS = ends_of(20240102, 20240112)


def run(
    folder: Path, memory: Any, now: int = EVENING, wanted: Wanted = WANTED, since: int | None = None
) -> tuple[int, DataFolder]:
    data = DataFolder(folder / "state" / "data")
    (folder / "state").mkdir(exist_ok=True)
    code = data_update(
        folder / "state", data, wanted, lambda _: memory, calendar(), clock=lambda: now, since=since
    )
    return code, data


def has(data: DataFolder, rows: Sequence[Row], symbol: str = "NVDA") -> None:
    series = read_series(data.file(symbol, "1h"), "", "")
    found = [Row(start, *series.bars[start][0].numbers) for start in series.starts]
    assert found == list(rows)


def put(
    data: DataFolder, rows: Sequence[Row], adjustment: str = "splits", until: int = 20240105
) -> None:
    told = sighted(((row.start, Numbers(*row[1:])) for row in rows), 1, "before")
    write_series(
        data.file("NVDA", "1h"), Series(Key("NVDA", "1h", "session"), adjustment, until, bars=told)
    )


def test_a_symbol_without_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory(ALL)
    code, data = run(tmp_path, memory, since=20240102)
    assert code == 0
    has(data, ALL)
    assert memory.closed
    out, err = capsys.readouterr()
    assert out == (
        f"state   {tmp_path / 'state'}\n"
        "NVDA 1h: 63 new bars; the last begins 2024-01-12 15:30 exchange time\n"
    )
    assert err == ""  # no progress where nobody looks
    assert Checks(tmp_path / "state").results()["data-update"] == (True, EVENING)


def test_it_goes_on_where_the_bars_end_and_looks_at_five_sessions_again(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "state" / "data")
    put(data, ALL[:56])  # eight sessions, up to the 11th
    memory = Memory(ALL)
    run(tmp_path, memory)
    has(data, ALL)
    ((_, start, end),) = memory.asked
    assert (start, end) == (at("2024-01-04 09:30"), at("2024-01-12 16:00"))


def test_a_bar_that_has_just_ended_is_left_for_later(tmp_path: Path) -> None:
    memory = Memory(ALL)
    run(tmp_path, memory, now=at("2024-01-12 11:30"), since=20240112)
    assert memory.asked[0][2] == at("2024-01-12 10:30")
    run(tmp_path, memory, now=at("2024-01-12 11:31"))
    assert memory.asked[1][2] == at("2024-01-12 11:30")


def test_what_a_source_gives_beyond_what_was_asked_is_left_out(tmp_path: Path) -> None:
    """A running bar, as a gateway shows it, is not over."""

    class Generous(Memory):
        async def fetch(self, symbol: str, size: str, start: int, end: int) -> Fetched:
            return await super().fetch(symbol, size, start, end + HOUR_NS)

    _, data = run(tmp_path, Generous(ALL), now=at("2024-01-12 12:00"), since=20240112)
    has(data, ALL[56:58])


def test_holes_are_filled_and_revisions_kept_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = DataFolder(tmp_path / "state" / "data")
    put(data, [row for n, row in enumerate(ALL) if n not in (50, 51)])
    now_said = [
        row._replace(volume=row.volume + 1) if n == 60 else row for n, row in enumerate(ALL)
    ]
    code, _ = run(tmp_path, Memory(now_said))
    assert code == 0
    has(data, ALL)
    assert "2 new bars, 1 revised (`papertape data diff NVDA`)" in capsys.readouterr().out
    ((start, sightings),) = read_series(data.file("NVDA", "1h"), "", "").revised()
    assert start == ALL[60].start
    assert [(one.source, one.numbers.volume) for one in sightings] == [
        ("before", 1060),
        ("ib", 1061),
    ]


def test_bars_that_nobody_expects_or_believes_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = [
        ALL[0]._replace(high=90.0),
        ALL[1]._replace(low=float("nan")),
        ALL[2]._replace(volume=-1),
        ALL[4]._replace(start=ALL[4].start + 1),
    ]
    memory = Memory([*odd, ALL[3]], {odd[3].start: ENDS[ALL[4].start]})
    _, data = run(tmp_path, memory, since=20240102)
    has(data, [ALL[3]])
    assert "1 new bar, 4 left out: no bar is expected there" in capsys.readouterr().out


def test_whoever_is_interrupted_goes_on(tmp_path: Path) -> None:
    """Three days an answer, from Tuesday the 2nd: 2-4, 5, 8-10, 11-12. It goes away after two."""
    memory = Memory(ALL)
    memory.days, memory.fails_after = 3, 3
    code, data = run(tmp_path, memory, since=20240102)
    assert code == 75
    has(data, ALL[:49])
    assert Checks(tmp_path / "state").results()["data-update"].success is False
    memory.fails_after = 1 << 30
    assert run(tmp_path, memory)[0] == 0
    has(data, ALL)
    assert [start for _, start, _ in memory.asked[:3]] == [
        at("2024-01-02 09:30"), at("2024-01-05 09:30"), at("2024-01-08 09:30"),
    ]  # fmt: skip
    assert memory.asked[3][1] == at("2024-01-03 09:30")  # five sessions before the 10th


def test_before_the_open_there_is_nothing_of_today(tmp_path: Path) -> None:
    """A machine that was off all evening makes up for it in the morning."""
    memory = Memory(ALL)
    _, data = run(tmp_path, memory, now=at("2024-01-12 08:00"), since=20240110)
    has(data, ALL[42:56])
    ((_, start, end),) = memory.asked
    assert (start, end) == (at("2024-01-10 09:30"), at("2024-01-11 16:00"))


def test_what_is_missing_since_a_date_is_asked_for_and_no_more(tmp_path: Path) -> None:
    """Of Tuesday the 2nd to Friday the 12th: no bar of the 2nd, and one less later.

    The 4th is before the five sessions that are looked at again (5th to 11th, after which the
    12th comes), so what is said anew of its other bars does not count.
    """
    data = DataFolder(tmp_path / "state" / "data")
    put(data, [row for n, row in enumerate(ALL) if n > 6 and n not in (9, 16)])
    said = [row._replace(volume=row.volume + 1) if n in (15, 22) else row
            for n, row in enumerate(ALL)]  # fmt: skip
    memory = Memory(said)
    run(tmp_path, memory, since=20240101)
    has(data, ALL)
    revised = [start for start, _ in read_series(data.file("NVDA", "1h"), "", "").revised()]
    assert revised == [ALL[22].start]
    run(tmp_path, memory, since=20240101)
    assert memory.asked[-1][1] == at("2024-01-05 09:30")


def test_two_holes_are_two_questions(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "state" / "data")
    put(data, [row for n, row in enumerate(ALL) if n not in (2, 16)])
    memory = Memory(ALL)
    run(tmp_path, memory, since=20240102)
    has(data, ALL)
    assert [start for _, start, _ in memory.asked] == [
        at("2024-01-02 09:30"), at("2024-01-04 09:30"),
    ]  # fmt: skip


@pytest.mark.parametrize(("odd", "refused"), [(22, True), (21, False)])
def test_bars_of_another_stock_are_no_revisions(
    odd: int, refused: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six sessions are looked at again, 42 bars: 22 of them are most, 21 are not."""
    data = DataFolder(tmp_path / "state" / "data")
    put(data, ALL)
    before = data.file("NVDA", "1h").path.read_bytes()
    said = [
        row._replace(open=7.0 + n, high=8.0 + n, low=6.0 + n, close=7.5 + n) if n >= 63 - odd
        else row
        for n, row in enumerate(ALL)
    ]  # fmt: skip
    code, _ = run(tmp_path, Memory(said))
    assert code == (78 if refused else 0)
    assert data.file("NVDA", "1h").path.read_bytes() == before
    told = "NVDA: 22 of 42 bars have no price in common with those of ib"
    assert (told in capsys.readouterr().err) == refused


def test_whoever_stops_it_is_told_what_is_there(tmp_path: Path) -> None:
    class Impatient(Memory):
        async def fetch(self, symbol: str, size: str, start: int, end: int) -> Fetched:
            if self.asked:
                raise KeyboardInterrupt
            return await super().fetch(symbol, size, start, end)

    memory = Impatient(ALL)
    memory.days = 3
    with pytest.raises(StoppedError, match="what came so far is kept") as stopped:
        run(tmp_path, memory, since=20240102)
    assert stopped.value.code == Exit.INTERRUPTED
    has(DataFolder(tmp_path / "state" / "data"), ALL[:21])
    assert memory.closed
    assert "data-update" not in Checks(tmp_path / "state").results()


def test_a_symbol_that_fails_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = WANTED._replace(symbols=("NOPE", "NVDA"))
    code, data = run(tmp_path, Memory(ALL), wanted=wanted, since=20240102)
    assert code == 78
    has(data, ALL)
    assert capsys.readouterr().err == "papertape: NOPE: no such contract\n"


def test_prices_on_another_footing_need_an_explanation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After 10:1 on the 12th the source divides everything of before by ten."""
    data = DataFolder(tmp_path / "state" / "data")
    put(data, ALL[:56])
    tenth = [
        row._replace(
            open=round(row.open / 10, 4), high=round(row.high / 10, 4),
            low=round(row.low / 10, 4), close=round(row.close / 10, 4), volume=row.volume * 10,
        )
        for row in ALL
    ]  # fmt: skip
    before = data.file("NVDA", "1h").path.read_bytes()
    code, _ = run(tmp_path, Memory(tenth))
    assert code == 78
    assert capsys.readouterr().err == (
        "papertape: NVDA: ib gives prices of before 2024-01-12 that are 1/10 times those seen "
        "then: if that was a split, `papertape data action add NVDA split 10:1 --effective "
        "2024-01-12` and update again\n"
    )
    assert data.file("NVDA", "1h").path.read_bytes() == before
    data.actions.write_text(
        "symbol,kind,effective,ratio,amount_usd,pay_date,source\nNVDA,split,2024-01-12,10:1,,,\n",
        encoding="utf-8",
    )
    assert run(tmp_path, Memory(tenth))[0] == 0
    has(data, tenth)
    assert not data.file("NVDA", "1h").revisions.exists()
    assert run(tmp_path, Memory(tenth))[0] == 0  # the split is applied once
    has(data, tenth)


def test_raw_bars_stay_as_they_were_traded(tmp_path: Path) -> None:
    """2:1 on the 12th: the source's halved prices of before are doubled again."""
    data = DataFolder(tmp_path / "state" / "data")
    put(data, ALL[:49], "raw")  # the session of the 11th is missing too
    data.actions.write_text(
        "symbol,kind,effective,ratio,amount_usd,pay_date,source\nNVDA,split,2024-01-12,2:1,,,\n",
        encoding="utf-8",
    )
    told = [
        row._replace(
            open=row.open / 2, high=row.high / 2, low=row.low / 2, close=row.close / 2,
            volume=row.volume * 2,
        )
        if n < 56 else row
        for n, row in enumerate(ALL)
    ]  # fmt: skip
    assert run(tmp_path, Memory(told), wanted=WANTED._replace(adjustment="raw"))[0] == 0
    has(data, ALL)


@pytest.mark.parametrize(
    ("adjustment", "grid", "words"),
    [
        (
            "splits_dividends",
            "session",
            "adjusted as splits_dividends, those of ib as splits: begin anew",
        ),
        ("splits", "clock", "cut on the session grid, wanted is clock"),
    ],
)
def test_what_does_not_fit_is_refused(
    adjustment: str, grid: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(DataFolder(tmp_path / "state" / "data"), ALL[:7], adjustment)
    code, _ = run(tmp_path, Memory(ALL), wanted=WANTED._replace(grid=grid))
    assert code == 78
    assert words in capsys.readouterr().err


def test_a_config_that_wants_what_the_source_has_not(tmp_path: Path) -> None:
    code, data = run(
        tmp_path, Memory(ALL), wanted=WANTED._replace(adjustment="splits_dividends"), since=20240102
    )
    assert code == 78
    assert data.files() == []


def test_files_are_a_source(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    for symbol in ("nvda", "amd"):
        save(tmp_path / "drop", papertape(ALL[14:]), f"{symbol}.csv")
    spec = PlainTapeSpec(tmp_path / "drop" / "{symbol}.csv", adjustment="splits")
    history = FileHistory(spec, "session", calendar(), tmp_path / "state")
    wanted = WANTED._replace(symbols=("NVDA", "AMD"))
    code, data = run(tmp_path, history, wanted=wanted, since=20240102)
    assert code == 0
    has(data, ALL[14:], "NVDA")
    has(data, ALL[14:], "AMD")


def test_what_is_still_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bar that the source lacks as well, and what comes before the first is not missing."""
    _, data = run(tmp_path, Memory([row for n, row in enumerate(ALL) if n not in (0, 9, 62)]),
                  since=20240102)  # fmt: skip
    assert "60 new bars, 1 still missing (--since DATE asks" in capsys.readouterr().out
    assert missing_bars(read_series(data.file("NVDA", "1h"), "", ""), calendar()) == 1
    assert missing_bars(Series(Key("AMD", "1h", "session"), "splits"), calendar()) == 0


def test_bars_of_a_file_that_cannot_be_true_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*ALL]
    rows[3] = rows[3]._replace(high=1.0)
    save(tmp_path, papertape(rows), "nvda.csv")
    spec = PlainTapeSpec(tmp_path / "nvda.csv", adjustment="splits")
    history = FileHistory(spec, "session", calendar(), tmp_path / "state")
    run(tmp_path, history, since=20240102)
    assert "62 new bars, 1 left out: no bar is expected there" in capsys.readouterr().out


def test_files_are_adjusted_as_they_are_declared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Raw bars of before a split are raw already: they are not multiplied by it."""
    (tmp_path / "state" / "data").mkdir(parents=True)
    actions = (
        "symbol,kind,effective,ratio,amount_usd,pay_date,source\nNVDA,split,2024-01-10,2:1,,,\n"
    )
    (tmp_path / "state" / "data" / "corporate_actions.csv").write_text(actions, encoding="utf-8")
    save(tmp_path, papertape(ALL), "nvda.csv")

    def files(adjustment: str) -> FileHistory:
        spec = PlainTapeSpec(tmp_path / "nvda.csv", adjustment=adjustment)
        return FileHistory(spec, "session", calendar(), tmp_path / "state")

    raw = WANTED._replace(adjustment="raw")
    code, data = run(tmp_path, files("raw"), wanted=raw, since=20240102)
    assert code == 0
    has(data, ALL)
    assert run(tmp_path, files("splits_dividends"), wanted=raw)[0] == 78
    assert "adjusted as raw, those of nvda.csv as splits_dividends" in capsys.readouterr().err


class Terminal(io.StringIO):
    """A screen that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_that_goes_away() -> None:
    screen = Terminal()
    progress = Progress(screen)
    progress.show("half")
    progress.clear()
    progress.clear()
    assert screen.getvalue() == "\r\x1b[Khalf\r\x1b[K"
    pipe = io.StringIO()
    Progress(pipe).show("half")
    assert pipe.getvalue() == ""
