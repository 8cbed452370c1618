"""What `raymm.study` and `raymm.compare` return: runs by arm, and how the arms compare on test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.api.public import public
from raymm.api.shown import Placed
from raymm.counts import counted
from raymm.errors import ConfigError, did_you_mean
from raymm.study.report import comparison_records, study_plots, verdict_lines
from raymm.study.summary import result_table
from raymm.tracking.metrics import split_metric

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from raymm.study.results import RunRecord, StudyResults

__all__ = ["StudyResult"]


class StudyResult(Placed):
    """The finished runs of several arms, paired by data set and seed.

    Attributes
    ----------
    folder
        Of the study, or of the report of a comparison.
    results
        The runs, and what they are compared by.
    report
        Files of the report, `report.md` first; empty where no run has finished.
    reached
        By data set and arm, the part of the budget that was used; empty without one.
    """

    def __init__(
        self,
        folder: Path,
        results: StudyResults,
        report: Sequence[Path],
        reached: Mapping[tuple[str, str], float] | None = None,
    ) -> None:
        self.folder = folder
        self.results = results
        self.report = list(report)
        self.reached = dict(reached or {})

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """The finished runs."""
        return self.results.runs

    @property
    def failed(self) -> tuple[str, ...]:
        """A line for each run, pilot or trial that failed: which, and why."""
        return self.results.failed

    def verdicts(self) -> list[str]:
        """A sentence for each comparison: which arm is better, by how much, and whether that is shown."""
        return verdict_lines(self.results)

    def comparisons(self) -> list[dict[str, Any]]:
        """Every comparison with its verdict and all its numbers, as plain values."""
        return comparison_records(self.results)

    def summary(self) -> str:
        """Means on test and costs of each arm, the verdicts, and what failed."""
        table = result_table(self.results, self.reached)
        return "\n".join([*table, "", *self.verdicts(), *self.failed])

    def to_pandas(self) -> pd.DataFrame:
        """A row a run: data set, arm, seed, folder, its metrics, and what it cost (`cost_rows`, ...)."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"data": run.data, "arm": run.arm, "seed": run.seed, "path": str(run.path), **run.metrics}
                | {f"cost_{name}": value for name, value in run.cost.items()}
                for run in self.runs
            ]
        )

    @public
    def plot(self, kind: str = "differences") -> Figure:
        """A plot of the report, as a figure of matplotlib.

        Parameters
        ----------
        kind
            "differences" to the controls, "cost", or "epochs-1-NAME" of a data set.

        Raises
        ------
        ConfigError
            For another kind, or where the runs do not allow it.
        """
        figures = study_plots(self.results)
        if kind not in figures:
            raise ConfigError(f"plot: the runs allow no '{kind}'; {did_you_mean(str(kind), figures)}")
        return figures[kind]

    def __repr__(self) -> str:
        arms = list(dict.fromkeys(run.arm for run in self.runs))
        shown = (
            f"{counted(len(self.runs), 'run')} of {', '.join(arms)}, by {split_metric('test', self.results.metric)}"
        )
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"StudyResult({str(self.folder)!r}, {shown if arms else 'no run has finished'}{failed})"
