"""A copy of a sweep on another file system, so that a fresh machine finishes the trials that are missing.

    MIRROR/<name of the sweep>/sweep.json                       comes after the first trials, as on disk
    MIRROR/<name of the sweep>/trials/<name>/trial.json
    MIRROR/<name of the sweep>/trials/<name>/runs/<run>/        as in `raymm.mirror.runs`, a run for each seed
    MIRROR/<name of the sweep>/trials/<name>/current.json       once the runs that it names have begun
    MIRROR/<name of the sweep>/trials/<name>/ended.json         comes last
    MIRROR/<name of the sweep>/warmups/<run>/                   comes before the trials that start from it

It is the driver that copies, in a thread of its own: no trial waits for an object store or fails by it, and only the
driver needs to reach one. A copy that fails is said and made up for after the next event; at the end it is an error.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from raymm.errors import CheckpointError, RaymmError, TrainingError
from raymm.mirror.sweep_upload import BEST, Copy
from raymm.sweep.store import Ended, Sweep, Trial, read_trials
from raymm.sweep.tracking import Journal

__all__ = ["SweepMirror", "mirrored_sweep", "refuse_other_sweep"]

log = logging.getLogger(__name__)

Follow = Callable[[Journal], Journal]


@contextmanager
def mirrored_sweep(sweep: Sweep) -> Iterator[Follow]:
    """Yield what makes a journal also send the sweep to its mirror, and send what is left when the block ends.

    Raises
    ------
    CheckpointError
        At the start, when the mirror holds another sweep of this name or cannot be written.
    TrainingError
        At the end, when the sweep is whole here and the mirror could not be written.
    """
    if sweep.mirror is None:
        yield lambda journal: journal
        return
    copy = Copy(sweep, sweep.mirror)
    mirror = SweepMirror(sweep, copy)
    mirror.begin()
    try:
        yield lambda journal: _Following(journal, mirror)
    except BaseException:
        mirror.leave()
        raise
    mirror.finish()


def refuse_other_sweep(sweep: Sweep) -> None:
    """Refuse a sweep whose place at the mirror is taken, before anything is written.

    Raises
    ------
    CheckpointError
        When the mirror holds another sweep, or a run, of this name, or cannot be read.
    """
    if sweep.mirror is None:
        return
    try:
        Copy(sweep, sweep.mirror).claimed()
    except OSError as cause:
        raise _unwritable(sweep, cause) from cause


@dataclass
class SweepMirror:
    """Sends the sweep's folder to its mirror, in a thread of its own.

    Parameters
    ----------
    sweep, copy
        The sweep, and what does the copying.
    hand
        Where copies are made; the default is one thread.
    """

    sweep: Sweep
    copy: "Copy"
    hand: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "raymm-mirror"))
    _due: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Send the proposals and sweep.json before any work, then begin to send what lies here already."""
        try:
            self.copy.begin()
        except OSError as cause:
            raise _unwritable(self.sweep, cause) from cause
        self._due_all()
        self.hand.submit(self._try)

    def heard(self, trial: Trial) -> None:
        """Send a trial, and whatever could not be sent before; events that come meanwhile are one."""
        self._due.add(trial.name)
        self.hand.submit(self._try)

    def finish(self) -> None:
        """Send what is left; raises `TrainingError` when that cannot be."""
        self.leave()
        self._due_all()
        try:
            self._send_due()
            self.copy.put(BEST)
        except OSError as cause:
            raise TrainingError(
                f"{self.copy.uri}: does not hold the end of this sweep ({cause}); {self.sweep.path} does, and "
                f"`raymm sweep --resume {self.sweep.path}` sends it again"
            ) from cause

    def leave(self) -> None:
        """Stop after the copy that is being made."""
        self.hand.shutdown(wait=True, cancel_futures=True)

    def _due_all(self) -> None:
        self._due.update(trial.name for trial in read_trials(self.sweep))

    def _try(self) -> None:
        if not self._due:
            return
        try:
            self._send_due()
        except (OSError, RaymmError) as cause:
            log.warning("%s: not mirrored now, tried again after the next epoch (%s)", self.copy.uri, cause)
        except Exception:
            log.exception("%s: not mirrored now, tried again after the next epoch", self.copy.uri)

    def _send_due(self) -> None:
        """Send the warm-ups and what is due; a trial that cannot be sent stays due and keeps no other one back."""
        if not self.copy.claimed():
            self.copy.begin()
            self._due_all()
        self.copy.send_warmups()
        failure: Exception | None = None
        for name in sorted(self._due):
            self._due.discard(name)
            try:
                self.copy.send_trial(name)
            except (OSError, RaymmError) as cause:
                self._due.add(name)
                failure = cause
        if failure is not None:
            raise failure


@dataclass(frozen=True)
class _Following:
    """A journal that passes on what it hears, then has it sent."""

    to: Journal
    mirror: SweepMirror

    def started(self, trial: Trial) -> None:
        self.to.started(trial)
        self.mirror.heard(trial)

    def reached(self, trial: Trial, epochs: int) -> None:
        self.to.reached(trial, epochs)
        self.mirror.heard(trial)

    def ended(self, trial: Trial, how: Ended) -> None:
        self.to.ended(trial, how)
        self.mirror.heard(trial)


def _unwritable(sweep: Sweep, cause: OSError) -> CheckpointError:
    return CheckpointError(
        f"cluster.mirror={sweep.mirror}: cannot be written ({cause}); are the bucket and the credentials right?"
    )
