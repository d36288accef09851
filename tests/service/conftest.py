"""What the tests of the service share: a copy of the tree, an installation, a machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.service.machine import Machine, Unavailable, booted

# What an installation is made from. A copy, so that the tree may be worked on meanwhile.
INSTALLED_FROM = ("daemon", "replay", "configs", "systemd")
INSTALLED_FILES = (
    "Makefile", "pyproject.toml", "requirements-service.lock", "README.md", "LICENSE",
)  # fmt: skip
NO_NETWORK = re.compile(r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError")


@dataclass(frozen=True)
class Checkout:
    """A copy of the tree, and how a person installs from it."""

    folder: Path

    def make(self, *words: str, destination: Path) -> subprocess.CompletedProcess[str]:
        """Run make with DESTDIR, without the options of the make that runs the tests."""
        return subprocess.run(
            ["make", "--no-print-directory", *words, f"DESTDIR={destination}"],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "MAKEFLAGS": ""},
        )


@dataclass(frozen=True)
class Installation:
    """What `make install-service NAME=nvda DESTDIR=...` made, and what it said."""

    destination: Path
    said: str


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Checkout:
    folder = tmp_path_factory.mktemp("checkout")
    for name in INSTALLED_FROM:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(project_root / name, folder / name, ignore=ignored)
    for name in INSTALLED_FILES:
        shutil.copy2(project_root / name, folder / name)
    return Checkout(folder)


@pytest.fixture(scope="session")
def installation(
    checkout: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Install once, with every dependency from the lock file, for all tests that look at it."""
    destination = tmp_path_factory.mktemp("destination")
    done = checkout.make("install-service", "NAME=nvda", destination=destination)
    if "papertape needs Python" in done.stderr or "not allowed to see" in done.stderr:
        pytest.skip(f"SKIPPED, no Python for a service: {done.stderr.strip()}")
    if done.returncode != 0 and NO_NETWORK.search(done.stderr):
        pytest.skip(f"SKIPPED, the lock file cannot be installed: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    yield Installation(destination, done.stdout)
    shutil.rmtree(destination)  # pytest keeps folders of some runs; this one is large


@pytest.fixture(scope="module")
def machine(
    checkout: Checkout,
    installation: Installation,
    tmp_path_factory: pytest.TempPathFactory,
    project_root: Path,
) -> Iterator[Machine]:
    """A running systemd on which papertape@nvda is installed (and not started).

    One for each file of tests, since most of them change what is installed.
    """
    folder = tmp_path_factory.mktemp("machine")
    folder.chmod(0o755)
    (folder / "units").mkdir()
    # Linked, not copied: nothing in a release is ever written to.
    shutil.copytree(
        installation.destination / "opt", folder / "opt", symlinks=True, copy_function=os.link
    )
    shutil.copy2(project_root / "tests/service/probe.py", folder / "opt/papertape/probe.py")
    script = project_root / "tests/service/sdrun.sh"
    try:
        with booted(script, folder / "units", folder / "opt") as system:
            system.run("sh", f"{checkout.folder}/systemd/install.sh", "install", "nvda")
            yield system
        shutil.rmtree(folder / "opt")
    except Unavailable as reason:
        pytest.skip(f"SKIPPED, the service is not tested under a real systemd: {reason}")
