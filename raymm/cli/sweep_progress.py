"""How a sweep goes, in lines of at most 80 columns: on the terminal, and with the time in SWEEP/sweep.log."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from raymm.config.canonical import parameters
from raymm.storage import layout
from raymm.sweep.labels import brief
from raymm.sweep.runs import read_histories, score_at
from raymm.sweep.store import Ended, Sweep, Trial, read_ended, read_trials

if TYPE_CHECKING:
    from raymm.sweep.tracking import Journal

__all__ = ["Progress"]

WIDTH = 80
EVERY = 30.0
"""Seconds between two lines on trials that are under way."""


@dataclass
class Progress:
    """A journal that shows what it hears and passes it on."""

    sweep: Sweep
    to: "Journal"
    quiet: bool
    _running: dict[str, int] = field(default_factory=dict)
    _shown: float = field(default_factory=time.monotonic)
    _began: float = field(default_factory=time.monotonic)
    _here: int = 0

    def started(self, trial: Trial) -> None:
        """Pass it on, and show a trial that begins."""
        self.to.started(trial)
        if self._running.setdefault(trial.name, 0) == 0:
            self._say(f"{self._count()}  {trial.name}  begins  {_settings(trial)}")

    def reached(self, trial: Trial, epochs: int) -> None:
        """Pass it on, and now and then show who is under way."""
        self.to.reached(trial, epochs)
        self._running[trial.name] = max(epochs, self._running.get(trial.name, 0))
        if time.monotonic() - self._shown > EVERY:
            going = ", ".join(f"{name} {done}" for name, done in self._running.items())
            self._say(f"{self._count()}  of {self.sweep.config.training.epochs} epochs: {going}")

    def ended(self, trial: Trial, how: Ended) -> None:
        """Pass it on, and show how a trial ended."""
        self.to.ended(trial, how)
        self._running.pop(trial.name, None)
        self._here += 1
        self._say(f"{self._count()}  {trial.name}  {how.status}  {self._outcome(trial, how)}{self._left()}")

    def _outcome(self, trial: Trial, how: Ended) -> str:
        if how.status == "failed":
            return " ".join(how.cause.split())
        score = score_at(read_histories(self.sweep, trial), how.epochs, self.sweep.config.training.selection)
        return f"{self.sweep.metric} {abs(score):.4f} after {how.epochs} epochs"

    def _left(self) -> str:
        owed = self._total() - self._done()
        seconds = (time.monotonic() - self._began) / self._here * owed
        return f", about {seconds / 60:.0f} min left" if owed > 0 and seconds > 60 else ""

    def _count(self) -> str:
        return f"{self._done():>3}/{self._total()}"

    def _done(self) -> int:
        return sum(read_ended(trial) is not None for trial in read_trials(self.sweep))

    def _total(self) -> int:
        known = len(read_trials(self.sweep))
        return max(known, self.sweep.plan.trials) if self.sweep.plan.search == "optuna" else known

    def _say(self, text: str) -> None:
        line = text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
        self._shown = time.monotonic()
        if not self.quiet:
            click.echo(line)
        with (self.sweep.path / layout.SWEEP_LOG).open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")


def _settings(trial: Trial) -> str:
    """What was drawn and is read, without the section that most settings are in."""
    settings = parameters(trial.config)
    drawn = [name for name in settings if name in trial.searched]
    return " ".join(f"{name.removeprefix('method.')}={brief(settings[name])}" for name in drawn)
