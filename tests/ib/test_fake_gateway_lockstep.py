"""Two processes, one virtual time: neither is ahead of the other, and time can be stopped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fake_gateway import SECOND_NS, instant_ns
from tests.fake_gateway.connection import Framing
from tests.fake_gateway.faults import Frame, Mute
from tests.fake_gateway.in_thread import ThreadedGateway
from tests.ib.talking import NEW_YORK, TUESDAY, morning


@contextmanager
def led(threaded: ThreadedGateway, project: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the process that is led."""
    command = [
        sys.executable, "-m", "tests.ib.led", str(threaded.port), str(threaded.keeper.port),
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def at(clock: str) -> int:
    return instant_ns(f"{TUESDAY}T{clock} {NEW_YORK}")


def line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_a_process_is_led_through_a_morning(project_root: Path) -> None:
    market, _ = morning(lag_s=2)
    with ThreadedGateway(market, at("09:59")) as threaded, led(threaded, project_root) as process:
        threaded.do(Frame(framing=Framing.BYTEWISE))
        threaded.run_until(at("10:45"))
        assert line(process) == ["14:30=100.5"]
        assert line(process) == ["14:30=100.5", "15:00=102.0"]
        # both processes agree on the instant of each request, to the microsecond
        asked = threaded.call(lambda gateway: [one.at_ns for one in gateway.log.of("history")])
        assert asked == [at("10:00") + 5 * SECOND_NS, at("10:30") + 5 * SECOND_NS]
        assert threaded.clock.now_ns() == at("10:45")
        threaded.run_until(at("11:01"))
        assert line(process)[-1] == "15:30=99.0"


def test_time_goes_on_where_it_was_when_the_process_is_killed(project_root: Path) -> None:
    market, _ = morning()
    with ThreadedGateway(market, at("09:59")) as threaded:
        with led(threaded, project_root) as process:
            threaded.run_until(at("10:01"))
            assert line(process) == ["14:30=100.5"]
        threaded.advance(3_600)
        threaded.do(Mute())
        with led(threaded, project_root) as process:
            threaded.run_until(at("11:31"))
            assert line(process) == ["14:30=100.5", "15:00=102.0", "15:30=99.0"]
        asked = threaded.call(lambda gateway: [one.at_ns for one in gateway.log.of("history")])
        assert asked == [at("10:00") + 5 * SECOND_NS, at("11:30") + 5 * SECOND_NS]
