"""A copy of a sweep on another file system, from which another machine finishes the pending trials.

    MIRROR/<name of the sweep>/sweep.json                       written after the first trials, as on disk
    MIRROR/<name of the sweep>/trials/<name>/trial.json
    MIRROR/<name of the sweep>/trials/<name>/runs/<run>/        as in `raymm.mirror.runs`, a run for each seed
    MIRROR/<name of the sweep>/trials/<name>/current.json       written once the runs that it names have begun
    MIRROR/<name of the sweep>/trials/<name>/ended.json         written last
    MIRROR/<name of the sweep>/warmups/<run>/                   written before the trials that start from it

The driver copies in a thread of its own: no trial waits for an object store or fails because of it, and only the
driver needs access to it. A copy that fails is logged and tried again after the next event; one that fails at the end
is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raymm.errors import RaymmError, TrainingError
from raymm.mirror.runs import unwritable
from raymm.mirror.sweep_upload import BEST, SweepUploader
from raymm.sweep.store import read_trials
from raymm.sweep.tracking import SweepCallback

if TYPE_CHECKING:
    from raymm.sweep.store import Sweep, Trial, TrialOutcome

__all__ = ["SweepMirror", "mirrored_sweep", "refuse_other_sweep"]

log = logging.getLogger(__name__)

Wrapper = Callable[[SweepCallback], SweepCallback]


@contextmanager
def mirrored_sweep(sweep: Sweep) -> Iterator[Wrapper]:
    """Yield a function that wraps a callback, so that each event also copies the sweep to its mirror.

    The rest is copied when the block ends.

    Raises
    ------
    CheckpointError
        At the start, when the mirror holds another sweep of this name or cannot be written.
    TrainingError
        At the end, when the mirror cannot be written; the folder of the sweep is complete.
    """
    if sweep.mirror is None:
        yield lambda callback: callback
        return
    uploader = SweepUploader(sweep, sweep.mirror)
    mirror = SweepMirror(sweep, uploader)
    mirror.begin()
    try:
        yield lambda callback: _MirroringCallback(callback, mirror)
    except BaseException:
        mirror.leave()
        raise
    mirror.finish()


def refuse_other_sweep(sweep: Sweep) -> None:
    """Refuse a sweep whose name is taken at the mirror, before anything is written.

    Raises
    ------
    CheckpointError
        When the mirror holds another sweep, or a run, of this name, or cannot be read.
    """
    if sweep.mirror is None:
        return
    try:
        SweepUploader(sweep, sweep.mirror).claimed()
    except OSError as cause:
        raise unwritable(sweep.mirror, cause) from cause


@dataclass
class SweepMirror:
    """Copies the folder of a sweep to its mirror, in a thread of its own.

    Parameters
    ----------
    sweep, uploader
        The sweep, and the object that copies it.
    executor
        Runs the copies; the default is one thread.
    """

    sweep: Sweep
    uploader: SweepUploader
    executor: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "raymm-mirror"))
    _dirty: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Send the trials' files and sweep.json, then schedule a copy of everything that exists already."""
        try:
            self.uploader.begin()
        except OSError as cause:
            raise unwritable(self.uploader.uri, cause) from cause
        self._mark_all_dirty()
        self.executor.submit(self._try)

    def mark_dirty(self, trial: Trial) -> None:
        """Schedule a copy of a trial and of all that could not be sent before; events until then are merged."""
        self._dirty.add(trial.name)
        self.executor.submit(self._try)

    def finish(self) -> None:
        """Send the rest; raises `TrainingError` when that fails."""
        self.leave()
        self._mark_all_dirty()
        try:
            self._send_dirty()
            self.uploader.put(BEST)
        except OSError as cause:
            raise TrainingError(
                f"{self.uploader.uri}: does not hold the end of this sweep ({cause}); {self.sweep.path} does, and "
                f"`raymm sweep --resume {self.sweep.path}` sends it again"
            ) from cause

    def leave(self) -> None:
        """Stop after the copy that is under way."""
        self.executor.shutdown(wait=True, cancel_futures=True)

    def _mark_all_dirty(self) -> None:
        self._dirty.update(trial.name for trial in read_trials(self.sweep))

    def _try(self) -> None:
        if not self._dirty:
            return
        try:
            self._send_dirty()
        except (OSError, RaymmError) as cause:
            log.warning("%s: not mirrored now, tried again after the next epoch (%s)", self.uploader.uri, cause)
        except Exception:
            log.exception("%s: not mirrored now, tried again after the next epoch", self.uploader.uri)

    def _send_dirty(self) -> None:
        """Send the warm-ups and the changed trials; one that cannot be sent stays dirty, and the others are sent."""
        if not self.uploader.claimed():
            self.uploader.begin()
            self._mark_all_dirty()
        self.uploader.send_warmups()
        failure: Exception | None = None
        for name in sorted(self._dirty):
            self._dirty.discard(name)
            try:
                self.uploader.send_trial(name)
            except (OSError, RaymmError) as cause:
                self._dirty.add(name)
                failure = cause
        if failure is not None:
            raise failure


@dataclass(frozen=True)
class _MirroringCallback:
    """Passes each event on to another callback, then schedules a copy."""

    to: SweepCallback
    mirror: SweepMirror

    def on_setup(self, text: str) -> None:
        self.to.on_setup(text)

    def on_trial_start(self, trial: Trial) -> None:
        self.to.on_trial_start(trial)
        self.mirror.mark_dirty(trial)

    def on_epoch(self, trial: Trial, epochs: int) -> None:
        self.to.on_epoch(trial, epochs)
        self.mirror.mark_dirty(trial)

    def on_trial_wait(self, trial: Trial, epochs: int) -> None:
        self.to.on_trial_wait(trial, epochs)
        self.mirror.mark_dirty(trial)

    def on_trial_end(self, trial: Trial, outcome: TrialOutcome) -> None:
        self.to.on_trial_end(trial, outcome)
        self.mirror.mark_dirty(trial)
