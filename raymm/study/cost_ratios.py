"""What an arm costs relative to another: ratios of runs of the same data set and seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from raymm.study.results import RunRecord

__all__ = ["COST_NAMES", "cost_ratio", "mean_cost"]

COST_NAMES = {
    "rows": "rows",
    "encodings": "encoder rows",
    "fusions": "fusions",
    "backwards": "backward rows",
    "seconds": "seconds",
    "cpu_seconds": "processor seconds",
    "memory": "memory (MiB)",
}
"""Costs of a run, and what people call them."""


def cost_ratio(runs: Sequence[RunRecord], arm: str, reference: str, cost: str) -> float:
    """The cost of an arm over that of the reference.

    Returns
    -------
    The geometric mean over data sets of the geometric mean over seeds, which does not depend on which of the two is
    called the reference, nor on how large a data set is. NaN where the cost is not known of a run of either arm, or a
    data set has no seed of both.
    """
    spent = {(run.data, run.arm, run.seed): run.cost.get(cost, 0.0) for run in runs}
    logs: dict[str, list[float]] = {run.data: [] for run in runs}
    for data, name, seed in spent:
        if name == arm and (data, reference, seed) in spent:
            pair = spent[data, arm, seed], spent[data, reference, seed]
            logs[data].append(float(np.log(pair[0] / pair[1])) if min(pair) > 0 else float("nan"))
    if not logs or not all(logs.values()):
        return float("nan")
    return float(np.exp(np.mean([np.mean(of_data) for of_data in logs.values()])))


def mean_cost(runs: Sequence[RunRecord], arm: str, cost: str) -> float:
    """What a run of an arm costs: the mean over data sets of the mean over seeds; NaN where it is not known."""
    spent: dict[str, list[float]] = {}
    for run in runs:
        if run.arm == arm:
            spent.setdefault(run.data, []).append(run.cost.get(cost, 0.0) or float("nan"))
    return float(np.mean([np.mean(of_data) for of_data in spent.values()])) if spent else float("nan")
