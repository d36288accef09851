"""The tree keeps the rules of CONTRIBUTING.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

from tests.tidy import checks

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("daemon", "replay")
LOCKS = ("requirements.lock", "requirements-dev.lock")
HEAVY = (
    "exchange_calendars",
    "numpy",
    "pandas",
    "prometheus_client",
    "pyarrow",
    "rich",
    "scipy",
    "structlog",
    "uvloop",
)

# One file per foreign library; these have a reason to be in more.
SHARED_LIBRARIES = {
    "cyclopts": ("daemon/cli/*", "the command line is a module a group of verbs"),
    "msgspec": ("*", "messages and records are its structs"),
    "pydantic": ("daemon/config/*", "the config's models are several files"),
    "yaml": ("daemon/*", "config and calendar overlay each walk the nodes for file:line:col"),
}


def _listed() -> list[str]:
    """All files git tracks or would track; in an unpacked archive, all that are not hidden."""
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return sorted(path for path in listed.split("\0") if path and (ROOT / path).is_file())
    walked = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in walked
        if "__pycache__" not in path.parts and not path.parts[0].startswith((".", "build", "dist"))
    )


FILES = _listed()
OURS = [path for path in FILES if path.startswith(PACKAGES) and path.endswith(".py")]
PYTHON = [path for path in FILES if path.endswith(".py")]
CORE = [path for path in OURS if path.startswith("daemon/core/")]


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _lines(findings: list[str]) -> str:
    return "\n".join(["", *findings])


def _project() -> dict[str, Any]:
    return tomllib.loads(_text("pyproject.toml"))


def test_the_tree_is_seen() -> None:
    assert "pyproject.toml" in FILES
    assert CORE
    assert "tests/tidy/test_tree.py" in PYTHON


def test_modules_and_functions_stay_small() -> None:
    findings = []
    for path in OURS:
        findings += checks.module_size(path, _text(path)) + checks.function_size(path, _text(path))
    assert not findings, _lines(findings)


def test_the_core_is_pure() -> None:
    findings = [finding for path in CORE for finding in checks.core_purity(path, _text(path))]
    assert not findings, _lines(findings)


def test_every_exception_to_a_rule_has_its_reason() -> None:
    findings = checks.ignore_reasons("pyproject.toml", _text("pyproject.toml"))
    for path in PYTHON:
        findings += checks.inline_reasons(path, _text(path))
    assert not findings, _lines(findings)


def test_no_file_names_a_path_of_one_machine() -> None:
    findings = []
    for path in FILES:
        if path.startswith("replay/assets/"):
            continue  # minified code of others
        try:
            findings += checks.machine_paths(path, _text(path))
        except UnicodeDecodeError:
            continue  # recorded bytes
    assert not findings, _lines(findings)


def test_no_file_is_large() -> None:
    sizes = {path: (ROOT / path).stat().st_size for path in FILES}
    findings = [found for path, size in sizes.items() for found in checks.file_size(path, size)]
    assert not findings, _lines(findings)


def test_local_links_resolve() -> None:
    folders = {str(parent) for path in FILES for parent in PurePosixPath(path).parents}
    known = folders | set(FILES)
    findings = []
    for path in FILES:
        if path.endswith(".md"):
            findings += checks.markdown_links(path, _text(path), known)
    assert not findings, _lines(findings)


def test_each_foreign_library_has_one_file() -> None:
    users: dict[str, list[str]] = defaultdict(list)
    for path in OURS:
        for library in checks.foreign_libraries(_text(path)):
            allowed, _ = SHARED_LIBRARIES.get(library, ("", ""))
            if not fnmatch(path, allowed):
                users[library].append(path)
    assert {library: paths for library, paths in users.items() if len(paths) > 1} == {}
    strays = {library: users[library] for library in SHARED_LIBRARIES if users[library]}
    assert strays == {}


# --- lock files and packaging ---------------------------------------------------------------------


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-service.lock"])
def test_a_lock_pins_hashes_and_names_no_address(lock: str) -> None:
    text = _text(lock)
    findings = checks.lock_addresses(lock, text) + checks.lock_hashes(lock, text)
    assert not findings, _lines(findings)
    assert len(checks.lock_pins(text)) > 10


def test_the_lock_of_ib_insync_has_nothing_of_ib_async() -> None:
    name = "requirements-ib-insync.lock"
    text = _text(name)
    pins = checks.lock_pins(text)
    assert not checks.lock_addresses(name, text) + checks.lock_hashes(name, text)
    assert {"ib-insync", "eventkit"} <= pins.keys()
    assert not {"ib-async", "aeventkit"} & pins.keys()


def test_the_development_lock_holds_the_run_time_lock() -> None:
    run_time, development = (checks.lock_pins(_text(lock)) for lock in LOCKS)
    assert run_time.items() <= development.items()


def test_the_lock_of_the_service_is_between_the_two() -> None:
    run_time, development = (checks.lock_pins(_text(lock)) for lock in LOCKS)
    service = checks.lock_pins(_text("requirements-service.lock"))
    assert run_time.items() <= service.items() <= development.items()
    assert "apprise" in service  # who runs it as a service wants to be told


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = _project()
    groups = project["dependency-groups"]
    run_time = [*project["project"]["dependencies"], *groups["build"]]
    extras = [
        line for extra in project["project"]["optional-dependencies"].values() for line in extra
    ]
    for lock, lines in zip(LOCKS, (run_time, [*run_time, *extras, *groups["dev"]]), strict=True):
        pins = checks.lock_pins(_text(lock))
        for requirement in map(Requirement, lines):
            pin = pins.get(re.sub(r"[._-]+", "-", requirement.name).lower())
            assert pin is not None, f"{lock}: {requirement.name} is missing; run `make lock`"
            assert requirement.specifier.contains(pin), f"{lock}: {requirement} is not {pin}"


def test_the_wheel_holds_all_that_is_read_at_run_time() -> None:
    included = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    tracked = {path for path in FILES if path.startswith(PACKAGES)}
    assert tracked <= included
    required = _project()["tool"]["papertape"]["package-data"]["required"]
    empty = [pattern for pattern in required if not any(fnmatch(path, pattern) for path in tracked)]
    assert empty == []


def test_continuous_integration_can_be_started() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)


# --- start-up -------------------------------------------------------------------------------------

IMPORT_AND_LIST = """
import importlib, json, sys
loaded = {}
for name in sys.argv[1].split(","):
    importlib.import_module(name)
    for heavy in sys.argv[2].split(","):
        if heavy in sys.modules:
            loaded.setdefault(heavy, name)
print(json.dumps(loaded))
"""


def _heavy_after(*modules: str) -> dict[str, str]:
    """Which heavy libraries importing the modules loads, and the module that was the first to."""
    command = [sys.executable, "-c", IMPORT_AND_LIST, ",".join(modules), ",".join(HEAVY)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    loaded: dict[str, str] = json.loads(done.stdout)
    return loaded


def test_a_heavy_import_would_be_seen() -> None:
    assert _heavy_after("json", "rich.table") == {"rich": "rich.table"}


def test_the_command_line_starts_without_heavy_libraries() -> None:
    assert _heavy_after("daemon.cli") == {}


# A gateway's client library loads numpy; only a daemon whose feed is that gateway imports these.
GATEWAY = "daemon.feeds.ib"


def test_importing_any_module_is_cheap() -> None:
    names = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in OURS]
    cheap = [name for name in names if not name.endswith("__main__")]
    assert _heavy_after(*(name for name in cheap if not name.startswith(GATEWAY))) == {}
