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
from raymm.storage.atomic import naming
from raymm.storage.records import parse_json

__all__ = ["Event", "Outbox"]

Event = dict[str, Any]

LENGTH = 12
"""Characters of a digest."""


class Outbox:
    """The events of one run, in order; only one process may write.

    Attributes
    ----------
    events
        All of them.
    latest
        Their latest time, in milliseconds; 0 where there is none.

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
        self.latest = 0
        self._digests: list[str] = []
        for event in self.events:
            self._identify(event)
        self._newest = {event["once"]: event.get("digest") for event in self.events if "once" in event}

    def mark(self, count: int) -> str:
        """What says, in the store, that the first `count` events have arrived, and which those were."""
        return f"{self._digests[count - 1]}:{count}"

    def count_of(self, mark: str) -> int | None:
        """How many events have arrived by a mark of the store; None for a mark of other events than these.

        Marks of version 0.1.0 identify the first event alone.
        """
        digest, _, number = mark.partition(":")
        count = int(number) if number.isdecimal() else 0
        if not 1 <= count <= len(self.events):
            return None
        first = hashlib.sha256(json.dumps(self.events[:1]).encode()).hexdigest()[:LENGTH]
        return count if digest in {self._digests[count - 1], first} else None

    def add(self, event: Event, once: str | None = None) -> None:
        """Append an event; with the identity `once`, only if its newest event is absent or has another digest."""
        digest = event.get("digest")
        if once is not None:
            if once in self._newest and self._newest[once] == digest:
                return
            event = {**event, "once": once}
        line = json.dumps(event, allow_nan=False).encode() + b"\n"
        with naming(self.path), self.path.open("rb+") as file:
            file.truncate(self._end)
            file.seek(self._end)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._end += len(line)
        self.events.append(event)
        self._identify(event)
        if once is not None:
            self._newest[once] = digest

    def newest(self, kind: str) -> Event:
        """The values of all events of a kind, merged; newer values replace older ones."""
        merged: Event = {}
        for event in self.events:
            if event["kind"] == kind:
                merged |= event[kind]
        return merged

    def _identify(self, event: Event) -> None:
        """Add the digest of the events up to this one, and note their latest time."""
        self.latest = max(self.latest, event.get("time", 0))
        before = self._digests[-1] if self._digests else ""
        self._digests.append(hashlib.sha256((before + json.dumps(event)).encode()).hexdigest()[:LENGTH])

    def _parse(self, line: bytes, number: int) -> Event:
        remedy = "delete the file to record the run from here on"
        where = f"{self.path}: line {number} is damaged"
        event = parse_json(line, where, TrackingError, remedy)
        if not isinstance(event.get("kind"), str) or not isinstance(event.get("time", 0), int):
            raise TrackingError(f"{where}: it is no record; {remedy}")
        return event
