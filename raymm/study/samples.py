"""Which test samples each run predicts right, read from its test table, and the means of resampled samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.errors import DataError, Problems
from raymm.storage.layout import result_folder, valuation_file
from raymm.study.bootstrap import resampled_means
from raymm.valuation.table_file import read_table

if TYPE_CHECKING:
    from raymm.study.figures import Figure
    from raymm.study.results import RunRecord, StudyResults

__all__ = ["Key", "Samples", "read_samples"]

Key = tuple[str, str, int]
"""Data set, arm and seed."""

ACCURACY = "accuracy"
"""The metric that is a mean over samples, so that it can be computed of resampled ones."""


@dataclass(frozen=True)
class Samples:
    """The test samples of runs, as one figure is of them: of the models after calibration, or as trained.

    Attributes
    ----------
    right
        Whether each sample is predicted right, bool [N], in the order of the sample ids; N is that of the data set.
    resampled
        Accuracy on `DRAWS` draws of the samples, float64 [DRAWS]; runs of one data set share the draws.
    left_out
        A line for each run whose table does not give its metric.
    """

    right: Mapping[Key, npt.NDArray[np.bool_]] = field(default_factory=dict)
    resampled: Mapping[Key, npt.NDArray[np.float64]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read_samples(results: StudyResults, figure: Figure) -> Samples:
    """Read the test tables that a figure is of; nothing where it is no mean over samples.

    Raises
    ------
    DataError
        When a table is missing or damaged, or runs of one data set were tested on different samples, naming them.
    """
    if figure.metric != ACCURACY:
        return Samples()
    right: dict[Key, npt.NDArray[np.bool_]] = {}
    left_out: list[str] = []
    first: dict[str, tuple[RunRecord, npt.NDArray[np.str_]]] = {}
    problems = Problems("runs that were tested on other samples cannot be compared")
    for run in results.runs:
        split = figure.split_of(run)
        if split is None:
            continue
        ids, correct = _read(run, split)
        other, known = first.setdefault(run.data, (run, ids))
        if not np.array_equal(ids, known):
            problems.add(_other_samples(run, ids, other, known))
        elif (reason := _disagreement(run, figure, correct)) is not None:
            left_out.append(reason)
        else:
            right[run.data, run.arm, run.seed] = correct
    problems.raise_if_any(DataError)
    return Samples(right, _resampled(right, list(first)), tuple(left_out))


def _read(run: RunRecord, split: str) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.bool_]]:
    """Sample ids in order, and whether each is predicted right."""
    table = read_table(valuation_file(result_folder(run.path), split))
    order = np.argsort(table.sample_id, kind="stable")
    return table.sample_id[order], table.grand_correct[order]


def _disagreement(run: RunRecord, figure: Figure, correct: npt.NDArray[np.bool_]) -> str | None:
    """Why the table of a run is not used: its accuracy is not the one that the run reports."""
    reported, found = figure.of(run), float(correct.mean())
    if abs(reported - found) <= 1e-6:
        return None
    return f"{run.path}: {figure.name} {reported:.6g} is reported, and its test table gives {found:.6g}"


def _other_samples(run: RunRecord, ids: npt.NDArray[np.str_], other: RunRecord, known: npt.NDArray[np.str_]) -> str:
    shared = len(np.intersect1d(ids, known))
    return (
        f"{run.path} was tested on {len(ids)} samples and {other.path} on {len(known)} of '{run.data}', "
        f"{shared} of them the same"
    )


def _resampled(right: Mapping[Key, npt.NDArray[np.bool_]], data: Sequence[str]) -> dict[Key, npt.NDArray[np.float64]]:
    made: dict[Key, npt.NDArray[np.float64]] = {}
    for name in data:
        keys = [key for key in right if key[0] == name]
        if keys:
            means = resampled_means(np.stack([right[key] for key in keys]), name)
            made.update(zip(keys, means, strict=True))
    return made
