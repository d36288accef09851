"""Messages through the real library to a receiver on this machine, and secrets that stay secret."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.config.notify import NotifyConfig
from daemon.errors import Exit, RefusedError
from daemon.live.notifications import sender_of, test_message, told
from daemon.observability.notify import MESSAGE_MAX, Sender
from daemon.observability.redaction import Redaction
from tests.receiver import Message, Receiver, receiver

CANARY = "canary7f3a91"

test_message.__test__ = False  # type: ignore[attr-defined]  # a name of ours, no test


@pytest.fixture
def got() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def test_a_message_arrives_as_it_is(got: Receiver) -> None:
    sender = Sender([got.url("/a")], "test")
    (sent,) = sender.send("shop: HALTED", "two\nlines & <b>")
    assert (sent.address, sent.service, sent.problem) == (1, "JSON", None)
    assert got.messages == [Message("/a", "shop: HALTED", "two\nlines & <b>")]


def test_a_long_message_is_cut(got: Receiver) -> None:
    Sender([got.url()], "test").send("t", "x" * 10_000)
    assert len(got.messages[0].body) == MESSAGE_MAX


def test_each_address_answers_for_itself(got: Receiver) -> None:
    got.answers = [200, 503]
    sender = Sender([got.url("/a"), got.url("/b")], "test")
    first, second = sender.send("t", "b")
    assert first.problem is None
    assert second.problem is not None
    assert "503" in second.problem
    assert [each.address for each in sender.send("t", "b", [2])] == [2]
    assert [message.path for message in got.messages] == ["/a", "/b"]


def test_nobody_there_is_a_problem_and_no_exception(got: Receiver) -> None:
    (sent,) = Sender([f"json://127.0.0.1:9/{CANARY}"], "test").send("t", "b")
    assert sent.problem is not None
    assert "onnection error" in sent.problem


class Heard(logging.Handler):
    """What the root of all loggers hears, which the daemon writes into its log."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.names.append(record.name)


def test_what_the_library_says_goes_nowhere_else(capfd: pytest.CaptureFixture[str]) -> None:
    heard = Heard()
    logging.getLogger().addHandler(heard)
    try:
        Sender(["json://127.0.0.1:9/"], "test").send("t", "b")
        with pytest.raises(RefusedError):
            Sender(["json://:8080:9:9/"], "test")
    finally:
        logging.getLogger().removeHandler(heard)
    assert heard.names == []
    assert capfd.readouterr() == ("", "")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(RefusedError, match=r"pip install 'papertape\[notify\]'") as caught:
        Sender(["json://127.0.0.1"], "test")
    assert caught.value.code == Exit.REFUSED


# --- the credential -------------------------------------------------------------------------------


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path / "alerts"


CONFIG = NotifyConfig(urls_credential="alerts", events=("halt",))


def test_a_credential_has_an_address_a_line(credentials: Path, got: Receiver) -> None:
    credentials.write_text(f"# to me\n{got.url('/a')}\n\n  {got.url('/b')}  \n", "utf-8")
    sender = sender_of(CONFIG, print)
    assert sender.services == ("JSON", "JSON")
    assert told(sender.send("t", "b"), str) == ["address 1 (JSON): sent", "address 2 (JSON): sent"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# nothing\n", "credential alerts: it holds no address: write one a line"),
        (
            f"json://127.0.0.1\nhello {CANARY}\n",
            "credential alerts: address 2 is none that apprise understands",
        ),
        (f"nosuchthing://{CANARY}\n", "address 1 is none that apprise understands"),
    ],
)
def test_a_mistake_in_it_is_told_without_its_text(credentials: Path, text: str, said: str) -> None:
    credentials.write_text(text, "utf-8")
    concealed: list[str] = []
    with pytest.raises(RefusedError, match=said) as caught:
        sender_of(CONFIG, concealed.append)
    assert CANARY not in str(caught.value)
    assert concealed == [text.removesuffix("\n")]


def test_no_secret_is_in_what_is_told_of_a_failure(credentials: Path, got: Receiver) -> None:
    credentials.write_text(got.url(f"/{CANARY}", f"me:{CANARY}x@"), "utf-8")
    got.answers = [500]
    redaction = Redaction()
    sender = sender_of(CONFIG, redaction.conceal)
    (line,) = told(sender.send("t", "b"), redaction.text)
    assert line.startswith("address 1 (JSON): FAILED: ")
    assert CANARY not in line
