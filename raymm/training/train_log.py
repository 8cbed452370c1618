"""RUN/train.log: the lines that people see of a run, also of one that was killed or goes on elsewhere.

Text of at most 80 columns. Each start adds a heading, and each committed epoch a line, once: an epoch that was
committed by a process that died before its line was written is added by the next one.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.storage import layout
from raymm.storage.text_log import add_lines, stamp
from raymm.tracking.epoch_text import WIDTH, epoch_line

if TYPE_CHECKING:
    from raymm.training.heading import Heading

__all__ = ["TrainLog", "warnings_in"]

log = logging.getLogger(__name__)

EPOCH = re.compile(r"^epoch +(\d+)/", re.MULTILINE)
"""How the line of an epoch begins."""


class TrainLog:
    """Adds lines to the log of the run in a folder; a log that cannot be written ends no training."""

    def __init__(self, run: Path) -> None:
        self._file = run / layout.TRAIN_LOG
        self._epochs: set[int] = set()
        self._failed = False

    def begin(self, heading: Heading, done: int) -> None:
        """A process begins to train, after so many committed epochs."""
        before = self._read()
        self._epochs = {int(number) for number in EPOCH.findall(before)}
        torn = ["" for _ in "1" if before and not before.endswith("\n")]  # the last write was cut
        where = f"goes on after epoch {done}" if done else "begins"
        start = [f"{stamp()}  {where}, process {os.getpid()} on {platform.node()}", "", *heading.lines(), ""]
        legend = heading.legend()
        self._add([*torn, *start, *([] if legend[0] in before else [*legend, ""])])

    def add_epochs(self, history: Sequence[Mapping[str, Any]], epochs: int, selection: str) -> None:
        """Add the committed epochs that have no line."""
        new = [entry for entry in history if entry["epoch"] + 1 not in self._epochs]
        self._epochs |= {entry["epoch"] + 1 for entry in new}
        if new:
            self._add([epoch_line(entry["epoch"] + 1, epochs, entry["metrics"], selection) for entry in new])

    def say(self, words: str) -> None:
        """Add what has happened, such as why the process does not train any more, with the time."""
        self._add(textwrap.wrap(f"{stamp()}  {words}", WIDTH, subsequent_indent=" " * 21, break_on_hyphens=False))

    def _read(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _add(self, lines: Sequence[str]) -> None:
        try:
            add_lines(self._file, lines)
        except OSError as cause:
            if not self._failed:
                log.warning("%s: cannot be written (%s), so epochs are not logged there", self._file, cause)
            self._failed = True


@contextmanager
def warnings_in(run: Path) -> Iterator[None]:
    """Add what raymm warns of within the block, such as a failure signature, to the log of a run."""
    handler, log_of_run = logging.Handler(logging.WARNING), TrainLog(run)

    def emit(record: logging.LogRecord) -> None:
        if record.name != __name__:  # that the log cannot be written
            log_of_run.say(record.getMessage())

    handler.emit = emit  # type: ignore[method-assign]
    root = logging.getLogger("raymm")
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
