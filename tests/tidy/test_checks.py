"""Each rule meets a text that breaks it and one that does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.tidy import checks

Check = Callable[[str, str], list[str]]

LONG_BODY = "def f() -> None:\n" + "    x = 1\n" * 69
IGNORES = "[tool.ruff.lint]\nselect = ['ALL']\nignore = [\n{}\n]\n"
PER_FILE = '[tool.ruff.lint.per-file-ignores]\n"tests/**" = [\n{}\n]\n'

BAD: list[tuple[Check, str, int]] = [
    (checks.module_size, "x = 1\n" * 401, 1),
    (checks.function_size, LONG_BODY + "    y = 2\n", 1),
    (checks.function_size, "async " + LONG_BODY + "    y = 2\n", 1),
    (checks.core_purity, "import time\n", 1),
    (checks.core_purity, "from random import choice\n", 1),
    (checks.core_purity, "import asyncio, logging\n", 2),
    (checks.core_purity, "def f() -> None:\n    import os\n", 1),
    (checks.core_purity, "import numpy as np\n", 1),
    (checks.core_purity, "from daemon import errors\n", 1),
    (checks.core_purity, "from . import events\n", 1),
    (checks.core_purity, "from replay.record import RunRecord\n", 1),
    (checks.core_purity, "open('tape.csv')\n", 1),
    (checks.core_purity, "print(1)\nhash('a')\n", 2),
    (checks.core_purity, "datetime.now(UTC)\n", 1),
    (checks.core_purity, "import datetime\ndatetime.datetime.utcnow()\ndate.today()\n", 2),
    (checks.core_purity, "async def f() -> None: ...\n", 1),
    (checks.inline_reasons, "x = 1  # noqa\n", 1),
    (checks.inline_reasons, "x = 1  # noqa: E501\n", 1),
    (checks.inline_reasons, "x = f()  # type: ignore\n", 1),
    (checks.inline_reasons, "x = f()  # type: ignore[arg-type]\n", 1),
    (checks.ignore_reasons, IGNORES.format('    "S101",'), 1),
    (checks.ignore_reasons, IGNORES.format('    "S101", # yes'), 1),
    (checks.ignore_reasons, IGNORES.format('    "S101", "D", # two in one line'), 1),
    (checks.ignore_reasons, '[tool.ruff.lint]\nignore = ["S101"]\n', 1),
    (checks.ignore_reasons, PER_FILE.format('    "D",'), 1),
    (checks.machine_paths, "see /" + "work/main/README.md\n", 1),
    (checks.machine_paths, "TAPE = '/" + "tmp/nvda.csv'\n", 1),
    (checks.machine_paths, "cd /" + "root/x && ls /" + "home/anna/y\n", 1),
    (checks.lock_addresses, "--index-url https:" + "//pypi.example/simple\n", 1),
    (checks.lock_addresses, "--find-links wheels\n", 1),
    (checks.lock_addresses, "rich @ https:" + "//example.org/rich.whl\n", 1),
    (checks.lock_hashes, "rich==15.0.0\n", 1),
    (checks.lock_hashes, "rich>=15 \\\n    --hash=sha256:00\n", 1),
]

GOOD: list[tuple[Check, str]] = [
    (checks.module_size, "x = 1\n" * 400),
    (checks.function_size, LONG_BODY),
    (
        checks.core_purity,
        "from msgspec import Struct\nfrom daemon.core.units import ppm\nimport math\nmath.pi()\n",
    ),
    (checks.inline_reasons, "x = 1  # noqa: E501, S101 - a table row\n"),
    (checks.inline_reasons, "x = f()  # type: ignore[arg-type]  # msgspec has no stubs\n"),
    (checks.inline_reasons, 'x = "# noqa"\n'),
    (checks.ignore_reasons, IGNORES.format('    "S101", # bugs are assertions')),
    (checks.ignore_reasons, PER_FILE.format('    "D", # names say it')),
    (checks.machine_paths, "see https:" + "//example.org/work/a and replay/tmp/b, ../tmp/c\n"),
    (checks.lock_addresses, "rich==15.0.0 \\\n    --hash=sha256:00\n    # via papertape\n"),
    (
        checks.lock_hashes,
        "# a remark\nrich==15.0.0 \\\n    --hash=sha256:00\n    # via papertape\n",
    ),
]


@pytest.mark.parametrize(("check", "text", "findings"), BAD)
def test_a_broken_rule_is_found(check: Check, text: str, findings: int) -> None:
    found = check("daemon/core/x.py", text)
    assert len(found) == findings
    assert all(finding.startswith("daemon/core/x.py:") for finding in found)


@pytest.mark.parametrize(("check", "text"), GOOD)
def test_a_kept_rule_is_quiet(check: Check, text: str) -> None:
    assert check("daemon/core/x.py", text) == []


def test_a_large_file_is_found() -> None:
    assert checks.file_size("a.csv", 1_000_000) == []
    assert checks.file_size("a.csv", 1_000_001) == ["a.csv:1: 1000001 bytes, at most 1000000"]


def test_links_are_resolved_from_the_file_that_holds_them() -> None:
    files = {"README.md", "ops", "ops/adr", "ops/adr/0001.md"}
    text = "[a](0001.md#why) [b](../../README.md) [c](#here) [d](https:" + "//example.org) [e](..)"
    assert checks.markdown_links("ops/adr/index.md", text, files) == []
    assert checks.markdown_links("ops/adr/index.md", "\n[a](README.md)", files) == [
        "ops/adr/index.md:2: the link leads nowhere: README.md"
    ]


def test_foreign_libraries_are_those_of_others() -> None:
    text = "import os, yaml\nfrom daemon import errors\ndef f() -> None:\n    import rich.table\n"
    assert checks.foreign_libraries(text) == {"yaml", "rich"}


def test_pins_are_read_by_normal_name() -> None:
    assert checks.lock_pins("Foo_bar==1.2 ; x \\\n    --hash=sha256:00\n") == {"foo-bar": "1.2"}
