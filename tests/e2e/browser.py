"""A headless Chromium driven over its debugging pipe, with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANSWER_SECONDS_MAX = 60.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class BrowserError(AssertionError):
    """The browser refused a command, a script threw, or no answer came in time."""


@dataclass
class Page:
    """One tab: commands go out, answers and events come back, messages end with a zero byte."""

    commands: int
    answers: int
    session: str = ""
    number: int = 0
    pending: bytes = b""
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    loaded: int = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one protocol command and return its result, noting events on the way."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while b"\0" not in self.pending:
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([self.answers], [], [], wait)[0]:
                raise BrowserError(f"no answer within {ANSWER_SECONDS_MAX} s")
            received = os.read(self.answers, 1 << 16)
            if not received:
                raise BrowserError("the browser closed its pipe")
            self.pending += received
        first, _, self.pending = self.pending.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what a test asks about: requests, console messages, errors, loads."""
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(f"console.{params['type']}: {params['args']}")
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(str(details.get("exception", details)))
        elif method == "Log.entryAdded":
            self.complaints.append(f"{params['entry']['source']}: {params['entry']['text']}")
        elif method == "Page.loadEventFired":
            self.loaded += 1

    def open(self, file: Path) -> None:
        """Open a file and wait until it has loaded and drawn."""
        self.visit(file.resolve().as_uri())

    def visit(self, address: str) -> None:
        """Open an address and wait until it has loaded and drawn."""
        before = self.loaded
        self.call("Page.navigate", url=address)
        while self.loaded == before:
            self._note(self._receive())
        self.settle()

    def settle(self) -> None:
        """Wait for two frames, after which observers have run and canvases are drawn."""
        self.run(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))"
        )

    def run(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression (a promise is awaited)."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def size(self, width: int, height: int = 900, *, mobile: bool = False) -> None:
        """Give the page a size in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        self.settle()

    def media(self, *, scheme: str = "light", kind: str = "screen") -> None:
        """Prefer a colour scheme, and show the page as on a screen or as printed."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)
        self.settle()

    def mouse(self, kind: str, x: float, y: float, *, buttons: int = 0, clicks: int = 1) -> None:
        """A real mouse event: mouseMoved, mousePressed or mouseReleased."""
        button = "none" if kind == "mouseMoved" and not buttons else "left"
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button=button,
            buttons=buttons,
            clickCount=clicks,
        )

    def click(self, selector: str) -> None:
        """Scroll to an element and click its middle with the mouse."""
        x, y = self.middle(selector)
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            self.mouse(kind, x, y, buttons=buttons)
        self.settle()

    def middle(self, selector: str) -> tuple[float, float]:
        """Where the middle of an element is, after scrolling to it at once."""
        x, y = self.run(
            f"(e => {{ e.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] "
            f"}})(document.querySelector({json.dumps(selector)}))"
        )
        return x, y

    def key(self, name: str) -> None:
        """Press and release a key by its name."""
        text = {"text": name} if len(name) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name)
        self.settle()

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        """A PNG of the whole page, or of what is in view."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser_page(binary: str, profile: Path) -> Iterator[Page]:
    """Start `binary` with a new profile, hand out its page, and end it with its own command."""
    command_read, command_write = os.pipe()
    answer_read, answer_write = os.pipe()
    # The protocol wants descriptors 3 and 4; the shell puts ours there in the child alone.
    line = f'exec "$@" 3<&{command_read} 4>&{answer_write}'
    arguments = [binary, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        ["bash", "-c", line, "browser", *arguments],
        pass_fds=(command_read, answer_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_read)
    os.close(answer_write)
    page = Page(command_write, answer_read)
    try:
        targets = page.call("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        attached = page.call("Target.attachToTarget", targetId=target, flatten=True)
        page.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        yield page
        page.session = ""
        page.call("Browser.close")
    finally:
        os.close(command_write)
        os.close(answer_read)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
