"""DESIGN 7: what each ending is called in numbers, and which daemon a word means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, flat
from tests.replay.workshop import Answer

RAMP = [flat(100.0 + i) for i in range(9)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A daemon between bars 1 and 2, with 10 shares."""
    made = Stage(
        tmp_path_factory.mktemp("up") / "stage", {"AAA": RAMP}, {0: "TargetPosition('AAA', 10)"}
    ).play(1)
    with made.held():
        yield made


@pytest.fixture(scope="module")
def down(up: Stage, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    made = Stage(tmp_path_factory.mktemp("down") / "stage", {"AAA": RAMP}, {})
    made.play(1)
    return made


# --- exit codes -----------------------------------------------------------------------------------

DOWN = [
    (("status",), 0),
    (("status", "--check"), 1),
    (("orders",), 0),
    (("gaps",), 0),
    (("verify",), 0),
    (("pause",), 75),
    (("resume",), 75),
    (("reduce",), 75),
    (("reload",), 75),
    (("note", "x"), 75),
    (("reset",), 2),
    (("account", "new"), 2),
    (("pause", "--no-such-option"), 2),
    (("no-such-verb",), 2),
    (("explain", "ZZZ", "10:30"), 2),
    (("explain", "AAA", "tomorrow"), 2),
    (("restore", "/no/such/file"), 78),
]


@pytest.mark.parametrize(
    ("words", "code"), DOWN, ids=lambda x: " ".join(x) if isinstance(x, tuple) else ""
)
def test_codes_of_a_daemon_that_is_down(down: Stage, words: tuple[str, ...], code: int) -> None:
    answer = down.say(*words)
    assert answer.code == code, answer
    if code in {75, 78}:
        assert len(answer.lines) == 1  # one clear line, no traceback


def test_codes_of_a_daemon_that_is_up(up: Stage) -> None:
    assert up.say("status", "--check").code == 0
    up.done("pause")
    assert up.say("status", "--check").code == 1
    up.done("resume")


def test_a_second_daemon_says_who_holds_it(up: Stage) -> None:
    answer = up.shop.process(*up.words)
    assert answer.code == 75
    assert str(up.pid) in answer.lines[-1]
    assert up.say("status", "--check").code == 0


@pytest.mark.parametrize("text", ["name: [\n", "nam: x\n"], ids=["yaml", "typo"])
def test_a_config_that_is_wrong_is_78(down: Stage, tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    state = tmp_path / "state"
    answer = down.shop.process("run", "--config", str(path), "--state", str(state))
    assert answer.code == 78
    assert "config.yaml" in answer.lines[0]
    assert not state.exists()


def test_a_config_that_is_not_there(down: Stage, tmp_path: Path) -> None:
    answer = down.shop.type("run", "--config", str(tmp_path / "none.yaml"))
    assert answer.code == 78
    assert str(tmp_path / "none.yaml") in answer.lines[0]


def test_a_difference_found_is_1(down: Stage) -> None:
    """Two replays that differ beyond tolerance; two that are equal."""
    for label, more in (("a", ()), ("b", ()), ("c", ("--set", "account.cash_usd=5000"))):
        down.replay("--label", label, *more)
    assert down.say("runs", "diff", "a", "b").code == 0
    assert down.say("runs", "diff", "a", "c").code == 1


# --- names ----------------------------------------------------------------------------------------


def first_line(answer: Answer) -> str:
    return answer.out.splitlines()[0].split()[-1] if answer.out else ""


def test_the_first_line_names_the_directory(down: Stage) -> None:
    for verb in ("status", "orders", "fills", "trades", "pnl", "gaps", "verify"):
        assert first_line(down.say(verb)) == str(down.state), verb


def test_state_goes_before_the_environment_and_that_before_the_folder(
    up: Stage, down: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--state, $PAPERTAPE_STATE, $STATE_DIRECTORY, ./state if it holds a journal."""
    third = down.twin(tmp_path / "third")
    monkeypatch.chdir(third.folder)
    kind = down.shop.type
    assert first_line(kind("status")) == str(third.state)
    monkeypatch.setenv("STATE_DIRECTORY", str(down.state))
    assert first_line(kind("status")) == str(down.state)
    monkeypatch.setenv("PAPERTAPE_STATE", str(up.state))
    assert first_line(kind("status")) == str(up.state)
    assert first_line(kind("status", "--state", str(third.state))) == str(third.state)


def test_where_nothing_resolves_it_is_2_and_nothing_is_made(
    down: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in (("kill",), ("pause",), ("status",), ("reset", "--reason", "x"), ("orders",)):
        answer = down.shop.type(*verb)
        assert answer.code == 2, (verb, answer)
        assert answer.lines
        assert "latched" not in answer.out + answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "/etc", "a b", "", "NO/SUCH"])
def test_a_name_is_no_path(down: Stage, name: str) -> None:
    answer = down.shop.type("kill", name)
    assert answer.code == 2, answer
    assert "latched" not in answer.out + answer.err


def test_a_name_that_is_none_lists_those_there_are(down: Stage) -> None:
    answer = down.shop.type("status", "no-such-daemon")
    assert answer.code == 2
    assert "/var/lib/papertape" in " ".join(answer.lines)
