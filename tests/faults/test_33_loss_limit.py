"""The day's loss reaches its limit -> halted and flattened at the next price; a kill -9 before or
after it changes neither the day's baseline nor the halt; a bar without a number is not a loss.
"""

from __future__ import annotations

from pathlib import Path

from tests.faults.conftest import PACE, Daemons
from tests.faults.trouble import (
    WEEKS,
    Undisturbed,
    check_same_end,
    check_verified,
    halted_by_file,
    run_undisturbed,
    shop_of,
)
from tests.replay.workshop import Workshop, bar_starts, write_tape

HOLD = {
    "strategy": "{kind: buy_and_hold, params: {quantity: 300}}",
    "risk.max_orders_per_day": "null",
    "risk.max_daily_loss_usd": "2000",
}
CRASH_AT = 10
"""The place of the bar that costs a tenth: the fourth of the second session (turn 14)."""
DAYS = (20240102, 20240105)


def falling(folder: Path) -> Workshop:
    """A tape on which a tenth of the price is lost in one bar."""
    shop = shop_of(folder, DAYS)
    write_tape(shop.folder / "nvda.csv", first=DAYS[0], last=DAYS[1], jumps={CRASH_AT: 0.9})
    return shop


def test_the_baseline_survives_kill_9(tmp_path: Path, daemons: Daemons) -> None:
    undisturbed: Undisturbed = run_undisturbed(
        daemons(falling(tmp_path / "undisturbed"), settings=HOLD)
    )
    (halt,) = [row for row in undisturbed.trading["states"] if row[1] == "HALTED"]
    assert halt[0] == iso_end(CRASH_AT)
    assert undisturbed.trading["trades"], "it was not flattened"
    daemon = daemons(falling(tmp_path / "killed"), pace=PACE, settings=HOLD)
    # Mid-day before it, in the turns around it, and after it.
    for turns in (11, 14, 15, 20):
        daemon.start()
        daemon.reach(turns)
        daemon.kill_9()
    daemon.start(wait=False)
    assert daemon.wait() == 0
    check_same_end(daemon, undisturbed)
    assert halted_by_file(daemon.state)
    check_verified(daemon)


def iso_end(place: int) -> str:
    """The end of the bar at this place of the tape."""
    from daemon.feeds.times import iso_z

    return iso_z(bar_starts(*DAYS)[place] + 3_600 * 10**9)


def test_reset_needs_the_loss_to_be_accepted(tmp_path: Path, daemons: Daemons) -> None:
    """The tape ends on the evening of that day."""
    shop = falling(tmp_path / "shop")
    tape = shop.folder / "nvda.csv"
    lines = tape.read_text().splitlines(keepends=True)
    tape.write_text("".join(line for line in lines if line < "2024-01-04" or "open" in line))
    daemon = daemons(shop, settings=HOLD)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    assert daemon.status()["state"] == "HALTED"
    refused = daemon.type("reset", "--reason", "again")
    assert refused.code == 1
    assert "--accept loss" in refused.out + refused.err
    assert halted_by_file(daemon.state)
    assert daemon.type("reset", "--reason", "again", "--accept", "loss").code == 0
    assert not halted_by_file(daemon.state)
    assert daemon.status()["state"] == "ACTIVE"
    check_verified(daemon)


def test_a_mark_that_is_no_number_is_never_a_mark(tmp_path: Path, daemons: Daemons) -> None:
    """Quarantined, so missing: the last mark is carried on, and no limit is compared with NaN."""
    shop = shop_of(tmp_path / "shop", WEEKS)
    tape = shop.folder / "nvda.csv"
    lines = tape.read_text().splitlines()
    stamp, opened, high, low, _, volume = lines[40].split(",")
    lines[40] = f"{stamp},{opened},{high},{low},nan,{volume}"
    tape.write_text("\n".join(lines) + "\n")
    daemon = daemons(shop, settings=HOLD)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    assert daemon.query(f"SELECT outcome FROM gaps WHERE start = '{stamp}'") == [("quarantined",)]  # noqa: S608 - ours
    equity = [value for (value,) in daemon.query("SELECT equity FROM equity ORDER BY ts")]
    assert all(value == value for value in equity)  # noqa: PLR0124 - NaN is not itself
    assert equity[39] == equity[38], "the mark of the bar before is carried on"
    assert daemon.status()["state"] == "ACTIVE"
    check_verified(daemon)
