"""How far a journal's inputs reach, and its last slices: where a live feed goes on."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from daemon.core.units import HOUR_NS
from daemon.journal.reader import JournalReader
from tests.live_journals import OPENS, written


@pytest.mark.parametrize(
    ("turns", "reached"),
    [
        (1, (OPENS, "tick")),
        (2, (OPENS + 3 * HOUR_NS, "slice")),
        (3, (OPENS + 4 * HOUR_NS, "slice")),
        (6, (OPENS + 4 * HOUR_NS, "slice")),  # turn 6 is a slice of an hour earlier
    ],
)
def test_the_latest_instant_counts_not_the_last_turn(
    tmp_path: Path, turns: int, reached: tuple[int, str]
) -> None:
    with closing(JournalReader(written(tmp_path, turns))) as reader:
        assert reader.reached() == reached


def test_the_last_slices_come_in_the_order_they_were_stored(tmp_path: Path) -> None:
    with closing(JournalReader(written(tmp_path, 11))) as reader:
        assert [row.seq for row in reader.last_slices(3)] == [7, 10, 11]
        assert [row.seq for row in reader.last_slices(99)] == [2, 3, 6, 7, 10, 11]
