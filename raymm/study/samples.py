"""What each run makes of each test sample, read from its test table, and the means of resampled samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.counts import counted
from raymm.errors import DataError, Problems
from raymm.study.bootstrap import resampled_means
from raymm.tracking.metrics import split_metric
from raymm.valuation.table_file import read_test_table

if TYPE_CHECKING:
    from raymm.study.figures import Figure
    from raymm.study.results import RunRecord, StudyResults

__all__ = ["Key", "Samples", "read_samples"]

Key = tuple[str, str, int]
"""Data set, arm and seed."""

Values = npt.NDArray[np.bool_] | npt.NDArray[np.float64]
"""Whether each sample is predicted right, or its error: what the figure is the mean of, [N]."""

CLOSE = 1e-6
"""How far the mean of the samples may be from the figure that a run reports, as a part of it; or of 1, but in units
of the label, where 1 may be much."""


@dataclass(frozen=True)
class Samples:
    """The test samples of runs, as one figure is of them: of the models after calibration, or as trained.

    Attributes
    ----------
    values
        Of each sample, [N], in the order of the sample ids; N is that of the data set.
    resampled
        The figure on `DRAWS` draws of the samples, float64 [DRAWS]; runs of one data set share the draws.
    left_out
        A line for each run whose table does not give its metric.
    """

    values: Mapping[Key, Values] = field(default_factory=dict)
    resampled: Mapping[Key, npt.NDArray[np.float64]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read_samples(results: StudyResults, figure: Figure) -> Samples:
    """Read the test tables that a figure is of; nothing where it is no mean over samples.

    Raises
    ------
    DataError
        When a table is missing or damaged, or runs of one data set were tested on different samples, naming them.
    """
    values: dict[Key, Values] = {}
    left_out: list[str] = []
    first: dict[str, tuple[RunRecord, npt.NDArray[np.str_]]] = {}
    problems = Problems("runs that were tested on other samples cannot be compared")
    for run in results.runs:
        split = figure.split_of(run)
        if split is None or not _is_mean_over_samples(figure.metric, run, split):
            continue
        ids, found = _read(run, split, figure.metric)
        if found is None:
            continue
        other, known = first.setdefault(run.data, (run, ids))
        if not np.array_equal(ids, known):
            problems.add(_other_samples(run, ids, other, known))
        elif (reason := _disagreement(run, figure, found)) is not None:
            left_out.append(reason)
        else:
            values[run.data, run.arm, run.seed] = found
    problems.raise_if_any(DataError)
    return Samples(values, _resampled(values, list(first)), tuple(left_out))


def _is_mean_over_samples(metric: str, run: RunRecord, split: str) -> bool:
    """Whether the table of a run may give what the metric is the mean of: of losses, those of a regression alone."""
    return metric == "accuracy" or (metric in {"mae", "loss"} and split_metric(split, "mae") in run.metrics)


def _read(run: RunRecord, split: str, metric: str) -> tuple[npt.NDArray[np.str_], Values | None]:
    """Sample ids in order, and what the metric is the mean of; None where it is no mean over samples."""
    table = read_test_table(run.path, split)
    order = np.argsort(table.sample_id, kind="stable")
    values = table.task.of_samples(metric, table.prediction, table.label)
    return table.sample_id[order], None if values is None else values[order]


def _disagreement(run: RunRecord, figure: Figure, values: Values) -> str | None:
    """Why the table of a run is not used: its figure is not the one that the run reports."""
    reported, found = figure.of(run), float(values.mean())
    least = 0.0 if figure.metric == "mae" else 1.0
    if abs(reported - found) <= CLOSE * max(least, abs(reported)):
        return None
    return f"{run.path}: {figure.name} {reported:.6g} is reported, and its test table gives {found:.6g}"


def _other_samples(run: RunRecord, ids: npt.NDArray[np.str_], other: RunRecord, known: npt.NDArray[np.str_]) -> str:
    shared = len(np.intersect1d(ids, known))
    return (
        f"{run.path} was tested on {counted(len(ids), 'sample')} and {other.path} on {len(known)} of '{run.data}', "
        f"{shared} of them the same"
    )


def _resampled(values: Mapping[Key, Values], data: Sequence[str]) -> dict[Key, npt.NDArray[np.float64]]:
    made: dict[Key, npt.NDArray[np.float64]] = {}
    for name in data:
        keys = [key for key in values if key[0] == name]
        if keys:
            means = resampled_means(np.stack([values[key].astype(np.float64) for key in keys]), name)
            made.update(zip(keys, means, strict=True))
    return made
