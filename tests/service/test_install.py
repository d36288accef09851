"""`make install-service` and `make uninstall-service` into a folder, as packagers use them."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.service.conftest import Checkout, Installation

COMMAND = "usr/local/bin/papertape"
UNIT = "etc/systemd/system/papertape@.service"
JOBS = [
    f"papertape-{job}@.{kind}" for job in ("data", "checklist") for kind in ("service", "timer")
]


@pytest.fixture
def installed(installation: Installation, tmp_path: Path) -> Path:
    """A copy of the installation to change; its files are links, which is quick."""
    subprocess.run(["cp", "-al", installation.destination, tmp_path / "root"], check=True)
    return tmp_path / "root"


def release(root: Path) -> Path:
    """The release that the command leads to."""
    target = (root / COMMAND).readlink()
    assert target.is_absolute()
    return root.joinpath(*target.parts[1:4])


def seen(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every file with its identity, so that one that is written again differs."""
    return {
        str(path.relative_to(root)): (status.st_ino, status.st_mtime_ns, status.st_mode)
        for path in root.rglob("*")
        for status in [path.lstat()]
    }


# --- installing -------------------------------------------------------------------------------


def test_everything_is_where_systemd_and_people_look(
    installation: Installation, checkout: Checkout
) -> None:
    root = installation.destination
    for source, target in (
        ("papertape@.service", UNIT),
        *((job, f"etc/systemd/system/{job}") for job in JOBS),
        ("papertape.sysusers", "etc/sysusers.d/papertape.conf"),
        ("papertape.tmpfiles", "etc/tmpfiles.d/papertape.conf"),
    ):
        assert (root / target).read_bytes() == (checkout.folder / "systemd" / source).read_bytes()
        assert stat.S_IMODE((root / target).stat().st_mode) == 0o644
    config = root / "etc/papertape/nvda.yaml"
    shipped = checkout.folder / "configs/paper_trade_nvda.yaml"
    assert config.read_bytes() == shipped.read_bytes()
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert str((root / COMMAND).readlink()).startswith("/opt/papertape/")
    assert not (root / "var").exists()


def test_the_release_stands_alone(installation: Installation, checkout: Checkout) -> None:
    folder = release(installation.destination)
    code = "import daemon, replay.cli, sys; print(daemon.__file__, sys.flags.no_user_site)"
    done = subprocess.run(
        [folder / "bin/python", "-I", "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"{folder}/lib/")
    launcher = (folder / "bin/papertape").read_text()
    assert launcher.startswith(f"#!/opt/papertape/{folder.name}/bin/python\n")
    compiled = [*folder.glob("lib/*/site-packages/daemon/__pycache__/service.*.pyc")]
    assert len(compiled) == 1  # the service may not write there
    # Neither scripts nor compiled modules know the folder that they were installed into.
    traces = ["grep", "-rlF", str(installation.destination), str(folder)]
    assert subprocess.run(traces, check=False, capture_output=True, text=True).stdout == ""


def test_a_second_time_nothing_changes(installed: Path, checkout: Checkout) -> None:
    before = seen(installed)
    done = checkout.make("install-service", "NAME=nvda", destination=installed)
    assert done.returncode == 0, done.stderr
    assert seen(installed) == before
    assert f"papertape {release(installed).name} is in /opt/papertape already" in done.stdout


def test_a_config_that_was_edited_is_kept(installed: Path, checkout: Checkout) -> None:
    config = installed / "etc/papertape/nvda.yaml"
    config.unlink()  # a link to the installation's
    config.write_text("name: mine\n")
    again = checkout.make("install-service", "NAME=nvda", destination=installed)
    assert again.returncode == 0, again.stderr
    given = checkout.make(
        "install-service", "NAME=nvda", "CONFIG=configs/replay_nvda.yaml", destination=installed
    )
    assert given.returncode == 0, given.stderr
    kept = "kept: /etc/papertape/nvda.yaml, which differs from configs/replay_nvda.yaml"
    assert kept in given.stderr
    assert config.read_text() == "name: mine\n"


def test_strategies_beside_the_config_come_along_and_replace_none(
    installed: Path, checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "mine/strategies/tools").mkdir(parents=True)
    (tmp_path / "mine/my.yaml").write_text("name: my\nfeed: {kind: tape}\n")
    (tmp_path / "mine/strategies/slow.py").write_text("new = 1\n")
    (tmp_path / "mine/strategies/tools/mean.py").write_text("mean = 1\n")
    there = installed / "etc/papertape/strategies"
    there.mkdir()
    (there / "slow.py").write_text("old = 1\n")
    words = ("install-service", "NAME=my", f"CONFIG={tmp_path}/mine/my.yaml")
    done = checkout.make(*words, destination=installed)
    assert done.returncode == 0, done.stderr
    assert (there / "slow.py").read_text() == "old = 1\n"
    assert (there / "tools/mean.py").read_text() == "mean = 1\n"
    assert "paths in it are relative to /etc/papertape now" in done.stdout


def test_an_upgrade_leaves_one_release(installed: Path, checkout: Checkout) -> None:
    current = release(installed)
    old = current.with_name("0.0.1-0123456789ab")
    (old / "bin").mkdir(parents=True)
    (installed / COMMAND).unlink()
    (installed / COMMAND).symlink_to(f"/opt/papertape/{old.name}/bin/papertape")
    done = checkout.make("install-service", "NAME=nvda", destination=installed)
    assert done.returncode == 0, done.stderr
    assert release(installed) == current
    assert [path.name for path in current.parent.iterdir()] == [current.name]


# --- what is refused, before anything is changed -------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "which instance? Say NAME="),
        (("NAME=NVDA",), 2, "NAME=NVDA: small letters"),
        (("NAME=../nvda",), 2, "NAME=../nvda: small letters"),
        (("NAME=a b",), 2, "NAME=a b: small letters"),
        (("NAME=other",), 2, "no config is shipped for other: make install-service NAME=other CO"),
        (("NAME=nvda", "CONFIG=gone.yaml"), 2, "CONFIG=gone.yaml: cannot be read"),
        (("NAME=nvda", "CONFIG=LICENSE"), 78, "CONFIG=LICENSE has no feed"),
        (("NAME=nvda", "PYTHON=./no-python"), 78, "papertape needs Python 3.11 to 3.13"),
        (
            ("NAME=nvda", "PYTHON=./hidden"),
            78,
            "the service is not allowed to see /run/user/1/python3: ins",
        ),
    ],
)
def test_what_cannot_be_installed_is_refused(
    words: tuple[str, ...], code: int, said: str, checkout: Checkout, tmp_path: Path
) -> None:
    (checkout.folder / "hidden").write_text("#!/bin/sh\necho /run/user/1/python3\n")
    (checkout.folder / "hidden").chmod(0o755)
    done = checkout.make("install-service", *words, destination=tmp_path)
    assert f"Error {code}" in done.stderr
    assert f"papertape: {said}" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("foreign", ["file", "link"])
def test_somebody_elses_command_is_not_replaced(
    foreign: str, checkout: Checkout, tmp_path: Path
) -> None:
    command = tmp_path / COMMAND
    command.parent.mkdir(parents=True)
    if foreign == "file":
        command.write_text("#!/bin/sh\n")
    else:
        command.symlink_to("/usr/bin/true")
    done = checkout.make("install-service", "NAME=nvda", destination=tmp_path)
    assert "Error 78" in done.stderr
    assert "papertape: /usr/local/bin/papertape" in done.stderr
    assert "move it away first" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["usr"]


def test_without_root_the_answer_is_what_to_type(project_root: Path, tmp_path: Path) -> None:
    text = (project_root / "systemd/install.sh").read_text()
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    # Said from the standard input: nobody may not read the folders of these tests.
    done = subprocess.run(
        [*as_nobody, "sh", "-s", "install", "nvda"],
        input=text,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "DESTDIR": ""},
        cwd="/",
    )
    assert done.returncode == 77
    assert "sudo make install-service NAME=nvda" in done.stderr


# --- removing ---------------------------------------------------------------------------------


def test_the_last_instance_takes_all_but_the_state_with_it(
    installed: Path, checkout: Checkout
) -> None:
    journal = installed / "var/lib/papertape/nvda/journal.db"
    journal.parent.mkdir(parents=True)
    journal.write_text("trades")
    done = checkout.make("uninstall-service", "NAME=nvda", destination=installed)
    assert done.returncode == 0, done.stderr
    left = [path for path in installed.rglob("*") if not path.is_dir()]
    assert left == [journal]
    assert not (installed / "opt/papertape").exists()
    assert not (installed / "etc/papertape").exists()
    assert "the account stays: journal, positions and runs are in /var/lib/papertape/nvda" in (
        done.stdout
    )


def test_another_instance_keeps_what_is_shared(installed: Path, checkout: Checkout) -> None:
    (installed / "etc/papertape/other.yaml").write_text("name: other\n")
    before = seen(installed / "opt")
    done = checkout.make("uninstall-service", "NAME=nvda", destination=installed)
    assert done.returncode == 0, done.stderr
    assert "kept for other" in done.stdout
    assert seen(installed / "opt") == before
    assert (installed / UNIT).exists()
    assert not (installed / "etc/papertape/nvda.yaml").exists()


def test_an_edited_config_is_saved(installed: Path, checkout: Checkout) -> None:
    config = installed / "etc/papertape/nvda.yaml"
    config.unlink()
    config.write_text("name: mine\n")
    done = checkout.make("uninstall-service", "NAME=nvda", destination=installed)
    assert done.returncode == 0, done.stderr
    assert config.with_name("nvda.yaml.saved").read_text() == "name: mine\n"
    assert "your config is kept as /etc/papertape/nvda.yaml.saved" in done.stdout


def test_a_name_that_is_not_installed_removes_nothing(installed: Path, checkout: Checkout) -> None:
    before = seen(installed)
    done = checkout.make("uninstall-service", "NAME=nvdia", destination=installed)
    assert "Error 2" in done.stderr
    assert "no papertape@nvdia here" in done.stderr
    assert "(installed: nvda)" in done.stderr
    assert seen(installed) == before
