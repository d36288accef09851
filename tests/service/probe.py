"""A program in the daemon's place, to see what systemd makes of its exits, its silence, its reach.

`probe.py WHAT [ARGUMENT]`, run by the interpreter that has papertape installed. Each start leaves a
line in the state directory's `starts`.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import mmap
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from daemon import service

STATE = Path(os.environ["STATE_DIRECTORY"])


def main(what: str, argument: str = "") -> int:
    with (STATE / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    match what:
        case "exit":
            return int(argument)
        case "die":
            os.kill(os.getpid(), signal.Signals[argument])
        case "wait":  # for the file that lets it become ready
            while not (STATE / argument).exists():
                threading.Event().wait(0.05)
        case "end":
            service.ready("ACTIVE")
            return 0
        case "reach":
            (STATE / "reach.json").write_text(json.dumps(reach()))
    asyncio.run(serve(blocks=what == "block"))
    return 0


async def serve(*, blocks: bool) -> None:
    """Feed the watchdog from the loop until SIGTERM; the first start may block the loop instead."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    service.ready(f"ACTIVE, watchdog {service.watchdog_interval_s()}")
    if blocks and len((STATE / "starts").read_text().splitlines()) == 1:
        decide_for_ever()
    while not stopped.is_set():
        service.alive()
        try:
            await asyncio.wait_for(stopped.wait(), service.watchdog_interval_s())
        except TimeoutError:
            continue
    service.stopping("stopping")


def decide_for_ever() -> None:
    while True:
        pass


def reach() -> dict[str, str]:
    """What the sandbox lets a process do: `yes`, or the error that it met."""
    return {name: attempt(call) for name, call in ATTEMPTS.items()}


def attempt(call: Callable[[], object]) -> str:
    try:
        answer = call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return getattr(error, "strerror", None) or str(error)
    return answer if isinstance(answer, str) else "yes"


def write(folder: str | Path) -> Callable[[], object]:
    return lambda: (Path(folder) / "written").write_text("x")


def bind(family: int, address: tuple[str, int] | str) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind(address)


def raw_socket(family: int) -> None:
    socket.socket(family, socket.SOCK_RAW).close()


def writable_code() -> None:
    protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    mmap.mmap(-1, 4096, prot=protection).close()


def run_python() -> None:
    subprocess.run([sys.executable, "-c", "import numpy"], check=True, capture_output=True)


def run_thread() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


ATTEMPTS: dict[str, Callable[[], object]] = {
    "user": lambda: pwd.getpwuid(os.getuid()).pw_name,
    "state": write(STATE),
    "another state": write(STATE.parent),
    "configs": write("/etc/papertape"),
    "program": write("/opt/papertape"),
    "system": write("/usr/local/bin"),
    "temporary files": write("/tmp"),  # noqa: S108 - the sandbox's own is meant
    "home": lambda: str(sorted(Path("/root").iterdir())),
    "config": lambda: Path("/etc/papertape/nvda.yaml").read_text("utf-8")[:0],
    "other processes": lambda: str(Path("/proc/1").exists()),
    "internet": lambda: bind(socket.AF_INET, ("127.0.0.1", 0)),
    "internet 6": lambda: bind(socket.AF_INET6, ("::1", 0)),
    "unix socket": lambda: bind(socket.AF_UNIX, str(STATE / "control.sock")),
    "netlink": lambda: raw_socket(socket.AF_NETLINK),
    "packets": lambda: raw_socket(socket.AF_PACKET),
    "python": run_python,
    "thread": run_thread,
    "foreign function": lambda: str(ctypes.CDLL(None).abs(-2)),
    "writable code": writable_code,
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 5),
    "clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "credential": lambda: service.credential("papertape.notify"),
}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
