"""The progress of a sweep, in lines of at most 80 columns: for a `Progress`, and with the time in SWEEP/sweep.log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raymm.api.progress import JobEvent, cut, one_line_of
from raymm.config.canonical import parameters
from raymm.counts import counted
from raymm.storage import layout
from raymm.storage.text_log import add_lines, stamp
from raymm.sweep.labels import brief
from raymm.sweep.rows import measured
from raymm.sweep.runs import current_paths, read_histories, score_at
from raymm.tracking.epoch_text import figure_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from raymm.api.progress import Progress, Running
    from raymm.sweep.store import Sweep, Trial, TrialOutcome
    from raymm.sweep.tracking import SweepCallback

__all__ = ["SweepProgress"]

EVERY = 30.0
"""Seconds between two lines on epochs of running trials."""

SILENT = 60.0
"""Seconds without a line after which one says what is trained."""


@dataclass
class SweepProgress:
    """A callback that tells of the events and passes them on to another one."""

    sweep: Sweep
    to: SweepCallback
    told: Progress
    _running: dict[str, int] = field(default_factory=dict)
    _trials: dict[str, Trial] = field(default_factory=dict)
    _waited: set[str] = field(default_factory=set)
    _begun: dict[str, float] = field(default_factory=dict)
    _shown: float = field(default_factory=time.monotonic)
    _began: float = field(default_factory=time.monotonic)
    _here: int = 0

    def on_setup(self, text: str) -> None:
        """Tell of work that precedes the trials."""
        self.to.on_setup(text)
        self._say(text)

    def on_trial_start(self, trial: Trial) -> None:
        """Tell of a trial that begins."""
        self.to.on_trial_start(trial)
        if self._running.setdefault(trial.name, 0) == 0:
            verb = "goes on" if trial.name in self._waited else "begins"
            self._say(f"{self._count()}  {trial.name}  {verb}  {_settings(trial)}")
        self._trials[trial.name], self._begun[trial.name] = trial, time.monotonic()
        self.told.on_job(JobEvent("trial", trial.name, "begins"))

    def on_epoch(self, trial: Trial, epochs: int) -> None:
        """Tell of the running trials, every half minute."""
        self.to.on_epoch(trial, epochs)
        self._running[trial.name] = max(epochs, self._running.get(trial.name, 0))
        if time.monotonic() - self._shown > EVERY:
            going = ", ".join(f"{name} {done}" for name, done in self._running.items())
            line = f"{self._count()}  of {counted(self.sweep.config.training.epochs, 'epoch')}: {going}"
            self._say(line, quiet=self.told.live)

    def on_trial_wait(self, trial: Trial, epochs: int) -> None:
        """Tell of a trial that waits to be promoted."""
        self.to.on_trial_wait(trial, epochs)
        self._running.pop(trial.name, None)
        self._trials.pop(trial.name, None)
        self._waited.add(trial.name)
        score = measured(self._score_at(trial, epochs), self.sweep.metric)
        self._say(
            f"{self._count()}  {trial.name}  waits  {self.sweep.metric} {figure_text(score)} "
            f"after {counted(epochs, 'epoch')}"
        )

    def on_trial_end(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Tell of the outcome of a trial."""
        self.to.on_trial_end(trial, outcome)
        self._running.pop(trial.name, None)
        self._trials.pop(trial.name, None)
        self._here += 1
        began, cause = self._begun.pop(trial.name, self._began), " ".join(outcome.cause.split())
        score = self._score(trial, outcome)
        found = (
            f"{self.sweep.metric} {figure_text(score)} after {counted(outcome.epochs, 'epoch')}"
            if score is not None
            else cause
        )
        self._say(f"{self._count()}  {trial.name}  {outcome.status}  {found}{self._left()}")
        about = (outcome.status, outcome.epochs, score, self.sweep.config.training.selection)
        self.told.on_job(JobEvent("trial", trial.name, *about, time.monotonic() - began, cause))

    def folders(self) -> dict[str, Path]:
        """The folders of what is trained at this moment: of a trial that of the seed whose turn it is."""
        if not self._trials:
            return {f"warm-up {file.parent.name}": file.parent for file in self._warmups()}
        current = {name: current_paths(self.sweep, trial) for name, trial in list(self._trials.items())}
        return {name: max(paths, key=_written) for name, paths in current.items()}

    def on_running(self, running: Sequence[Running]) -> None:
        """Tell of what is trained at this moment, where nothing was said for a while."""
        if running and time.monotonic() - self._shown >= SILENT:
            self._say(one_line_of(running), quiet=self.told.live)

    def _warmups(self) -> Iterator[Path]:
        return (self.sweep.path / layout.WARMUPS).glob(f"*/{layout.PROGRESS}")

    def _score(self, trial: Trial, outcome: TrialOutcome) -> float | None:
        if outcome.status == "failed":
            return None
        return measured(self._score_at(trial, outcome.epochs), self.sweep.metric)

    def _score_at(self, trial: Trial, epochs: int) -> float:
        return score_at(read_histories(self.sweep, trial), epochs, self.sweep.config.training.selection)

    def _left(self) -> str:
        ended, total = self._counts()
        left = total - ended
        seconds = (time.monotonic() - self._began) / self._here * left
        return f", {seconds / 60:.0f} min left" if left > 0 and seconds > 60 else ""

    def _count(self) -> str:
        return "{:>3}/{}".format(*self._counts())

    def _counts(self) -> tuple[int, int]:
        """Trials that have ended, and all that there will be; the files are counted and not read."""
        trials = self.sweep.path / layout.TRIALS
        ended, known = (len(list(trials.glob(f"*/{file}"))) for file in (layout.ENDED, layout.TRIAL))
        return ended, max(known, self.sweep.settings.trials) if self.sweep.settings.search == "optuna" else known

    def _say(self, text: str, quiet: bool = False) -> None:
        """Add a line to the log, and tell of it but where that is shown already."""
        self._shown = time.monotonic()
        if not quiet:
            self.told.on_line(cut(text))
        add_lines(self.sweep.path / layout.SWEEP_LOG, [f"{stamp()} {text}"])


def _settings(trial: Trial) -> str:
    """The drawn settings that the trial reads, without the section of most of them."""
    settings = parameters(trial.config)
    drawn = [name for name in settings if name in trial.searched]
    return " ".join(f"{name.removeprefix('method.')}={brief(settings[name])}" for name in drawn)


def _written(run: Path) -> float:
    """When a run last said how far it is."""
    try:
        return (run / layout.PROGRESS).stat().st_mtime
    except OSError:
        return 0.0
