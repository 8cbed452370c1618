"""The outbox of a run: events are written to disk before they are sent, so an unreachable server loses none.

The file holds one JSON object a line, appended and flushed; the line number is the sequence number. An incomplete
last line, left by a crash or a full disk, is overwritten by the next event. Only the owner may read the file.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from raymm.errors import TrackingError
from raymm.storage import layout
from raymm.storage.records import parse_json

__all__ = ["Event", "Outbox"]

Event = dict[str, Any]


class Outbox:
    """The events of one run, in order; only one process may write.

    Raises
    ------
    TrackingError
        When a complete line of the file is not JSON.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / layout.EVENTS
        self.path.touch(mode=0o600)
        content = self.path.read_bytes()
        self._end = content.rfind(b"\n") + 1
        self.events: list[Event] = [
            self._parse(line, number) for number, line in enumerate(content[: self._end].splitlines(), start=1)
        ]
        self._newest = {event["once"]: event.get("digest") for event in self.events if "once" in event}

    @property
    def identity(self) -> str:
        """Identifier of this outbox; sequence numbers of another outbox of the same run mean other events."""
        return hashlib.sha256(json.dumps(self.events[:1]).encode()).hexdigest()[:12]

    def add(self, event: Event, once: str | None = None) -> None:
        """Append an event; with the identity `once`, only if its newest event is absent or has another digest."""
        digest = event.get("digest")
        if once is not None:
            if once in self._newest and self._newest[once] == digest:
                return
            event = {**event, "once": once}
        line = json.dumps(event, allow_nan=False).encode() + b"\n"
        with self.path.open("rb+") as file:
            file.truncate(self._end)
            file.seek(self._end)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._end += len(line)
        self.events.append(event)
        if once is not None:
            self._newest[once] = digest

    def newest(self, kind: str) -> Event:
        """The values of all events of a kind, merged; newer values replace older ones."""
        merged: Event = {}
        for event in self.events:
            if event["kind"] == kind:
                merged |= event[kind]
        return merged

    def _parse(self, line: bytes, number: int) -> Event:
        remedy = "delete the file to record the run from here on"
        return parse_json(line, f"{self.path}: line {number} is damaged", TrackingError, remedy)
