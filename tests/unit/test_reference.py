"""Reference replays: found, played, compared with their baselines, accepted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load_config, require_supported
from daemon.errors import RefusedError, UsageError
from replay.runs import reference
from replay.runs.baselines import find_baseline
from replay.runs.reader import read_run
from replay.runs.reference import find_references, reference_check, reference_run
from tests.conftest import ROOT
from tests.made_runs import digest_of, make_run

NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


class Engine:
    """Stands for the replay: writes the run directory it is told to, or fails."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.results: dict[str, Mapping[str, Any] | Exception] = {}
        self.calls: list[tuple[str, Path | None]] = []

    def __call__(self, config: Path, state: Path, out: Path | None) -> Path:
        assert state == self.state
        self.calls.append((config.stem, out))
        result = self.results.get(config.stem, {})
        if isinstance(result, Exception):
            raise result
        folder = out.parent if out else state / "runs"
        run_id = out.name if out else f"{config.stem}-{len(self.calls)}"
        return make_run(folder, run_id=run_id, name=config.stem, **result)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory with the reference `own`."""
    return _with_references(tmp_path / "state" / "reference", "own").parent


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    """Return a folder like configs/reference, with two references."""
    return _with_references(tmp_path / "project", "crossing", "threshold")


@pytest.fixture
def engine(state: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Return what plays replays in these tests; results are set in it by name."""
    made = Engine(state)
    monkeypatch.setattr(reference, "_replay", made)
    return made


@pytest.fixture
def folders(bundled: Path, state: Path) -> list[Path]:
    """Return both places of references."""
    return [bundled, state / "reference"]


def _with_references(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / f"{name}.yaml").write_text(f"name: {name}\n", encoding="utf-8")
    return folder


def _accept_all(state: Path, folders: list[Path], reason: str = "first") -> None:
    reference_run(state=state, folders=folders, accept_as_baseline=True, reason=reason, now=NOW)


# --- finding --------------------------------------------------------------------------------------


def test_references_are_the_yaml_files_of_both_folders(state: Path, folders: list[Path]) -> None:
    found = find_references((), state=state, folders=folders)
    assert [one.name for one in found] == ["crossing", "threshold", "own"]
    assert [one.keeps_history for one in found] == [False, False, True]
    chosen = find_references(["own", "crossing"], state=state, folders=folders)
    assert [one.name for one in chosen] == ["crossing", "own"]


def test_an_unknown_reference_lists_those_there_are(state: Path, folders: list[Path]) -> None:
    with pytest.raises(UsageError, match="no reference replay 'x'; there are crossing, own, thr"):
        find_references(["x"], state=state, folders=folders)


def test_no_reference_at_all_is_refused(tmp_path: Path) -> None:
    # A check of nothing must not look like a check that held.
    with pytest.raises(RefusedError, match="no reference replays"):
        reference_check(state=tmp_path, folders=[tmp_path / "a", tmp_path / "b"])


def test_the_bundled_references_are_valid_and_play_the_sample(tmp_path: Path) -> None:
    found = find_references((), state=tmp_path)
    assert [one.name for one in found] == ["limits_two_symbols", "sma_cross_nvda", "threshold_amd"]
    for one in found:
        config = load_config(one.config, state=tmp_path)
        require_supported(config)
        assert config.name == one.name
        for symbol in config.symbols:
            assert config.tape_path(symbol).parent == ROOT / "replay" / "samples"
            assert config.tape_path(symbol).is_file()
        assert config.data_dir(tmp_path) == ROOT / "replay" / "samples"
        assert (one.baseline / "tolerances.yaml").is_file()
    assert reference._period(found[0].config) == ("2022-01-03", "2023-12-29")
    assert reference._period(found[1].config) == (None, None)


# --- check ----------------------------------------------------------------------------------------


def test_check_holds_where_results_are_as_accepted(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    _accept_all(state, folders)
    capsys.readouterr()
    runs_before = sorted((state / "runs").iterdir())
    engine.calls.clear()
    assert reference_check(state=state, folders=folders) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["ok", "crossing"],
        ["ok", "threshold"],
        ["ok", "own"],
    ]
    assert f"identical trading, digest {digest_of('this')[:6]}" in lines[0]
    assert lines[3] == "3 reference replays, all within tolerance"
    assert sorted((state / "runs").iterdir()) == runs_before  # a check leaves nothing behind
    assert all(out is not None and not out.exists() for _, out in engine.calls)


def test_check_ends_with_1_beyond_tolerance(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    _accept_all(state, folders)
    capsys.readouterr()
    engine.results["threshold"] = {"summary": {"sharpe": 1.2346}}
    assert reference_check(state=state, folders=folders) == 0
    assert "within tolerance: sharpe" in capsys.readouterr().out
    engine.results["threshold"] = {"summary": {"sharpe": 1.2347}}
    assert reference_check(state=state, folders=folders) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("beyond       threshold  sharpe 1.2345 → 1.2347 (±0.0001)")
    assert lines[3] == (
        "3 reference replays, 1 not as accepted: threshold; "
        "papertape reference run threshold shows all of it"
    )
    assert reference_check(["own"], state=state, folders=folders) == 0


def test_a_digest_that_must_be_equal_fails_alone(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    exact = folders[0] / "baselines" / "crossing" / "tolerances.yaml"
    exact.parent.mkdir(parents=True)
    exact.write_text("digest: exact\n", encoding="utf-8")
    _accept_all(state, folders)
    engine.results = {name: {"traded": "other"} for name in ("crossing", "own")}
    capsys.readouterr()
    assert reference_check(state=state, folders=folders) == 1
    lines = capsys.readouterr().out.splitlines()
    digests = f"digest {digest_of('this')[:6]} → {digest_of('other')[:6]}"
    assert f"crossing   {digests}; no input differs, so the program does" in lines[0]
    assert lines[2].startswith("ok           own        other trading, digest ")


def test_a_reference_without_a_baseline_says_how_to_accept_it(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference_check(["own"], state=state, folders=folders) == 1
    out = capsys.readouterr().out
    assert "no baseline  own  digest" in out
    assert "papertape reference run own --accept --reason TEXT accepts it" in out


def test_a_replay_that_fails_does_not_stop_the_others(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    _accept_all(state, folders)
    engine.results["crossing"] = RefusedError("nvda.csv does not exist", "second line")
    capsys.readouterr()
    assert reference_check(state=state, folders=folders) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("failed       crossing   nvda.csv does not exist (")
    assert lines[2].startswith("ok           own")


def test_a_damaged_baseline_is_a_failure_with_its_path(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    _accept_all(state, folders)
    path = folders[0] / "baselines" / "crossing" / "manifest.json"
    path.write_text("{", encoding="utf-8")
    capsys.readouterr()
    assert reference_check(["crossing"], state=state, folders=folders) == 1
    assert f"failed       crossing  {path}:1: damaged" in capsys.readouterr().out
    _accept_all(state, folders, "again")
    assert reference_check(["crossing"], state=state, folders=folders) == 0


def test_check_as_json_is_one_document(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    _accept_all(state, folders)
    engine.results["own"] = RefusedError("no tape")
    capsys.readouterr()
    assert reference_check(state=state, folders=folders, as_json=True) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["holds"] is False
    verdicts = {one["name"]: one["verdict"] for one in answer["replays"]}
    assert verdicts == {"crossing": "ok", "threshold": "ok", "own": "failed"}
    assert answer["replays"][0]["comparison"]["identical_trading"] is True
    assert answer["replays"][2]["problem"] == "no tape"


# --- run and accept -------------------------------------------------------------------------------


def test_run_prints_the_comparison_and_keeps_the_run(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    _accept_all(state, folders)
    engine.results["own"] = {"traded": "other", "summary": {"trades": 5}}
    capsys.readouterr()
    assert reference_run(["own"], state=state, folders=folders) == 1
    out = capsys.readouterr().out
    assert out.startswith("own\n  A  own-3, baseline own, made ")
    assert "  trading differs: digest" in out
    assert "beyond tolerance: trades" in out
    assert (state / "runs" / "own-4").is_dir()


def test_run_as_json(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference_run(["own"], state=state, folders=folders, as_json=True) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["replays"][0]["verdict"] == "no baseline"
    assert answer["replays"][0]["comparison"] is None


def test_accept_needs_a_reason(state: Path, folders: list[Path], engine: Engine) -> None:
    for reason in ("", "  "):
        with pytest.raises(UsageError, match="--accept needs --reason"):
            reference_run(state=state, folders=folders, accept_as_baseline=True, reason=reason)
    with pytest.raises(UsageError, match="goes with --accept"):
        reference_run(state=state, folders=folders, reason="because")
    assert engine.calls == []


def test_accept_says_old_and_new_and_keeps_history_where_nothing_else_does(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    _accept_all(state, folders)
    assert "the first baseline of this replay" in capsys.readouterr().out
    for name in ("own", "crossing"):
        engine.results[name] = {
            "traded": "other",
            "summary": {"sharpe": 1.5, "trades": 3},
            "engine_version": 2,
        }
    _accept_all(state, folders, "fills at the open")
    own = capsys.readouterr().out.partition("own\n")[2].splitlines()
    assert own[:5] == [
        "  accepted: fills at the open",
        f"  digest {digest_of('this')[:6]} → {digest_of('other')[:6]}",
        "  input engine version",
        "  sharpe 1.2345 → 1.50",
        "  trades 2 → 3",
    ]
    history = list((state / "reference" / "history" / "own").iterdir())
    assert [read_run(path).digest for path in history] == [digest_of("this")]
    assert not (folders[0] / "history").exists()
    for folder, name in ((folders[0], "crossing"), (folders[1], "own")):
        baseline = find_baseline(name, [folder / "baselines"])
        assert baseline.run.digest == digest_of("other")
        assert baseline.reason == "fills at the open"
    assert reference_check(state=state, folders=folders) == 0


def test_accepting_the_same_again_changes_nothing(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    _accept_all(state, folders)
    engine.results["own"] = {"papertape_version": "0.2.0", "python": "3.13.0"}
    capsys.readouterr()
    _accept_all(state, folders, "again")
    out = capsys.readouterr().out
    assert out.count("unchanged, digest") == 3
    assert find_baseline("own", [folders[1] / "baselines"]).reason == "first"


def test_accept_goes_on_after_a_failure_and_says_so(
    state: Path, folders: list[Path], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.results["crossing"] = RefusedError("no tape")
    code = reference_run(state=state, folders=folders, accept_as_baseline=True, reason="first")
    assert code == 1
    assert "crossing\n  no tape\n" in capsys.readouterr().out
    assert find_baseline("own", [folders[1] / "baselines"]).name == "own"
