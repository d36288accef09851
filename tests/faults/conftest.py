"""What the tests of faults share: workshops, daemons that are cleaned up, tools that may be absent.

Where a tool or a right is absent, the tests that need it are skipped and say so.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.trouble import (
    DAY,
    WEEKS,
    Patient,
    Undisturbed,
    busy_settings,
    calls_of_a_day,
    run_undisturbed,
    shop_of,
)  # fmt: skip
from tests.replay.workshop import Workshop

PACE = "150000"
"""Tape seconds a second for tests that do something in between, and stop it then: a bar comes
every 24 ms, a night takes 420 ms and three weeks ten seconds, which no test waits for."""
CLONE_NEWNS = 0x00020000
FAKETIME = tuple(
    f"/usr/lib/{place}/faketime/libfaketimeMT.so.1"
    for place in ("x86_64-linux-gnu", "aarch64-linux-gnu", "")
)


class Daemons:
    """Makes daemons and ends them, whatever a test has found."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._made: list[Patient] = []

    def __call__(
        self,
        shop: Workshop | None = None,
        *,
        pace: str = "max",
        settings: Mapping[str, str] | None = None,
    ) -> Patient:
        """A daemon that has not been started."""
        daemon = Patient(shop or self._shop, pace=pace, settings=settings)
        self._made.append(daemon)
        return daemon

    def clean_up(self) -> None:
        """End them all, those behind another program too."""
        for daemon in self._made:
            if not daemon.ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(daemon.pid, signal.SIGKILL)
            daemon.clean_up()


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Return a folder with a config, a tape of three weeks and a state directory."""
    return shop_of(tmp_path, WEEKS)


@pytest.fixture
def daemons(shop: Workshop) -> Iterator[Daemons]:
    """Return what makes daemons on the folder."""
    made = Daemons(shop)
    yield made
    made.clean_up()


@pytest.fixture(scope="session")
def three_weeks(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Return what the tape of three weeks comes to, traded busily."""
    folder = tmp_path_factory.mktemp("weeks")
    return run_undisturbed(Patient(shop_of(folder, WEEKS), settings=busy_settings()))


@pytest.fixture(scope="session")
def one_day(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Return what the tape of one session comes to, traded busily."""
    folder = tmp_path_factory.mktemp("day")
    return run_undisturbed(Patient(shop_of(folder, DAY), settings=busy_settings()))


@pytest.fixture(scope="session")
def stopped_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state directory of a daemon that was stopped in order."""
    daemon = Patient(
        shop_of(tmp_path_factory.mktemp("stopped"), WEEKS), pace=PACE, settings=busy_settings()
    )
    try:
        daemon.start()
        daemon.reach(30)
        assert daemon.stop() == 0
    finally:
        daemon.clean_up()
    return daemon.state


@pytest.fixture(scope="session")
def killed_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state directory of a daemon that was killed: all that matters is in the log."""
    daemon = Patient(
        shop_of(tmp_path_factory.mktemp("killed"), WEEKS), pace=PACE, settings=busy_settings()
    )
    try:
        daemon.start()
        daemon.reach(30)
        daemon.kill_9()
    finally:
        daemon.clean_up()
    assert (daemon.state / "journal.db-wal").stat().st_size > 0
    return daemon.state


@pytest.fixture(scope="session")
def day_calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Return how often one thread writes and syncs over a session, its start and its stop."""
    return calls_of_a_day(tmp_path_factory.mktemp("calls") / "day")


# --- what may be absent ---------------------------------------------------------------------------


@pytest.fixture
def needs_strace() -> None:
    """Skip where system calls cannot be made to fail."""
    if shutil.which("strace") is None:
        pytest.skip("SKIPPED: strace is not installed (Debian: apt-get install strace)")
    tried = subprocess.run(
        ["strace", "-o", os.devnull, "true"], check=False, capture_output=True, text=True
    )
    if tried.returncode != 0:
        pytest.skip(f"SKIPPED: strace may not trace here: {tried.stderr.strip()}")


@pytest.fixture(scope="session")
def faketime() -> str:
    """Return the library that lies about the time, or skip."""
    for path in FAKETIME:
        if Path(path).exists():
            return path
    pytest.skip("SKIPPED: libfaketime is not installed (Debian: apt-get install faketime)")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 4 MB of its own, which nobody else sees."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with own_mounts():
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "papertape-test", str(folder)],
            check=False,
            capture_output=True,
            text=True,
        )
        if mounted.returncode != 0:
            pytest.skip(f"SKIPPED: no file system can be mounted: {mounted.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def own_mounts() -> Iterator[None]:
    """What is mounted meanwhile is seen by this process and its children alone.

    It is gone with them, even if the tests are killed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    here = Path.cwd()
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNS) != 0:
            reason = os.strerror(ctypes.get_errno())
            pytest.skip(f"SKIPPED: a full disk needs a mount namespace (root): {reason}")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        try:
            yield
        finally:
            assert libc.setns(before, CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
            os.chdir(here)
    finally:
        os.close(before)
