"""Installing, upgrading and removing where systemd runs and instances do too."""

from __future__ import annotations

import subprocess

from tests.service.conftest import Checkout
from tests.service.machine import Machine
from tests.service.test_restarts import PROBE, probe


def manage(machine: Machine, checkout: Checkout, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installer inside, as root; there is no network, so it downloads nothing."""
    return machine.run("sh", f"{checkout.folder}/systemd/install.sh", *words)


def modes(machine: Machine, *files: str) -> list[str]:
    return machine.run("stat", "-c", "%U:%G %a", *files).stdout.splitlines()


def test_user_directories_and_config_are_made(machine: Machine) -> None:
    assert machine.run("id", "-un", "papertape").stdout == "papertape\n"
    assert modes(machine, "/etc/papertape", "/etc/papertape/nvda.yaml", "/var/lib/papertape") == [
        "root:papertape 750",
        "root:papertape 640",
        "root:root 755",
    ]


def test_a_second_installation_says_how_to_start(machine: Machine, checkout: Checkout) -> None:
    said = manage(machine, checkout, "install", "nvda").stdout
    assert "is in /opt/papertape already" in said
    assert "ok: /etc/papertape/nvda.yaml: nvda-hourly trades NVDA" in said  # read by the service
    assert "Start:  systemctl enable --now papertape@nvda" in said


def test_a_config_that_is_refused_is_said_at_once(machine: Machine, checkout: Checkout) -> None:
    config = machine.file("/etc/papertape/wrong.yaml")
    config.write_text("name: wrong\nfeed: {kind: tape}\nsimbols: [NVDA]\n")
    machine.run("chgrp", "papertape", "/etc/papertape/wrong.yaml")
    command = ("sh", f"{checkout.folder}/systemd/install.sh", "install", "wrong")
    done = machine.run(*command, check=False)
    config.unlink()
    assert done.returncode == 78
    assert "wrong.yaml:3:1: simbols" in done.stdout
    assert "mend what is said above" in done.stdout


def test_a_running_daemon_keeps_the_release_it_was_started_from(
    machine: Machine, checkout: Checkout
) -> None:
    old = "/opt/papertape/0.0.1-0123456789ab"
    machine.run("sh", "-c", f"cp -al /opt/papertape/*-*[0-9a-f] {old}")
    unit = machine.instance("old", program=f"{old}/bin/python {PROBE} serve")
    machine.systemctl("start", unit)
    said = manage(machine, checkout, "install", "nvda").stdout
    assert "papertape 0.0.1-0123456789ab is still running" in said
    assert machine.file(old).exists()
    machine.systemctl("stop", unit)
    manage(machine, checkout, "install", "nvda")
    assert not machine.file(old).exists()


def test_an_instance_is_stopped_and_disabled_before_it_is_removed(
    machine: Machine, checkout: Checkout
) -> None:
    config = f"{checkout.folder}/configs/paper_trade_nvda.yaml"
    manage(machine, checkout, "install", "second", config)
    unit = probe(machine, "second", "serve")
    machine.systemctl("enable", "--now", unit)
    wanted = machine.file(f"/etc/systemd/system/multi-user.target.wants/{unit}")
    assert wanted.is_symlink()
    said = manage(machine, checkout, "uninstall", "second").stdout
    assert machine.show(unit, "ActiveState") == "inactive"
    assert not wanted.is_symlink()
    assert not machine.file("/etc/papertape/second.yaml").exists()
    assert machine.file("/var/lib/papertape/second/starts").exists()
    assert "the account stays" in said
    assert "kept for nvda" in said


def test_the_last_instance_takes_everything_but_the_user(
    machine: Machine, checkout: Checkout
) -> None:
    said = manage(machine, checkout, "uninstall", "nvda").stdout
    assert "that was the last instance" in said
    for gone in ("/opt/papertape", "/usr/local/bin/papertape", "/etc/papertape"):
        assert not machine.file(gone).exists()
    assert machine.systemctl("cat", "papertape@nvda", check=False).returncode != 0
    assert machine.run("id", "-un", "papertape").stdout == "papertape\n"
