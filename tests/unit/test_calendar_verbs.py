"""`papertape calendar` and `calendar add`, over the real calendar and files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import Exit, PapertapeError, RefusedError, UsageError
from daemon.feeds.calendar import load_calendar
from daemon.feeds.calendar_edit import with_entry
from daemon.feeds.calendar_verbs import calendar_add, calendar_show
from daemon.feeds.times import parse_iso


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("state")
    load_calendar(state)
    return state


@pytest.fixture
def state(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built / "calendar", tmp_path / "calendar")
    return tmp_path


def shown(state: Path, capsys: pytest.CaptureFixture[str], now: str, **options: Any) -> Any:
    assert calendar_show(state, now=parse_iso(now), **options) == Exit.OK
    out = capsys.readouterr().out
    return json.loads(out) if options.get("as_json") else out.splitlines()


# --- what is shown --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("2024-11-27T14:29:59Z", "2024-11-27 09:29 ZONE, closed until Wed 2024-11-27 09:30"),
        ("2024-11-27T14:30:00Z", "2024-11-27 09:30 ZONE, open until 16:00"),
        ("2024-11-27T20:59:59Z", "2024-11-27 15:59 ZONE, open until 16:00"),
        ("2024-11-27T21:00:00Z", "2024-11-27 16:00 ZONE, closed until Fri 2024-11-29 09:30"),
        ("2024-11-29T17:59:00Z", "2024-11-29 12:59 ZONE, open until 13:00"),
        ("2024-03-09T12:00:00Z", "2024-03-09 07:00 ZONE, closed until Mon 2024-03-11 09:30"),
    ],
)
def test_whether_it_is_open(
    state: Path, capsys: pytest.CaptureFixture[str], now: str, said: str
) -> None:
    lines = shown(state, capsys, now)
    assert [line for line in lines if line.startswith("now")] == [
        f"now       {said.replace('ZONE', 'America/New_York')}"
    ]


def test_the_next_sessions_and_what_is_known(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(state, capsys, "2024-11-27T15:00:00Z", sessions=3)
    assert lines[0] == f"state     {state}"
    assert lines[1].startswith("calendar  XNYS, exchange_calendars 4.")
    assert lines[2].startswith("known     1990-01-01 to 20")
    assert lines[3] == "added     nothing (papertape calendar add DATE)"
    assert lines[6:] == [
        "session         opens  closes  note",
        "Wed 2024-11-27  09:30  16:00",
        "Fri 2024-11-29  09:30  13:00   closes early",
        "Mon 2024-12-02  09:30  16:00",
    ]


def test_the_same_for_programs(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "calendar.yaml").write_text(
        'closures: [2024-11-27]\nearly_closes: {2024-12-02: "12:00"}'
    )
    found = shown(state, capsys, "2024-11-27T15:00:00Z", sessions=2, as_json=True)
    assert found["calendar"] == "XNYS"
    assert found["is_open"] is False
    assert found["changes_at"] == "2024-11-29T14:30:00Z"
    assert found["added"]["closures"] == ["2024-11-27"]
    assert found["added"]["early_closes"] == {"2024-12-02": "12:00"}
    assert found["sessions"] == [
        {"date": "2024-11-29", "opens": "2024-11-29T14:30:00Z", "closes": "2024-11-29T18:00:00Z",
         "is_short": True},
        {"date": "2024-12-02", "opens": "2024-12-02T14:30:00Z", "closes": "2024-12-02T17:00:00Z",
         "is_short": True},
    ]  # fmt: skip
    assert found["package"]["name"] == "exchange_calendars"
    assert found["sha256"] == load_calendar(state).hash


def test_at_least_one_session(state: Path) -> None:
    with pytest.raises(UsageError, match="--sessions must be at least 1"):
        calendar_show(state, sessions=0)


# --- what is added --------------------------------------------------------------------------------


def added(state: Path, *words: str, early: str | None = None, reason: str = "") -> str:
    assert calendar_add(state, *words, early_close=early, reason=reason) == Exit.OK
    return (state / "calendar.yaml").read_text()


def test_entries_of_a_new_file(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    added(state, "2024-06-12", reason="day of\nmourning")
    added(state, "20240613", early="12:30", reason="storm")
    added(state, "2024-06-14")
    assert added(state, "2024-06-17", early="13:00") == (
        "closures:\n"
        "  - 2024-06-12   # day of mourning\n"
        "  - 2024-06-14\n"
        "early_closes:\n"
        '  2024-06-13: "12:30"   # storm\n'
        '  2024-06-17: "13:00"\n'
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"state     {state}"
    assert lines[1] == (
        "added to calendar.yaml: Wed 2024-06-12 closed; a running daemon sees it when it restarts"
    )
    calendar = load_calendar(state)
    assert calendar.session(20240612) is None
    hours = calendar.session(20240613)
    assert hours is not None
    assert hours.closes == parse_iso("2024-06-13T16:30:00Z")


TEXTS = [
    (
        "# ours\nclosures: [2025-01-09]  # mourning\nearly_closes: {}\n",
        (
            "# ours\n# 2024-06-12: why\nclosures: [2025-01-09, 2024-06-12]  # mourning\n"
            "early_closes: {}\n"
        ),
    ),
    ("closures: []\n", "# 2024-06-12: why\nclosures: [2024-06-12]\n"),
    (
        "closures: [\n  2025-01-09,  # mourning\n]\n",
        "# 2024-06-12: why\nclosures: [\n  2025-01-09, 2024-06-12,  # mourning\n]\n",
    ),
    (
        "closures:\n- 2025-01-09 # mourning\n# the end",
        "closures:\n- 2025-01-09 # mourning\n- 2024-06-12   # why\n# the end",
    ),
    (
        'closures:\n    - 2025-01-09\n\nearly_closes:\n  2025-07-03: "13:00"',
        (
            "closures:\n    - 2025-01-09\n    - 2024-06-12   # why\n\n"
            'early_closes:\n  2025-07-03: "13:00"'
        ),
    ),
    (
        'early_closes: {2025-07-03: "13:00"}',
        'early_closes: {2025-07-03: "13:00"}\nclosures:\n  - 2024-06-12   # why\n',
    ),
    ("# nothing yet\n", "# nothing yet\nclosures:\n  - 2024-06-12   # why\n"),
    ("", "closures:\n  - 2024-06-12   # why\n"),
]


@pytest.mark.parametrize(("before", "after"), TEXTS)
def test_everything_else_stays_as_it_stands(state: Path, before: str, after: str) -> None:
    (state / "calendar.yaml").write_text(before)
    assert added(state, "2024-06-12", reason="why") == after
    assert load_calendar(state).session(20240612) is None


def test_an_early_close_goes_behind_the_others() -> None:
    file = Path("calendar.yaml")
    flow = with_entry('early_closes: {2025-07-03: "13:00"}\n', file, "2025-07-07", "12:00", "")
    assert flow == 'early_closes: {2025-07-03: "13:00", 2025-07-07: "12:00"}\n'
    block = with_entry('early_closes:\n    2025-07-03: "13:00"\n', file, "2025-07-07", "12:00", "x")
    assert block == 'early_closes:\n    2025-07-03: "13:00"\n    2025-07-07: "12:00"   # x\n'


@pytest.mark.parametrize("text", ["{closures: [2025-01-09]}\n", "closures: [2025-01-09]\n...\n"])
def test_a_form_that_cannot_be_added_to_is_left_alone(state: Path, text: str) -> None:
    file = state / "calendar.yaml"
    file.write_text(text)
    with pytest.raises(RefusedError) as caught:
        calendar_add(state, "2024-06-13", early_close="12:00")
    by_hand = 'put 2024-06-13: "12:00" into its early_closes by hand'
    assert caught.value.lines == (f"{file}: {by_hand}: its form is not added to",)
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("day", "early", "said"),
    [
        ("2024-06-12", None, "XNYS is closed on Wed 2024-06-12 already"),
        ("2024-06-19", None, "XNYS is closed on Wed 2024-06-19 already"),  # Juneteenth
        ("2024-06-15", None, "XNYS is closed on Sat 2024-06-15 already"),
        ("2024-06-13", "12:30", "XNYS closes at 12:30 on Thu 2024-06-13 already"),
        ("2024-11-29", "13:00", "XNYS closes at 13:00 on Fri 2024-11-29 already"),
    ],
)
def test_what_is_known_is_not_added_again(
    state: Path, capsys: pytest.CaptureFixture[str], day: str, early: str | None, said: str
) -> None:
    text = 'closures: [2024-06-12]\nearly_closes: {2024-06-13: "12:30"}\n'
    (state / "calendar.yaml").write_text(text)
    assert added(state, day, early=early) == text
    assert capsys.readouterr().out.splitlines()[1] == f"{said}: nothing to add"


@pytest.mark.parametrize(
    ("day", "early", "error", "said"),
    [
        ("2024-02-30", None, UsageError, "'2024-02-30' is not a day of the calendar"),
        ("tomorrow", None, UsageError, "'tomorrow' is not a date (2024-01-02)"),
        ("2024-06-14", "1pm", UsageError, "--early-close '1pm' is not a time of day (13:00)"),
        ("2024-06-14", "24:00", UsageError, "--early-close '24:00' is not a time of day (13:00)"),
        (
            "2024-06-14",
            "09:30",
            RefusedError,
            "09:30 on Fri 2024-06-14 is not between 09:30 and 16:00",
        ),
        (
            "2024-06-14",
            "17:00",
            RefusedError,
            "17:00 on Fri 2024-06-14 is not between 09:30 and 16:00",
        ),
        (
            "2024-11-29",
            "13:30",
            RefusedError,
            "13:30 on Fri 2024-11-29 is not between 09:30 and 13:00",
        ),
        (
            "2024-06-15",
            "12:00",
            RefusedError,
            "XNYS has no session on Sat 2024-06-15, so it cannot close early",
        ),
        (
            "2024-06-12",
            "12:00",
            RefusedError,
            "XNYS has no session on Wed 2024-06-12, so it cannot close early",
        ),
        (
            "2024-06-13",
            None,
            RefusedError,
            "FILE:2:16: closes at 12:30 that day: remove that, then add it",
        ),
        (
            "2024-06-13",
            "11:00",
            RefusedError,
            "FILE:2:16: closes at 12:30 that day: change it there",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    state: Path, day: str, early: str | None, error: type[PapertapeError], said: str
) -> None:
    file = state / "calendar.yaml"
    text = 'closures: [2024-06-12]\nearly_closes: {2024-06-13: "12:30"}\n'
    file.write_text(text)
    with pytest.raises(error) as caught:
        calendar_add(state, day, early_close=early)
    assert caught.value.lines == (said.replace("FILE", str(file)),)
    assert file.read_text() == text
    assert sorted(path.name for path in state.iterdir()) == ["calendar", "calendar.yaml"]


def test_a_mistake_that_is_there_is_told_first(state: Path) -> None:
    (state / "calendar.yaml").write_text("closures: 2025-01-09\n")
    with pytest.raises(RefusedError, match=r"calendar\.yaml:1:11: closures is a list of dates"):
        calendar_add(state, "2024-06-12")


def test_the_files_mode_is_kept(state: Path) -> None:
    file = state / "calendar.yaml"
    file.write_text("closures: []\n")
    file.chmod(0o640)
    added(state, "2024-06-12")
    assert file.stat().st_mode & 0o777 == 0o640
