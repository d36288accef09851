"""A real Alertmanager on loopback with the shipped example, and whoever it tells."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections import deque
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.faults.free_ports import free_port
from tests.ops.programs import PROMETHEUS, program
from tests.ops.prometheus import GIVE_UP_S

MESSAGES_MAX = 10_000


class Told(NamedTuple):
    """One alert in one message: whom it was sent to, what it is, `firing` or `resolved`."""

    receiver: str
    alert: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]


class Receiver:
    """Takes the messages; the last part of the path says for whom."""

    def __init__(self) -> None:
        self.told: deque[Told] = deque(maxlen=MESSAGES_MAX)
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    told.append(
                        Told(
                            self.path.rsplit("/", 1)[-1],
                            alert["labels"]["alertname"],
                            alert["status"],
                            alert["labels"],
                            alert["annotations"],
                        )
                    )
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def has(self, alert: str, status: str, receiver: str = "pager") -> bool:
        """Whether it was told of this."""
        return any(each[:3] == (receiver, alert, status) for each in list(self.told))

    def first(self, alert: str) -> Told:
        """The first message about an alert."""
        return next(each for each in list(self.told) if each.alert == alert)

    def order(self) -> list[tuple[str, str]]:
        """What was told and to whom, each once, in the order of the first time."""
        return list(dict.fromkeys((each.alert, each.status) for each in list(self.told)))


class Alertmanager:
    """The shipped example, routes and inhibitions; every receiver is a webhook of `receiver`."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        folder.mkdir()
        config = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text("utf-8"))
        del config["global"]
        config["receivers"] = [
            {
                "name": name,
                "webhook_configs": [{"url": f"{receiver.url}/{name}", "send_resolved": True}],
            }
            for name in (each["name"] for each in config["receivers"])
        ]
        _hurry(config["route"])
        path = folder / "alertmanager.json"  # which is YAML
        path.write_text(json.dumps(config), encoding="utf-8")
        self.address = f"127.0.0.1:{free_port()}"
        self._log = folder / "alertmanager.log"
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [
                    program("prometheus-alertmanager", "alertmanager"),
                    f"--config.file={path}",
                    f"--storage.path={folder / 'data'}",
                    f"--web.listen-address={self.address}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(GIVE_UP_S)

    def take(self, *alerts: dict[str, str]) -> None:
        """Take alerts with these labels, as from Prometheus."""
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        url = f"http://{self.address}/api/v2/alerts"
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(url, data=body, headers=headers)
        with urllib.request.urlopen(asked, timeout=GIVE_UP_S) as reply:  # noqa: S310 - the same
            assert reply.status == HTTPStatus.OK

    def states(self) -> dict[tuple[str, str | None], str]:
        """Of each alert and daemon: `active`, or `suppressed` where something explains it."""
        url = f"http://{self.address}/api/v2/alerts"
        with urllib.request.urlopen(url, timeout=GIVE_UP_S) as reply:
            return {
                (each["labels"]["alertname"], each["labels"].get("name")): each["status"]["state"]
                for each in json.load(reply)
            }

    def is_ready(self) -> bool:
        """Whether it takes alerts."""
        assert self._process.poll() is None, self._log.read_text("utf-8")[-2000:]
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=GIVE_UP_S):
                return True
        except urllib.error.URLError:
            return False


def _hurry(route: dict[str, Any]) -> None:
    for key in ("group_wait", "group_interval"):
        if key in route:
            route[key] = "0s" if key == "group_wait" else "500ms"
    for child in route.get("routes", ()):
        _hurry(child)
