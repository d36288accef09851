"""A warm start gives the same tape as a cold one; what is damaged or stale is built again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar, Facts
from replay.tapes import Tape, cache
from replay.tapes import load as loading
from tests.unit.tape_files import (
    bars,
    calendar,
    opened,
    papertape,
    rows_of,
    save,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tape with a gap, a quarantined bar and a warning."""
    rows = bars(20240102, 20240131)
    rows[9] = rows[9]._replace(high=1.0)
    rows[30] = rows[30]._replace(volume=0)
    return save(tmp_path, papertape(rows[:20] + rows[22:]))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def content(tape: Tape) -> tuple[object, ...]:
    """Everything a tape says."""
    return (
        rows_of(tape),
        tape.columns["NVDA"].end.tolist(),
        tape.understood,
        tape.understood.lines(),
        list(tape.faults),
        dict(tape.fault_counts),
        dict(tape.coverage),
        tape.gaps("NVDA"),
        tape.quarantined("NVDA"),
        tape.unexpected,
        tape.sha256,
        tape.has_volume,
        tape.costs_distorted,
        tape.suspected_factor,
    )


def entry(state: Path) -> Path:
    (path,) = cache.folder(state).glob("*.bars")
    return path


def test_warm_and_cold_are_the_same_tape(source: Path, state: Path) -> None:
    without = opened(source)
    cold = opened(source, state=state)
    warm = opened(source, state=state)
    assert [without.from_cache, cold.from_cache, warm.from_cache] == [False, False, True]
    assert content(without) == content(cold) == content(warm)
    assert len(warm.gaps("NVDA")) == 3
    assert warm.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()


def test_several_files_have_the_hash_of_their_hashes(tmp_path: Path) -> None:
    texts = {"A": papertape(bars()), "B": papertape(bars(20240103, 20240105))}
    for symbol, text in texts.items():
        save(tmp_path, text, f"{symbol}.csv")
    tape = opened(tmp_path / "{symbol}.csv", symbols=("B", "A"))
    hashes = [hashlib.sha256(texts[symbol].encode()).hexdigest() for symbol in ("B", "A")]
    assert tape.sha256 == hashlib.sha256("".join(hashes).encode()).hexdigest()


def test_columns_are_read_only_views(source: Path, state: Path) -> None:
    for tape in (opened(source), opened(source, state=state)):
        with pytest.raises(TypeError):
            tape.columns["NVDA"].open[0] = 1.0


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: whole[:0],
    "cut in the data": lambda whole: whole[:-8],
    "longer": lambda whole: whole + b"\0" * 8,
    "cut in the header": lambda whole: whole[:100],
    "header changed": lambda whole: whole.replace(b'"rows_read":1', b'"rows_read":2'),
    "other magic": lambda whole: b"x" + whole[1:],
    "length absurd": lambda whole: whole[:16] + b"\xff" * 8 + whole[24:],
}


@pytest.mark.parametrize("name", list(DAMAGE))
def test_a_damaged_entry_is_built_again(name: str, source: Path, state: Path) -> None:
    expected = content(opened(source, state=state))
    path = entry(state)
    whole = path.read_bytes()
    damaged = DAMAGE[name](whole)
    assert damaged != whole
    path.unlink()
    path.write_bytes(damaged)
    rebuilt = opened(source, state=state)
    assert not rebuilt.from_cache
    assert content(rebuilt) == expected
    assert path.read_bytes() == whole
    assert opened(source, state=state).from_cache


def test_whatever_changes_the_result_has_an_entry_of_its_own(source: Path, state: Path) -> None:
    opened(source, state=state)
    for options in (
        {"adjustment": "raw"},
        {"dialect": "papertape"},
        {"timezone": "UTC"},
        {"symbols": ("AMD",)},
    ):
        assert not opened(source, state=state, **options).from_cache
        assert opened(source, state=state, **options).from_cache
    with pytest.raises(RefusedError):
        opened(source, state=state, on_bad_bar="refuse")


def test_another_calendar_gives_another_entry(source: Path, state: Path) -> None:
    opened(source, state=state)
    hours = Calendar(
        Facts(
            calendar().name,
            calendar().zone,
            "0",
            20240101,
            20241231,
            [hour.date for hour in calendar().sessions(20240101, 20240105)],
            [hour.opens // SECOND_NS for hour in calendar().sessions(20240101, 20240105)],
            [hour.closes // SECOND_NS for hour in calendar().sessions(20240101, 20240105)],
        )
    )
    tape = opened(source, state=state, hours=hours)
    assert not tape.from_cache
    assert tape.coverage["NVDA"].last_session == 20240105


def test_a_changed_source_is_loaded_again(source: Path, state: Path) -> None:
    before = opened(source, state=state)
    source.write_text(papertape(bars(20240102, 20240103)))
    after = opened(source, state=state)
    assert not after.from_cache
    assert after.sha256 != before.sha256
    assert len(rows_of(after)) == 14


def test_a_hash_is_remembered_only_for_a_file_that_has_settled(
    source: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache.file_sha256(source, state)
    assert not list(cache.folder(state).glob("*.source")), "just written: it may change unnoticed"
    later = time.time_ns() + 10 * cache.SETTLED_NS
    monkeypatch.setattr("replay.tapes.cache.time.time_ns", lambda: later)
    assert cache.file_sha256(source, state) == first
    monkeypatch.setattr(cache, "_hash", lambda _: pytest.fail("hashed though remembered"))
    assert cache.file_sha256(source, state) == first
    # The same size and time of change, other bytes: the change of the inode tells.
    stat = source.stat()
    source.write_bytes(b"9" * stat.st_size)
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    monkeypatch.setattr(cache, "_hash", lambda _: "other")
    assert cache.file_sha256(source, state) == "other"


def test_a_state_that_cannot_be_written_costs_only_time(source: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    tape = opened(source, state=blocked)
    assert content(tape) == content(opened(source))
    assert not tape.from_cache


def test_writers_at_the_same_time_leave_one_good_entry(source: Path, state: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tapes = list(pool.map(lambda _: opened(source, state=state), range(16)))
    assert {str(content(tape)) for tape in tapes} == {str(content(opened(source)))}
    assert sorted(path.suffix for path in cache.folder(state).iterdir()) == [".bars"]
    assert opened(source, state=state).from_cache


def test_only_so_many_entries_are_kept(
    source: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "ENTRIES_MAX", 2)
    for symbol in ("A", "B", "C"):
        opened(source, state=state, symbols=(symbol,))
    assert len(list(cache.folder(state).glob("*.bars"))) == 2
    assert opened(source, state=state, symbols=("C",)).from_cache


def test_an_entry_mapped_elsewhere_survives_its_file(source: Path, state: Path) -> None:
    opened(source, state=state)
    warm = opened(source, state=state)
    entry(state).unlink()
    assert rows_of(warm) == rows_of(opened(source))


def test_a_warm_start_reads_no_source(
    source: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(source, state=state)
    monkeypatch.setattr(loading, "load", lambda *_: pytest.fail("loaded though cached"))
    assert opened(source, state=state).from_cache


def test_neither_start_imports_what_is_heavy(source: Path, state: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.unit.tape_files import opened\n"
        "tape = opened(Path(sys.argv[1]), state=Path(sys.argv[2]))\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'rich', 'exchange_calendars', 'csv', 'zipfile'}\n"
        "print(tape.from_cache, sorted((heavy - {'csv', 'zipfile'}) & set(sys.modules)),"
        " 'replay.tapes.load' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(source), str(state)]
    said = [
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
        for _ in range(2)
    ]
    assert said == [["False", "[]", "True"], ["True", "[]", "False"]]
