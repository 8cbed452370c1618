"""The progress of a sweep, in lines of at most 80 columns: for a `Progress`, and with the time in SWEEP/sweep.log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raymm.config.canonical import parameters
from raymm.storage import layout
from raymm.sweep.labels import brief
from raymm.sweep.runs import read_histories, score_at

if TYPE_CHECKING:
    from raymm.api.progress import Progress
    from raymm.sweep.store import Sweep, Trial, TrialOutcome
    from raymm.sweep.tracking import SweepCallback

__all__ = ["SweepProgress"]

WIDTH = 80
EVERY = 30.0
"""Seconds between two lines on running trials."""


@dataclass
class SweepProgress:
    """A callback that tells of the events and passes them on to another one."""

    sweep: Sweep
    to: SweepCallback
    told: Progress
    _running: dict[str, int] = field(default_factory=dict)
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
            self._say(f"{self._count()}  {trial.name}  begins  {_settings(trial)}")

    def on_epoch(self, trial: Trial, epochs: int) -> None:
        """Tell of the running trials, every half minute."""
        self.to.on_epoch(trial, epochs)
        self._running[trial.name] = max(epochs, self._running.get(trial.name, 0))
        if time.monotonic() - self._shown > EVERY:
            going = ", ".join(f"{name} {done}" for name, done in self._running.items())
            self._say(f"{self._count()}  of {self.sweep.config.training.epochs} epochs: {going}")

    def on_trial_end(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Tell of the outcome of a trial."""
        self.to.on_trial_end(trial, outcome)
        self._running.pop(trial.name, None)
        self._here += 1
        self._say(f"{self._count()}  {trial.name}  {outcome.status}  {self._outcome(trial, outcome)}{self._left()}")

    def _outcome(self, trial: Trial, outcome: TrialOutcome) -> str:
        if outcome.status == "failed":
            return " ".join(outcome.cause.split())
        score = score_at(read_histories(self.sweep, trial), outcome.epochs, self.sweep.config.training.selection)
        return f"{self.sweep.metric} {abs(score):.4f} after {outcome.epochs} epochs"

    def _left(self) -> str:
        ended, total = self._counts()
        left = total - ended
        seconds = (time.monotonic() - self._began) / self._here * left
        return f", about {seconds / 60:.0f} min left" if left > 0 and seconds > 60 else ""

    def _count(self) -> str:
        return "{:>3}/{}".format(*self._counts())

    def _counts(self) -> tuple[int, int]:
        """Trials that have ended, and all that there will be; the files are counted and not read."""
        trials = self.sweep.path / layout.TRIALS
        ended, known = (len(list(trials.glob(f"*/{file}"))) for file in (layout.ENDED, layout.TRIAL))
        return ended, max(known, self.sweep.settings.trials) if self.sweep.settings.search == "optuna" else known

    def _say(self, text: str) -> None:
        line = text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
        self._shown = time.monotonic()
        self.told.on_line(line)
        with (self.sweep.path / layout.SWEEP_LOG).open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")


def _settings(trial: Trial) -> str:
    """The drawn settings that the trial reads, without the section of most of them."""
    settings = parameters(trial.config)
    drawn = [name for name in settings if name in trial.searched]
    return " ".join(f"{name.removeprefix('method.')}={brief(settings[name])}" for name in drawn)
