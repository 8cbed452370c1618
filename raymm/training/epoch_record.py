"""What an epoch measures beside its loss, over all ranks: cost, contributions, conflict, accuracy of copied samples.

All of it is read off the steps as they are; nothing is encoded for it, and no generator is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymm.tracking import metrics as names

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.methods.plan import Plan
    from raymm.training.step import Trainer
    from raymm.training.training_step import TrainingStep

__all__ = ["EpochRecord"]


class EpochRecord:
    """Gathers what the steps of one rank show; `close` sums it over the ranks.

    Parameters
    ----------
    trainer, dataset, plan
        What is trained, on which samples, by which rows.
    """

    def __init__(self, trainer: Trainer, dataset: Dataset, plan: Plan) -> None:
        self._trainer, self._dataset = trainer, dataset
        train = dataset.rows("train")
        online = trainer.config.valuation.source == "online"
        self._train = train if online else np.empty(0, np.int64)
        self._names = dataset.schema.names
        self._cost = [0, 0, 0]
        self._conflict = self._zeros(2, len(self._names))
        self._copied = _copied(plan, len(train), len(dataset.present))
        self._right = self._zeros(2, 2)
        self._phi = self._zeros(2, len(self._train), len(self._names))

    def add(self, step: TrainingStep) -> None:
        """Take in a step."""
        for position, amount in enumerate((step.cost.encodings, step.cost.fusions, step.cost.backwards)):
            self._cost[position] += amount
        if step.conflict is not None:
            self._conflict += step.conflict
        known = step.mixed is None and self._trainer.task.hard  # mixed rows have no answer that is right
        if self._copied is not None and "logits" in step.__dict__ and known:
            self._add_right(step, self._copied)
        if step.valued is not None:
            self._add_phi(step, step.valued)

    def close(self) -> tuple[dict[str, float], npt.NDArray[np.float64] | None]:
        """The metrics of the epoch, and contributions of the training split [N, n] where they were asked for."""
        cost = self._trainer.summed(torch.tensor(self._cost, dtype=torch.float64, device=self._trainer.device))
        cosine, rows = self._trainer.summed(self._conflict).cpu()
        right = self._trainer.summed(self._right).cpu()
        measured = dict(zip((names.ENCODINGS, names.FUSIONS, names.BACKWARDS), cost.tolist(), strict=True))
        for position, name in enumerate(self._names):
            measured[names.conflict_metric(name)] = float(cosine[position] / rows[position])
            measured[names.conflict_rows_metric(name)] = float(rows[position])
        for number, name in enumerate((names.TRAIN_ACCURACY_UNCOPIED, names.TRAIN_ACCURACY_COPIED)):
            measured[name] = float(right[number, 0] / right[number, 1])
        return measured, self._contributions()

    def _contributions(self) -> npt.NDArray[np.float64] | None:
        if not self._phi.shape[1]:
            return None
        total, count = self._trainer.summed(self._phi).cpu().numpy()
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def _add_phi(self, step: TrainingStep, phi: Tensor) -> None:
        """Contributions of samples that stand in the batch once and whole: with all modalities that they have."""
        index, device = step.index.cpu().numpy(), self._phi.device
        present = torch.from_numpy(self._dataset.present[index]).to(device)
        whole = step.base & (step.mask == present).all(dim=1)
        position = torch.from_numpy(np.searchsorted(self._train, index)).to(device)
        known = ~torch.isnan(phi) & whole[:, None]
        self._phi[0].index_add_(0, position, torch.where(known, phi, 0.0))
        self._phi[1].index_add_(0, position, known.double())

    def _add_right(self, step: TrainingStep, copied: npt.NDArray[np.bool_]) -> None:
        """Whether whole samples are predicted right, apart for those that have copies in the plan.

        Rows are weighed by a mask and not picked, for which a GPU would be waited for.
        """
        right = self._trainer.task.correct(step.logits.detach().float()[:, None], step.labels)[:, 0]
        has = torch.from_numpy(copied[step.index.cpu().numpy()]).to(right.device)
        for number, group in enumerate((step.base & ~has, step.base & has)):
            self._right[number, 0] += torch.where(group, right, 0).sum()
            self._right[number, 1] += group.sum()

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=torch.float64, device=self._trainer.device)


def _copied(plan: Plan, train: int, samples: int) -> npt.NDArray[np.bool_] | None:
    """Which samples have copies beside them, bool over the whole data set; None where none has."""
    base = train if plan.base is None else plan.base
    if base == 0 or len(plan) == base:
        return None
    copied = np.zeros(samples, dtype=bool)
    copied[plan.index[base:]] = True
    return copied
