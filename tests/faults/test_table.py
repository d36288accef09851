"""The table of faults in ops/ is what the tests say, and every fault has a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.table import TABLE, Fault, fault_of, faults, table

WANTED = {*range(1, 16), *range(22, 26), *range(30, 38), *range(39, 43), 44}
"""The faults that a daemon meets without a feed of its own and without a registry of models."""


def test_the_committed_table_is_up_to_date() -> None:
    assert TABLE.read_text("utf-8") == table(faults()), "run: python -m tests.faults.table"


def test_every_fault_has_one_test() -> None:
    numbers = [row.number for row in faults()]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) >= WANTED


def test_a_docstring_becomes_a_row(tmp_path: Path) -> None:
    path = tmp_path / "test_07_it.py"
    path.write_text('"""Water | fire -> steam,\nand noise.\n\nMore.\n"""\n')
    row = fault_of(path, 7)
    assert row == Fault(7, "Water | fire", "steam, and noise", "test_07_it.py")
    link = "[test_07_it.py](../tests/faults/test_07_it.py)"
    assert table([row]).endswith(f"| 7 | Water \\| fire | steam, and noise | {link} |\n")


@pytest.mark.parametrize("text", ['"""Steam."""', '"""Water -> steam"""', "x = 1"])
def test_a_docstring_that_does_not_say_it_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "test_07_it.py"
    path.write_text(text + "\n")
    with pytest.raises(ValueError, match=r"test_07_it\.py: its docstring must begin"):
        fault_of(path, 7)
