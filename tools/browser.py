"""Drive a headless Chromium over its debugging pipe: open a page, press keys, ask for values, list its requests."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ["--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run", "--disable-extensions"]
OPTIONS += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"]


class Browser:
    """One browser with one page; a context manager, so that it ends with the test."""

    def __init__(self, folder: Path, *options: str) -> None:
        assert CHROMIUM is not None
        (reading, self.outward), (self.inward, writing) = os.pipe(), os.pipe()
        command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}", *options, "about:blank"]
        shell = ["bash", "-c", f'exec "$@" 3<&{reading} 4>&{writing}', "bash", *command]
        nowhere = subprocess.DEVNULL
        self.process = subprocess.Popen(shell, pass_fds=(reading, writing), stdout=nowhere, stderr=nowhere)
        for ours in (reading, writing):
            os.close(ours)
        self.buffer, self.asked, self.session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        try:
            self._attach()
        except (OSError, AssertionError):
            self.__exit__()
            raise

    def _attach(self) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.outward, self.inward):
            os.close(pipe)

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.inward], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser did not answer")
            chunk = os.read(self.inward, 1 << 20)
            if not chunk:
                raise ConnectionError("the browser has ended")
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(line)

    def ask(self, method: str, timeout: float = 60, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; events that come in between are kept."""
        self.asked += 1
        request = {"id": self.asked, "method": method, "params": parameters}
        request |= {"sessionId": self.session} if self.session else {}
        os.write(self.outward, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            message = self._message(deadline)
            if message.get("id") == self.asked:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, path: Path) -> None:
        """Open a file and wait until it has loaded."""
        self.ask("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")

    def value(self, expression: str, timeout: float = 60) -> Any:
        """The value of a JavaScript expression, or of what it promises."""
        options: dict[str, Any] = {"returnByValue": True, "awaitPromise": True, "userGesture": True}
        result = self.ask("Runtime.evaluate", timeout, expression=expression, **options)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression: str, timeout: float = 60) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + timeout
        while not self.value(expression):
            assert time.monotonic() < deadline, f"still false: {expression}"
            time.sleep(0.1)

    def press(self, key: str, code: int) -> None:
        """One key, by its name and its number."""
        text: dict[str, Any] = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        found = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["request"]["url"] for event in found]

    def errors(self) -> list[str]:
        """Errors that the page did not catch, and what its log calls an error."""
        thrown = [e["params"] for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        logged = [e["params"]["entry"] for e in self.events if e.get("method") == "Log.entryAdded"]
        return [str(e["exceptionDetails"]) for e in thrown] + [e["text"] for e in logged if e["level"] == "error"]
