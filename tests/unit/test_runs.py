"""Finding, listing, showing, accepting and removing runs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import RefusedError, UsageError
from replay.runs import baselines
from replay.runs.verbs import find_run, read_run, runs_accept, runs_gc, runs_list, runs_show
from tests.made_runs import CONFIG, SUMMARY, digest_of, make_run, write_json

NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_bundled_references(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("replay.runs.baselines.BUNDLED_REFERENCES", tmp_path / "bundled")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory with three runs: january, the labelled february, march."""
    runs = tmp_path / "state" / "runs"
    make_run(runs, created="2024-01-01T12:00:00Z", traded="january")
    make_run(runs, created="2024-02-01T12:00:00Z", traded="february", label="wide stop")
    make_run(runs, created="2024-03-01T12:00:00Z", traded="march", name="spy-daily")
    return tmp_path / "state"


def _ids(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "runs").iterdir())


def _refusal(selector: str, state: Path) -> str:
    with pytest.raises((UsageError, RefusedError)) as caught:
        find_run(selector, state)
    assert len(caught.value.lines) == 1
    return caught.value.lines[0]


# --- selectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "created"),
    [
        ("latest", "2024-03-01T12:00:00Z"),
        ("latest~0", "2024-03-01T12:00:00Z"),
        ("latest~1", "2024-02-01T12:00:00Z"),
        ("latest~2", "2024-01-01T12:00:00Z"),
        ("20240101", "2024-01-01T12:00:00Z"),
        ("20240301T120000Z-spy", "2024-03-01T12:00:00Z"),
        ("wide stop", "2024-02-01T12:00:00Z"),
    ],
)
def test_a_selector_names_one_run(state: Path, selector: str, created: str) -> None:
    assert find_run(selector, state).created == created


def test_a_path_names_a_run_anywhere(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(tmp_path / "elsewhere", run_id="mine", label="apart")
    monkeypatch.chdir(tmp_path / "elsewhere")
    for selector in (str(path), "./mine", "mine", "../elsewhere/mine"):
        assert find_run(selector, state).path == path.resolve()
    monkeypatch.chdir(path)
    assert find_run(".", state).label == "apart"


def test_an_exact_id_wins_over_a_label_and_a_label_over_a_prefix(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    make_run(runs, run_id="abc", label=None)
    make_run(runs, run_id="abcdef", label="abc")
    make_run(runs, run_id="xyz", label="ab")
    assert find_run("abc", tmp_path).path.name == "abc"
    assert find_run("ab", tmp_path).path.name == "xyz"
    assert find_run("abcd", tmp_path).path.name == "abcdef"


def test_an_ambiguous_prefix_lists_its_candidates(state: Path) -> None:
    line = _refusal("2024", state)
    assert "'2024' fits 3 runs" in line
    for run in ("20240101T120000Z-nvda", "(wide stop)", "20240301T120000Z-spy-daily"):
        assert run in line


def test_an_ambiguous_label_lists_its_candidates(state: Path) -> None:
    make_run(state / "runs", created="2024-02-02T12:00:00Z", label="wide stop")
    assert "'wide stop' fits 2 runs" in _refusal("wide stop", state)


def test_many_candidates_are_counted_not_listed(tmp_path: Path) -> None:
    for day in range(1, 10):
        make_run(tmp_path / "runs", created=f"2024-01-0{day}T00:00:00Z")
    assert _refusal("2024", tmp_path).endswith(" and 3 more")


def test_a_name_of_a_folder_and_of_a_run_is_ambiguous(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, run_id="wide stop")
    monkeypatch.chdir(tmp_path)
    assert "write ./wide stop" in _refusal("wide stop", state)
    monkeypatch.chdir(state / "runs")
    assert find_run("20240101", state).created == "2024-01-01T12:00:00Z"


def test_an_unknown_run_is_answered_with_those_alike(state: Path) -> None:
    assert "alike are 20240301T120000Z-spy-daily" in _refusal("spy", state)
    assert "alike are 20240201T120000Z" in _refusal(digest_of("february")[:6], state)
    assert "the newest are 20240301T120000Z-spy-daily" in _refusal("tsla", state)


def test_too_far_back_says_where_the_runs_end(state: Path) -> None:
    assert "ends at latest~2" in _refusal("latest~3", state)


@pytest.mark.parametrize("selector", ["latest", "latest~1", "something"])
def test_without_runs_the_line_says_how_to_make_one(tmp_path: Path, selector: str) -> None:
    assert "papertape replay" in _refusal(selector, tmp_path)


def test_an_empty_selector_is_a_question(state: Path) -> None:
    assert "which run" in _refusal("", state)


def test_runs_of_one_second_are_told_apart_by_the_file_clock(tmp_path: Path) -> None:
    first = make_run(tmp_path / "runs", run_id="b-first")
    second = make_run(tmp_path / "runs", run_id="a-second")
    os.utime(first / "manifest.json", ns=(1, 1_000))
    os.utime(second / "manifest.json", ns=(1, 2_000))
    assert find_run("latest", tmp_path).path.name == "a-second"


def test_half_written_runs_are_not_found(state: Path) -> None:
    make_run(state / "runs", created="2025-01-01T00:00:00Z", run_id=".20250101T000000Z-x")
    make_run(state / "runs", created="2025-01-01T00:00:00Z", run_id="20250101T000000Z-x.partial")
    assert find_run("latest", state).created == "2024-03-01T12:00:00Z"
    assert "no run '2025'" in _refusal("2025", state)


# --- reading --------------------------------------------------------------------------------------


def test_a_run_reads_its_files_when_asked(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, label="x"))
    (run.path / "summary.json").unlink()  # not needed for what follows
    assert run.config == CONFIG
    assert [row["entry_price"] for row in run.trades()] == ["48.1600", "50.0000"]
    assert len(run.fills()) == 4
    assert run.label == "x"
    assert run.file("journal.db").is_file()
    with pytest.raises(RefusedError, match=r"summary\.json is missing"):
        _ = run.summary
    with pytest.raises(RefusedError, match=r"equity\.csv is missing"):
        list(run.equity())
    with pytest.raises(RefusedError, match=r"report\.html does not exist"):
        run.file("report.html")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "manifest.json:1: damaged, not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "'schema' is missing or not int"),
        ('{"schema": "1"}', "'schema' is missing or not int"),
        ('{"schema": 1, "created": "x", "name": "x", "digest": "../..", "inputs": {}}', "digest"),
        (
            '{"schema": 99, "created": "x", "name": "x", "digest": "abcdef", "inputs": {}}',
            "written by a newer papertape (schema 99",
        ),
        (
            '{"schema": 1, "created": "", "name": "", "digest": "abcdef", "inputs": {},"label": 5}',
            "'label' is not text",
        ),
    ],
)
def test_a_damaged_manifest_is_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    path = make_run(tmp_path / "runs", run_id="broken")
    (path / "manifest.json").write_text(text, encoding="utf-8")
    for selector in ("broken", str(path)):
        line = _refusal(selector, tmp_path)
        assert words in line
        assert str(path) in line


def test_a_folder_that_is_no_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert "photos is not a run directory: it has no manifest.json" in _refusal("photos", tmp_path)
    assert "file is a file" in _refusal("./file", tmp_path)
    assert "nowhere does not exist" in _refusal("./nowhere", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no header line"),
        ("a,b\n1,2\n3\n", "trades.csv:3: damaged, 1 fields under 2 columns"),
        ('a,b\n1,"2\n', "cannot be read"),
    ],
)
def test_a_damaged_csv_names_its_line(tmp_path: Path, text: str, words: str) -> None:
    run = read_run(make_run(tmp_path))
    (run.path / "trades.csv").write_text(text, encoding="utf-8")
    with pytest.raises(RefusedError) as caught:
        run.trades()
    assert words in caught.value.lines[0]


def test_a_damaged_config_names_its_place(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path))
    (run.path / "config.yaml").write_text("name: x\nname: y\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"config\.yaml:2:1: name: duplicate key"):
        _ = run.config


# --- list and show --------------------------------------------------------------------------------


def test_the_list_is_newest_first(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs_accept("wide stop", state=state, name="golden", now=NOW)
    capsys.readouterr()
    assert runs_list(state=state) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"runs in {state / 'runs'}"
    assert [line[:8] for line in lines[2:5]] == ["20240301", "20240201", "20240101"]
    assert "wide stop" in lines[3]
    assert "2024-02-01 07:00 EST" in lines[3]
    assert "12.35" in lines[3]
    assert "1.23" in lines[3]
    assert "-8.50" in lines[3]
    assert digest_of("february")[:6] in lines[3]
    assert lines[3].endswith("baseline:golden")
    assert "\x1b" not in "".join(lines)


def test_the_list_as_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = make_run(state / "runs", run_id="broken")
    (broken / "manifest.json").write_text("{", encoding="utf-8")
    runs_accept("wide stop", state=state, name="golden", now=NOW)
    capsys.readouterr()
    assert runs_list(state=state, limit=2, as_json=True) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert answer["total"] == 3
    assert [run["created"][:7] for run in answer["runs"]] == ["2024-03", "2024-02"]
    second = answer["runs"][1]
    assert second["label"] == "wide stop"
    assert second["digest"] == digest_of("february")
    assert second["accepted_as"] == ["golden"]
    assert (second["total_return_pct"], second["trades"]) == (12.34567, 2)
    assert [Path(one["path"]).name for one in answer["unreadable"]] == ["broken"]


def test_a_list_names_what_it_cannot_read(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = make_run(state / "runs", run_id="broken")
    (broken / "manifest.json").unlink()
    (state / "runs" / "notes").mkdir()
    summary = find_run("latest", state).path / "summary.json"
    summary.write_text("no", encoding="utf-8")
    assert runs_list(state=state, limit=1) == 0
    out = capsys.readouterr().out
    assert "… and 2 older" in out
    assert "not readable: broken: " in out
    assert "not readable: notes: " in out
    assert "summary.json:1: damaged" in out


def test_an_empty_list_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs_list(state=tmp_path) == 0
    assert "none yet: papertape replay" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--limit 0"):
        runs_list(state=tmp_path, limit=0)


def test_show_prints_the_summary_under_the_path(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs_show("wide stop", state=state) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(find_run("wide stop", state).path)
    assert len(lines) > 5
    assert any("12.3" in line for line in lines)
    runs_accept("20240101", state=state, now=NOW)
    capsys.readouterr()
    assert runs_show("wide stop", state=state) == 0  # beside the baseline of its name
    assert len(capsys.readouterr().out.splitlines()) > 5


def test_show_as_json_is_manifest_and_summary(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs_show("wide stop", state=state, as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["summary"] == SUMMARY
    assert answer["manifest"]["label"] == "wide stop"


# --- accept ---------------------------------------------------------------------------------------


def test_an_accepted_run_is_found_as_a_baseline(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs_accept("wide stop", state=state, reason="agrees with the peer", now=NOW) == 0
    assert "as baseline:nvda-hourly" in capsys.readouterr().out
    baseline = find_run("baseline:nvda-hourly", state)
    run = find_run("wide stop", state)
    assert baseline.path == state / "reference" / "baselines" / "nvda-hourly"
    assert baseline.run_id == run.run_id
    assert baseline.summary == run.summary
    assert baseline.config == run.config
    assert (baseline.trades(), baseline.fills()) == (run.trades(), run.fills())
    accepted = json.loads((baseline.path / "accepted.json").read_text(encoding="utf-8"))
    assert accepted == {
        "name": "nvda-hourly",
        "run_id": run.run_id,
        "digest": run.digest,
        "accepted_at": "2024-03-01T12:00:00Z",
        "reason": "agrees with the peer",
    }


def test_earlier_baselines_stay_in_the_history(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tolerances = state / "reference" / "baselines" / "golden" / "tolerances.yaml"
    for selector in ("20240101", "20240201", "20240301"):
        runs_accept(selector, state=state, name="golden", now=NOW)
        tolerances.write_text("digest: exact\n", encoding="utf-8")
    assert find_run("baseline:golden", state).created == "2024-03-01T12:00:00Z"
    assert tolerances.read_text(encoding="utf-8") == "digest: exact\n"
    history = sorted((state / "reference" / "history" / "golden").iterdir())
    expected = [f"0001-{digest_of('january')[:6]}", f"0002-{digest_of('february')[:6]}"]
    assert [path.name for path in history] == expected
    assert read_run(history[0]).created == "2024-01-01T12:00:00Z"
    assert "before: 20240201T120000Z" in capsys.readouterr().out
    assert sorted(path.name for path in tolerances.parent.parent.iterdir()) == ["golden"]


def test_a_baseline_holds_no_absolute_path(tmp_path: Path) -> None:
    config = CONFIG | {"tape": {"path": "/srv/someone/nvda.csv"}}
    make_run(tmp_path / "runs", config=config)
    runs_accept("latest", state=tmp_path, name="golden", now=NOW)
    baseline = find_run("baseline:golden", tmp_path)
    assert baseline.config["tape"]["path"] == "nvda.csv"
    assert baseline.manifest["inputs"]["tape"]["path"] == "nvda.csv"
    for path in baseline.path.iterdir():
        assert "/srv/" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "-x", "a b", "x" * 81])
def test_a_name_that_is_no_folder_is_refused(state: Path, name: str) -> None:
    with pytest.raises(UsageError, match="a baseline cannot be named"):
        runs_accept("latest", state=state, name=name)
    assert not (state / "reference").exists()


def test_accepting_a_damaged_run_leaves_the_baseline_alone(state: Path) -> None:
    runs_accept("20240101", state=state, name="golden", now=NOW)
    (find_run("latest", state).path / "fills.csv").unlink()
    with pytest.raises(RefusedError, match=r"fills\.csv does not exist"):
        runs_accept("latest", state=state, name="golden", now=NOW)
    assert find_run("baseline:golden", state).created == "2024-01-01T12:00:00Z"
    assert [path.name for path in (state / "reference").iterdir()] == ["baselines"]
    assert [path.name for path in (state / "reference" / "baselines").iterdir()] == ["golden"]


def test_a_baseline_does_not_replace_itself(state: Path) -> None:
    runs_accept("latest", state=state, name="golden", now=NOW)
    with pytest.raises(UsageError, match="is the baseline 'golden' already"):
        runs_accept("baseline:golden", state=state, name="golden", now=NOW)
    assert runs_accept("baseline:golden", state=state, name="copy", now=NOW) == 0


def test_an_unknown_baseline_lists_those_there_are(state: Path) -> None:
    assert "none has been accepted yet" in _refusal("baseline:golden", state)
    runs_accept("latest", state=state, name="golden", now=NOW)
    assert "there are golden" in _refusal("baseline:silver", state)


def test_the_own_baseline_hides_the_bundled_one(state: Path, tmp_path: Path) -> None:
    bundled = baselines.BUNDLED_REFERENCES / "baselines"
    baselines.accept(find_run("20240101", state), "golden", folder=bundled, now=NOW)
    assert find_run("baseline:golden", state).created == "2024-01-01T12:00:00Z"
    runs_accept("latest", state=state, name="golden", now=NOW)
    assert find_run("baseline:golden", state).created == "2024-03-01T12:00:00Z"


# --- gc -------------------------------------------------------------------------------------------


def test_gc_keeps_labelled_and_accepted_runs(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(state / "runs", created="2024-01-15T12:00:00Z", run_id="plain")
    runs_accept("20240101", state=state, name="golden", now=NOW)
    runs_accept("20240301", state=state, name="golden", now=NOW)  # january is now an earlier one
    assert runs_gc(state=state, keep=0, yes=True, now=NOW) == 0
    assert [name[:8] for name in _ids(state)] == ["20240101", "20240201", "20240301"]
    out = capsys.readouterr().out
    assert "kept for their label or as a baseline: 3 runs" in out
    assert "removed 1 run and 0 half-written folders, freed " in out


@pytest.mark.parametrize(
    ("keep", "older", "left"),
    [
        (1, None, ["03-01"]),
        (2, None, ["01-20", "03-01"]),
        (9, None, ["01-01", "01-10", "01-20", "03-01"]),
        (None, 50.0, ["01-20", "03-01"]),
        (None, 51.0, ["01-20", "03-01"]),  # 01-10 is 51 days old: 21 + 29 + 1
        (None, 51.1, ["01-10", "01-20", "03-01"]),
        (3, 45.0, ["01-10", "01-20", "03-01"]),
        (1, 55.0, ["01-10", "01-20", "03-01"]),
    ],
)
def test_gc_keeps_the_newest_and_the_young(
    tmp_path: Path, keep: int | None, older: float | None, left: list[str]
) -> None:
    for day in ("01-01", "01-10", "01-20", "03-01"):
        make_run(tmp_path / "runs", created=f"2024-{day}T12:00:00Z", run_id=day)
    runs_gc(state=tmp_path, keep=keep, older_than_days=older, yes=True, now=NOW)
    assert _ids(tmp_path) == left


def test_a_dry_run_touches_nothing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _ids(state)
    assert runs_gc(state=state, keep=0, dry_run=True, yes=True, now=NOW) == 0
    assert _ids(state) == before
    out = capsys.readouterr().out
    assert "would remove 2 runs and 0 half-written folders" in out
    assert "20240101T120000Z" in out


def test_gc_asks_first(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    assert runs_gc(state=state, keep=0, confirm=no, now=NOW) == 1
    assert asked[0].startswith("Remove 2 runs and 0 half-written folders (")
    assert len(_ids(state)) == 3
    assert runs_gc(state=state, keep=0, now=NOW) == 2  # stdin is no terminal here
    assert "add --yes" in capsys.readouterr().out
    assert len(_ids(state)) == 3
    assert runs_gc(state=state, keep=0, confirm=lambda _: True, now=NOW) == 0
    assert len(_ids(state)) == 1


def test_gc_without_a_rule_removes_only_half_written_folders(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = make_run(state / "runs", run_id=".20240201T000000Z-old")
    young = make_run(state / "runs", run_id=".20240229T000000Z-young")
    trash = make_run(state / "runs", run_id=".gc-20240229T000000Z")
    _touch_all(old, NOW.timestamp() - 86_401)
    _touch_all(young, NOW.timestamp() - 86_401)
    os.utime(young / "journal.db", (0, NOW.timestamp() - 3_600))  # still written to
    _touch_all(trash, NOW.timestamp())
    assert runs_gc(state=state, yes=True, now=NOW) == 0
    assert not old.exists()
    assert not trash.exists()
    assert young.is_dir()
    assert len(_ids(state)) == 4
    assert "removed 0 runs and 2 half-written folders" in capsys.readouterr().out


def test_gc_leaves_alone_what_it_does_not_know(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (make_run(state / "runs", run_id="broken") / "manifest.json").write_text("{", encoding="utf-8")
    elsewhere = make_run(tmp_path / "elsewhere", run_id="linked")
    (state / "runs" / "link").symlink_to(elsewhere)
    (state / "runs" / "README").write_text("mine", encoding="utf-8")
    assert runs_gc(state=state, keep=0, yes=True, now=NOW) == 0
    assert [name[:8] for name in _ids(state)] == ["20240201", "README", "broken", "link"]
    assert (elsewhere / "manifest.json").is_file()
    assert "left alone, not readable: broken" in capsys.readouterr().out


def test_gc_stops_where_a_baseline_cannot_say_its_run(state: Path) -> None:
    runs_accept("20240101", state=state, name="golden", now=NOW)
    accepted = state / "reference" / "baselines" / "golden" / "accepted.json"
    write_json(accepted, {"accepted_at": "x"})
    with pytest.raises(RefusedError, match="'run_id' is missing"):
        runs_gc(state=state, keep=0, yes=True, now=NOW)
    assert len(_ids(state)) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"keep": -1}, "--keep -1"),
        ({"older_than_days": -1.0}, "--older-than -1"),
        ({"older_than_days": float("nan")}, "--older-than nan"),
    ],
)
def test_gc_refuses_numbers_without_sense(
    tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        runs_gc(state=tmp_path, yes=True, **arguments)


def test_gc_with_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs_gc(state=tmp_path, keep=0, now=NOW) == 0
    assert "nothing to remove" in capsys.readouterr().out


def _touch_all(folder: Path, seconds: float) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (seconds, seconds))
