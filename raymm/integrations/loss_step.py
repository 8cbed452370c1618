"""Rows of a batch that somebody else encoded, as a method's loss sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymm.integrations.ranks import found_communicator
from raymm.seeds import derive, keys_of, uniform
from raymm.training.training_step import FusedStep
from raymm.valuation.conformance import ModelError
from raymm.valuation.logit_sources import CallableSource, LogitSource
from raymm.valuation.protocol import players
from raymm.valuation.structure import copied

if TYPE_CHECKING:
    from raymm.tasks.base import Task
    from raymm.valuation.protocol import FusionModel

__all__ = ["LossStep", "Numbers"]

Numbers = Callable[[], tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
"""Gives of each row of a batch the number of its epoch and its number therein, int64 [B] each."""


class LossStep(FusedStep):
    """The part of `raymm.methods.Step` that losses of coalitions read.

    Parameters
    ----------
    fusion, module
        What fuses features, and the model that is in evaluation mode while contributions are computed.
    features
        [B, n, D], or by name of the modality [B, ...].
    mask, labels, weight
        As `FusedStep`.
    task, utility
        As `FusedStep`.
    seed, numbers
        What draws are keyed by. The numbers are asked for where something is drawn: on a GPU they are waited for.
    """

    outputs: Tensor | None = None
    """Outputs [B, ..., K] that were fused last."""

    def __init__(
        self,
        fusion: FusionModel,
        module: object,
        features: Tensor | Mapping[str, Tensor],
        mask: Tensor,
        labels: Tensor,
        weight: Tensor | None,
        task: Task,
        utility: str,
        seed: int,
        numbers: Numbers,
    ) -> None:
        super().__init__(fusion, players(module, mask), labels, weight, task, utility, outputs=0)
        self.features: Any = features
        self._module, self._seed, self._numbers = module, seed, numbers

    def fuse(self, features: Any, mask: Tensor) -> Tensor:
        """Outputs of each row with a mask of its own, [B, K], from a copy of features, which a fusion may change."""
        outputs = super().fuse(copied(features), mask)
        _check_labels(self.labels, outputs.shape[-1], self._task)
        self.outputs = outputs
        return outputs

    def coalition_logits(self, coalitions: Tensor) -> Tensor:
        """Outputs of coalitions (bool [S, n]), [B, S, K]."""
        outputs = super().coalition_logits(coalitions)
        _check_labels(self.labels, outputs.shape[-1], self._task)
        self.outputs = outputs
        return outputs

    def source_of(self, features: Any) -> LogitSource:
        """Outputs of any coalitions; where modalities have features of their own shape, the fusion runs once each."""
        if isinstance(features, Mapping):
            return CallableSource(self._fusion.fuse, features, self.mask)
        return super().source_of(features)

    def uniform(self, purpose: str, count: int) -> Tensor:
        """Uniform numbers [B, count], float32, keyed by purpose, epoch and row."""
        epochs, rows = self._numbers()
        drawn = np.empty((len(self), count), np.float32)
        for epoch in np.unique(epochs):
            same = epochs == epoch
            drawn[same] = uniform(keys_of(derive(self._seed, purpose, int(epoch)), rows[same]), count)
        return torch.from_numpy(drawn).to(self.mask.device)

    def all_reduce(self, values: Tensor) -> Tensor:
        """A tensor summed over the processes of torch.distributed, without its graph."""
        total = values.detach().clone()
        found_communicator().all_reduce_sum(total)
        return total

    def _module_of_fusion(self) -> object:
        return self._module

    def _features_without_graph(self) -> Any:
        if isinstance(self.features, Mapping):
            return {name: values.detach() for name, values in self.features.items()}
        return self.features.detach()


def _check_labels(labels: Tensor, width: int, task: Task) -> None:
    """Raise `ModelError` for labels that the outputs have no place for; looked at where they are on the CPU."""
    if task.label_ndim == 2 and labels.shape[1] != width:
        raise ModelError(f"labels have {labels.shape[1]} classes, and fuse returns {width} outputs")
    if not task.by_argmax or labels.device.type != "cpu":
        return
    wrong = labels[(labels < 0) | (labels >= width)]
    if len(wrong):
        raise ModelError(f"labels: there is a class {int(wrong[0])}, and fuse returns outputs of {width} classes")
