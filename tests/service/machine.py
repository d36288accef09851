"""A machine of its own for the tests: a real systemd on which papertape is really installed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# What the unit's dependencies lead to; of the real ones none would do anything here.
TARGETS = ("basic", "boot", "multi-user", "network-online", "shutdown", "sysinit", "time-sync")
# There is no journal here: what a service says goes into a file that the tests read.
LOG = "[Service]\nStandardOutput=append:/run/log/%i.log\nStandardError=inherit\n"
# A condition that does not come in this time will not come: no test measures how long it took.
PATIENCE_S = 120.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Unavailable(Exception):  # noqa: N818 - a reason to skip, not an error
    """There can be no machine here; the text says why."""


@dataclass(frozen=True)
class Machine:
    """A running systemd; `init` is its process as we see it, `units` its folder of units."""

    init: int
    units: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root."""
        spaces = ["nsenter", "-t", str(self.init), "-m", "-p", "-u", "-i", "-n", "-C", "--"]
        done = subprocess.run(
            [*spaces, *command],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
            cwd="/",
        )
        if check:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def systemctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("systemctl", "--no-pager", *words, check=check)

    def file(self, inside: str) -> Path:
        """A file of the machine as we reach it."""
        return Path(f"/proc/{self.init}/root{inside}")

    def instance(self, name: str, *lines: str, program: str = "") -> str:
        """Adapt one instance by a drop-in; its unit's name."""
        folder = self.units / f"papertape@{name}.service.d"
        folder.mkdir(exist_ok=True)
        start = ["ExecStart=", f"ExecStart={program}"] if program else []
        (folder / "test.conf").write_text("\n".join(["[Service]", *start, *lines]) + "\n")
        self.systemctl("daemon-reload")
        return f"papertape@{name}.service"

    def show(self, unit: str, name: str) -> str:
        return self.systemctl("show", "--value", f"--property={name}", unit).stdout.strip()

    def log(self, name: str) -> str:
        file = self.file(f"/run/log/{name}.log")
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for a condition; if it does not come, say what was waited for and what was seen."""
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > give_up:
                seen = self.systemctl("status", "papertape@*", check=False).stdout
                logs = {
                    file.name: file.read_text("utf-8", "replace")[-2000:]
                    for file in self.file("/run/log").glob("*.log")
                }
                raise AssertionError(f"waited in vain: {what}\n{seen}\n{logs}")
            time.sleep(0.05)


@contextmanager
def booted(script: Path, units: Path, opt: Path) -> Iterator[Machine]:
    """Boot a machine; Unavailable if this one does not allow it."""
    if os.geteuid() != 0:
        raise Unavailable("a systemd of its own needs root")
    for target in TARGETS:
        text = f"[Unit]\nDescription={target}\nDefaultDependencies=no\n"
        (units / f"{target}.target").write_text(text)
    (units / "papertape@.service.d").mkdir()
    (units / "papertape@.service.d" / "log.conf").write_text(LOG)
    # Ends with us, however we end.
    ours = ["setpriv", "--pdeathsig=TERM", "unshare", "-m"]
    command = [*ours, "sh", str(script), str(units), str(opt)]
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        raise Unavailable("util-linux is not installed") from None
    try:
        yield Machine(_init_of(process), units)
    finally:
        process.terminate()
        process.communicate()


def _init_of(process: subprocess.Popen[str]) -> int:
    """The process that is PID 1 inside, once it answers."""
    assert process.stdout is not None
    holder = process.stdout.readline().strip()
    give_up = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < give_up:
        children = Path(f"/proc/{holder}/task/{holder}/children")
        init = children.read_text().strip() if holder and children.exists() else ""
        if init and Path(f"/proc/{init}/root/run/systemd/private").exists():
            return int(init)
        time.sleep(0.05)
    process.terminate()
    _, said = process.communicate()
    raise Unavailable(f"no systemd of its own here: {' '.join(said.split()) or 'it did not boot'}")
