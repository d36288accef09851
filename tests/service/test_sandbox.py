"""What the unit's sandbox leaves the daemon, tried from inside it under a real systemd."""

from __future__ import annotations

import json
import stat

import pytest

from tests.service.machine import Machine
from tests.service.test_restarts import probe

READ_ONLY = "Read-only file system"
REFUSED = "Operation not permitted"
ALLOWED = {
    "user": "papertape",
    "state": "yes",
    "temporary files": "yes",
    "config": "",
    "internet": "yes",
    "internet 6": "yes",
    "unix socket": "yes",
    "python": "yes",  # the calendar is built by a child of its own
    "thread": "yes",
    "foreign function": "2",
}
FORBIDDEN = {
    "another state": READ_ONLY,
    "configs": READ_ONLY,
    "program": READ_ONLY,
    "system": READ_ONLY,
    "home": "Permission denied",
    "other processes": "False",
    "netlink": "Address family not supported by protocol",
    "packets": "Address family not supported by protocol",
    "writable code": REFUSED,
    "priority": REFUSED,
    "clock": REFUSED,
}


@pytest.fixture(scope="module")
def reach(machine: Machine) -> dict[str, str]:
    """What the probe could reach, with one credential provided."""
    store = machine.file("/etc/credstore")
    store.mkdir(mode=0o700, exist_ok=True)
    (store / "papertape.notify").write_text("json://localhost\n")
    (store / "papertape.notify").chmod(0o600)
    unit = probe(machine, "reach", "reach")
    machine.systemctl("start", unit)
    machine.systemctl("stop", unit)
    (store / "papertape.notify").unlink()
    found = json.loads(machine.file("/var/lib/papertape/reach/reach.json").read_text())
    assert isinstance(found, dict)
    return found


def test_the_daemon_can_do_what_it_needs(reach: dict[str, str]) -> None:
    assert {name: reach[name] for name in ALLOWED} == ALLOWED


def test_and_nothing_else(reach: dict[str, str]) -> None:
    assert {name: reach[name] for name in FORBIDDEN} == FORBIDDEN


def test_every_attempt_is_judged(reach: dict[str, str]) -> None:
    assert set(reach) == ALLOWED.keys() | FORBIDDEN.keys() | {"credential"}


def test_a_credential_reaches_the_daemon(reach: dict[str, str]) -> None:
    assert reach["credential"] == "json://localhost"


def test_the_state_is_the_users_and_readable_for_the_group(
    machine: Machine, reach: dict[str, str]
) -> None:
    folder, file = "/var/lib/papertape/reach", "/var/lib/papertape/reach/reach.json"
    seen = machine.run("stat", "-c", "%U:%G %a", folder, file).stdout.split("\n")
    assert seen == ["papertape:papertape 750", "papertape:papertape 640", ""]
    above = machine.file("/var/lib/papertape").stat()
    assert (above.st_uid, stat.S_IMODE(above.st_mode)) == (0, 0o755)
