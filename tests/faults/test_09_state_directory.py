"""The state directory is read-only, somebody else's, or on a file system without locks -> exit 78
(77 where a file may not even be read) in one line, before anything is said to be ready; mended, it
starts with everything it had.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.notify import Manager
from tests.faults.trouble import (
    WEEKS,
    Patient,
    busy_settings,
    contents,
    inject,
    journal_of,
    refusal,
    shop_of,
    with_environment,
    without_override,
)

NOBODY = 65534
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root may give files away")


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@contextmanager
def given_away(path: Path, bits: int) -> Iterator[None]:
    owner = path.stat()
    os.chown(path, NOBODY, NOBODY)
    path.chmod(bits)
    try:
        yield
    finally:
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(owner.st_mode)


def stays_out(daemon: Patient, code: int) -> str:
    """What it says; it must not have told a service manager that it is ready."""
    manager = Manager(daemon.shop.folder)
    prefix = (*with_environment(manager.environment), *without_override())
    try:
        said = refusal(daemon, prefix=prefix, code=code)
        assert not manager.is_ready
    finally:
        manager.close()
    return said


SPOILED: dict[str, Callable[[Path], object]] = {
    "read-only directory": lambda state: mode(state, 0o555),
    "locked directory": lambda state: mode(state, 0o000),
    "read-only lock": lambda state: mode(state / "daemon.lock", 0o444),
    "read-only journal": lambda state: mode(state / "journal.db", 0o444),
    "unreadable journal": lambda state: mode(state / "journal.db", 0o000),
}
GIVEN_AWAY: dict[str, Callable[[Path], object]] = {
    "somebody else's directory": lambda state: given_away(state, 0o755),
    "somebody else's journal": lambda state: given_away(state / "journal.db", 0o640),
}


def check_refused_and_mended(daemon: Patient, spoiled: object, code: int = 78) -> None:
    before = contents(daemon.state)
    turns = daemon.turns()
    with spoiled:  # type: ignore[attr-defined]  # a context manager, made by a table
        said = stays_out(daemon, code)
    assert str(daemon.state) in said
    assert contents(daemon.state) == before
    daemon.start(wait=False)
    assert daemon.wait() == 0
    assert daemon.turns() > turns


@pytest.mark.parametrize("name", SPOILED)
def test_modes(tmp_path: Path, stopped_state: Path, name: str) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    code = 77 if name == "unreadable journal" else 78
    check_refused_and_mended(daemon, SPOILED[name](daemon.state), code)


@ROOT_ONLY
@pytest.mark.parametrize("name", GIVEN_AWAY)
def test_owners(tmp_path: Path, stopped_state: Path, name: str) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    code = 77 if name == "somebody else's journal" else 78
    check_refused_and_mended(daemon, GIVEN_AWAY[name](daemon.state), code)


def test_a_file_in_its_place(tmp_path: Path) -> None:
    daemon = Patient(shop_of(tmp_path, WEEKS), settings=busy_settings())
    place = tmp_path / "file"
    place.write_text("not a directory")
    daemon.start(prefix=with_environment({"PAPERTAPE_STATE": str(place)}), wait=False)
    assert daemon.wait() in {2, 78}
    assert str(place) in daemon.log()
    assert "Traceback" not in daemon.log()


def test_a_read_only_file_system(small_disk: Path) -> None:
    daemon = Patient(shop_of(small_disk / "shop", WEEKS), settings=busy_settings())
    daemon.log_path = small_disk.parent / "daemon.log"
    (daemon.shop.folder / "home").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "Read-only file system" in refusal(daemon)


def test_a_file_system_without_locks(tmp_path: Path, needs_strace: None) -> None:
    daemon = Patient(shop_of(tmp_path, WEEKS), settings=busy_settings())
    said = refusal(daemon, prefix=inject("flock", "error=ENOLCK", "1+"))
    assert "needs a local file system" in said
    assert not daemon.journal.exists()
