"""Makes `ops/faults.md` from the docstrings of the tests: `python -m tests.faults.table`.

A test's docstring begins with one sentence, "what goes wrong -> what happens then".
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
TABLE = HERE.parents[1] / "ops" / "faults.md"
NAME = re.compile(r"test_(\d\d)_\w+\.py")

HEAD = """\
# What goes wrong, and what happens then

Each row is a test that makes it happen to a real daemon. The table is made from their docstrings by
`python -m tests.faults.table`; a test sees to it that it is up to date.

| # | fault | behaviour | test |
|---|---|---|---|
"""


class Fault(NamedTuple):
    """One row."""

    number: int
    fault: str
    behaviour: str
    test: str


def faults(folder: Path = HERE) -> list[Fault]:
    """The rows of all tests in a folder, by their numbers."""
    return [
        fault_of(path, int(found[1]))
        for path in sorted(folder.glob("test_*.py"))
        if (found := NAME.fullmatch(path.name))
    ]


def fault_of(path: Path, number: int) -> Fault:
    """The row of one test; ValueError where its docstring does not say what it is about."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    sentence = " ".join(text.split("\n\n")[0].split())
    fault, arrow, behaviour = sentence.partition(" -> ")
    if not arrow or not behaviour.endswith("."):
        raise ValueError(f"{path.name}: its docstring must begin 'fault -> behaviour.'")
    return Fault(number, fault, behaviour.removesuffix("."), path.name)


def table(rows: list[Fault]) -> str:
    """The whole document."""
    return HEAD + "".join(
        f"| {row.number} | {_cell(row.fault)} | {_cell(row.behaviour)} | "
        f"[{row.test}](../tests/faults/{row.test}) |\n"
        for row in rows
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    TABLE.write_text(table(faults()), "utf-8")
