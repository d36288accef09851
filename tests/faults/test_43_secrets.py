"""Secrets in logs, metrics and what is stored -> nowhere: a credential is known by its file, an
address is shown without its password, a key that names a secret without its value.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults.conftest import Daemons
from tests.faults.free_ports import free_port, page
from tests.faults.trouble import last_event, with_environment
from tests.replay.workshop import Workshop

CANARY = "canary7f3a91"

RAISES = f'''
class Leaky:
    """Raises with an address that has a password in it, as libraries do."""

    warmup_bars = 0

    @dataclass(frozen=True)
    class Params:
        """None."""

    def __init__(self, params, symbols):
        pass

    def decide(self, market, predictions, portfolio):
        raise OSError("cannot reach https://bob:{CANARY}@quotes.example/x?token={CANARY}")
'''


def _with_canary(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and CANARY.encode() in path.read_bytes():
            yield path.relative_to(folder)


def test_a_credential_is_nowhere_but_in_its_file(
    shop: Workshop, daemons: Daemons, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "alerts").write_text(
        f"json://me:{CANARY}@127.0.0.1:9/{CANARY}\n", encoding="utf-8"
    )
    port = free_port()
    daemon = daemons(
        pace="100000",
        settings={
            "notify": "{urls_credential: alerts, events: [halt]}",
            "observability.metrics": f"127.0.0.1:{port}",
        },
    )
    daemon.start(prefix=with_environment({"CREDENTIALS_DIRECTORY": str(credentials)}))
    daemon.reach(5)
    assert CANARY not in page(port)
    assert CANARY not in json.dumps(daemon.status())
    assert daemon.type("kill", "--reason", "enough").code == 0
    assert daemon.stop() == 0
    assert CANARY not in daemon.log()
    assert list(_with_canary(shop.folder)) == [Path("credentials/alerts")]


def test_an_address_in_an_exception_is_logged_without_its_password(
    shop: Workshop, daemons: Daemons
) -> None:
    shop.strategy("leaky", RAISES)
    daemon = daemons(settings={"strategy": "{kind: 'leaky:Leaky'}"})
    daemon.start(wait=False)
    assert daemon.wait() == 0, daemon.log()
    reason = last_event(daemon, "state_changed")["reason"]
    assert reason.startswith("OSError: cannot reach https://***@quotes.example/x?token=***")
    assert CANARY not in daemon.log()


def test_a_secret_in_the_environment_is_not_told(daemons: Daemons) -> None:
    daemon = daemons()
    daemon.start(prefix=with_environment({"BROKER_PASSWORD": CANARY}), wait=False)
    assert daemon.wait() == 0
    assert CANARY not in daemon.log()
    found = subprocess.run(
        ["grep", "-r", "-l", CANARY, str(daemon.state)], check=False, capture_output=True
    )
    assert found.stdout == b""
