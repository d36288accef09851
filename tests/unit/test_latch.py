"""The latch file: thrown without space, once, by whoever comes first; read without trust."""

from __future__ import annotations

from pathlib import Path

from daemon.control.latch import ARMED, FLATTEN, HALT, SIZE, Latch


def test_an_armed_latch_is_renamed_and_written_in_place(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.arm()
    inode = (tmp_path / ARMED).stat().st_ino
    assert not latch.is_set()
    assert latch.read() is None
    assert latch.throw("operator", "look\nat this")
    assert (tmp_path / HALT).stat().st_ino == inode
    assert (tmp_path / HALT).stat().st_size == SIZE
    assert not (tmp_path / ARMED).exists()
    said = latch.read()
    assert said is not None
    assert (said.source, said.reason) == ("operator", "look at this")
    assert said.when.endswith("Z")


def test_the_first_reason_stays(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.arm()
    assert latch.throw("signal", "first")
    assert not latch.throw("operator", "second")
    said = latch.read()
    assert said is not None
    assert said.reason == "first"


def test_it_can_be_thrown_unarmed_and_flattened_later(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    assert latch.throw("operator", "stop")
    assert not latch.wants_flat()
    assert not latch.throw("operator", "and out", flatten=True)
    assert latch.wants_flat()
    assert (tmp_path / FLATTEN).exists()


def test_a_reason_too_long_is_cut_and_not_lost(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.throw("operator", "x" * 5000)
    assert (tmp_path / HALT).stat().st_size == SIZE
    said = latch.read()
    assert said is not None
    assert said.reason.startswith("xxx")


def test_a_file_made_by_hand_is_a_latch_that_says_nothing(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    (tmp_path / HALT).touch()
    assert latch.is_set()
    said = latch.read()
    assert said is not None
    assert (said.when, said.source, said.reason) == ("", "", "")


def test_whatever_hides_the_file_counts_as_halted(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    latch = Latch(in_the_way)  # ENOTDIR: not "no such file"
    assert latch.is_set()
    assert latch.wants_flat()


def test_a_loop_of_links_counts_as_halted(tmp_path: Path) -> None:
    (tmp_path / HALT).symlink_to(tmp_path / HALT)
    assert Latch(tmp_path).is_set()


def test_clearing_removes_both_files(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.throw("operator", "out", flatten=True)
    latch.clear()
    assert not latch.is_set()
    assert not latch.wants_flat()
    latch.clear()  # nothing to remove is no error
