"""Merging bars: any order, any overlap and any repetition of files gives the same series."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from daemon.data.files import read_series, write_series
from daemon.data.folder import DataFolder
from daemon.data.series import Key, Numbers, Series, Sightings, merge, sighted
from tests.unit.tape_files import starts

KEY = Key("NVDA", "1h", "session")
STARTS = starts(20240102, 20240103)

prices = st.integers(1, 4).map(float)
told = st.builds(lambda price, volume: Numbers(price, price, price, price, volume), prices,
                 st.integers(0, 2))  # fmt: skip
rows = st.dictionaries(st.sampled_from(STARTS), told, max_size=6)
files = st.lists(
    st.tuples(rows, st.integers(0, 3).map(lambda second: second * 10**9), st.sampled_from("ab")),
    max_size=5,
)
Files = list[tuple[dict[int, Numbers], int, str]]


def merged(parts: Files) -> dict[int, Sightings]:
    series = Series(KEY, "splits")
    for bars, seen, source in parts:
        merge(series, sighted(bars.items(), seen, source))
    return series.bars


@given(files, st.randoms(use_true_random=False))
def test_any_order_and_any_repetition(parts: Files, random: object) -> None:
    again = [*parts, *parts[: len(parts) // 2]]
    random.shuffle(again)  # type: ignore[attr-defined]  # hypothesis gives a Random
    assert merged(again) == merged(parts)


@given(files, st.integers(0, 5))
def test_merging_merged_series_is_merging_all(parts: Files, cut: int) -> None:
    left, right = Series(KEY, "splits"), Series(KEY, "splits")
    for part, into in [(part, left if n < cut else right) for n, part in enumerate(parts)]:
        merge(into, sighted(part[0].items(), part[1], part[2]))
    merge(right, left.bars)
    assert right.bars == merged(parts)


@given(files)
def test_what_was_seen_first_is_current_and_nothing_is_lost(parts: Files) -> None:
    found = merged(parts)
    for start in {start for bars, _, _ in parts for start in bars}:
        said = [(seen, bars[start]) for bars, seen, _ in parts if start in bars]
        assert {one.numbers for one in found[start]} == {numbers for _, numbers in said}
        assert (found[start][0].seen, found[start][0].numbers) == min(said)


@given(files)
def test_files_hold_the_whole_series(parts: Files) -> None:
    """Written and read after each merge, in either order: the same bytes at the end."""
    with TemporaryDirectory() as name:
        seen = []
        for place, order in enumerate((parts, parts[::-1])):
            file = DataFolder(Path(name) / str(place)).file("NVDA", "1h")
            for bars, when, source in order:
                series = read_series(file, "session", "splits")
                merge(series, sighted(bars.items(), when, source))
                write_series(file, series)
            if parts:
                assert read_series(file, "session", "splits").bars == merged(parts)
            seen.append(
                [path.read_bytes() for path in (file.path, file.revisions) if path.exists()]
            )
        assert seen[0] == seen[1]
