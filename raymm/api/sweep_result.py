"""What `raymm.sweep` returns: the trials that have ended, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.api.public import public
from raymm.api.shown import Placed
from raymm.errors import CheckpointError, ConfigError, did_you_mean
from raymm.storage import layout
from raymm.sweep.rows import best_of
from raymm.sweep.store import read_trials
from raymm.sweep.summary import sweep_figures, sweep_lines, sweep_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from raymm.config.sections import Config
    from raymm.sweep.rows import TrialRow
    from raymm.sweep.store import Sweep

__all__ = ["SweepResult"]


class SweepResult(Placed):
    """The trials of a sweep that have ended.

    Attributes
    ----------
    folder, sweep
        The sweep on disk.
    trials
        One row a trial, in the order in which they were proposed: settings, scores on validation, costs.
    registered
        What was registered in MLflow, in words; empty where nothing was.
    """

    def __init__(self, sweep: Sweep, trials: Sequence[TrialRow], registered: str = "") -> None:
        self.sweep = sweep
        self.folder = sweep.path
        self.trials = list(trials)
        self.registered = registered

    @property
    def metric(self) -> str:
        """The validation metric that scores a trial."""
        return self.sweep.metric

    @property
    def report(self) -> Path:
        """The summary with plots, as Markdown."""
        return self.folder / layout.SUMMARY / layout.SUMMARY_MD

    @property
    def best(self) -> TrialRow:
        """The finished trial with the highest score.

        Raises
        ------
        CheckpointError
            When no trial has finished.
        """
        if (best := best_of(self.trials)) is None:
            raise CheckpointError(f"{self.folder}: no trial has finished, so none is the best")
        return best

    def best_config(self) -> Config:
        """The whole configuration of the best trial, as `raymm.train(..., config=...)` takes it."""
        number = self.best.number
        return next(trial.config for trial in read_trials(self.sweep) if trial.number == number)

    def table(self) -> list[dict[str, object]]:
        """All trials, best first, as plain values (`raymm.sweep.summary.sweep_table`)."""
        return sweep_table(self.trials)

    def summary(self) -> str:
        """The best trials, and which method and family wins."""
        return "\n".join(sweep_lines(self.trials, self.metric))

    def to_pandas(self) -> pd.DataFrame:
        """A row a trial, best first: its settings, score, epochs, costs and validation metrics."""
        import pandas as pd

        return pd.DataFrame(self.table())

    @public
    def plot(self, kind: str = "parameters") -> Figure:
        """A plot of the summary, as a figure of matplotlib.

        Parameters
        ----------
        kind
            "parameters", the score against each setting, or "families", methods and families against each other.

        Raises
        ------
        ConfigError
            For another kind, or where the trials do not allow it.
        """
        figures = sweep_figures(self.trials, self.metric)
        if kind not in figures:
            raise ConfigError(f"plot: the trials allow no '{kind}'; {did_you_mean(str(kind), figures)}")
        return figures[kind]

    def __repr__(self) -> str:
        statuses = [row.status for row in self.trials]
        counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
        shown = ", ".join(f"{count} {status}" for status, count in counts.items()) or "no trial has ended"
        return f"SweepResult({str(self.folder)!r}, {shown})"
