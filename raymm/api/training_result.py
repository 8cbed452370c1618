"""What `raymm.train` returns: a finished run, to look at."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.api.public import public
from raymm.api.recorded import recorded_table
from raymm.api.report import RunReport, report_run
from raymm.api.shown import Placed, plot_called
from raymm.api.trained import Trained
from raymm.api.values_result import Values
from raymm.reports.diagnostics.finding import finding_lines as lines_of
from raymm.reports.diagnostics.of_run import findings_of
from raymm.reports.run_tracking import figures_of
from raymm.reports.valuation_summary import summarise, summary_lines
from raymm.storage.local_path import local_path
from raymm.tracking.epoch_text import figure_text
from raymm.tracking.metrics import is_of_split, split_metric
from raymm.training.result import read_result
from raymm.training.run import open_run
from raymm.valuation.table_file import read_test_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.reports.diagnostics.finding import Finding
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["TrainingResult"]


class TrainingResult(Placed):
    """A finished run: the epoch that was picked on validation, its metrics, and the history.

    Attributes
    ----------
    folder, run
        The run on disk.
    best_epoch
        The picked epoch, from 0 as in the history.
    metrics
        Of the picked epoch: `best/accuracy` on validation, `test/accuracy`, `phi/test_audio`, ...
    history
        An entry an epoch: `epoch`, `metrics`, and how it was planned.
    """

    def __init__(self, run: Run, result: Result, dataset: Dataset | None = None) -> None:
        self.run = run
        self.folder = run.path
        self._dataset = dataset
        self.best_epoch = result.best_epoch
        self.metrics = result.metrics
        self.history = result.history
        self._result = result

    @classmethod
    def of(cls, folder: str | Path) -> TrainingResult:
        """The result of the run in a folder.

        Raises
        ------
        CheckpointError
            When there is no run, it has not come to its end, or its files were changed.
        """
        run = open_run(local_path(folder))
        return cls(run, read_result(run.path))

    @property
    def config(self) -> Config:
        """The settings of the run."""
        return self.run.config

    @property
    def dataset(self) -> Dataset:
        """The data set that the run was made with, opened; raises `DataError` when it has changed since."""
        self._dataset = self._dataset or self.run.dataset()
        return self._dataset

    @cached_property
    def findings(self) -> list[Finding]:
        """The failure signatures that hold (`docs/diagnostics.md`)."""
        return findings_of(self.run, self.dataset, self.history)

    def summary(self) -> str:
        """The picked epoch, its test metrics, contributions on test as `raymm report` shows them, and findings."""
        table = read_test_table(self.folder)
        picked = f"picked epoch {self.best_epoch + 1} of {len(self.history)} on validation"
        lines = [
            f"{self.folder.name}: method {self.config.method.name}, {picked} ({self.config.training.selection})",
            *self.test_lines(),
            "",
            *summary_lines(summarise(table, self.dataset.schema.classes)),
        ]
        return "\n".join([*lines, *self.finding_lines()])

    def finding_lines(self) -> list[str]:
        """The findings and their advice as lines."""
        return lines_of(self.findings)

    def test_lines(self) -> list[str]:
        """A line for each metric of the test split."""
        of_test = sorted(item for item in self.metrics.items() if is_of_split(item[0], "test"))
        return [f"  {name:<28} {figure_text(value)}" for name, value in of_test]

    def to_pandas(self) -> pd.DataFrame:
        """The history: a row an epoch, `epoch` from 1 and a column a metric; NaN where an epoch has none."""
        import pandas as pd

        return pd.DataFrame([{"epoch": entry["epoch"] + 1, **entry["metrics"]} for entry in self.history])

    @public
    def plot(self, kind: str = "learning-curves") -> Figure:
        """One of the plots of the report, as a figure of matplotlib.

        Parameters
        ----------
        kind
            "learning-curves", "phi-over-epochs", "phi-distribution" or "phi-per-class".

        Raises
        ------
        ConfigError
            For another kind.
        """
        figures = figures_of(self.folder, self._result, self.dataset)
        return plot_called(kind, figures)()

    @public
    def values(self, split: str = "test") -> Values:
        """The values that the run recorded of a split after the picked epoch.

        Raises
        ------
        CheckpointError
            When it recorded none: joint training values no training samples.
        """
        return Values(recorded_table(self.folder, split))

    @public
    def report(self, baseline: str | Path | Placed | None = None) -> RunReport:
        """Write the plots and the page of the run, as `raymm.report` does."""
        return report_run(self.folder, baseline)

    def load(self) -> Trained:
        """The trained model, as `raymm.load` opens it."""
        return Trained.of(self.folder)

    def __repr__(self) -> str:
        shown = f"epoch {self.best_epoch + 1} of {len(self.history)}, {self._score()}"
        return f"TrainingResult({str(self.folder)!r}, method={self.config.method.name!r}, {shown})"

    def _score(self) -> str:
        shown = (split_metric("test", name) for name in ("accuracy", self.config.training.selection))
        name = next((name for name in shown if name in self.metrics), "")
        return f"{name}={figure_text(self.metrics[name])}" if name else f"{len(self.metrics)} metrics"
