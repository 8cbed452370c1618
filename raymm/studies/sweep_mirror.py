"""A copy of a sweep on another file system, so that a fresh machine finishes the trials that are missing.

    MIRROR/<name of the sweep>/sweep.json                       comes after the first trials, as on disk
    MIRROR/<name of the sweep>/trials/<name>/trial.json
    MIRROR/<name of the sweep>/trials/<name>/runs/<run>/        as in `raymm.training.mirror`, a run for each seed
    MIRROR/<name of the sweep>/trials/<name>/current.json       once the runs that it names have begun
    MIRROR/<name of the sweep>/trials/<name>/ended.json         comes last
    MIRROR/<name of the sweep>/warmups/<run>/                   comes before the trials that start from it

It is the driver that copies, in a thread of its own: no trial waits for an object store or fails by it, and only the
driver needs to reach one. A copy that fails is said and made up for after the next event; at the end it is an error.
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raymm.errors import CheckpointError, RaymmError, TrainingError
from raymm.storage import write_bytes, write_json
from raymm.storage.remote import Place, below, committed, folders, place
from raymm.studies.sweep_record import Journal
from raymm.studies.sweep_runs import LAID_DOWN
from raymm.studies.sweep_store import Ended, Sweep, Trial, open_sweep, read_trials
from raymm.training.mirror import fetch, send
from raymm.training.result import finished
from raymm.training.run import open_run
from raymm.training.state import committed_epochs, epoch_folder

__all__ = ["SweepMirror", "catch_up", "fetch_sweep", "mirrored_sweep", "refuse_other_sweep"]

log = logging.getLogger(__name__)

Follow = Callable[[Journal], Journal]

SWEEP, TRIAL, ENDED = "sweep.json", "trial.json", "ended.json"
BEST = "summary/best.json"
"""By it a later session knows which trial bears the tag of the best one."""


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
    copy = _Copy(sweep, sweep.mirror)
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
        _Copy(sweep, sweep.mirror).claimed()
    except OSError as cause:
        raise _unwritable(sweep, cause) from cause


def fetch_sweep(uri: str, path: Path) -> Sweep:
    """Bring a sweep from its mirror to a folder of this machine, and let it be mirrored there from now on.

    `sweep.json` comes last, so that a copy that was cut off is made again. What the folder has already of this sweep
    stays, and is brought up where the mirror is ahead.

    Parameters
    ----------
    uri
        The sweep's own place, "s3://bucket/prefix/NAME" or the path of a folder.
    path
        Folder to bring it to.

    Raises
    ------
    CheckpointError
        When there is no sweep, the folder holds something else, or the mirror cannot be read.
    """
    there, path = place(uri), path.absolute()
    try:
        about = (there / SWEEP).read()
        if about is None:
            raise CheckpointError(
                f"{there}: no sweep there ({SWEEP} is missing); give MIRROR/NAME: the cluster.mirror of a sweep, and "
                "the name of its --out"
            )
        values = json.loads(about)
        _refuse_occupied(path, values["key"])
        _fetch_all(there, uri, path)
    except OSError as cause:
        raise CheckpointError(
            f"{there}: cannot be read ({cause}); are the bucket and the credentials right?"
        ) from cause
    except (ValueError, KeyError) as cause:
        raise CheckpointError(f"{there / SWEEP}: cannot be read ({cause})") from cause
    if (path / SWEEP).exists():
        values = json.loads((path / SWEEP).read_bytes())
    write_json(path / SWEEP, {**values, "mirror": uri})
    return open_sweep(path)


def catch_up(sweep: Sweep) -> None:
    """Bring up what lags behind the mirror in the folder of a sweep that goes on where it lies.

    Raises
    ------
    CheckpointError
        When the mirror holds another sweep of this name, or cannot be read.
    """
    if sweep.mirror is None:
        return
    try:
        if _Copy(sweep, sweep.mirror).claimed():
            _fetch_all(place(sweep.mirror), sweep.mirror, sweep.path)
    except OSError as cause:
        raise CheckpointError(
            f'{sweep.mirror}: cannot be read ({cause}); to go on without it set "mirror" to null in '
            f"{sweep.path / SWEEP}"
        ) from cause


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
    copy: "_Copy"
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


@dataclass
class _Copy:
    """Copies parts of a sweep's folder to the same places of its mirror, and remembers what is there."""

    sweep: Sweep
    uri: str
    there: Place = field(init=False)
    _files: dict[str, bytes | None] = field(default_factory=dict)
    _runs: dict[Path, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.there = place(self.uri)

    def claimed(self) -> bool:
        """Whether the mirror holds this sweep; raises `CheckpointError` when another one, or a run, is there."""
        about = (self.there / SWEEP).read()
        if about is not None and _key(about, self.there / SWEEP) != self.sweep.key:
            raise self._taken("sweep")
        if about is None and (self.there / "run.json").read() is not None:
            raise self._taken("run")
        return about is not None

    def begin(self) -> None:
        """Send every proposal, then sweep.json; what was sent of a sweep that never had one is removed."""
        if not self.claimed():
            self._files.clear()
            self._runs.clear()
            for name in {"trials", "warmups"} & set(folders(self.there)):
                self.there.system.delete_dir((self.there / name).path)
        for trial in read_trials(self.sweep):
            self.put(f"trials/{trial.name}/{TRIAL}")
        self.put(SWEEP)

    def put(self, name: str) -> None:
        """Make a small file of the mirror what it is here; one that is not here is removed there."""
        self._write(name, _read(self.sweep.path / name))

    def _write(self, name: str, content: bytes | None) -> None:
        if self._files.get(name, b"?") == content:
            return
        if content is None:
            (self.there / name).remove()
        else:
            (self.there / name).write(content)
        self._files[name] = content

    def send_warmups(self) -> None:
        for file in sorted(self.sweep.path.glob("warmups/*/run.json")):
            self._send_run(file.parent)

    def send_trial(self, name: str) -> None:
        """Send a trial as it is now; how it ended and which runs are its own are read first and sent last."""
        folder = self.sweep.path / "trials" / name
        ended, pointer = _read(folder / ENDED), _read(folder / LAID_DOWN)
        self.put(f"trials/{name}/{TRIAL}")
        runs = sorted(file.parent for file in (folder / _folder(pointer)).glob("*/run.json"))
        for run in runs:
            self._send_run(run)
        if pointer is not None and (ended is not None or all(_has_begun(run) for run in runs)):
            self._write(f"trials/{name}/{LAID_DOWN}", pointer)
        self._write(f"trials/{name}/{ENDED}", ended)

    def _send_run(self, run: Path) -> None:
        held = (committed_epochs(run), finished(run))
        if self._runs.get(run) != held:
            send(run, below(self.uri, run.parent.relative_to(self.sweep.path).as_posix()))
            self._runs[run] = held

    def _taken(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"{self.there} holds another {what}; choose another name for --out, or another cluster.mirror"
        )


def _unwritable(sweep: Sweep, cause: OSError) -> CheckpointError:
    return CheckpointError(
        f"cluster.mirror={sweep.mirror}: cannot be written ({cause}); are the bucket and the credentials right?"
    )


def _refuse_occupied(path: Path, key: str) -> None:
    """Refuse a folder that holds anything but this sweep, or a part of one that was being fetched."""
    about = _read(path / SWEEP)
    if about is not None:
        if _key(about, path / SWEEP) != key:
            raise CheckpointError(f"{path} holds another sweep; choose another folder for --out")
        return
    there = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if there - {"trials", "warmups", "summary"}:
        raise CheckpointError(f"{path}: not empty, and no sweep of raymm; choose another folder for --out")


def _fetch_all(there: Place, uri: str, path: Path) -> None:
    """Warm-ups first, since runs start from them."""
    for name in folders(there / "warmups"):
        fetch(path / "warmups" / name, below(uri, "warmups"))
    for name in folders(there / "trials"):
        _fetch_trial(there / "trials" / name, below(uri, f"trials/{name}"), path / "trials" / name)
    best = (there / BEST).read()
    if best is not None and not (path / BEST).exists():
        write_bytes(path / BEST, best)


def _fetch_trial(there: Place, uri: str, here: Path) -> None:
    """Bring a trial, its runs before what points to them; one that has ended here, or is no less far, stays."""
    if (here / ENDED).exists():
        return
    about, ended, pointer = ((there / name).read() for name in (TRIAL, ENDED, LAID_DOWN))
    folder = _folder(pointer)
    if about is None or (ended is None and not _is_behind(here, there / folder)):
        return
    for name in folders(there / folder):
        run = here / folder / name
        if _is_another(run, there / folder / name):
            shutil.rmtree(run)
        fetch(run, below(uri, folder))
        _point_start_to(run, here.parents[1])
    for name, content in ((LAID_DOWN, pointer), (TRIAL, about), (ENDED, ended)):
        if content is not None:
            write_bytes(here / name, content)


def _is_behind(here: Path, there: Place) -> bool:
    """Whether a trial is not here, or its runs have not come as far as at the mirror."""
    if not (here / TRIAL).exists():
        return True
    runs = [file.parent for file in (here / _folder(_read(here / LAID_DOWN))).glob("*/run.json")]
    newest = max((epoch_folder(run, epoch).name for run in runs for epoch in committed_epochs(run)), default="")
    return any(name > newest for run in folders(there) for name in committed(there / run / "epochs"))


def _is_another(run: Path, there: Place) -> bool:
    """Whether a run of this name was made anew, here or on another machine, before it could be mirrored."""
    ours, theirs = _read(run / "run.json"), (there / "run.json").read()
    return None not in {ours, theirs} and _key(ours, run) != _key(theirs, there)


def _point_start_to(run: Path, sweep: Path) -> None:
    """A run that began at a warm-up, or another trial's run, of another machine begins in this folder."""
    about: dict[str, Any] = json.loads(_read(run / "run.json") or b"{}")
    if not about.get("start"):
        return
    parts = Path(about["start"]["run"]).parts
    moved = sweep.joinpath(*parts[-2 if parts[-2] == "warmups" else -4 :])
    write_json(run / "run.json", {**about, "start": {**about["start"], "run": str(moved)}})


def _has_begun(run: Path) -> bool:
    """Whether a run has committed the epoch that it starts from, so that it needs its source no more."""
    start = open_run(run).start
    return max(committed_epochs(run), default=0) >= (start.epoch if start else 0)


def _key(about: bytes | None, where: object) -> str:
    """The key in the content of a sweep.json or run.json."""
    try:
        return str(json.loads(about or b"")["key"])
    except (ValueError, KeyError, TypeError) as cause:
        raise CheckpointError(f"{where}: cannot be read ({cause})") from cause


def _folder(pointer: bytes | None) -> str:
    """Folder of a trial's runs by the content of its current.json."""
    return "runs" if pointer is None else str(json.loads(pointer)["folder"])


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
