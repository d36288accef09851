"""A holiday, a half day, a closure announced late, a day nobody knows -> no orders and no alarm for
bars that must not exist; a bar that comes all the same is counted and never traded.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.faults.conftest import Daemons
from tests.faults.trouble import Patient, busy_settings, check_verified, refusal, shop_of
from tests.replay.workshop import Workshop

HEADER = "timestamp,open,high,low,close,volume\n"


def run(daemon: Patient) -> None:
    daemon.start(wait=False)
    assert daemon.wait() == 0, daemon.log()


def bars_by_day(daemon: Patient) -> dict[str, int]:
    rows = daemon.query("SELECT substr(start, 1, 10), count(*) FROM bars GROUP BY 1 ORDER BY 1")
    return {str(day): int(count) for day, count in rows}


def silent_days(daemon: Patient) -> list[object]:
    """Alarms for bars that did not come."""
    commands = daemon.query("SELECT * FROM commands")
    return [*commands, *daemon.query("SELECT * FROM gaps"), *daemon.query("SELECT * FROM denials")]


def test_independence_day_and_the_half_day_before_it(tmp_path: Path, daemons: Daemons) -> None:
    daemon = daemons(shop_of(tmp_path / "shop", (20240702, 20240705)), settings=busy_settings())
    run(daemon)
    # 2024-07-03 closed at 13:00: 09:30 to 13:00 are three hours and a half.
    assert bars_by_day(daemon) == {"2024-07-02": 7, "2024-07-03": 4, "2024-07-05": 7}
    ticks = daemon.query("SELECT instant FROM turns WHERE kind = 'tick' ORDER BY seq")
    at = [datetime.fromtimestamp(tick / 10**9, UTC).strftime("%d %H:%M") for (tick,) in ticks]
    assert at == ["02 13:30", "02 20:00", "03 13:30", "03 17:00", "05 13:30", "05 20:00"]
    assert silent_days(daemon) == []
    decided = {row[0][:10] for row in daemon.query("SELECT ts_decided FROM orders")}
    assert decided <= set(bars_by_day(daemon))
    check_verified(daemon)


def test_bars_outside_the_sessions_are_never_traded(tmp_path: Path, daemons: Daemons) -> None:
    shop = shop_of(tmp_path / "shop", (20240702, 20240705))
    plain = daemons(shop, settings=busy_settings())
    run(plain)
    other = shop_of(tmp_path / "other", (20240702, 20240705))
    tape = other.folder / "nvda.csv"
    lines = tape.read_text().splitlines(keepends=True)
    lines.insert(8, "2024-07-02T20:00:00Z,500,500,500,500,10000\n")  # after the close
    lines.insert(13, "2024-07-03T17:00:00Z,500,500,500,500,10000\n")  # after the early close
    lines.insert(14, "2024-07-04T14:30:00Z,500,500,500,500,10000\n")  # on the holiday
    tape.write_text("".join(lines))
    daemon = daemons(other, settings=busy_settings())
    run(daemon)
    assert daemon.trading() == plain.trading()
    assert bars_by_day(daemon) == bars_by_day(plain)


def test_a_closure_that_was_announced_late(tmp_path: Path, daemons: Daemons) -> None:
    """A day of mourning that the calendar's package does not know: no bars, no alarm."""
    shop = shop_of(tmp_path / "shop", (20240702, 20240709))
    tape = shop.folder / "nvda.csv"
    lines = [
        line for line in tape.read_text().splitlines(keepends=True) if "2024-07-08" not in line
    ]
    tape.write_text("".join(lines))
    (shop.state / "calendar.yaml").write_text("closures: [2024-07-08]\n")
    daemon = daemons(shop, settings=busy_settings())
    run(daemon)
    assert "2024-07-08" not in bars_by_day(daemon)
    assert silent_days(daemon) == []
    without = daemons(shop_of(tmp_path / "unknown", (20240702, 20240709)), settings=busy_settings())
    (without.shop.folder / "nvda.csv").write_text("".join(lines))
    run(without)
    missing = without.query("SELECT start FROM gaps WHERE outcome = 'missing'")
    assert len(missing) == 7, "without the closure these bars are missed"


def test_a_day_that_the_calendar_does_not_reach(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    (shop.folder / "nvda.csv").write_text(
        HEADER + "2204-01-03T14:30:00Z,100,101,99,100,50000\n", encoding="utf-8"
    )
    daemon = Patient(shop, settings=busy_settings())
    said = refusal(daemon)
    assert "2204" in said
    assert "nvda.csv" in said or "calendar" in said
