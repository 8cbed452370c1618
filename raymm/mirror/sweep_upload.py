"""Copy parts of a sweep's folder to the same paths of its mirror."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.mirror.runs import send, send_plugins, taken
from raymm.storage import layout
from raymm.storage.layout import CURRENT, ENDED, SUMMARY, SWEEP, TRIAL, TRIALS, WARMUPS, committed_epochs
from raymm.storage.remote import delete, join_uri, remote_path
from raymm.sweep.saved import SavedCurrent
from raymm.sweep.store import read_trials
from raymm.training.result import finished
from raymm.training.run import key_in, open_run

if TYPE_CHECKING:
    from raymm.storage.remote import RemotePath
    from raymm.sweep.store import Sweep

__all__ = ["BEST", "SweepUploader", "folder_in", "read_if_there"]

BEST = f"{SUMMARY}/{layout.BEST}"


@dataclass
class SweepUploader:
    """Copies parts of a sweep's folder to the same paths of its mirror, and remembers what it has copied.

    Parameters
    ----------
    sweep
        The sweep.
    uri
        Where its mirror lies.
    """

    sweep: Sweep
    uri: str
    there: RemotePath = field(init=False)
    _files: dict[str, bytes | None] = field(default_factory=dict)
    _runs: dict[Path, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.there = remote_path(self.uri)

    def claimed(self) -> bool:
        """Whether the mirror holds this sweep; raises `CheckpointError` when it holds another one, or a run."""
        about = (self.there / SWEEP).read()
        if about is not None and key_in(about, self.there / SWEEP) != self.sweep.key:
            raise taken(self.there, "sweep")
        if about is None and (self.there / layout.RUN).read() is not None:
            raise taken(self.there, "run")
        return about is not None

    def begin(self) -> None:
        """Send every trial.json, then sweep.json; remains of a sweep without sweep.json are deleted first."""
        if not self.claimed():
            self._files.clear()
            self._runs.clear()
            for name in (TRIALS, WARMUPS):
                delete(self.there / name)
        for trial in read_trials(self.sweep):
            self.put(f"{TRIALS}/{trial.name}/{TRIAL}")
        send_plugins(self.sweep.path, self.there)
        self.put(SWEEP)

    def put(self, name: str) -> None:
        """Copy a small file; delete it at the mirror when it does not exist here."""
        self._write(name, read_if_there(self.sweep.path / name))

    def _write(self, name: str, content: bytes | None) -> None:
        if self._files.get(name, b"?") == content:
            return
        if content is None:
            (self.there / name).remove()
        else:
            (self.there / name).write(content)
        self._files[name] = content

    def send_warmups(self) -> None:
        """Send the warm-ups that trials share."""
        for file in sorted(self.sweep.path.glob(f"{WARMUPS}/*/{layout.RUN}")):
            self._send_run(file.parent)

    def send_trial(self, name: str) -> None:
        """Send a trial as it is now; its outcome and its pointer to current runs are read first and sent last."""
        folder = self.sweep.path / TRIALS / name
        ended, pointer = read_if_there(folder / ENDED), read_if_there(folder / CURRENT)
        self.put(f"{TRIALS}/{name}/{TRIAL}")
        runs = sorted(file.parent for file in (folder / folder_in(pointer)).glob(f"*/{layout.RUN}"))
        for run in runs:
            self._send_run(run)
        if pointer is not None and (ended is not None or all(_has_begun(run) for run in runs)):
            self._write(f"{TRIALS}/{name}/{CURRENT}", pointer)
        self._write(f"{TRIALS}/{name}/{ENDED}", ended)

    def _send_run(self, run: Path) -> None:
        held = (committed_epochs(run), finished(run))
        if self._runs.get(run) != held:
            send(run, join_uri(self.uri, run.parent.relative_to(self.sweep.path).as_posix()))
            self._runs[run] = held


def _has_begun(run: Path) -> bool:
    """Whether a run has committed the epoch that it starts from, and no longer needs the run that it started from."""
    start = open_run(run).start
    return max(committed_epochs(run), default=0) >= (start.epoch if start else 0)


def folder_in(pointer: bytes | None) -> str:
    """Folder of a trial's runs, by the content of its current.json."""
    return layout.RUNS if pointer is None else SavedCurrent.parse(pointer, layout.CURRENT).folder


def read_if_there(path: Path) -> bytes | None:
    """The content of a file, or None."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
