"""What a method sees of a training step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn

if TYPE_CHECKING:
    from raymm.models.model import MultimodalModel
    from raymm.tasks.base import Task
    from raymm.types import Features, Mask

__all__ = ["Step"]


class Step(Protocol):
    """One update of the model, as a method sees it; a rank sees its part of the global batch.

    Attributes
    ----------
    features
        Encoder outputs [B, n, D], with their graph; what stands at a masked modality is never read.
    mask
        Modalities that each row keeps, bool [B, n].
    weight
        Weights of the rows' losses [B], or None where all are 1.
    index
        Sample numbers, int64 [B].
    rows
        Rows of the global batch, over all workers.
    epoch, number
        Number of the epoch and of the step within it, from 0.
    turn
        Number of the update among those of one batch, from 0; see `Method.turns`.
    model
        The model; its parameters hold the summed gradients in `on_gradients`.
    """

    features: Features
    mask: Mask
    weight: Tensor | None
    index: Tensor
    rows: int
    epoch: int
    number: int
    turn: int
    model: nn.Module

    def __len__(self) -> int:
        """Rows of this rank, B; there may be none, and whatever is summed over workers is summed all the same."""

    @property
    def labels(self) -> Tensor:
        """Labels [B] (multi-label: [B, K]); rows that are mixed (`view.mixup`) have no one label, and raise."""

    @property
    def base(self) -> Tensor:
        """Whether a row is a sample once and whole, as the plan has it, and no extra row, bool [B]."""

    @property
    def positions(self) -> Tensor:
        """Where this rank's rows stand in the global batch, int64 [B]."""

    @property
    def logits(self) -> Tensor:
        """Outputs of the modalities that each row keeps, [B, K]; fused once, however often it is read."""

    def coalition_logits(self, coalitions: Tensor) -> Tensor:
        """Outputs of coalitions (bool [S, n]) from the features at hand, [B, S, K]: no second encoder pass."""

    def unimodal_logits(self) -> Tensor:
        """Outputs of each modality alone, [B, n, K]; those of no modality where a row lacks it."""

    def masked_logits(self, mask: Mask, features: Features | None = None) -> Tensor:
        """Outputs of each row with a mask of its own, taken together with `mask` of the step, [B, K].

        Parameters
        ----------
        mask
            Modalities that each row keeps, bool [B, n].
        features
            Features in the place of the step's, [B, n, D].
        """

    def features_by(self, other: MultimodalModel) -> Features:
        """Features [B, n, D] of the same inputs by the encoders of another model, without a graph."""

    def loss_of(self, logits: Tensor) -> Tensor:
        """The task's loss of outputs [B, K], in nats, one a row: [B]."""

    def losses_by(self, task: Task, outputs: Tensor) -> Tensor:
        """A task's losses of outputs of several coalitions [B, S, K], in nats: [B, S]."""

    def total(self, losses: Tensor) -> Tensor:
        """Weighted sum of row losses [B]: what `Method.loss` returns."""

    def phi(self) -> Tensor:
        """Contributions of this batch [B, n], float64, by the configured utility, from the features at hand."""

    def uniform(self, purpose: str, count: int) -> Tensor:
        """Uniform numbers [B, count], float32, keyed by purpose, epoch and row of the plan."""

    def all_reduce(self, values: Tensor) -> Tensor:
        """Sum a tensor over all workers; on every rank alike."""

    def gather(self, values: Tensor) -> Tensor:
        """Rows of all ranks in the order of the global batch, [rows, ...], from those of this one, without graph."""

    def encoder_parameters(self, modality: int) -> list[nn.Parameter]:
        """Parameters of a modality's encoder that are trained."""

    def fusion_parameters(self) -> list[nn.Parameter]:
        """Parameters of the fusion that are trained."""

    def encoder_gradients(self, loss: Tensor, modality: int) -> Tensor:
        """Flat gradient of a loss (a sum over this rank's rows) over `rows`, by an encoder's parameters, float32.

        The graph is kept. Zeros where the loss does not depend on a parameter; not yet summed over workers.
        """
