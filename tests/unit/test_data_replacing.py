"""A series is replaced whole: killed before any of its system calls, it is the old or the new."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.core.events import Split
from daemon.data.files import read_series, write_series
from daemon.data.folder import BarFile, DataFolder
from daemon.data.replacing import DECIDED, finish, write_whole
from daemon.data.series import Key, Numbers, Series, bring_to_date, merge, sighted
from daemon.errors import NotPermittedError, RefusedError
from daemon.feeds import calendar_build
from daemon.feeds.calendar import Facts
from daemon.observability.checks import write_check
from tests.unit.tape_files import bars, opened, papertape, save, starts

FEW, MANY = starts(20240102, 20240102), starts(20240102, 20240103)
SPLIT = Split("NVDA", 20240103, 10, 1)

KILLED = """
import itertools, os, sys
from pathlib import Path
from daemon.data.folder import DataFolder
from tests.unit.test_data_replacing import after, before, write_series
names = {"open", "os.rename", "os.remove", "os.chmod", "os.chown", "os.mkdir", "os.listdir"}
folder = Path(sys.argv[1])
for number in itertools.count():
    data = DataFolder(folder / str(number))
    file = data.file("NVDA", "1h")
    write_series(file, before())
    new = after()
    if (child := os.fork()) == 0:
        seen = itertools.count()
        def hook(event, arguments):
            if event in names and next(seen) == number:
                os._exit(9)
        sys.addaudithook(hook)
        write_series(file, new)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(number)
"""


def before() -> Series:
    """Seven bars, one of which was revised."""
    series = Series(Key("NVDA", "1h", "session"), "splits", 20240102)
    merge(
        series, sighted([(start, Numbers(100.0, 101.0, 99.0, 100.0, 10)) for start in FEW], 1, "a")
    )
    merge(series, sighted([(FEW[0], Numbers(100.0, 101.0, 99.0, 100.5, 10))], 2, "b"))
    return series


def after() -> Series:
    """The same ten for one, and seven bars more, one of which was revised."""
    series = before()
    bring_to_date(series, [SPLIT], 20240103)
    told = sighted([(start, Numbers(10.0, 10.1, 9.9, 10.0, 100)) for start in MANY[7:]], 3, "c")
    merge(series, told)
    merge(series, sighted([(MANY[9], Numbers(10.0, 10.1, 9.9, 10.0, 101))], 4, "c"))
    return series


def read(file: BarFile) -> Series:
    return read_series(file, "", "")


def test_killed_before_any_call_it_is_the_old_or_the_new(tmp_path: Path) -> None:
    """Prices divided by a split with a note that they are not would be divided again."""
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    last = int(done.stdout)
    assert last > 12, "three files are written, decided on and renamed"
    texts = [(tmp_path / str(last) / "processed" / "nvda_hourly.csv").read_text("utf-8")]
    kinds = []
    for number in range(last):
        data = DataFolder(tmp_path / str(number))
        file = data.file("NVDA", "1h")
        texts.append(file.path.read_text("utf-8"))
        with data.held():
            found = read(file)
        kinds.append("old" if found == before() else "new" if found == after() else "mixed")
        assert sorted(path.name for path in data.processed.iterdir()) == [
            "nvda_hourly.about.json", "nvda_hourly.csv", "nvda_hourly.revisions.csv",
        ]  # fmt: skip
    assert kinds == sorted(kinds, reverse=True), "old, and from one call on new"
    assert set(kinds) == {"old", "new"}
    assert len(set(texts)) == 2, "whoever reads without asking finds the one or the other"


def test_what_was_decided_is_finished_by_the_next_job(tmp_path: Path) -> None:
    """Two new files, one of them in its place already; two that go, one gone; one undecided."""
    (tmp_path / ".b.new").write_text("new", encoding="utf-8")
    (tmp_path / ".c.new").write_text("half", encoding="utf-8")
    (tmp_path / "a").write_text("new", encoding="utf-8")
    (tmp_path / "b").write_text("old", encoding="utf-8")
    (tmp_path / "d").write_text("old", encoding="utf-8")
    (tmp_path / DECIDED).write_text("+a\n+b\n-d\n-e\n", encoding="utf-8")
    finish(tmp_path)
    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == {
        "a": "new", "b": "new",
    }  # fmt: skip
    finish(tmp_path)
    finish(tmp_path / "nowhere")


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    """A folder is in the way of the third of the files."""
    data = DataFolder(tmp_path)
    file = data.file("NVDA", "1h")
    write_series(file, before())
    (data.processed / ".nvda_hourly.csv.new").mkdir()
    with pytest.raises(RefusedError, match=r"nvda_hourly.csv: cannot be written \(Is a directory"):
        write_series(file, after())
    (data.processed / ".nvda_hourly.csv.new").rmdir()
    assert read(file) == before()
    assert len(list(data.processed.iterdir())) == 3


def test_one_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    write_whole(path, "one\n")
    path.chmod(0o604)
    write_whole(path, b"two\n")
    assert (path.read_text("utf-8"), path.stat().st_mode & 0o777) == ("two\n", 0o604)
    assert list(path.parent.iterdir()) == [path]
    assert path.parent.stat().st_mode & 0o777 == 0o750
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RefusedError, match="cannot be written"):
        write_whole(tmp_path / "file" / "table.csv", "x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for somebody else")
def test_what_root_makes_stays_the_daemons(tmp_path: Path) -> None:
    """`sudo papertape data …` must not lock the daemon's own jobs out."""
    os.chown(tmp_path, 65534, 65534)
    data = DataFolder(tmp_path / "data")
    with data.held():
        write_series(data.file("NVDA", "1h"), before())
        write_whole(data.raw / "kept.csv", "x")
    write_check(tmp_path, "data", 0, success=True)
    facts = Facts("TEST", "UTC", "1", 20240101, 20240102, [], [], [])
    calendar_build.write(facts, tmp_path / "calendar" / "TEST.json")
    raw = save(tmp_path / "data", papertape(bars()))
    os.chown(raw, 65534, 65534)
    opened(raw, state=tmp_path)
    made = list(tmp_path.rglob("*"))
    assert {path.relative_to(tmp_path).parts[0] for path in made} == {
        "cache", "calendar", "checks", "data",
    }  # fmt: skip
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(65534, 65534)}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_somebody_elses(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotPermittedError, match="cannot be written"), DataFolder(tmp_path).held():
        pass
