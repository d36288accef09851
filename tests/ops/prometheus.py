"""A real Prometheus on loopback, with the shipped config but for its pace and its targets."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.faults.free_ports import free_port
from tests.ops.programs import PROMETHEUS, program

GIVE_UP_S = 60.0
LOOK_EVERY_S = 0.05

NOT_UNDERSTOOD = (400, 422)

Series = list[dict[str, Any]]


class NotUnderstoodError(Exception):
    """Prometheus does not understand the query."""


class Prometheus:
    """Scrapes the addresses, as often as `every` (a duration of PromQL) says.

    With the address of an Alertmanager it evaluates the rules as often, and every duration in them
    is so many times shorter: hours pass in seconds.
    """

    def __init__(
        self,
        folder: Path,
        addresses: Sequence[str],
        every: str,
        *,
        alertmanager: str | None = None,
        shorter: int = 1,
    ) -> None:
        config = shutil.copytree(PROMETHEUS, folder / "config") / "prometheus.yml"
        shipped = config.read_text("utf-8")
        paced = shipped.replace("scrape_interval: 15s", f"scrape_interval: {every}")
        paced = paced.replace("scrape_timeout: 10s", f"scrape_timeout: {every}")
        assert paced.count(every) >= 2, "the shipped config has another pace than 15s and 10s"
        told = [] if alertmanager is None else [alertmanager]
        if told:
            paced = paced.replace("evaluation_interval: 15s", f"evaluation_interval: {every}")
            for rules in sorted((config.parent / "rules").glob("*.yml")):
                rules.write_text(_shortened(rules.read_text("utf-8"), shorter), encoding="utf-8")
        config.write_text(paced, encoding="utf-8")
        for name, targets in (("papertape", list(addresses)), ("alertmanager", told)):
            listed = json.dumps([{"targets": targets}] if targets else [])  # JSON is YAML
            (config.parent / "targets" / f"{name}.yml").write_text(listed, encoding="utf-8")
        self._address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self._address}"
        self._log = folder / "prometheus.log"
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={self._address}",
                    f"--web.external-url={self.url}",
                    f"--web.user-assets={PROMETHEUS.parent}",
                    f"--rules.alert.resend-delay={every}",  # what went before anybody listened
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(GIVE_UP_S)

    def wait_for(self, true: Callable[[], Any], what: str) -> None:
        """Wait until something is so; fails with its log where it never is."""
        until = time.monotonic() + GIVE_UP_S
        while True:
            try:
                if true():
                    return
            except urllib.error.URLError:  # it does not listen yet
                assert self._process.poll() is None, self._said()
            assert time.monotonic() < until, f"never {what}; {self._said()}"
            time.sleep(LOOK_EVERY_S)

    def now(self, expression: str) -> Series:
        """The series of an expression at this moment."""
        return self._result("query", query=expression)

    def over(self, expression: str, start: float, end: float, step: str) -> Series:
        """The series of an expression in a range of time."""
        return self._result("query_range", query=expression, start=start, end=end, step=step)

    def label_values(self, series: str, label: str) -> set[str]:
        """What Grafana's `label_values(series, label)` asks for."""
        found: list[str] = self._data(f"label/{label}/values", **{"match[]": series})
        return set(found)

    def _result(self, path: str, **asked: object) -> Series:
        found: Series = self._data(path, **asked)["result"]
        return found

    def _data(self, path: str, **asked: object) -> Any:
        body = urllib.parse.urlencode(asked)
        url = f"http://{self._address}/api/v1/{path}?{body}"
        try:
            with urllib.request.urlopen(url, timeout=GIVE_UP_S) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            if error.code not in NOT_UNDERSTOOD:
                raise  # 503: it is still starting
            raise NotUnderstoodError(json.load(error).get("error", error)) from None

    def _said(self) -> str:
        return self._log.read_text("utf-8")[-2000:]


_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(
    r"(?P<before>\b(?:keep_firing_)?for: |\[|\boffset )(?P<number>\d+)(?P<unit>[smhd])\b"
)


def _shortened(rules: str, shorter: int) -> str:
    """Rules in which every duration, of PromQL or of an alert, is so many times shorter."""

    def milliseconds(found: re.Match[str]) -> str:
        whole = int(found["number"]) * _UNITS_MS[found["unit"]]
        return f"{found['before']}{max(1, whole // shorter)}ms"

    return _DURATION.sub(milliseconds, rules)
