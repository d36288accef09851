"""The command line as people type it: exit codes, one clear line, nothing left behind."""

from __future__ import annotations

import json
import resource
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.replay.workshop import Workshop, manifest, rows, write_tape

VERBS = [
    [], ["replay"], ["verify"], ["init"], ["config"], ["config", "check"], ["config", "show"],
    ["config", "schema"], ["runs"], ["runs", "list"], ["runs", "show"], ["runs", "diff"],
    ["runs", "accept"], ["runs", "gc"], ["reference"], ["reference", "run"],
    ["reference", "check"], ["reference", "bands"], ["data"], ["data", "check"], ["data", "import"],
    ["data", "update"], ["data", "show"], ["data", "diff"], ["data", "correct"],
    ["data", "action"], ["data", "action", "add"], ["data", "action", "list"],
    ["data", "release"], ["data", "reject"], ["checklist"],
    ["report"], ["backup"], ["restore"], ["account"], ["account", "new"],
    ["run"], ["status"], ["kill"], ["pause"], ["resume"], ["reduce"], ["reload"], ["reset"],
    ["note"], ["drill"], ["probe"], ["calendar"], ["calendar", "add"],
    ["orders"], ["fills"], ["trades"], ["pnl"], ["gaps"], ["explain"],
]  # fmt: skip


def _refused(shop: Workshop, code: int, *words: str) -> list[str]:
    """The lines of a command that must fail with this code and leave nothing behind."""
    before = shop.runs
    answer = shop.type(*words)
    assert answer.code == code, answer.err
    assert answer.out == ""
    assert answer.lines
    assert shop.runs == before
    return answer.lines


# --- help, versions, words ----------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help(shop: Workshop, verb: list[str]) -> None:
    answer = shop.type(*verb, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: papertape {' '.join(verb)}".rstrip())
    assert "[default: None]" not in answer.out
    assert "[default: False]" not in answer.out
    assert "NAME --name" not in answer.out


def test_help_and_version_in_a_process(shop: Workshop) -> None:
    assert shop.process("--version").out.strip() == "0.1.0"
    answer = shop.process("replay", "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "--config" in answer.out


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("replay", "--config"),
        ("replay --config", "--config"),
        ("replay --config config.yaml --nope", "--nope"),
        ("repaly --config config.yaml", 'Did you mean "replay"?'),
        ("runs nope", '"nope"'),
        ("runs diff latest", "NEW"),
        ("runs list --limit many", "--limit"),
        ("runs show a b", "b"),
        ("config check", "FILE"),
        ("data import", "FILE"),
        ("data update", "--config FILE"),
        ("data action add NVDA split 10:1", "--effective DATE"),
        ("data action add NVDA split 10:1 --ex 2024-06-10", "--effective, not --ex"),
        ("data action add NVDA dividend 1 --effective 2024-06-10", "--ex and --pay"),
        ("init", "DIRECTORY"),
    ],
)
def test_what_is_typed_wrong_is_usage(shop: Workshop, line: str, word: str) -> None:
    assert word in _refused(shop, 2, *line.split())[0]


def test_no_words_at_all_are_answered_with_the_help(shop: Workshop) -> None:
    answer = shop.type()
    assert answer.code == 2
    assert answer.out.startswith("Usage: papertape")


# --- replays that are refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "code", "line"),
    [
        (["--start", "yesterday"], 2, "'yesterday' is not a time: "),
        (["--start", "2024-02-30"], 2, "'2024-02-30' is not a day"),
        (["--end", "2024-13-01"], 2, "'2024-13-01' is not a day"),
        (["--start", "2023-11-05 01:30"], 2, "2023-11-05 01:30 happens twice in America/New_York"),
        (["--start", "2024-03-10 02:30"], 2, "2024-03-10 02:30 does not exist in America/New_York"),
        (["--start", "2024-02-01", "--end", "2024-01-31"], 2, "--end 2024-01-31 is not after "),
        (["--start", "2025-01-01"], 2, "no bar between --start and --end: the tape covers "),
        (["--end", "2023-12-31"], 2, "no bar between --start and --end: the tape covers "),
        (["--start", "2024-01-06", "--end", "2024-01-07"], 2, "no bar between --start and --end"),
        (["--label", ""], 2, "--label '': "),
        (["--label", "latest"], 2, "--label 'latest': "),
        (["--label", "baseline:x"], 2, "--label 'baseline:x': "),
        (["--set", "novalue"], 2, "--set novalue: expected KEY=VALUE"),
        (["--set", "nope.x=1"], 78, "--set nope.x=1: nope: unknown key"),
        (["--set", "risk.max_drawdwn_pct=1"], 78, "did you mean 'max_drawdown_pct'?"),
        (["--set", "bars.size=5m"], 78, "NVDA: bars are 1 hour apart, but bars.size is 5m"),
        (["--set", "bars.size=2h"], 78, "expected 1h, 30m, 15m, 5m or 1m, got '2h'"),
        (["--set", "bars.calendar=XLON"], 78, "expected XNYS, got 'XLON'"),
        (["--set", "tape.dialect=alpaca"], 78, "is of no known dialect (closest: alpaca"),
        (["--set", "tape.path=gone.csv"], 78, "{folder}/gone.csv: there is no such file"),
        (["--bars", "gone.csv"], 78, "{folder}/gone.csv: there is no such file"),
        (["--bars", "."], 78, "{folder}: cannot be read: Is a directory"),
        (["--set", "tape=null"], 78, "tape"),
        (["--set", "model={kind: registry, ref: a@b}"], 78, "registered models are not available"),
        (["--set", 'model={kind: remote, url: "http://x"}'], 78, "remote models are not available"),
        (["--set", "model={kind: recorded, path: no.csv}"], 78, "{folder}/no.csv: the predictions"),
        (["--set", "strategy={kind: gone:Gone}"], 78, "no module gone; looked in {folder}"),
        (["--set", "strategy={kind: nothing}"], 78, "package.module:Class, got 'nothing'"),
        (["--set", "account.cash_usd=-5"], 78, "account.cash_usd"),
    ],
)
def test_a_replay_that_cannot_be_says_why(
    shop: Workshop, more: list[str], code: int, line: str
) -> None:
    lines = _refused(shop, code, *shop.words(*more))
    assert len(lines) == 1
    assert line.replace("{folder}", str(shop.folder)) in lines[0]


def test_a_config_that_is_missing_or_no_file(shop: Workshop) -> None:
    for name, word in (("gone.yaml", "No such file"), (".", "it is a folder")):
        (line,) = _refused(shop, 78, "replay", "--config", name)
        assert line.startswith(str(Path(name).absolute()))
        assert word in line


def test_all_errors_of_a_config_at_once(shop: Workshop) -> None:
    shop.config.write_text(
        "name: x\nsymbols: []\nbars: {size: 1d}\nstrategy: {kind: sma_cross, params: {fsat: 3}}\n"
        "risk:\n  max_daily_loss_usd: .nan\n  allow_short: no\n  allow_short: true\n",
        encoding="utf-8",
    )
    lines = _refused(shop, 78, *shop.words())
    assert len(lines) >= 4
    assert all(line.startswith(f"{shop.config}:") for line in lines)
    checked = shop.type("config", "check", str(shop.config))
    assert checked.code == 78
    assert all(line in checked.out for line in lines)


def test_naive_stamps_without_a_zone_are_refused_by_line(shop: Workshop) -> None:
    lines = ["date,open,high,low,close,volume,average,barCount"]
    lines += ["2024-01-02 09:30:00,1,2,1,2,100,1,1", "2024-01-02 10:30:00,1,2,1,2,100,1,1"]
    (shop.folder / "naive.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (line,) = _refused(shop, 78, *shop.words("--bars", "naive.csv"))
    assert "naive.csv:2: " in line
    assert "timezone" in line


def test_a_tape_without_volume_cannot_limit_fills_to_a_part_of_it(shop: Workshop) -> None:
    text = (shop.folder / "nvda.csv").read_text("utf-8").splitlines()
    bare = "\n".join(line.rpartition(",")[0] for line in text) + "\n"
    (shop.folder / "bare.csv").write_text(bare, encoding="utf-8")
    words = shop.words("--bars", "bare.csv")
    (line,) = _refused(shop, 78, *words, "--set", "execution.participation_fraction=0.1")
    assert "participation_fraction: null" in line
    assert shop.type(*words, "--set", "execution.participation_fraction=null").code == 0


def test_a_tape_from_before_the_fee_tables(shop: Workshop) -> None:
    write_tape(shop.folder / "old.csv", first=19970102, last=19970301)
    words = shop.words("--bars", "old.csv")
    (line,) = _refused(shop, 78, *words)
    assert "regulatory_fees: false" in line or "commission" in line
    answer = shop.type(
        *words, "--set", "execution.regulatory_fees=false", "--set", "execution.commission=none"
    )
    assert (answer.code, answer.err) == (0, "")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("garbage\n", ":1: no column ts, symbol, value"),
        ("ts,symbol,value\nyesterday,NVDA,0.1\n", ":2: "),
        ("ts,symbol,value\n2024-01-02T15:30:00Z,NVDA,much\n", ":2: "),
        ("ts,symbol,value\n2024-01-02T15:30:00,NVDA,0.1\n", ":2: "),
        ("", ""),
    ],
)
def test_garbled_predictions_are_refused_by_line(shop: Workshop, text: str, word: str) -> None:
    (shop.folder / "p.csv").write_text(text, encoding="utf-8")
    words = shop.words("--set", "model={kind: recorded, path: p.csv}")
    assert f"{shop.folder / 'p.csv'}{word}" in _refused(shop, 78, *words)[0]


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("calendar.yaml", "closures: soon\n", "calendar.yaml:1:11: closures"),
        ("calendar.yaml", "a: [1\n", "calendar.yaml:2:1: not YAML"),
        ("data/corporate_actions.csv", "symbol,kind\n", "corporate_actions.csv:1: no column"),
        (
            "data/corporate_actions.csv",
            "symbol,kind,effective,ratio,amount_usd,pay_date,source\nNVDA,merger,2024-01-02,,,,x\n",
            "corporate_actions.csv:2: kind 'merger' is neither split nor dividend",
        ),
    ],
)
def test_a_table_of_the_state_that_is_wrong(
    shop: Workshop, name: str, text: str, word: str
) -> None:
    path = shop.state / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert word in _refused(shop, 78, *shop.words())[0]


# --- strategies ---------------------------------------------------------------------------------

CLASS = """
class Mine:
    warmup_bars = 0
    @dataclass(frozen=True)
    class Params:
        pass
    def __init__(self, params, symbols):
        {init}
    def decide(self, market, predictions, portfolio):
        {decide}
"""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("raise RuntimeError('first\\nsecond')", "importing mine failed: RuntimeError: first"),
        ("import nothing_of_that_name", "importing mine failed: ModuleNotFoundError"),
        ("def (", "importing mine failed: SyntaxError"),
        ("", "has no class Mine"),
        ("class Mine: pass", "Mine has no parameters"),
        (CLASS.format(init="raise ValueError('no')", decide="return None"), "could not be made"),
    ],
)
def test_a_strategy_that_cannot_be_loaded(shop: Workshop, text: str, word: str) -> None:
    shop.strategy("mine", text)
    (line,) = _refused(shop, 78, *shop.words("--set", "strategy={kind: mine:Mine}"))
    assert word in line


def test_a_strategy_that_ends_the_program_is_an_internal_error(shop: Workshop) -> None:
    shop.strategy("mine", "raise SystemExit(0)")
    (line,) = _refused(shop, 70, *shop.words("--set", "strategy={kind: mine:Mine}"))
    assert "sys.exit(0)" in line


def test_a_strategy_that_raises_leaves_its_run_and_exit_code_1(shop: Workshop) -> None:
    decide = "return [1 / (market.index - 3)] and None"
    shop.strategy("mine", CLASS.format(init="pass", decide=decide))
    answer = shop.process(*shop.words("--set", "strategy={kind: mine:Mine}"))
    assert answer.code == 1
    (line,) = answer.lines
    assert line.startswith("the strategy failed: ZeroDivisionError: ")
    assert "(mine.py:" in line
    assert "HALTED" in line
    run = Path(answer.out.strip())
    assert shop.runs == [run.name]
    assert manifest(run)["final_state"] == "HALTED"
    assert len(rows(run / "equity.csv")) == 308


# --- where it writes ----------------------------------------------------------------------------


def test_an_out_that_holds_something_is_left_alone(shop: Workshop) -> None:
    out = shop.folder / "out"
    out.mkdir()
    run = Path(shop.type(*shop.words("--out", "out")).out.strip())
    assert run == out
    before = sorted(path.name for path in out.iterdir())
    for target in ("out", "config.yaml"):
        (line,) = _refused(shop, 2, *shop.words("--out", target))
        assert "is not an empty folder" in line
    assert sorted(path.name for path in out.iterdir()) == before
    assert shop.runs == []


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["--out", "config.yaml/out"], "config.yaml: "),
        (["--out", "/proc/nowhere/out"], "/proc/nowhere: No such file or directory"),
        (["--state", "config.yaml"], "config.yaml/"),
    ],
)
def test_a_place_that_cannot_be_written(shop: Workshop, words: list[str], word: str) -> None:
    (line,) = _refused(shop, 78, *shop.words(*words))
    assert word in line


def test_a_file_where_the_runs_should_be(shop: Workshop) -> None:
    (shop.state / "runs").write_text("x", encoding="utf-8")
    answer = shop.type(*shop.words())
    assert answer.code == 78
    assert answer.lines == [f"{shop.state / 'runs'}: File exists"]


@pytest.mark.parametrize("name", ["journal.db", "report.html"])
def test_a_full_disk_is_one_line_and_nothing_stays(shop: Workshop, name: str) -> None:
    words = ("replay", "--config", "config.yaml", "--quiet")
    # In a process: its bytecode is written now, and not cut off at the limit for all later ones.
    whole = Path(shop.process(*words).out.strip())
    size = (whole / name).stat().st_size
    assert (whole / "journal.db").stat().st_size < (whole / "report.html").stat().st_size

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 100, size - 100))

    before = shop.runs
    answer = shop.process(*words, preexec_fn=small)
    assert answer.code == 78
    (line,) = answer.lines
    assert line.startswith(f"{shop.state / 'runs'}: ")
    assert shop.runs == before


# --- signals and pipes --------------------------------------------------------------------------

SLEEPS = CLASS.format(init="pass", decide="Path('ready').touch(); import time; time.sleep(30)")


@pytest.mark.parametrize(
    ("number", "where"),
    [
        (signal.SIGINT, "runs"),
        (signal.SIGINT, "out"),
        (signal.SIGTERM, "runs"),
        (signal.SIGHUP, "runs"),
    ],
)
def test_an_interruption_leaves_nothing(shop: Workshop, number: signal.Signals, where: str) -> None:
    shop.strategy("mine", SLEEPS)
    more = ["--out", "place/out"] if where == "out" else []
    started = shop.start(*shop.words("--set", "strategy={kind: mine:Mine}", *more))
    _wait_for((shop.folder / "ready").exists, started)
    home = shop.folder / "place" if where == "out" else shop.state / "runs"
    assert [path.name[:11] for path in home.iterdir()] == [".unfinished"]
    started.send_signal(number)
    out, err = started.communicate(timeout=20)
    assert (started.returncode, out) == (130, "")
    assert err == "papertape: interrupted: nothing was left behind\n"
    assert list(home.iterdir()) == []


def _wait_for(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    "words",
    [("runs", "list"), ("replay", "--help"), ("replay", "--config", "config.yaml")],
)
def test_a_reader_that_goes_away_is_no_error(shop: Workshop, words: tuple[str, ...]) -> None:
    started = shop.start(*words)
    assert started.stdout is not None
    started.stdout.close()
    assert started.stderr is not None
    err = started.stderr.read()
    assert (started.wait(), err) == (0, "")
    started.stderr.close()


def test_an_output_that_cannot_be_written_is_one_line(shop: Workshop) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        answer = shop.process("runs", "list", stdout=full)
    assert answer.code == 78
    assert answer.lines == ["output: No space left on device"]


# --- runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["verify", "runs show", "runs diff latest latest~1", "runs accept latest", "verify x"]
)
def test_without_runs_the_line_says_how_to_make_one(shop: Workshop, line: str) -> None:
    (answer,) = _refused(shop, 2, *line.split())
    assert "papertape replay" in answer


def test_runs_that_are_not_or_not_alone(shop: Workshop) -> None:
    shop.replay()
    shop.replay()
    assert "no run 'tsla'" in _refused(shop, 2, "runs", "show", "tsla")[0]
    assert "fits 2 runs" in _refused(shop, 2, "verify", "20")[0]
    assert "ends at latest~1" in _refused(shop, 2, "verify", "latest~2")[0]
    assert "no baseline" in _refused(shop, 2, "verify", "baseline:x")[0]
    assert "does not exist" in _refused(shop, 78, "verify", "./gone")[0]


def test_a_label_finds_its_run(shop: Workshop) -> None:
    labelled = shop.replay("--label", "wide stop")
    shop.replay()
    answer = shop.type("runs", "show", "wide stop", "--json")
    assert labelled.name in answer.out
    assert shop.type("verify", "wide stop").out.startswith(labelled.name)


def test_a_diff_names_the_key_that_was_set(shop: Workshop) -> None:
    shop.replay()
    shop.replay()
    same = shop.type("runs", "diff", "latest~1", "latest")
    assert (same.code, same.err) == (0, "")
    shop.replay("--set", "strategy.params.slow=9")
    answer = shop.type("runs", "diff", "latest~1", "latest")
    assert answer.code == 1
    assert "strategy.params.slow" in answer.out
    document = json.loads(shop.type("runs", "diff", "latest~1", "latest", "--json").out)
    assert "strategy.params.slow" in json.dumps(document)
    assert "fast" not in json.dumps(document.get("inputs", document))[:2000]


def test_an_accepted_run_is_a_baseline(shop: Workshop) -> None:
    run = shop.replay()
    accepted = shop.type("runs", "accept", "latest", "--as", "golden", "--reason", "by hand")
    assert (accepted.code, accepted.err) == (0, "")
    shop.replay()
    assert shop.type("runs", "diff", "baseline:golden", "latest").code == 0
    shop.replay("--set", "strategy.params.quantity=50")
    answer = shop.type("runs", "diff", "baseline:golden", "latest")
    assert answer.code == 1
    assert run.name in answer.out or "golden" in answer.out


# --- output -------------------------------------------------------------------------------------


def test_json_is_one_document_on_stdout(shop: Workshop) -> None:
    shop.replay()
    for line in ("runs list", "runs show", "runs diff latest latest", "verify"):
        answer = shop.type(*line.split(), "--json")
        assert (answer.code, answer.err) == (0, ""), line
        assert isinstance(json.loads(answer.out), dict)
    answer = shop.type("config", "show", "config.yaml", "--json")
    assert json.loads(answer.out)
    answer = shop.type("data", "check", "nvda.csv", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)
    assert json.loads(shop.type("config", "schema").out)


def test_quiet_prints_the_path_alone_and_no_html_leaves_the_report_out(shop: Workshop) -> None:
    answer = shop.type("replay", "--config", "config.yaml", "--quiet", "--no-html")
    run = Path(answer.out.rstrip("\n"))
    assert run.is_absolute()
    assert run.parent == shop.state / "runs"
    assert not (run / "report.html").exists()
    answer = shop.process("replay", "--config", "config.yaml")
    assert answer.err == ""
    last = answer.out.rstrip("\n").splitlines()[-2:]
    assert last[0].startswith("run     ")
    report = Path(last[1].removeprefix("report  "))
    assert report.is_file()
    assert "\x1b" not in answer.out
    assert "Final equity (USD)" in answer.out


def test_an_internal_error_is_a_line_and_debug_shows_where(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: Any, **named: Any) -> int:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr("replay.runs.verbs.runs_list", broken)
    lines = _refused(shop, 70, "runs", "list")
    assert lines == ["internal error: RuntimeError: first second: --debug shows where"]
    with pytest.raises(RuntimeError):
        shop.type("runs", "list", "--debug")


# --- together -----------------------------------------------------------------------------------


def test_init_prints_commands_that_work(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = shop.type("init", "first try")
    assert (answer.code, answer.err) == (0, "")
    commands = answer.out.partition("Next:\n")[2].splitlines()
    assert commands[0].strip() == "cd 'first try'"
    monkeypatch.chdir(shop.folder / "first try")
    for command in commands[1:]:
        words = shlex.split(command)
        assert words[0] == "papertape"
        short = [word for word in words[1:] if word != "--open"]  # no browser here
        if short[0] == "replay":
            short += ["--start", "2024-01-01", "--end", "2024-03-31"]
        got = shop.type(*short)
        assert got.code == (1 if "diff" in short else 0), (command, got)
        assert got.err == ""
    labels = {manifest(shop.state / "runs" / name)["label"] for name in shop.runs}
    assert labels == {None, "breakout"}
    (line,) = _refused(shop, 2, "init", ".")
    assert "is not empty" in line


def test_four_replays_at_once_into_a_fresh_state(shop: Workshop) -> None:
    shutil.rmtree(shop.state)
    started = [shop.start(*shop.words()) for _ in range(4)]
    answers = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * 4, answers
    assert {err for _, err in answers} == {""}
    runs = {Path(out.strip()) for out, _ in answers}
    assert sorted(run.name for run in runs) == shop.runs
    assert len(runs) == 4
    assert {manifest(run)["run_id"] == run.name for run in runs} == {True}
    assert len({manifest(run)["digest"] for run in runs}) == 1
    seals = [json.dumps(manifest(run)["journal"], sort_keys=True) for run in runs]
    assert len(set(seals)) == 1  # the same journals, byte for byte
    leftovers = [path for path in shop.state.rglob("*") if ".unfinished" in path.name]
    assert leftovers == []
