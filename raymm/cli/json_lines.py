"""Progress as objects of JSON on stdout, a line each, for programs; docs/progress.md has their fields.

Whatever else prints on stdout while the call lasts, such as a part of one's own, goes to stderr instead.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click

from raymm.api.progress import Progress
from raymm.tracking.metrics import split_metric

if TYPE_CHECKING:
    from raymm.api.progress import Epoch, JobEvent, Running
    from raymm.training.heading import Heading

__all__ = ["EVERY", "JsonLines", "json_line"]

T = TypeVar("T")

EVERY = 5.0
"""Seconds between two objects on the same run, or on the items of a work."""


class JsonLines(Progress):
    """Writes what it hears as objects; `event` says which. From its making until `close` stdout is for them alone."""

    live = True

    def __init__(self) -> None:
        self._stack, self._lock = ExitStack(), threading.Lock()
        self._out = sys.stdout
        self._next: dict[str, float] = {}
        self._stack.enter_context(redirect_stdout(sys.stderr))

    def on_start(self, heading: Heading) -> None:
        """`start`: what a run trains, and how."""
        self._write("start", **heading.to_dict())

    def on_running(self, running: Sequence[Running]) -> None:
        """`progress`: how far the epoch of a run is."""
        for run in running:
            if self._is_due(run.name):
                state = asdict(run.state)
                self._write("progress", run=run.name, **state, seconds_left=run.state.seconds_left)

    def on_epoch(self, epoch: Epoch) -> None:
        """`epoch`: an epoch that is committed, with all of its metrics."""
        score = epoch.metrics.get(split_metric("val", epoch.selection))
        about = {"run": epoch.run, "epoch": epoch.number, "epochs": epoch.epochs, "seconds": epoch.seconds}
        self._write("epoch", **about, selection=epoch.selection, score=score, metrics=dict(epoch.metrics))

    def on_job(self, job: JobEvent) -> None:
        """`job`: a trial, or a run of a study, that begins or has ended."""
        self._write("job", **asdict(job))

    def on_line(self, line: str) -> None:
        """`line`: a step, in words."""
        self._write("line", text=line)

    def on_note(self, words: str) -> None:
        """`note`: what is good to know; on stderr too, where people look."""
        self._write("note", text=words)
        click.echo(f"note: {words}", err=True)

    def follow(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """`items`: how many of them are done."""
        began, what = time.monotonic(), what.strip()
        for done, item in enumerate(items, start=1):
            yield item
            if self._is_due(what) or done == total:
                seconds = time.monotonic() - began
                left = seconds / done * max(total - done, 0)
                self._write("items", what=what, done=done, of=total, seconds=seconds, seconds_left=left)

    def close(self) -> None:
        """Give stdout back."""
        self._stack.close()

    def _is_due(self, name: str) -> bool:
        now = time.monotonic()
        if now < self._next.get(name, 0.0):
            return False
        self._next[name] = now + EVERY
        return True

    def _write(self, event: str, **values: Any) -> None:
        line = json_line({"event": event, **values})
        with self._lock:
            self._out.write(f"{line}\n")
            self._out.flush()


def json_line(values: Mapping[str, Any]) -> str:
    """An object in one line; NaN and infinities, which JSON has not, become null.

    >>> json_line({"event": "epoch", "score": float("nan")})
    '{"event": "epoch", "score": null}'
    """
    return json.dumps(_finite(values), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
