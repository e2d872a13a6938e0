"""A real Chromium, driven over the W3C WebDriver protocol: JSON over HTTP to chromedriver on loopback.

Selenium would be one dependency more for the dozen lines that this takes. The browser gets a profile of its own,
resolves no name, and reports every request that a page makes.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

DEADLINE_S = 120
"""For one command, the start of the browser and a page of 870 pairs on a busy machine included."""
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
STARTED = re.compile(r"started successfully on port (\d+)")


class Browser:
    """One session. ``show`` opens a file as a given device would; ``run`` evaluates JavaScript in it."""

    def __init__(self, root: str) -> None:
        self._root = root

    def show(self, page: Path, *, width: int = 1440, height: int = 900, scheme: str = "light") -> None:
        """Open a file in a window of that size, for an eye that prefers that scheme; logs begin anew."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", {"media": "screen", "features": features})
        self._log("browser")
        self._log("performance")
        self._call("POST", "url", {"url": "about:blank"})
        self._call("POST", "url", {"url": page.as_uri()})

    def run(self, script: str) -> Any:
        """The value of a function's body."""
        return self._call("POST", "execute/sync", {"script": script, "args": []})

    def click(self, selector: str) -> None:
        """As a user would: the element must be in sight."""
        found = self._call("POST", "element", {"using": "css selector", "value": selector})
        self._call("POST", f"element/{next(iter(found.values()))}/click", {})

    def press(self, key: str) -> None:
        """One key on what has the focus."""
        strokes = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self._call("POST", "actions", {"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]})

    def print_media(self) -> None:
        """As on paper, for an eye that prefers dark."""
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        self._devtools("Emulation.setEmulatedMedia", {"media": "print", "features": features})

    def console(self) -> list[str]:
        """What the page and its policy complained about since it was opened."""
        return [entry["message"] for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """The address of every request since the page was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def close(self) -> None:
        """End the session and its browser."""
        self._call("DELETE", "")

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._call("POST", "se/log", {"type": kind})
        return entries

    def _devtools(self, command: str, parameters: dict[str, Any]) -> None:
        self._call("POST", "goog/cdp/execute", {"cmd": command, "params": parameters})

    def _call(self, method: str, command: str, body: dict[str, Any] | None = None) -> Any:
        return call(method, f"{self._root}/{command}".rstrip("/"), body)


def call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    """One WebDriver command; its value."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310, loopback
    with urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310, loopback
        return json.load(response)["value"]


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser for as long as the context is open; an error says so where chromium or its driver is not installed."""
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    assert driver, "the report's tests need chromedriver (Debian: chromium-driver)"
    assert chromium, "the report's tests need chromium"
    process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout
        ports = (found[1] for line in process.stdout if (found := STARTED.search(line)))
        root = f"http://127.0.0.1:{next(ports)}/session"
        options = {"binary": chromium, "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        opened = call("POST", root, {"capabilities": {"alwaysMatch": wanted}})
        session = Browser(f"{root}/{opened['sessionId']}")
        try:
            yield session
        finally:
            session.close()
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)
