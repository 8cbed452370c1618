"""How far a run is at this moment: RUN/progress.json, which its first rank writes and whoever watches it reads.

The file is for people and their bars alone. Nothing that is trained reads it; it is not flushed to the disk, is not
part of a mirror, and is removed when the run has come to its end. A run that was killed leaves it behind.
"""

from __future__ import annotations

import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from raymm.storage import layout

__all__ = ["EVERY", "LiveFile", "RunProgress", "read_progress"]

EVERY = 1.0
"""Seconds between two writes while an epoch is trained."""


@dataclass(frozen=True)
class RunProgress:
    """What a run does at this moment.

    Attributes
    ----------
    epoch, epochs
        The epoch in training, from 1, and how many there will be.
    phase
        "starting", "training", "valuing" or "testing".
    rows, of
        Rows of the epoch that are trained, over all workers, and how many there are; 0 of 0 before it is known.
    rows_per_second
        Since the epoch began; 0 before the first step.
    valued, to_value, valued_per_second
        The same of the valuation that follows, of validation, of the training split where that is due, or of test.
    score, best
        The validation metric `selection` of the newest committed epoch, and the best so far; None before there is
        one.
    selection
        The validation metric that picks the model.
    at
        When this was written, in seconds of the clock of that machine.
    host, pid
        Who wrote it.
    """

    epoch: int
    epochs: int
    phase: str
    rows: int = 0
    of: int = 0
    rows_per_second: float = 0.0
    valued: int = 0
    to_value: int = 0
    valued_per_second: float = 0.0
    score: float | None = None
    best: float | None = None
    selection: str = ""
    at: float = 0.0
    host: str = ""
    pid: int = 0

    @property
    def share(self) -> float:
        """Share of the rows of this epoch that are trained, from 0 to 1."""
        if self.phase in {"valuing", "testing"}:
            return 1.0
        return self.rows / self.of if self.of else 0.0

    @property
    def values(self) -> bool:
        """Whether rows are valued, and it is known how many."""
        return self.phase in {"valuing", "testing"} and self.to_value > 0

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all rows of the epoch are trained, or of the valuation valued; None where nothing says it."""
        if self.values and self.valued_per_second:
            return max(self.to_value - self.valued, 0) / self.valued_per_second
        if self.phase != "training" or not self.rows_per_second:
            return None
        return max(self.of - self.rows, 0) / self.rows_per_second


SAID = TypeAdapter(RunProgress)


def read_progress(run: Path) -> RunProgress | None:
    """How far the run of a folder is; None where nothing is said, or the file is of another form."""
    try:
        return SAID.validate_json((run / layout.PROGRESS).read_bytes(), strict=True)
    except (OSError, ValueError):
        return None


class LiveFile:
    """Writes RUN/progress.json at most every `EVERY` seconds, and at once when the phase changes.

    A file that cannot be written is left out: training does not depend on it.
    """

    def __init__(self, run: Path) -> None:
        self._file = run / layout.PROGRESS
        self._rows = self._of = 0
        self._valued = self._to_value = 0
        self._began = self._began_to_value = self._next = 0.0
        self._known = {"epoch": 1, "epochs": 1, "phase": "starting"}
        self._who = {"host": platform.node(), "pid": os.getpid()}

    def phase(self, phase: str, **known: object) -> None:
        """Something else begins: write it, with what is known from now on."""
        self._valued = self._to_value = 0
        if phase == "starting":
            self._rows = self._of = 0
        self._known = {**self._known, "phase": phase, **known}
        self._write(time.monotonic())

    def begin_epoch(self, epoch: int, of: int) -> None:
        """An epoch of so many rows begins, `epoch` from 1."""
        self._rows, self._of, self._began = 0, of, time.monotonic()
        self.phase("training", epoch=epoch)

    def add(self, rows: int) -> None:
        """So many rows more are trained; called after every step."""
        self._rows += rows
        now = time.monotonic()
        if now >= self._next:
            self._write(now)

    def begin_valuation(self, rows: int) -> None:
        """A valuation of so many rows begins."""
        self._valued, self._to_value, self._began_to_value = 0, rows, time.monotonic()
        self._write(self._began_to_value)

    def add_valued(self, rows: int) -> None:
        """So many rows more are valued; called after every batch."""
        self._valued += rows
        now = time.monotonic()
        if now >= self._next:
            self._write(now)

    def remove(self) -> None:
        """The run has come to its end."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _write(self, now: float) -> None:
        self._next = now + EVERY
        counted = {"rows": self._rows, "of": self._of, "rows_per_second": _pace(self._rows, now - self._began)}
        counted |= {"valued": self._valued, "to_value": self._to_value}
        counted["valued_per_second"] = _pace(self._valued, now - self._began_to_value)
        values = {**self._known, **counted, **self._who, "at": time.time()}
        beside = self._file.with_name(f".{self._file.name}.new")
        with suppress(OSError):
            beside.write_text(json.dumps(asdict(RunProgress(**values))))  # type: ignore[arg-type]
            beside.replace(self._file)


def _pace(rows: int, seconds: float) -> float:
    return round(rows / seconds, 1) if rows and seconds > 0 else 0.0
