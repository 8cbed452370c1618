"""What the next epoch trains: whether and which training samples are valued first, and the plan that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raymm.config.own_parts import own_part
from raymm.errors import TrainingError
from raymm.methods.base import ResamplingInputs
from raymm.methods.plan import base_plan, make_plan
from raymm.seeds import derive

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.methods.base import Method
    from raymm.methods.plan import Plan
    from raymm.valuation.engine import Rows

__all__ = [
    "TrainingSamples",
    "joint_plan",
    "only_asked",
    "only_those",
    "plan_epoch",
    "plan_of_samples",
    "rows_to_value",
    "samples_to_value",
    "valuation_due",
]


@dataclass(frozen=True)
class TrainingSamples:
    """What a plan reads of the samples that are trained.

    Attributes
    ----------
    rows
        Sample numbers, int64 [N].
    label, present
        Their labels, and the modalities that they have, bool [N, n].
    classes
        K, number of classes.
    """

    rows: npt.NDArray[np.int64]
    label: npt.NDArray[Any]
    present: npt.NDArray[np.bool_]
    classes: int


def valuation_due(method: Method, config: Config, epoch: int) -> bool:
    """Whether the training split is valued before `epoch` (its number counts from 0)."""
    after = epoch - config.method.warmup
    due = after >= 0 and after % config.method.every == 0 and epoch < config.training.epochs
    return due and method.needs != "nothing"


def rows_to_value(method: Method, dataset: Dataset, config: Config, epoch: int) -> Rows:
    """Sample numbers whose contributions the plan of `epoch` reads."""
    return samples_to_value(method, dataset.rows("train"), config, epoch)


def samples_to_value(method: Method, rows: Rows, config: Config, epoch: int) -> Rows:
    """Of the samples that are trained those whose contributions the plan of `epoch` reads."""
    with own_part(type(method), "rows_to_value"):
        found: object = method.rows_to_value(rows, derive(config.training.seed, "Z", epoch))
    if found is rows:
        return rows
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu" or not np.isin(found, rows).all():
        raise TrainingError(
            f"{type(method).__name__}.rows_to_value returns what is no array of samples that are trained; return "
            "some of the rows that it is given, in ascending order"
        )
    return found


def joint_plan(dataset: Dataset) -> Plan:
    """Every training sample once, whole."""
    return base_plan(dataset.rows("train"), len(dataset.schema.names))


def plan_epoch(
    method: Method, dataset: Dataset, config: Config, epoch: int, phi: npt.NDArray[np.float64] | None
) -> Plan:
    """The plan of `epoch` from contributions of the training split; joint while there are none."""
    if phi is None:
        return joint_plan(dataset)
    rows, classes = dataset.rows("train"), len(dataset.schema.classes)
    samples = TrainingSamples(rows, dataset.label[rows], dataset.present[rows], classes)
    if dataset.reads is not None:  # older runs valued modalities that their models do not read, too
        phi = np.where(samples.present, phi, np.nan)
    return plan_of_samples(method, samples, config, epoch, phi)


def plan_of_samples(
    method: Method, samples: TrainingSamples, config: Config, epoch: int, phi: npt.NDArray[np.float64]
) -> Plan:
    """The plan of `epoch` from contributions [N, n] of the samples that are trained."""
    inputs = ResamplingInputs(
        rows=samples.rows,
        label=samples.label,
        present=samples.present,
        phi=phi,
        utility=method.context.utility,
        seed=derive(config.training.seed, "plan", epoch),
        classes=samples.classes,
    )
    return make_plan(method, inputs, config.method.row_budget)


def only_asked(
    phi: npt.NDArray[np.float64], method: Method, dataset: Dataset, config: Config, epoch: int
) -> npt.NDArray[np.float64]:
    """Of the contributions of the training split those that the plan of `epoch` may read; NaN for the others."""
    return only_those(phi, method, dataset.rows("train"), config, epoch)


def only_those(
    phi: npt.NDArray[np.float64], method: Method, rows: Rows, config: Config, epoch: int
) -> npt.NDArray[np.float64]:
    """Contributions [N, n] of the samples `rows`, NaN for those that the plan of `epoch` may not read."""
    if method.needs != "subset":
        return phi
    asked = np.isin(rows, samples_to_value(method, rows, config, epoch))
    return np.where(asked[:, None], phi, np.nan)
