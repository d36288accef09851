"""Notifications of one daemon: from its config's `notify` to messages on their way.

What goes wrong here is logged, counted and shown, and never stops or delays anything; only a
reload is refused when what it asks for cannot be had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from daemon.config.notify import NotifyConfig
from daemon.core.turn import Turn
from daemon.errors import PapertapeError, RefusedError
from daemon.journal.ledger import LedgerRow
from daemon.observability.checks import Checks
from daemon.observability.notice_rules import Notice
from daemon.observability.notices import Notices
from daemon.observability.notifier import Count, Notifier
from daemon.observability.notify import Sender, Sent
from daemon.observability.standing import Standing
from daemon.service import credential

if TYPE_CHECKING:
    from daemon.live.running import Live

CHECKS_EVERY_S = 60.0


class Notifications:
    """What the event loop says, as far as the config wants it sent."""

    def __init__(self, live: Live, count: Count) -> None:
        self._live = live
        self._count = count
        self._checks = Checks(live.state.path)
        self._checked_at = 0.0
        self._notices: Notices | None = None
        self._notifier: Notifier | None = None
        self._sender: Sender | None = None
        self._problem: str | None = None

    def start(self, lived: Iterable[Turn]) -> None:
        """Begin as the config says; without notifications where that cannot be."""
        config = self._live.config.notify
        try:
            self.prepared(config)()
        except PapertapeError as error:
            self._problem = " ".join(error.lines)
            self._live.log.error("notifications_unavailable", problem=self._problem)  # noqa: TRY400 - it is no bug
        if self._notices is not None:
            self._notices.recovered(lived, self._checks.results())
        if self._notifier is not None and config.test_at_start:
            self._notifier.tell(Notice("start", "test", *test_message(self._live.config.name)))

    def prepared(self, config: NotifyConfig) -> Callable[[], None]:
        """What makes this hold from now on; RefusedError leaves everything as it was."""
        sender = None
        if config.urls_credential is not None:
            sender = sender_of(config, self._live.log.conceal)

        def use() -> None:
            if self._notifier is not None:
                self._notifier.close(0)  # it sends what it has; nobody waits for that
            self._sender, self._problem = sender, None
            self._notices = self._notifier = None
            if sender is not None:
                self._notifier = Notifier(sender, self._live.log, self._count)
                self._notices = Notices(self._live.config.name, config.events, self._notifier)

        return use

    def ready(self, standing: Standing) -> None:
        """The daemon is ready."""
        if self._notices is not None:
            self._notices.started(standing)
        self.stand(standing)

    def turn(self, turn: Turn, standing: Standing, facts: Iterable[LedgerRow]) -> None:
        """A turn was closed."""
        if self._notices is not None:
            self._notices.turn(turn, standing, facts)

    def is_news(self) -> bool:
        """Whether somebody has to be told what may be traded now."""
        if self._notices is None:
            return False
        control, latched = self._live.rerun.account.control, self._live.switch.thrown
        return self._notices.is_news(control.state, latched=latched)

    def ends_day(self, turn: Turn) -> bool:
        """Whether somebody has to be told how the day was that this turn ends."""
        return self._notices is not None and self._notices.ends_day(turn)

    def stand(self, standing: Standing) -> None:
        """The account stands like this now."""
        if self._notices is not None:
            self._notices.stand(standing, self._stopped_by)

    def beat(self) -> None:
        """The loop came by."""
        now = time.monotonic()
        if self._notices is not None and now - self._checked_at >= CHECKS_EVERY_S:
            self._checked_at = now
            self._notices.check(self._checks.results())

    def close(self, standing: Standing) -> None:
        """The daemon ends: what waits is sent if that is quick."""
        if self._notices is not None:
            self._notices.stopped(standing)
        if self._notifier is not None:
            self._notifier.close()

    def document(self) -> dict[str, Any]:
        """What status tells of it: the services, never the addresses."""
        services = [] if self._sender is None else list(self._sender.services)
        return {"services": services, "problem": self._problem}

    def test(self) -> list[Sent]:
        """Send a test message now, and wait for it; RefusedError where there is no address."""
        if self._sender is None:
            problem = self._problem or "notify.urls_credential is not set: nothing can be sent"
            raise RefusedError(problem)
        return self._sender.send(*test_message(self._live.config.name))

    def _stopped_by(self) -> str:
        """Why it is halted, where no hold says so."""
        blocked = self._live.committer.blocked
        if blocked is not None:
            return f"the journal cannot be written: {blocked}"
        said = self._live.state.latch.read()
        if said is None or not said.source:
            return "the kill latch is set"
        return f"the kill latch is set by {said.source}: {said.reason or 'no reason given'}"


def sender_of(config: NotifyConfig, conceal: Callable[[str], None]) -> Sender:
    """The addresses of the config's credential; `conceal` is told of its text first.

    RefusedError where the credential cannot be read, or an address is not understood.
    """
    name = config.urls_credential
    assert name is not None, "the caller has looked"
    text = credential(name)
    conceal(text)
    lines = (line.strip() for line in text.splitlines())
    urls = [line for line in lines if line and not line.startswith("#")]
    if not urls:
        raise RefusedError(f"credential {name}: it holds no address: write one a line")
    return Sender(urls, f"credential {name}")


def test_message(name: str) -> tuple[str, str]:
    """Title and body of the message that only shows that messages arrive."""
    return f"{name}: test", f"Notifications of papertape's account {name} arrive here."


def told(results: Iterable[Sent], clean: Callable[[str], str]) -> list[str]:
    """A line for each address; `clean` takes secrets out."""
    return [
        f"address {each.address} ({each.service}): "
        + ("sent" if each.problem is None else f"FAILED: {clean(each.problem)}")
        for each in results
    ]
