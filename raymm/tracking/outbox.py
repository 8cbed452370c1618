"""What a run wants to record, on disk before it is sent: nothing is lost while a server is away.

One JSON object a line, appended and flushed; its line number is its sequence number. A last line that was
torn by a crash is cut off when the file is opened.
"""

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["Outbox"]

Event = dict[str, Any]


class Outbox:
    """The events of one run, in order; one process writes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "events.jsonl"
        self.events: list[Event] = []
        if self._path.exists():
            self._read()

    def add(self, event: Event, once: str | None = None) -> None:
        """Append an event; with `once`, only when no event has that identity yet."""
        if once is not None:
            if any(known.get("once") == once for known in self.events):
                return
            event = {**event, "once": once}
        with self._path.open("a") as file:
            file.write(json.dumps(event) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.events.append(event)

    def _read(self) -> None:
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))
        self.events = [json.loads(line) for line in whole.splitlines()]
