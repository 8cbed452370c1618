"""Successive halving (`raymm.sweep.halving`) as a search algorithm of Ray Tune, from what the trials committed.

Tune gets a trial of its own for each level that one of the sweep reaches, and trains from the newest committed epoch
until that level; nothing is paused. The scores come from the committed histories, so a resumed sweep knows them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune.search import Searcher

from raymm.storage import layout
from raymm.sweep.halving import Halving, first_level, levels_of
from raymm.sweep.reported import AIM, SCORE, STATUS, UNTIL
from raymm.sweep.runs import current_paths, epochs_reached, read_histories, score_at
from raymm.sweep.store import TrialOutcome, read_outcome, read_trials
from raymm.training.run import open_run

if TYPE_CHECKING:
    from raymm.sweep.store import Sweep, Trial

__all__ = ["Promotions"]


class Promotions(Searcher):  # type: ignore[misc]
    """A search algorithm for Tune that gives it the trial to train next, and until which epoch.

    Parameters
    ----------
    sweep
        All of its trials are written.
    """

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(**AIM)
        self._sweep = sweep
        self._trials = {trial.name: trial for trial in read_trials(sweep)}
        self._levels = _levels(sweep, len(self._trials))
        self._halving = Halving(tuple(self._trials), len(self._levels), sweep.settings.reduction_factor)
        for trial in self._trials.values():
            self._restore(trial)
        self._names: dict[str, str] = {}

    @property
    def count(self) -> int:
        """Trials of Tune at most; 0 when nothing is left to train."""
        return 0 if self._halving.over else len(self._trials) * len(self._levels)

    def outcomes(self) -> list[tuple[Trial, TrialOutcome]]:
        """Of trials that will not be promoted any more, once nothing is left to train: they were stopped early."""
        if not self._halving.over:
            return []
        waiting = [self._trials[name] for name in self._halving.waiting]
        reached = [epochs_reached(read_histories(self._sweep, trial)) for trial in waiting]
        return [(trial, TrialOutcome("stopped", epochs)) for trial, epochs in zip(waiting, reached, strict=True)]

    def suggest(self, trial_id: str) -> Any:
        """The next trial and its level; None while one must be waited for."""
        job = self._halving.take()
        if job is None:
            return Searcher.FINISHED if self._halving.over else None
        self._names[trial_id] = job.name
        until = self._levels[job.level] if job.level < len(self._levels) - 1 else None
        return {"sweep": str(self._sweep.path), "trial": job.name, UNTIL: until}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A trial has reached its level, or failed; one that Tune ended, as at an interruption, has done neither."""
        name, last = self._names.pop(trial_id), result or {}
        status = "failed" if error else last.get(STATUS)
        if status == "failed":
            self._halving.lost(name)
        elif status is not None:
            self._halving.done(name, last[SCORE])

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file for Tune: the folder of the sweep holds the state."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing."""

    def _restore(self, trial: Trial) -> None:
        """What a trial committed before: also a warm-up beyond a level is not on its way to the next one."""
        ended, histories = read_outcome(trial), read_histories(self._sweep, trial)
        reached, selection = epochs_reached(histories), self._sweep.config.training.selection
        # who has all epochs but no outcome still has to end, so has not passed the last level
        passed = [level for level in self._levels[: None if ended else -1] if level <= reached]
        scores = [score_at(histories, level, selection) for level in passed]
        under_way = ended is None and reached > max(passed, default=0) and reached > self._start(trial)
        self._halving.restore(trial.name, scores, under_way=under_way, ended=ended is not None)

    def _start(self, trial: Trial) -> int:
        """The epoch of a shared warm-up from which a trial started, or 0."""
        run = current_paths(self._sweep, trial)[0]
        start = open_run(run).start if (run / layout.RUN).exists() else None
        return 0 if start is None else start.epoch


def _levels(sweep: Sweep, trials: int) -> tuple[int, ...]:
    """The levels of a sweep with so many trials."""
    warmup, epochs, factor = sweep.config.method.warmup, sweep.config.training.epochs, sweep.settings.reduction_factor
    first = sweep.settings.grace_period or first_level(trials, warmup, epochs, factor)
    return levels_of(first, warmup, epochs, factor)
