"""A headless Chromium for tests: pages are opened, read, clicked and photographed.

It is driven over Chromium's DevTools protocol through aiohttp, which `ray[default]` brings, so that no driver has to
be installed beside it.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

__all__ = ["Browser", "open_browser"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",  # it is not available to root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--autoplay-policy=no-user-gesture-required",  # so that a test can play sound
    "--remote-debugging-port=0",
]
PATIENCE = 60.0  # seconds until a page must show what a test waits for
KEYS = {"Tab": 9, "Enter": 13, "Space": 32, "ArrowUp": 38, "ArrowDown": 40, "Home": 36, "End": 35}
"""Keys that have a name, and their numbers."""
FIND = """
    const shown = node => node.getClientRects().length > 0;
    const said = node => [node.innerText, node.getAttribute("aria-label"), node.getAttribute("title")];
    const found = [...document.querySelectorAll(SELECTOR)].filter(
        node => shown(node) && (TEXT === null || said(node).some(text => (text || "").trim() === TEXT)));
"""


class Browser:
    """One page of a browser; every call waits until the page has answered.

    Parameters
    ----------
    runner, socket
        Event loop, and the page's DevTools connection, opened in it.
    folder
        Where a picture of the page is left when it does not show what is waited for.
    """

    def __init__(self, runner: asyncio.Runner, socket: aiohttp.ClientWebSocketResponse, folder: Path) -> None:
        self._runner = runner
        self._socket = socket
        self._folder = folder
        self._number = 0
        self.complaints: list[str] = []
        for domain in ("Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go to an address, also where it differs from the present one only behind the '#'.

        What the page writes to the console as an error from then on, exceptions and files that are not found among
        it, is gathered in `complaints`.
        """
        self._call("Page.navigate", url="about:blank")
        self.complaints.clear()
        self._call("Page.navigate", url=url)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def js(self, expression: str) -> Any:
        """The JSON value of an expression, promises awaited; AssertionError when it throws."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = PATIENCE) -> Any:
        """The value of an expression as soon as it is truthy; else AssertionError with what the page says."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = self.js(expression)
            if value:
                return value
            time.sleep(0.1)
        self.screenshot(self._folder / "browser-failed.png")
        raise AssertionError(f"not within {seconds:.0f} s: {expression}\n{self.js('location.href')}\n{self.text()}")

    def text(self) -> str:
        """What the page says, as a reader would see it."""
        return str(self.js("document.body ? document.body.innerText : ''"))

    def see(self, *words: str) -> None:
        """Wait until the page says all these words, in capitals or not."""
        self.wait(f"{json.dumps(words)}.every(word => {_SAID}.toLowerCase().includes(word.toLowerCase()))")

    def count(self, selector: str, text: str | None = None) -> int:
        """How many visible elements match a selector, and have this text, label or title."""
        return int(self.js(f"(() => {{ {_find(selector, text)} return found.length; }})()"))

    def cells(self, row: str, cell: str) -> list[list[str]]:
        """What a table says: the texts of each row's cells, by their selectors."""
        cells = f"[...row.querySelectorAll({json.dumps(cell)})].map(cell => cell.innerText.trim())"
        return list(self.js(f"[...document.querySelectorAll({json.dumps(row)})].map(row => {cells})"))

    def lines(self, selector: str) -> list[list[str]]:
        """The same of a table whose cells are only placed like one: texts of elements at the same height."""
        places = "[node.getBoundingClientRect().y, node.getBoundingClientRect().x, node.innerText.trim()]"
        found = self.js(f"[...document.querySelectorAll({json.dumps(selector)})].map(node => {places})")
        rows: dict[int, list[tuple[float, str]]] = {}
        for y, x, text in found:
            rows.setdefault(round(y), []).append((x, text))
        return [[text for _, text in sorted(cells)] for _, cells in sorted(rows.items())]

    def click(self, selector: str, text: str | None = None) -> None:
        """Click the first visible element that matches a selector, and has this text, label or title."""
        place = self.wait(
            f"(() => {{ {_find(selector, text)} if (!found.length) return null;"
            " found[0].scrollIntoView({block: 'center'}); const box = found[0].getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            held = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self._call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], **held)

    def press(self, key: str) -> None:
        """Press and release a key that has a name."""
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        code = {"code": key, "key": " " if key == "Space" else key, "windowsVirtualKeyCode": KEYS[key]}
        self._call(
            "Input.dispatchKeyEvent",
            type="keyDown" if text else "rawKeyDown",
            **code,
            **({"text": text} if text else {}),
        )
        self._call("Input.dispatchKeyEvent", type="keyUp", **code)

    def resize(self, width: int, height: int) -> None:
        """Make the page's window this large, in pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def prefer(self, scheme: str) -> None:
        """What the reader's screen is said to be: "light" or "dark"."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def as_printed(self, on: bool = True) -> None:
        """Lay the page out as on paper, or on the screen again."""
        self._call("Emulation.setEmulatedMedia", media="print" if on else "")

    def screenshot(self, path: Path) -> Path:
        """Write a PNG of the window."""
        path.write_bytes(self.pixels())
        return path

    def pixels(self) -> bytes:
        """A PNG of the window."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._runner.run(self._ask(method, params))

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a command and read on to its answer; of the events in between only complaints are kept."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json(timeout=PATIENCE)
            self.complaints += _complaints(message)
            if message.get("id") == self._number:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])


def _complaints(event: dict[str, Any]) -> list[str]:
    """What an event says went wrong in the page; nothing where it is of another kind."""
    params = event.get("params", {})
    if event.get("method") == "Runtime.exceptionThrown":
        details = params["exceptionDetails"]
        return [str(details.get("exception", {}).get("description", details["text"]))]
    if event.get("method") == "Runtime.consoleAPICalled" and params["type"] in {"error", "assert"}:
        return [" ".join(str(value.get("value", value.get("description"))) for value in params["args"])]
    if event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
        return [f"{params['entry']['text']} {params['entry'].get('url', '')}".strip()]
    return []


_SAID = "(document.body ? document.body.innerText : '')"


def _find(selector: str, text: str | None) -> str:
    return FIND.replace("SELECTOR", json.dumps(selector)).replace("TEXT", json.dumps(text))


@contextlib.contextmanager
def open_browser(folder: Path, width: int = 1600, height: int = 1000) -> Iterator[Browser]:
    """A browser with an empty profile below `folder`; the test is skipped where there is none.

    Parameters
    ----------
    folder
        An empty folder of the test.
    width, height
        Of the window, in pixels.
    """
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip("no Chromium on this machine (Debian's package is called chromium)")
    profile = folder / "chromium"
    profile.mkdir()
    with (folder / "chromium.log").open("w") as out:
        process = subprocess.Popen(
            [binary, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            env={**os.environ, "HOME": str(profile)},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        port = _port(process, profile / "DevToolsActivePort", folder / "chromium.log")
        with asyncio.Runner() as runner:
            session = runner.run(_session())
            try:
                socket = runner.run(_connect(session, port))
                browser = Browser(runner, socket, folder)
                browser.resize(width, height)
                yield browser
            finally:
                runner.run(session.close())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _port(process: subprocess.Popen[bytes], file: Path, log: Path) -> int:
    """The port that Chromium has chosen, once it says so."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if file.is_file() and file.read_text().count("\n"):
            return int(file.read_text().split("\n")[0])
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not start: {log.read_text()[-2000:]}")


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


async def _connect(session: aiohttp.ClientSession, port: int) -> aiohttp.ClientWebSocketResponse:
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        pages = [target for target in await answer.json() if target["type"] == "page"]
    return await session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
