"""What the next epoch trains: whether and which training samples are valued first, and the plan that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.methods.base import ResamplingInputs
from raymm.methods.plan import base_plan, make_plan
from raymm.seeds import derive

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.methods.base import Method
    from raymm.methods.plan import Plan
    from raymm.valuation.engine import Rows
    from raymm.valuation.table import ValuationTable

__all__ = ["joint_plan", "only_asked", "phi_of_split", "plan_epoch", "rows_to_value", "valuation_due"]


def valuation_due(method: Method, config: Config, epoch: int) -> bool:
    """Whether the training split is valued before `epoch` (its number counts from 0)."""
    after = epoch - config.method.warmup
    due = after >= 0 and after % config.method.every == 0 and epoch < config.training.epochs
    return due and method.needs != "nothing"


def rows_to_value(method: Method, dataset: Dataset, config: Config, epoch: int) -> Rows:
    """Sample numbers whose contributions the plan of `epoch` reads."""
    return method.rows_to_value(dataset.rows("train"), derive(config.training.seed, "Z", epoch))


def joint_plan(dataset: Dataset) -> Plan:
    """Every training sample once, whole."""
    return base_plan(dataset.rows("train"), len(dataset.schema.names))


def plan_epoch(
    method: Method, dataset: Dataset, config: Config, epoch: int, phi: npt.NDArray[np.float64] | None
) -> Plan:
    """The plan of `epoch` from contributions of the training split; joint while there are none."""
    if phi is None:
        return joint_plan(dataset)
    rows = dataset.rows("train")
    inputs = ResamplingInputs(
        rows=rows,
        label=dataset.label[rows],
        present=dataset.present[rows],
        phi=phi,
        utility=method.context.utility,
        seed=derive(config.training.seed, "plan", epoch),
        classes=len(dataset.schema.classes),
    )
    return make_plan(method, inputs, config.method.row_budget)


def phi_of_split(table: ValuationTable, rows: Rows, dataset: Dataset) -> npt.NDArray[np.float64]:
    """phi of the whole training split [N, n]; NaN where a sample was not valued."""
    train = dataset.rows("train")
    phi = np.full((len(train), table.phi.shape[1]), np.nan)
    phi[np.searchsorted(train, rows)] = table.phi
    return phi


def only_asked(
    phi: npt.NDArray[np.float64], method: Method, dataset: Dataset, config: Config, epoch: int
) -> npt.NDArray[np.float64]:
    """Of the contributions of the training split those that the plan of `epoch` may read; NaN for the others."""
    if method.needs != "subset":
        return phi
    asked = np.isin(dataset.rows("train"), rows_to_value(method, dataset, config, epoch))
    return np.where(asked[:, None], phi, np.nan)
