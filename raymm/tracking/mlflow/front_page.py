"""MLflow's server with training in front: the application of `mlflow server --app-name raymm`; `raymm ui` starts it.

MLflow 3.17 has two sets of pages, for training and for language models. Which one a reader gets is decided by the
address (`workflowType=...`), else by what the browser has stored, else it is language models; no tag of an experiment
and no setting of the server has a say. All its pages are one HTML page, so this application puts a script before
MLflow's own there: where the browser has stored nothing yet, training is stored. What a reader chooses in the menu
stays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

__all__ = ["APP", "OPENS_ON", "FrontPage", "app", "is_installed"]

APP = "raymm"
"""The name of the application among the entry points `mlflow.app`."""

OPENS_ON = "RAYMM_UI_OPENS_ON"
"""The variable that holds the address, from its '#' on, that the bare address of the server leads to."""

STORED = {
    "mlflow.workflowType_v1": json.dumps("machine_learning"),
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": json.dumps(obj=True),
}
"""What MLflow's pages read from the browser: the set of pages, and that its assistant has opened by itself before."""

PREFIX = "_MLFLOW_STATIC_PREFIX"
"""The variable in which `mlflow server --static-prefix` hands on where the page lies."""

CONDITIONS = {b"if-none-match", b"if-modified-since"}
OF_THE_FILE = {b"content-length", b"etag", b"last-modified"}

SCRIPT = """<script>
try {
  for (const [name, value] of Object.entries(STORED))
    if (localStorage.getItem(name) === null) localStorage.setItem(name, value);
} catch { /* a browser that stores nothing shows what it shows */ }
if (OPENS_ON && !location.hash) history.replaceState(null, "", OPENS_ON);
</script>"""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]


class FrontPage:
    """An ASGI application that answers as another one does, but for the page of the UI.

    Parameters
    ----------
    load
        Makes the other application; called when the server starts, not when this module is imported.
    """

    def __init__(self, load: Callable[[], Asgi]) -> None:
        self._load = load
        self._app: Asgi | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._app is None:
            self._app = self._load()
        place = os.environ.get(PREFIX, "").rstrip("/")
        asked = scope["type"] == "http" and scope["method"] == "GET"
        if not asked or scope["path"] not in {place, f"{place}/"}:
            await self._app(scope, receive, send)
            return
        headers = [header for header in scope["headers"] if header[0].lower() not in CONDITIONS]
        answer = _Answer()
        await self._app({**scope, "headers": headers}, receive, answer.add)
        await answer.send(send)


class _Answer:
    """The answer to a request for the page, which is changed once it is whole."""

    def __init__(self) -> None:
        self._start: Message = {}
        self._body = bytearray()

    async def add(self, message: Message) -> None:
        """Take what the other application sends."""
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    async def send(self, send: Send) -> None:
        """Send it on with the script; another answer than the page goes as it is."""
        page, status = bytes(self._body), self._start["status"]
        kept = list(self._start.get("headers", []))
        if status == 200 and b"<head>" in page:
            page = page.replace(b"<head>", b"<head>" + _script(os.environ.get(OPENS_ON, "")), 1)
            kept = [header for header in kept if header[0].lower() not in OF_THE_FILE]
            kept.append((b"content-length", str(len(page)).encode()))
        await send({**self._start, "headers": kept})
        await send({"type": "http.response.body", "body": page})


def is_installed() -> bool:
    """Whether MLflow finds the application; not where raymm was installed before it had one, or is only on a path."""
    return APP in entry_points(group="mlflow.app").names


def _script(opens_on: str) -> bytes:
    opens = json.dumps(opens_on).replace("<", r"\u003c")
    return SCRIPT.replace("STORED", json.dumps(STORED)).replace("OPENS_ON", opens).encode()


def _mlflow() -> Asgi:
    served: Asgi = import_module("mlflow.server.fastapi_app").app
    return served


app = FrontPage(_mlflow)
"""What `mlflow server --app-name raymm` runs."""
