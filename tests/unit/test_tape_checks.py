"""Each rule finds what it is for, at the line where it is, and nothing in a quiet market."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.core.events import Outcome
from daemon.errors import RefusedError
from replay.record import GapRow
from replay.tapes import Action, Fault, Severity, Tape
from replay.tapes.rules import RULES
from tests.unit.tape_files import (
    Row,
    at,
    bars,
    iso_z,
    opened,
    papertape,
    rows_of,
    rules_of,
    save,
)


def replaced(rows: Sequence[Row], changes: dict[int, str]) -> str:
    """The tape of rows with whole lines exchanged; row n is line n + 2."""
    lines = papertape(rows).splitlines()
    for n, line in changes.items():
        lines[n + 1] = line.format(z=iso_z(rows[n].start))
    return "\n".join(lines) + "\n"


def only(tape: Tape, rule: str) -> Fault:
    (fault,) = [fault for fault in tape.faults if fault.rule.startswith(rule)]
    return fault


def test_a_quiet_market_has_no_findings(tmp_path: Path) -> None:
    tape = opened(save(tmp_path, papertape(bars(20240102, 20240628))))
    assert tape.faults == ()
    assert not tape.costs_distorted
    assert tape.coverage["NVDA"].coverage_pct == 100.0


def test_rule_ids_are_unique_and_in_order() -> None:
    assert [rule.id for rule in RULES] == [f"T{n:02d}" for n in range(1, len(RULES) + 1)]


STRUCTURAL = {
    "T02 NaN": ("{z},nan,2,1,2,5", "T02", "open is 'nan'"),
    "T02 infinite": ("{z},1,inf,1,2,5", "T02", "high is 'inf'"),
    "T02 zero": ("{z},1,2,0,2,5", "T02", "low is '0'"),
    "T02 negative": ("{z},1,2,1,-2,5", "T02", "close is '-2'"),
    "T02 empty": ("{z},,,,,", "T02", "open is ''"),
    "T02 word": ("{z},1,null,1,2,5", "T02", "high is 'null'"),
    "T03 high below low": ("{z},2,1,3,2,5", "T03", "open 2.0, high 1.0, low 3.0, close 2.0"),
    "T03 open outside": ("{z},9,2,1,2,5", "T03", "open 9.0, high 2.0, low 1.0, close 2.0"),
    "T03 close outside": ("{z},2,2,1,0.5,5", "T03", "open 2.0, high 2.0, low 1.0, close 0.5"),
    "T04 word": ("{z},1,2,1,2,many", "T04", "volume is 'many'"),
    "T04 negative": ("{z},1,2,1,2,-7", "T04", "volume is '-7'"),
    "T04 NaN": ("{z},1,2,1,2,nan", "T04", "volume is 'nan'"),
    "T01 short row": ("{z},1,2", "T01", "has 3 cells, too few for its header"),
}


@pytest.mark.parametrize("name", list(STRUCTURAL))
def test_structural_faults_are_quarantined_and_count_as_missing(name: str, tmp_path: Path) -> None:
    line, rule, message = STRUCTURAL[name]
    rows = bars()
    path = save(tmp_path, replaced(rows, {10: line}))
    tape = opened(path)
    fault = only(tape, rule)
    assert (fault.line, fault.start, fault.symbol) == (12, rows[10].start, "NVDA")
    assert (fault.severity, fault.action) == (Severity.ERROR, Action.QUARANTINED)
    assert fault.message == message
    assert rows_of(tape) == rows[:10] + rows[11:]
    coverage = tape.coverage["NVDA"]
    assert (coverage.expected, coverage.received, coverage.missing) == (28, 27, 0)
    assert coverage.quarantined == 1
    (gap,) = tape.gaps("NVDA")
    assert gap == GapRow(
        "NVDA",
        rows[10].start,
        rows[11].start,
        20240103,
        Outcome.QUARANTINED,
        f"{fault.rule}: {message}",
    )
    assert tape.quarantined("NVDA") == {rows[10].start: f"{fault.rule}: {message}"}
    with pytest.raises(RefusedError, match=rf"nvda\.csv:12: NVDA: .*\[{rule} .*on_bad_bar"):
        opened(path, on_bad_bar="refuse")


def test_t01_a_row_without_a_readable_stamp(tmp_path: Path) -> None:
    tape = opened(save(tmp_path, replaced(bars(), {27: "Downloaded from somewhere"})))
    fault = only(tape, "T01")
    assert (fault.line, fault.start) == (29, None)
    assert fault.message == "row 'Downloaded from somewhere' is not a time stamp"
    assert tape.understood.rows_dropped == {"unreadable": 1}


def test_t05_rows_that_differ_about_one_bar_are_all_put_aside(tmp_path: Path) -> None:
    rows = bars()
    twice = papertape([*rows[:10], rows[9]._replace(volume=5), *rows[10:]])
    tape = opened(save(tmp_path, twice))
    faults = [fault for fault in tape.faults if fault.rule.startswith("T05")]
    assert [fault.line for fault in faults] == [11, 12]
    assert faults[0].message == "lines 11, 12 differ about the same bar"
    assert rows_of(tape) == rows[:9] + rows[10:]
    assert tape.coverage["NVDA"].quarantined == 1


def test_t05_a_clock_label_and_the_open_are_one_bar(tmp_path: Path) -> None:
    rows = bars(grid="clock")
    label = rows[0]._replace(start=at("2024-01-02 09:00"))
    tape = opened(save(tmp_path, papertape([label, *rows])), grid="clock")
    assert rules_of(tape)["T05"] == 2
    assert rows_of(tape) == rows[1:]


def test_t06_a_bar_that_overlaps_another(tmp_path: Path) -> None:
    rows = bars()
    extra = rows[2]._replace(start=at("2024-01-02 11:45"))
    tape = opened(save(tmp_path, papertape([*rows[:3], extra, *rows[3:]])))
    fault = only(tape, "T06")
    assert fault.line == 5
    assert fault.message == "2024-01-02 11:45 overlaps the bar 11:30 to 12:30"
    assert rows_of(tape) == rows


def test_t06_a_phase_change_of_the_labels(tmp_path: Path) -> None:
    early, late = bars(20240102, 20240117), bars(20240118, 20240118)
    moved = [row._replace(start=row.start - 30 * 60 * 10**9) for row in late]
    tape = opened(save(tmp_path, papertape(early + moved + bars(20240119, 20240119))))
    # 09:00 is before the open; 10:00 … 15:00 lie inside and overlap two bars each.
    assert rules_of(tape)["T06"] == 6
    assert tape.unexpected.count == 1
    assert tape.coverage["NVDA"].missing == 7


def test_t07_repeated_rows_are_dropped(tmp_path: Path) -> None:
    rows = bars()
    tape = opened(save(tmp_path, papertape([*rows[:5], rows[4], rows[4], *rows[5:]])))
    assert rows_of(tape) == rows
    faults = [fault for fault in tape.faults if fault.rule.startswith("T07")]
    assert [(fault.line, fault.action) for fault in faults] == [
        (7, Action.DROPPED),
        (8, Action.DROPPED),
    ]
    assert tape.understood.rows_dropped == {"repeated": 2}


def test_t08_rows_out_of_order_are_sorted_or_refused(tmp_path: Path) -> None:
    rows = bars()
    path = save(tmp_path, papertape([*rows[:3], rows[4], rows[3], *rows[5:]]))
    tape = opened(path)
    assert rows_of(tape) == rows
    assert only(tape, "T08").line == 6
    with pytest.raises(RefusedError, match=r"nvda\.csv:6: .*T08 rows out of order"):
        opened(path, on_bad_bar="refuse")


def test_newest_first_is_a_habit_and_no_fault(tmp_path: Path) -> None:
    tape = opened(save(tmp_path, papertape(bars()[::-1])), on_bad_bar="refuse")
    assert rows_of(tape) == bars()
    assert not tape.faults
    assert tape.understood.notes == ("NVDA: rows are stored newest first and were turned round",)


def test_a_broken_row_keeps_its_place_when_rows_are_turned_round(tmp_path: Path) -> None:
    lines = replaced(bars(), {10: "{z},nan,2,1,2,5"}).splitlines()
    tape = opened(save(tmp_path, "\n".join([lines[0], *lines[:0:-1]])))
    assert only(tape, "T02").start == bars()[10].start
    assert rows_of(tape) == bars()[:10] + bars()[11:]


def test_a_broken_row_is_found_in_a_tape_without_volume(tmp_path: Path) -> None:
    lines = replaced(bars(), {10: "{z},nan,2,1,2,5"}).splitlines()
    tape = opened(save(tmp_path, "\n".join(line.rpartition(",")[0] for line in lines)))
    assert only(tape, "T02").start == bars()[10].start
    assert len(rows_of(tape)) == 27


def test_t09_a_placeholder_is_dropped_and_its_bar_is_missing(tmp_path: Path) -> None:
    rows = bars()
    tape = opened(save(tmp_path, replaced(rows, {6: "{z},100,100,100,100,0"})))
    assert only(tape, "T09").action == Action.DROPPED
    assert rows_of(tape) == rows[:6] + rows[7:]
    (gap,) = tape.gaps("NVDA")
    assert (gap.outcome, gap.reason) == (Outcome.MISSING, "a placeholder without trades")
    assert tape.understood.rows_dropped == {"placeholder": 1}


def test_t10_a_price_that_moves_without_volume_is_kept(tmp_path: Path) -> None:
    tape = opened(save(tmp_path, replaced(bars(), {6: "{z},100,102,99,101,0"})))
    fault = only(tape, "T10")
    assert (fault.line, fault.severity, fault.action) == (8, Severity.WARNING, Action.KEPT)
    assert len(rows_of(tape)) == 28


@pytest.mark.parametrize(("factor", "found"), [(9.0, 1), (7.0, 0), (0.1, 1), (0.2, 0)])
def test_t11_a_volume_regime_is_told_once(factor: float, found: int, tmp_path: Path) -> None:
    rows = bars(20240102, 20240315)
    changed = [
        row if row.start < at("2024-03-01 00:00") else row._replace(volume=int(row.volume * factor))
        for row in [row._replace(volume=1000) for row in rows]
    ]
    tape = opened(save(tmp_path, papertape(changed)))
    assert rules_of(tape).get("T11", 0) == found
    if found:
        assert only(tape, "T11").message.startswith(f"2024-03-01: volume {int(7000 * factor):,}")


def test_t12_the_first_bar_is_missing_every_day(tmp_path: Path) -> None:
    rows = [row for row in bars(20240102, 20240209) if iso_z(row.start)[11:16] != "14:30"]
    tape = opened(save(tmp_path, papertape(rows)))
    assert only(tape, "T12").message == "the first bar is missing in 28 of 28 sessions"
    assert tape.coverage["NVDA"].missing == 28


def test_t12_suspects_end_stamps_when_bars_stand_at_the_close(tmp_path: Path) -> None:
    ends = [
        row._replace(start=min(row.start + 3_600 * 10**9, at(f"{iso_z(row.start)[:10]} 16:00")))
        for row in bars(20240102, 20240209)
    ]
    tape = opened(save(tmp_path, papertape(ends)))
    assert "are the stamps bar ends (stamps: end)?" in only(tape, "T12").message


def test_t13_a_last_row_between_slots_was_still_being_made(tmp_path: Path) -> None:
    rows = bars()[:-1]
    live = rows[-1]._replace(start=at("2024-01-05 15:07"))
    tape = opened(save(tmp_path, papertape([*rows, live])))
    fault = only(tape, "T13")
    assert (fault.line, fault.action) == (len(rows) + 2, Action.DROPPED)
    assert rows_of(tape) == rows


def test_t13_a_last_bar_with_hardly_any_volume(tmp_path: Path) -> None:
    rows = bars(20240102, 20240209)
    rows[-1] = rows[-1]._replace(volume=20)
    fault = only(opened(save(tmp_path, papertape(rows))), "T13")
    assert (fault.action, fault.start) == (Action.KEPT, rows[-1].start)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{z},100,100.1,10.01,100,500", "low 10.01 is 90.0 % outside .* a decimal shift"),
        ("{z},100,1000.5,99.9,100,500", "high 1000.5 is 900.5 % outside .* a decimal shift"),
        ("{z},100,100.1,93,100,500", "low 93.0 is 7.0 % outside open 100.0 and close 100.0"),
    ],
)
def test_t14_spikes_warn_with_evidence_and_stay(row: str, says: str, tmp_path: Path) -> None:
    tape = opened(save(tmp_path, replaced(bars(), {20: row})))
    fault = only(tape, "T14")
    assert (fault.line, fault.severity, fault.action) == (22, Severity.WARNING, Action.KEPT)
    assert re.search(says, fault.message)
    assert len(rows_of(tape)) == 28


def priced(row: Row, change: Callable[[float], float]) -> Row:
    """The row with every price changed."""
    return Row(
        row.start,
        change(row.open),
        change(row.high),
        change(row.low),
        change(row.close),
        row.volume,
    )


def test_t14_a_wild_market_has_no_spikes(tmp_path: Path) -> None:
    wild = [row._replace(high=row.high + 8, low=row.low - 8) for row in bars()]
    tape = opened(save(tmp_path, papertape(wild)))
    assert "T14" not in rules_of(tape)


def scaled(row: Row, factor: float, decimals: int = 2) -> Row:
    return priced(row, lambda price: round(price * factor, decimals))


@pytest.mark.parametrize(
    ("factor", "what"),
    [
        (1 / 2, "2:1 split"),
        (1 / 7, "7:1 split"),
        (1 / 10 * 1.02, "10:1 split"),
        (4.0, "1:4 reverse split"),
        (0.52, None),
        (1.25, None),
        (1 / 1.5, None),
        (1 / 2.2, None),
    ],
)
def test_t15_only_ratios_of_splits_at_a_sessions_open(
    factor: float, what: str | None, tmp_path: Path
) -> None:
    rows = bars(20240102, 20240103) + [scaled(row, factor) for row in bars(20240104, 20240105)]
    tape = opened(save(tmp_path, papertape(rows)), adjustment="raw")
    if what is None:
        assert "T15" not in rules_of(tape)
        return
    fault = only(tape, "T15")
    assert (fault.line, fault.action) == (16, Action.KEPT)
    assert fault.message.startswith("2024-01-04: opens at ")
    assert f"as a {what} would; list it in corporate_actions.csv" in fault.message


def test_t15_does_not_fire_within_a_session(tmp_path: Path) -> None:
    rows = bars(20240102, 20240102)
    halved = rows[:3] + [scaled(row, 0.5) for row in rows[3:]]
    assert "T15" not in rules_of(opened(save(tmp_path, papertape(halved)), adjustment="raw"))


def test_t16_gaps_removed(tmp_path: Path) -> None:
    chained, close = [], 100.0
    for n, row in enumerate(bars(20240102, 20240209)):
        step = round(close + (0.02 if n % 3 else -0.03), 2)
        chained.append(row._replace(open=close, high=close + 1, low=close - 1, close=step))
        close = step
    tape = opened(save(tmp_path, papertape(chained)))
    assert only(tape, "T16").message.startswith("27 of 27 sessions open exactly at the close")


def adjusted(factor: int) -> list[Row]:
    """A market in cents, divided by a split factor and rounded to four decimals."""
    chance = random.Random(7)
    rows = []
    for row in bars(20240102, 20240315):
        cents = [chance.randrange(50_000, 60_000) for _ in range(2)]
        high, low = max(cents) + 50, min(cents) - 50
        whole = Row(row.start, cents[0], high, low, cents[1], row.volume)
        rows.append(priced(whole, lambda price: round(price / 100 / factor, 4)))
    return rows


@pytest.mark.parametrize("factor", [2, 3, 4, 7, 10, 40])
def test_t17_the_split_factor_shows_in_the_prices(factor: int, tmp_path: Path) -> None:
    path = save(tmp_path, papertape(adjusted(factor)))
    tape = opened(path, adjustment="raw")
    fault = only(tape, "T17")
    assert fault.severity == Severity.WARNING
    assert f"a split factor of {factor} explains them" in fault.message
    assert (tape.costs_distorted, tape.suspected_factor) == (True, float(factor))
    assert only(opened(path, adjustment="splits"), "T17").severity == Severity.INFO


def test_t17_dividends_leave_no_factor(tmp_path: Path) -> None:
    rows = [scaled(row, 0.987654321, 4) for row in adjusted(1)]
    tape = opened(save(tmp_path, papertape(rows)), adjustment="splits_dividends")
    assert "no split factor explains them" in only(tape, "T17").message
    assert (tape.costs_distorted, tape.suspected_factor) == (True, None)


def test_t17_prices_in_cents_are_as_traded(tmp_path: Path) -> None:
    tape = opened(save(tmp_path, papertape(adjusted(1))), adjustment="splits")
    assert "T17" not in rules_of(tape)
    assert (tape.costs_distorted, tape.suspected_factor) == (False, None)


def test_t18_a_clock_label_after_early_trading(tmp_path: Path) -> None:
    rows = bars(20240102, 20240102, grid="clock")
    labelled = [row._replace(start=at(f"2024-01-02 {hour:02d}:00"))
                for hour, row in enumerate(rows, 9)]  # fmt: skip
    before = [rows[0]._replace(start=at(f"2024-01-02 {hour:02d}:00")) for hour in (7, 8)]
    tape = opened(save(tmp_path, papertape(before + labelled)), grid="clock")
    assert "may hold their trades" in only(tape, "T18").message
    assert "T18" not in rules_of(opened(save(tmp_path, papertape(labelled)), grid="clock"))


def test_a_weekend_is_no_gap_and_a_missing_day_is(tmp_path: Path) -> None:
    friday_to_tuesday = opened(save(tmp_path, papertape(bars(20240112, 20240116))))
    assert friday_to_tuesday.coverage["NVDA"].expected == 14  # Monday the 15th was a holiday
    assert friday_to_tuesday.gaps("NVDA") == []
    without_wednesday = bars(20240102, 20240102) + bars(20240104, 20240105)
    tape = opened(save(tmp_path, papertape(without_wednesday)))
    assert [gap.session for gap in tape.gaps("NVDA")] == [20240103] * 7
    assert rules_of(tape) == {"T19": 1}


def test_coverage_counts_whole_sessions_from_the_first_to_the_last(tmp_path: Path) -> None:
    tape = opened(save(tmp_path, papertape(bars()[2:-3])))
    coverage = tape.coverage["NVDA"]
    assert (coverage.first_session, coverage.last_session) == (20240102, 20240105)
    assert (coverage.sessions, coverage.expected, coverage.received) == (4, 28, 23)
    assert coverage.coverage_pct == pytest.approx(100 * 23 / 28)


def test_the_short_bars_of_a_session_end_at_its_close(tmp_path: Path) -> None:
    tape = opened(save(tmp_path, papertape(bars(20240702, 20240703))))
    ends = tape.columns["NVDA"].end
    # Seven bars to 16:00, then 09:30 10:30 11:30 12:30 to 13:00.
    assert ends[6] == at("2024-07-02 16:00")
    assert (len(ends), ends[10]) == (11, at("2024-07-03 13:00"))


def test_t20_bars_outside_the_sessions_are_counted_and_never_traded(tmp_path: Path) -> None:
    rows = bars(20240702, 20240703)
    after = [rows[-1]._replace(start=at(f"2024-07-03 {hour}:30")) for hour in (13, 14)]
    early = rows[0]._replace(start=at("2024-07-02 08:30"))
    holiday = rows[0]._replace(start=at("2024-07-04 09:30"))
    junk = rows[0]._replace(start=at("2024-07-03 15:30"), high=1.0)
    tape = opened(save(tmp_path, papertape([early, *rows, *after, junk, holiday])))
    assert rows_of(tape) == rows
    assert tape.unexpected.count == 5
    assert tape.unexpected.first[0] == ("NVDA", 2, at("2024-07-02 08:30"))
    assert rules_of(tape) == {"T20": 1}, "what is not traded is not judged"


def test_examples_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    rows = [row._replace(volume=0) for row in bars(20240102, 20240209)]
    rows[0] = rows[0]._replace(volume=5)
    tape = opened(save(tmp_path, papertape(rows)))
    assert rules_of(tape)["T10"] == len(rows) - 1 == 195
    assert len([fault for fault in tape.faults if fault.rule.startswith("T10")]) == 100


# --- order and repetition change nothing ------------------------------------------------------


def _loads(tmp_path: Path, rows: Sequence[Row], options: dict[str, str]) -> list[Row] | None:
    try:
        return rows_of(opened(save(tmp_path, papertape(rows)), **options))  # type: ignore[arg-type]  # strings
    except RefusedError:
        return None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), policy=st.sampled_from(["quarantine", "refuse"]))
def test_any_order_and_repetition_gives_the_same_bars_or_is_refused(
    data: st.DataObject, policy: str, tmp_path: Path
) -> None:
    market = bars(20240102, 20240108)
    chosen = data.draw(st.lists(st.sampled_from(market), min_size=1, max_size=60))
    found = _loads(tmp_path, chosen, {"on_bad_bar": policy})
    expected = sorted(set(chosen))
    if found is None:
        # Only a tape out of order may be refused, or one whose few bars look like another size.
        assert policy == "refuse" or len(expected) < 10
    else:
        assert found == expected


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_contradictions_leave_neither_version(data: st.DataObject, tmp_path: Path) -> None:
    market = bars(20240102, 20240108)
    doubted = data.draw(st.sets(st.integers(0, len(market) - 1), min_size=1, max_size=10))
    other = [market[n]._replace(volume=7) for n in doubted]
    shuffled = data.draw(st.permutations(market + other))
    tape = opened(save(tmp_path, papertape(shuffled)))
    assert rows_of(tape) == [row for n, row in enumerate(market) if n not in doubted]
    assert set(tape.quarantined("NVDA")) == {market[n].start for n in doubted}
