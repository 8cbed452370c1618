"""The status of one folder: what its files say, without opening what they name or taking a lock."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from raymm.api.status_entry import Kind, Status
from raymm.errors import CheckpointError, RaymmError
from raymm.storage import layout
from raymm.storage.directory import is_committed, read_manifest
from raymm.storage.layout import committed_epochs, epoch_folder, lock_of_folder, result_folder
from raymm.storage.lock_state import LockState, lock_state
from raymm.storage.os_errors import explain_os_error
from raymm.storage.owner import refuse_other
from raymm.storage.records import JsonRecord
from raymm.study.failures import SavedFailures
from raymm.study.settings import key_of, parse_study, read_study_file
from raymm.sweep.saved import SavedOutcome
from raymm.tracking.metrics import higher_is_better, split_metric
from raymm.tracking.of_an_epoch import epoch_seconds
from raymm.training.live import RunProgress, read_progress
from raymm.training.saved_state import SavedResult, SavedState
from raymm.training.selection import best_score

__all__ = ["parts_of", "status_of"]

FRESH = 60.0
"""Seconds after which what a run said of itself counts as old, where no lock says more."""

END = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (begins|goes|finished|failed|ended|interrupted)\b")
"""How a line of train.log begins that says how a process began to train, or ended."""


class _Training(BaseModel):
    model_config = ConfigDict(strict=True)

    epochs: int = Field(ge=1)
    selection: str


class _Config(BaseModel):
    training: _Training


class _Settings(JsonRecord):
    """What the status of a run or sweep takes of its run.json or sweep.json."""

    config: _Config


class _RunSettings(_Settings):
    key: str


class _Plan(BaseModel):
    model_config = ConfigDict(strict=True)

    trials: int = 0
    search: str = ""


class _SweepSettings(_Settings):
    plan: _Plan


def status_of(folder: Path) -> Status | None:
    """The status of a run, sweep or study; None for any other folder."""
    for file, (kind, read) in READ.items():
        try:
            if (folder / file).exists():
                return read(folder)
        except UNREADABLE as cause:
            return Status(kind, folder, "unreadable", cause=_in_words(cause))
    return None


def parts_of(whole: Status) -> list[Status]:
    """The runs of a study or sweep, warm-ups, pilots and trials of tuning left out.

    A run of a trial has no lock of its own: one that said how far it is since the sweep began is being trained; the
    others wait for their turn, or for workers that start.
    """
    parts = layout.TRIALS if whole.kind == "sweep" else layout.RUNS
    files = whole.path.glob(f"{parts}/*/*/*/{layout.RUN}")
    found = [one for file in files if (one := status_of(file.parent)) is not None]
    owner = whole.lock.owner if whole.lock is not None and whole.state == "running" else None
    since = owner.began if owner is not None else None
    return [one if since is None else _of_running(one, since) for one in found]


def _of_running(run: Status, since: float) -> Status:
    """A run of a sweep or study that has been at work since a time, in seconds since 1970."""
    if run.state != "stopped" or (run.path.parents[1] / layout.ENDED).exists():
        return run
    progress = read_progress(run.path)
    if progress is not None and progress.at >= since:
        return replace(run, state="running", progress=progress)
    return replace(run, state="waiting")


def _run(folder: Path) -> Status:
    saved = _RunSettings.read(folder / layout.RUN)
    epochs, selection = saved.config.training.epochs, saved.config.training.selection
    lock, progress = lock_state(lock_of_folder(folder)), read_progress(folder)
    if done := is_committed(result_folder(folder)):
        manifest = read_manifest(result_folder(folder), CheckpointError)
        refuse_other(folder, result_folder(folder), manifest, saved.key)
    history, seen = _history(folder)
    ended, cause = _end(folder)
    state = "finished" if done else _state(lock, progress, "failed" if ended in {"failed", "ended"} else "stopped")
    return Status(
        "run",
        folder,
        state,
        len(history),
        epochs,
        best_score(history, selection),
        selection,
        sum(epoch_seconds(entry["metrics"]) for entry in history),
        _newest(seen, lock.seen if lock else None, progress.at if progress else None),
        lock,
        progress if state == "running" else None,
        cause if state == "failed" else "",
    )


def _sweep(folder: Path) -> Status:
    saved = _SweepSettings.read(folder / layout.SWEEP)
    trials = list(folder.glob(f"{layout.TRIALS}/*/{layout.TRIAL}"))
    ended = [SavedOutcome.read(file) for file in folder.glob(f"{layout.TRIALS}/*/{layout.ENDED}")]
    of = max(len(trials), saved.plan.trials) if saved.plan.search == "optuna" else len(trials)
    failed = sum(outcome.status == "failed" for outcome in ended)
    selection = saved.config.training.selection
    runs = [_best_of(file.parent, selection) for file in folder.glob(f"{layout.TRIALS}/*/*/*/{layout.EPOCHS}")]
    scores = [score for score in runs if score is not None]
    better = max if higher_is_better(split_metric("val", selection)) else min
    return _of_parts("sweep", folder, len(ended), of, failed, better(scores, default=None), selection)


def _study(folder: Path) -> Status | None:
    file = folder / layout.STUDY
    saved = read_study_file(file)
    if "key" not in saved:  # settings from which somebody makes studies
        return None
    key_of(folder, saved)
    asked = parse_study(saved, str(file))
    of = len(asked.data) * len(asked.arms) * len(asked.seeds)
    done = sum(1 for _ in folder.glob(f"{layout.RUNS}/*/*/*/{layout.RESULT}/{layout.MANIFEST}"))
    file = folder / layout.FAILED
    failed = len(SavedFailures.read(file).failed) if file.exists() else 0
    return _of_parts("study", folder, done, of, failed)


def _of_parts(
    kind: Kind,
    folder: Path,
    done: int,
    of: int,
    failed: int,
    score: float | None = None,
    selection: str = "",
) -> Status:
    lock = lock_state(lock_of_folder(folder))
    log = folder / (layout.SWEEP_LOG if kind == "sweep" else layout.STUDY_LOG)
    seen = _newest(_changed(log), lock.seen if lock else None)
    state = _state(lock, None, "finished" if done >= of else "stopped")
    cause = f"{failed} failed" if failed else ""
    return Status(kind, folder, state, done, of, score, selection, None, seen, lock, cause=cause)


def _state(lock: LockState | None, progress: RunProgress | None, otherwise: str) -> str:
    """Whether somebody works on a folder: by its lock, or of a part by what it last said."""
    if lock is not None and lock.state != "left":
        return "running" if lock.state == "held" else "silent"
    alone = lock is None and progress is not None and time.time() - progress.at <= FRESH
    return "running" if alone else otherwise


def _history(folder: Path) -> tuple[list[Any], float | None]:
    """The history as it was written last, and when; it is not compared with a checksum."""
    kind: type[SavedResult | SavedState] = SavedResult
    file = result_folder(folder) / layout.RESULT_JSON
    epochs = committed_epochs(folder)
    if not is_committed(result_folder(folder)):
        if not epochs:
            return [], _changed(folder / layout.RUN)
        kind, file = SavedState, epoch_folder(folder, epochs[-1]) / layout.STATE
    return list(kind.read(file).entries), _changed(file)


def _best_of(run: Path, selection: str) -> float | None:
    """The best validation score of a run of a trial."""
    try:
        return best_score(_history(run)[0], selection)
    except UNREADABLE:
        return None


def _end(folder: Path) -> tuple[str, str]:
    """The last line of train.log that is no epoch: its first word, and what follows."""
    try:
        with (folder / layout.TRAIN_LOG).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return "", ""
    found = list(END.finditer(text))
    return (found[-1][1], " ".join(text[found[-1].start(1) :].split())) if found else ("", "")


def _in_words(cause: Exception) -> str:
    """An error in one line."""
    if isinstance(cause, OSError):
        return explain_os_error(cause)
    if isinstance(cause, KeyError):
        return f"an epoch of its history has no {cause}"
    return " ".join(str(cause).split())


def _newest(*times: float | None) -> float | None:
    return max((time for time in times if time is not None), default=None)


def _changed(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None


READ: Mapping[str, tuple[Kind, Callable[[Path], Status | None]]] = {
    layout.RUN: ("run", _run),
    layout.SWEEP: ("sweep", _sweep),
    layout.STUDY: ("study", _study),
}
"""What makes a folder a run, sweep or study, and how its status is read."""

UNREADABLE = (RaymmError, OSError, KeyError)
"""What comes of files that are not what raymm writes."""
