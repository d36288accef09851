"""Log lines: what stands in them, and that no trouble with them reaches whoever logs."""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from daemon.core.trading_state import TradingState
from daemon.core.units import SECOND_NS
from daemon.observability.events import Telling
from daemon.observability.log_lines import LINE_MAX, Said
from daemon.observability.log_writer import WAITING_MAX, LogWriter
from daemon.observability.logs import Log, configure
from daemon.observability.redaction import ITEMS_MAX, TEXT_MAX
from tests.unit.full_disk import full_after

ROOT = Path(__file__).resolve().parents[2]
HALF_PAST = 1_704_205_800 * SECOND_NS  # 2024-01-02T14:30:00Z


GIVE_UP_S = 60.0


def _wait_for(true: Callable[[], bool]) -> None:
    """Until the log's thread has come so far; fails where it never does."""
    give_up = time.monotonic() + GIVE_UP_S
    while not true():
        assert time.monotonic() < give_up, "it never came true"
        os.sched_yield()


class Written:
    """A log that writes into a file, and the lines it has written once it is closed."""

    def __init__(self, path: Path, form: Any, **options: Any) -> None:
        self._path = path
        with path.open("w", encoding="utf-8") as file:
            self.log: Log = configure(form, file, run_id="run-1", **options)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is written meanwhile: the thread waits while it makes the first line."""
        go_on = threading.Event()

        def nothing() -> Iterator[Telling]:
            go_on.wait(10)
            yield from ()

        self.log.tell(nothing(), 0)
        try:
            yield
        finally:
            go_on.set()

    def text(self) -> str:
        assert self.log.close(5)
        return self._path.read_text(encoding="utf-8")

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """So many lines, written while the log is open."""
        _wait_for(lambda: self._path.read_text(encoding="utf-8").count("\n") >= count)
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().split("\n")[:-1]]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    made = Written(tmp_path / "log", "json")
    yield made
    made.log.close(5)


# --- what a line looks like -----------------------------------------------------------------------


def test_a_line_has_time_level_event_run_turn_and_its_fields(written: Written) -> None:
    written.log.info("started", version="1.0")
    written.log.turn = 17
    written.log.warning("bar_ledgered", symbol="NVDA", start=HALF_PAST, outcome="missing")
    first, second = written.lines()
    assert list(first) == ["ts", "level", "event", "run", "turn", "version"]
    stamp = datetime.fromisoformat(first.pop("ts"))
    assert stamp.utcoffset() is not None
    assert first == {
        "level": "info", "event": "started", "run": "run-1", "turn": None, "version": "1.0",
    }  # fmt: skip
    assert second["turn"] == 17
    assert second["level"] == "warning"
    assert second["start"] == "2024-01-02T14:30:00Z"
    assert second["symbol"] == "NVDA"


def test_the_text_of_a_line_is_for_reading(tmp_path: Path) -> None:
    made = Written(tmp_path / "log", "text")
    made.log.turn = 3
    made.log.error("task_failed", task="risk", error="a b", start=HALF_PAST, price_usd=1.5)
    line = made.text()
    assert line.endswith(
        ' ERROR    task_failed task=risk error="a b" start=2024-01-02T14:30:00Z price_usd=1.5'
        " turn=3 run=run-1\n"
    )
    assert "\x1b" not in line  # a file is no terminal


def test_a_terminal_gets_colours_unless_it_does_not_want_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert b"\x1b[31mERROR   \x1b[0m task_failed" in _on_terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\x1b" not in _on_terminal()


def _on_terminal() -> bytes:
    main, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        log = configure("text", stream, run_id="r")
        log.error("task_failed")
        assert log.close(5)
        seen = os.read(main, 1000)
    os.close(main)
    return seen


@pytest.mark.parametrize("form", ["json", "text"])
def test_one_event_is_one_line_whatever_is_in_it(tmp_path: Path, form: str) -> None:
    made = Written(tmp_path / "log", form)
    nasty = "a\nb\r\nc\x0bd\x0ce\x1c\x1d\x1ef\x85g\u2028h\u2029i\x1b[2Jj\x00k\udc80"
    made.log.info("note", reason=nasty, **{"a\nkey": {"deep\n": [nasty]}})
    text = made.text()
    assert text.count("\n") == len(text.splitlines()) == 1
    assert "\x1b" not in text
    if form == "json":
        assert json.loads(text)["reason"] == nasty


def test_values_become_plain(written: Written) -> None:
    written.log.info(
        "note",
        state=TradingState.HALTED,
        nothing=None,
        yes=True,
        not_a_number=float("nan"),
        path=Path("x"),
        pair=(1, 2.5),
    )
    line = written.lines()[0]
    del line["ts"]
    assert line == {
        "level": "info", "event": "note", "run": "run-1", "turn": None, "state": "HALTED",
        "nothing": None, "yes": True, "not_a_number": "nan", "path": "x", "pair": [1, 2.5],
    }  # fmt: skip


def test_a_field_cannot_replace_what_every_line_has(written: Written) -> None:
    written.log.turn = 4
    written.log.say("info", "state_changed", {"level": "HALTED", "run": "other", "turn": 5})
    line = written.lines()[0]
    assert (line["level"], line["run"]) == ("info", "run-1")
    assert line["turn"] == 5  # the one that is still open
    assert (line["level_"], line["run_"]) == ("HALTED", "other")


def test_an_exception_is_one_line_too(written: Written) -> None:
    try:
        raise ValueError("no\nvalue")
    except ValueError as error:
        written.log.exception("task_failed", task="risk", error=error)
    (line,) = written.lines()
    assert line["error"] == "ValueError: no\nvalue"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: no\nvalue")


def test_everything_is_bounded(written: Written) -> None:
    written.log.info("note", text="x" * (TEXT_MAX + 5), items=list(range(ITEMS_MAX + 5)))
    written.log.info("note", **{f"field{number}": "y" * TEXT_MAX for number in range(20)})
    deep: list[Any] = []
    deep.append(deep)
    written.log.info("note", deep=deep)
    first, second, third = written.lines()
    assert first["text"] == "x" * TEXT_MAX + "… (5 more)"
    assert first["items"] == [*range(ITEMS_MAX), "…"]
    assert second["event"] == "note"
    assert set(second) == {"ts", "level", "event", "run", "turn", "cut"}
    assert len(json.dumps(second)) < LINE_MAX
    assert third["deep"][0][0][0]


def test_what_is_below_the_level_is_left_out(tmp_path: Path) -> None:
    made = Written(tmp_path / "log", "json", level="warning")
    made.log.debug("note")
    made.log.info("note")
    made.log.critical("task_failed")
    assert [line["level"] for line in made.lines()] == ["critical"]


def test_journald_is_told_the_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    path.touch()
    status = path.stat()
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    made = Written(path, "json")
    for level in ("debug", "info", "warning", "error", "critical"):
        made.log.say(level, "note", {})
    lines = made.text().splitlines()
    assert [line[:3] for line in lines] == ["<6>", "<4>", "<3>", "<2>"]
    assert json.loads(lines[0][3:])["event"] == "note"
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + 1}")
    other = Written(path, "json")
    other.log.info("note")
    assert other.text().startswith("{")


def test_what_libraries_log_comes_through(written: Written) -> None:
    written.log.take_over()
    library = logging.getLogger("some.library")
    library.warning("a %s", "word")
    library.error("an error")
    library.info("nobody needs this")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second, third = written.lines()
    assert (first["event"], first["level"]) == ("library_message", "warning")
    assert (first["logger"], first["message"]) == ("some.library", "a word")
    assert (second["level"], second["message"]) == ("error", "an error")
    assert third["logger"] == "py.warnings"
    assert "DeprecationWarning: old" in third["message"]
    assert logging.getLogger().handlers == [
        handler
        for handler in logging.getLogger().handlers
        if "Bridge" not in type(handler).__name__
    ]


def test_what_was_said_is_written_as_it_was_then(written: Written) -> None:
    """Lines are made later, by another thread: what changes meanwhile must not show in them."""

    class Changing:
        said = "before"

        def __str__(self) -> str:
            return self.said

    changing, changed = Changing(), ValueError("before")
    written.log.turn = 1
    with written.held():
        written.log.info("note", value=changing, error=changed)
        Changing.said, changed.args, written.log.turn = "after", ("after",), 2
    (line,) = written.lines()
    assert (line["value"], line["error"], line["turn"]) == ("before", "ValueError: before", 1)


def test_the_lines_of_a_turn_are_made_when_they_are_written(written: Written) -> None:
    """Whoever tells pays for none of it, and a fault in making them costs those that follow."""
    threads: list[str] = []

    def tellings() -> Iterator[Telling]:
        threads.append(threading.current_thread().name)
        yield Telling("debug", "slice_closed", {})
        yield Telling("info", "note", {"number": 1})
        yield Telling("info", "note", {"self": "is no name of a field"})
        yield Telling("info", "note", {"number": 2})
        raise RuntimeError("not today")

    written.log.turn = 9
    written.log.tell(tellings(), 4)
    first, second, third, fourth = written.lines()
    assert threads == ["log"]
    assert [first["number"], third["number"]] == [1, 2]
    assert (second["event"], second["failed"], second["error"]) == (
        "log_line_failed", "note", "TypeError",
    )  # fmt: skip
    assert (fourth["event"], fourth["error"]) == ("log_line_failed", "RuntimeError")
    assert {line["turn"] for line in (first, second, third, fourth)} == {9}
    assert written.log.dropped == 2


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["password", "db_passwd", "passphrase", "SECRET", "auth_token", "urls_credential", "api_key",
     "apikey", "private_key", "Authorization", "cookie"],
)  # fmt: skip
def test_a_key_that_names_a_secret_hides_its_value(written: Written, key: str) -> None:
    written.log.info("note", inner={key: "canary"}, **{key: ["canary"]})
    line = written.lines()[0]
    assert line[key] == line["inner"][key] == "***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://bob:canary@host/x", "https://***@host/x"),
        ("at postgres://canary@host:5432/db now", "at postgres://***@host:5432/db now"),
        ("https://host/x?a=1&token=canary&b=2", "https://host/x?a=1&token=***&b=2"),
        ("https://host/x?access_key=canary", "https://host/x?access_key=***"),
        ("https://host/x?a=1", "https://host/x?a=1"),
        ("mail a@b.example about c", "mail a@b.example about c"),
    ],
)
def test_an_address_is_shown_without_its_secrets(written: Written, text: str, shown: str) -> None:
    written.log.info("note", text=text)
    assert written.lines()[0]["text"] == shown


CANARY = "tgram://987654321:AAcanaryBBcanary/1234\nmailto://joe:pass word/ü@example.org\n"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_credential_appears_nowhere(tmp_path: Path, form: str) -> None:
    made = Written(tmp_path / "log", form)
    made.log.conceal(CANARY)
    made.log.conceal("112233")
    made.log.conceal("xyz")
    made.log.take_over()
    first = CANARY.splitlines()[0]
    made.log.info("note", value=CANARY, inside=f"could not open {first}", number=112233)
    made.log.info("note", AAcanaryBBcanary=1, part="token AAcanaryBBcanary is bad")
    made.log.info(
        "AAcanaryBBcanary", short="xyz", quoted="tgram%3A%2F%2F987654321%3AAAcanaryBBcanary"
    )
    made.log.info("note", quoted=quote(CANARY.splitlines()[1], safe=""))
    try:
        raise KeyError(CANARY)
    except KeyError as error:
        made.log.exception("task_failed", error=error, text=repr(error))
    logging.getLogger("library").error("sent to %s", first)
    text = made.text()
    assert text.count("***") >= 9
    for secret in ("canary", "987654321", "112233", "pass word", "pass%20word", "joe"):
        assert secret not in text
    assert "xyz" not in text


def test_a_credential_that_is_loaded_late_is_concealed_from_then_on(written: Written) -> None:
    written.log.info("note", AAcanaryBBcanary=1)
    (first,) = written.wait_for(1)
    written.log.conceal(CANARY)
    written.log.info("note", AAcanaryBBcanary=1)
    _, second = written.lines()
    assert "AAcanaryBBcanary" in first
    assert second["***"] == 1


# --- trouble --------------------------------------------------------------------------------------


def test_a_value_that_cannot_be_shown_is_said_and_costs_one_line(written: Written) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("not today")

    written.log.info("note", value=Hostile())
    written.log.say("loud", "note", {})
    written.log.say("info", "note", {"self": 1})
    written.log.info("note")
    lines = written.lines()
    assert [line["event"] for line in lines] == ["log_line_failed"] * 3 + ["note"]
    assert (lines[0]["failed"], lines[0]["error"]) == ("note", "RuntimeError")
    assert written.log.dropped == 3


def test_a_reader_that_is_gone_costs_lines_and_nothing_else() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = configure("json", stream, run_id="r")
        os.close(reading)
        for _ in range(10):
            log.info("note")
        assert log.close(5)
    assert log.dropped == 10


def test_a_reader_that_does_not_read_makes_nobody_wait() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = configure("json", stream, run_id="r")
        fits = (1 << 16) // 1000  # lines of a thousand bytes that Linux keeps in a pipe
        told = fits + 1 + WAITING_MAX + 50  # one more is in the writer's hand, many wait
        for _ in range(told):
            log.info("note", fill="z" * 1000)
        assert log.dropped >= 50  # the queue is full, and nothing has been read
        assert not log.close(0)
        assert told - fits <= log.dropped <= told
        assert not [thread for thread in threading.enumerate() if thread.name == "log"]
    os.close(reading)


def test_a_reader_that_reads_again_learns_how_much_it_missed() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = configure("json", stream, run_id="r")
        count = 0
        while not log.dropped:
            log.info("note", number=count)
            count += 1
        refused = log.dropped
        seen = b""
        while seen.count(b"\n") < count - refused + 1 and select.select([reading], [], [], 10)[0]:
            seen += os.read(reading, 1 << 20)
        assert log.close(5)
    os.close(reading)
    lines = [json.loads(line) for line in seen.decode().splitlines()]
    told = [line for line in lines if line["event"] == "log_lines_dropped"]
    assert [line["count"] for line in told] == [refused]
    assert told[0]["error"] == "the reader is too slow"
    numbers = [line["number"] for line in lines if line["event"] == "note"]
    assert numbers == list(range(count - refused))


def _said(line: str) -> Said:
    return Said(0, None, [Telling("info", line, {})], 1)


def _as_it_is(said: Said) -> Iterator[str]:
    return (telling.event for telling in said.lines)


def test_a_full_disk_costs_lines_and_is_told_once_there_is_space(tmp_path: Path) -> None:
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LogWriter(descriptor, _as_it_is, lambda count, error: f"{count} {error}")
    with full_after(10):
        writer.put(_said("12345"))  # six bytes with its line break
        writer.put(_said("abcdef"))  # of these seven, four fit
        writer.put(_said("never"))
        _wait_for(lambda: writer.dropped >= 2)
    writer.put(_said("after"))
    assert writer.close(5)
    assert path.read_text().splitlines() == ["12345", "abcd", "2 File too large", "after"]


class Overtaken(deque[Said | None]):
    """What waits; something comes just after the thread has seen that nothing does."""

    def __init__(self, late: list[Said]) -> None:
        super().__init__()
        self._late = late

    def __bool__(self) -> bool:
        found = len(self) > 0
        if not found and self._late and threading.current_thread().name == "log":
            self.append(self._late.pop())
        return found


def test_what_comes_while_the_thread_falls_asleep_is_not_left_lying(tmp_path: Path) -> None:
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LogWriter(descriptor, _as_it_is, lambda count, error: f"{count} {error}")
    writer._waiting = Overtaken([_said("late")])
    writer.put(_said("first"))
    _wait_for(lambda: path.read_text().count("\n") >= 2)
    seen = path.read_text().splitlines()
    assert writer.close(5)
    assert seen == ["first", "late"]


def test_a_stream_that_is_closed_takes_no_line(tmp_path: Path) -> None:
    stream = (tmp_path / "log").open("w")
    stream.close()
    log = configure("text", stream, run_id="r")
    log.info("note")
    assert log.close(5)
    assert log.dropped == 1


def test_nothing_is_taken_after_the_end(written: Written) -> None:
    written.log.info("note")
    assert len(written.lines()) == 1
    written.log.info("note")
    assert written.log.close(0)
    assert written.log.dropped == 1


def _child(code: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=60, **how)


def test_closed_standard_streams_harm_nothing(tmp_path: Path) -> None:
    code = """
        import os, sys
        assert sys.stdout is None and sys.stderr is None
        from daemon.observability.logs import configure
        nowhere = configure("json", run_id="r")
        nowhere.info("note")
        assert nowhere.close() and nowhere.dropped == 1
        from daemon.endings import open_standard_streams
        open_standard_streams()
        file = open("precious", "w")
        assert file.fileno() > 2
        log = configure("json", run_id="r")
        log.info("note")
        print("stray")
        print("stray", file=sys.stderr)
        os.write(1, b"stray")
        os.write(2, b"stray")
        file.close()
        assert log.close() and not log.dropped
        assert os.stat("precious").st_size == 0
        open("proof", "w").close()
    """
    script = tmp_path / "child.py"
    script.write_text(textwrap.dedent(code))
    command = f'cd "{tmp_path}" && exec "{sys.executable}" child.py <&- >&- 2>&-'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], check=False, timeout=60, env=environment)
    assert done.returncode == 0
    assert (tmp_path / "proof").exists()


def test_a_process_ends_though_its_reader_does_not_read() -> None:
    code = """
        from daemon.observability.logs import configure
        log = configure("json", run_id="r")
        for _ in range(3000):
            log.info("note", fill="z" * 100)
        raise SystemExit(0 if not log.close(0.1) and log.dropped else 1)
    """
    reading, writing = os.pipe()
    done = _child(code, stderr=writing)
    os.close(writing)
    os.close(reading)
    assert done.returncode == 0


def test_a_signal_handler_may_log_while_a_line_is_being_made() -> None:
    code = """
        import signal, threading
        from daemon.observability.logs import configure
        log = configure("json", run_id="r")
        number = latched = 0
        def latch(*_):
            global latched
            latched += 1
            log.warning("latched", source="signal")
        def all_written():
            written = threading.Event()
            def nothing():
                written.set()
                yield from ()
            log.tell(nothing(), 0)
            written.wait()
        signal.signal(signal.SIGPROF, latch)
        signal.setitimer(signal.ITIMER_PROF, 0.0002, 0.0002)
        while latched < 10:
            log.info("note", number=number)
            number += 1
            if number % 200 == 0:
                all_written()  # or more would wait than may
        signal.setitimer(signal.ITIMER_PROF, 0)
        assert log.close(10) and not log.dropped
    """
    done = _child(code, stderr=subprocess.PIPE)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 0
    numbers = [line["number"] for line in lines if line["event"] == "note"]
    assert numbers == list(range(len(numbers)))
    assert sum(line["event"] == "latched" for line in lines) >= 10
