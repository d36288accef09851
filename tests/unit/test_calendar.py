"""The calendar, its file and its overlay.

Half days and closures are those the exchange announced; instants are computed by hand from
New York being five hours behind UTC in winter and four in summer.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.json import decode, encode
from msgspec.structs import replace

from daemon.errors import RefusedError
from daemon.feeds import calendar as calendar_module
from daemon.feeds.calendar import Calendar, Facts, Hours, installed_version, load_calendar
from daemon.feeds.times import parse_iso


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with a calendar that a subprocess built."""
    state = tmp_path_factory.mktemp("state")
    load_calendar(state)
    return state


@pytest.fixture(scope="module")
def xnys(built: Path) -> Calendar:
    return load_calendar(built)


@pytest.fixture
def state(built: Path, tmp_path: Path) -> Path:
    """A state directory of one's own, with the calendar already built."""
    shutil.copytree(built / "calendar", tmp_path / "calendar")
    return tmp_path


def facts_of(state: Path) -> Facts:
    return decode((state / "calendar" / "XNYS.json").read_bytes(), type=Facts)


def rewrite(state: Path, facts: Facts) -> None:
    (state / "calendar" / "XNYS.json").write_bytes(encode(facts))


def never_built(name: str, file: Path) -> None:
    raise AssertionError(f"{file} needed no build of {name}")


# --- sessions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "opens", "closes"),
    [
        (20240102, "2024-01-02T14:30:00Z", "2024-01-02T21:00:00Z"),
        (20240308, "2024-03-08T14:30:00Z", "2024-03-08T21:00:00Z"),
        (20240311, "2024-03-11T13:30:00Z", "2024-03-11T20:00:00Z"),
        (20241101, "2024-11-01T13:30:00Z", "2024-11-01T20:00:00Z"),
        (20241104, "2024-11-04T14:30:00Z", "2024-11-04T21:00:00Z"),
        (20240703, "2024-07-03T13:30:00Z", "2024-07-03T17:00:00Z"),
        (20241129, "2024-11-29T14:30:00Z", "2024-11-29T18:00:00Z"),
        (20241224, "2024-12-24T14:30:00Z", "2024-12-24T18:00:00Z"),
        (20250703, "2025-07-03T13:30:00Z", "2025-07-03T17:00:00Z"),
        (20251128, "2025-11-28T14:30:00Z", "2025-11-28T18:00:00Z"),
        (19991231, "1999-12-31T14:30:00Z", "1999-12-31T18:00:00Z"),
    ],
)
def test_hours_of_a_session(xnys: Calendar, date: int, opens: str, closes: str) -> None:
    session = xnys.session(date)
    assert session == Hours(date, parse_iso(opens), parse_iso(closes))


@pytest.mark.parametrize(
    "date",
    [
        20250109,  # mourning, announced ten days before
        20181205,
        20121029,  # a hurricane
        20010911,
        20260703,  # the holiday falls on a Saturday
        20240101,
        20240106,  # a Saturday
    ],
)
def test_closed_all_day(xnys: Calendar, date: int) -> None:
    assert xnys.session(date) is None
    assert list(xnys.sessions(date, date)) == []


def test_a_year_has_252_sessions(xnys: Calendar) -> None:
    # 2024: 366 days, 52 Saturdays, 52 Sundays, 10 holidays on weekdays
    sessions = xnys.sessions(20240101, 20241231)
    assert len(sessions) == 366 - 52 - 52 - 10
    assert sessions[0].date == 20240102
    assert sessions[-1].date == 20241231
    assert all(a.closes < b.opens for a, b in pairwise(sessions))


def test_session_of_includes_the_open_and_not_the_close(xnys: Calendar) -> None:
    opens, closes = parse_iso("2024-11-29T14:30:00Z"), parse_iso("2024-11-29T18:00:00Z")
    for inside in (opens, closes - 1):
        session = xnys.session_of(inside)
        assert session is not None
        assert session.date == 20241129
    for outside in (opens - 1, closes, parse_iso("2024-11-30T15:00:00Z")):
        assert xnys.session_of(outside) is None


def test_neighbours(xnys: Calendar) -> None:
    assert xnys.next_session(20240703).date == 20240705
    assert xnys.previous_session(20240705).date == 20240703
    assert xnys.next_session(20240704).date == 20240705
    assert xnys.previous_session(20240704).date == 20240703
    assert xnys.opens_after(20240704) == parse_iso("2024-07-05T13:30:00Z")


def test_an_instant_has_the_exchange_s_date(xnys: Calendar) -> None:
    assert xnys.exchange_date(parse_iso("2024-01-03T04:59:59Z")) == 20240102
    assert xnys.exchange_date(parse_iso("2024-01-03T05:00:00Z")) == 20240103
    assert xnys.midnight(20240103) == parse_iso("2024-01-03T05:00:00Z")
    assert xnys.midnight(20240131, days=1) == parse_iso("2024-02-01T05:00:00Z")


def test_the_range_is_fixed_within_a_year_and_nothing_outside_is_guessed(xnys: Calendar) -> None:
    assert xnys.first_date == 19900101
    assert xnys.last_date % 10_000 == 1231
    after = (xnys.last_date // 10_000 + 1) * 10_000 + 102
    message = "outside what calendar XNYS knows .1990-01-01 to 20..-12-31."
    with pytest.raises(RefusedError, match=message):
        xnys.sessions(19891229, 19900105)
    with pytest.raises(RefusedError, match=message):
        xnys.sessions(20240101, after)
    with pytest.raises(RefusedError, match=message):
        xnys.session(after)
    with pytest.raises(RefusedError, match="1989-12-31 is " + message):
        xnys.session_of(parse_iso("1990-01-01T04:59:59Z"))
    assert xnys.session_of(parse_iso("1990-01-01T05:00:00Z")) is None
    with pytest.raises(RefusedError, match=message):
        xnys.session_of(xnys.midnight(xnys.last_date, days=1))
    with pytest.raises(RefusedError, match="the session before 1990-01-02 is " + message):
        xnys.previous_session(19900102)
    with pytest.raises(RefusedError, match=message):
        xnys.next_session(xnys.last_date)
    assert xnys.opens_after(xnys.last_date) == 0


# --- the file ---------------------------------------------------------------------------------


def test_a_fresh_file_is_read_without_a_build(
    state: Path, xnys: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar_module, "_build", never_built)
    assert load_calendar(state).hash == xnys.hash
    assert not list((state / "calendar").glob(".*")), "no temporary file is left"


@pytest.mark.parametrize("fault", ["absent", "other version", "damaged", "altered", "not json"])
def test_a_file_that_will_not_do_is_built_again(
    state: Path, xnys: Calendar, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    facts, file = facts_of(state), state / "calendar" / "XNYS.json"
    if fault == "absent":
        file.unlink()
    elif fault == "other version":
        rewrite(state, replace(facts, package_version="4.6"))
    elif fault == "damaged":
        file.write_bytes(file.read_bytes()[:-200])
    elif fault == "altered":
        rewrite(state, replace(facts, closes=[*facts.closes[:-1], facts.closes[-1] + 60]))
    else:
        file.write_text("[]")
    builds: list[str] = []

    def build(name: str, target: Path) -> None:
        builds.append(name)
        target.write_bytes(encode(facts))

    monkeypatch.setattr(calendar_module, "_build", build)
    assert load_calendar(state).hash == xnys.hash
    assert builds == ["XNYS"]


def test_a_file_ends_too_soon_when_thirty_days_are_left(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = replace(facts_of(state), last_date=20271231)
    rewrite(state, replace(facts, sha256=facts.hashed()))
    monkeypatch.setattr(calendar_module, "_build", never_built)
    assert load_calendar(state, today=20271201).last_date == 20271231
    with pytest.raises(AssertionError, match="needed no build"):
        load_calendar(state, today=20271202)


def test_the_hash_is_of_the_facts_and_not_of_the_package(state: Path, xnys: Calendar) -> None:
    facts = facts_of(state)
    assert replace(facts, package_version="9.9").hashed() == xnys.hash
    assert replace(facts, closes=[*facts.closes[:-1], facts.closes[-1] - 60]).hashed() != xnys.hash
    assert replace(facts, zone="UTC").hashed() != xnys.hash


def test_the_installed_version_is_found_without_importing_the_package() -> None:
    program = (
        "import sys; from daemon.feeds.calendar import installed_version as v; print(v());"
        "print(sorted({'pandas', 'exchange_calendars', 'email'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=calendar_module._ROOT,
    )
    assert done.stdout.splitlines() == [installed_version(), "[]"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NOPE", "could not be built: exchange_calendars .* has no 'NOPE'"),
        ("XHKG", "could not be built: XHKG has a midday break"),
        ("CMES", "could not be built: CMES has sessions that open on another date"),
        ("XBOM", "could not be built: The XBOM holidays are only recorded back to"),
    ],
)
def test_an_exchange_that_cannot_be_had_is_one_clear_line(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(RefusedError, match=message) as caught:
        load_calendar(tmp_path, name)
    assert len(caught.value.lines) == 1
    assert "\n" not in caught.value.lines[0]
    assert f"calendar/{name}.json: " in caught.value.lines[0]
    assert not (tmp_path / "calendar" / f"{name}.json").exists()


def test_a_state_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "calendar").write_text("a file where a folder should be")
    with pytest.raises(RefusedError, match=r"calendar XNYS could not be built: .*File exists"):
        load_calendar(tmp_path)


@pytest.mark.parametrize("name", ["", "../XNYS", "24/7"])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(RefusedError, match="is not the name of an exchange"):
        load_calendar(tmp_path, name)


# --- the overlay ------------------------------------------------------------------------------


def overlaid(state: Path, text: str) -> Calendar:
    (state / "calendar.yaml").write_text(text)
    return load_calendar(state)


@pytest.mark.parametrize("clock", ['"13:00"', "13:00"])
def test_closures_announced_late(state: Path, xnys: Calendar, clock: str) -> None:
    calendar = overlaid(
        state, f"closures: [2024-01-03]\nearly_closes: {{2024-01-04: {clock}, 2024-07-05: 15:56}}\n"
    )
    assert calendar.session(20240103) is None
    assert calendar.next_session(20240102).date == 20240104
    early, odd = calendar.session(20240104), calendar.session(20240705)
    assert early is not None
    assert early.closes == parse_iso("2024-01-04T18:00:00Z")
    assert odd is not None
    assert odd.closes == parse_iso("2024-07-05T19:56:00Z")
    assert calendar.hash != xnys.hash
    assert len(calendar.sessions(20240101, 20241231)) == 251


@pytest.mark.parametrize(
    "text",
    ["", "# nothing yet\n", "closures: [2025-01-09]", 'early_closes: {2024-07-03: "13:00"}'],
)
def test_what_the_package_knows_already_changes_nothing(
    state: Path, xnys: Calendar, text: str
) -> None:
    assert overlaid(state, text).hash == xnys.hash


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("[2024-01-03]", "1:1", "write closures:"),
        ("closed: [2024-01-03]", "1:1", "unknown key 'closed'; known: closures, early_closes"),
        ("closures: 2024-01-03", "1:11", "closures is a list of dates"),
        ("closures:\n- 2024-02-30", "2:3", "'2024-02-30' is not a day of the calendar"),
        ("closures: [soon]", "1:12", "'soon' is not a date"),
        ("closures: [2204-01-03]", "1:12", "2204-01-03 is outside calendar XNYS"),
        ("closures: []\nclosures: []", "2:1", "closures stands twice"),
        ("early_closes: [2024-01-03]", "1:15", "early_closes maps dates to times"),
        ("early_closes: {2024-01-03: 1pm}", "1:28", "'1pm' is not a time of day"),
        ("early_closes: {2024-01-03: 9:00}", "1:28", "'9:00' is not a time of day"),
        (
            "early_closes: {2024-01-03: 13:00, 2024-01-03: 14:00}",
            "1:35",
            "2024-01-03 stands twice",
        ),
        ("early_closes: {2024-01-01: 13:00}", "1:16", "XNYS has no session on 2024-01-01"),
        ("early_closes: {2024-03-10: 02:30}", "1:16", "XNYS has no session on 2024-03-10"),
        ("early_closes: {2024-01-03: 17:00}", "1:16", "17:00 on 2024-01-03 is not between"),
        ("early_closes: {2024-01-03: 09:30}", "1:16", "09:30 on 2024-01-03 is not between"),
        (
            "closures: [2024-01-03]\nearly_closes: {2024-01-03: 13:00}",
            "2:16",
            "2024-01-03 is also listed under closures",
        ),
        ("closures: [", "1:12", "not YAML"),
    ],
)
def test_a_mistake_in_the_overlay_says_where_and_what(
    state: Path, text: str, position: str, message: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        overlaid(state, text)
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(f"{state / 'calendar.yaml'}:{position}: ")
    assert message in caught.value.lines[0]


def test_all_mistakes_of_the_overlay_are_told_at_once(state: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        overlaid(state, "closures: [soon, 2024-13-01]\nlate: 1\n")
    assert len(caught.value.lines) == 3
