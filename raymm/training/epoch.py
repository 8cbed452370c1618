"""One epoch: every row of the plan once, in the order that (seed, epoch) decides."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from raymm.config import Config
from raymm.data import Batch, View
from raymm.errors import ConfigError, TrainingError
from raymm.methods import Plan, epoch_order
from raymm.methods.plan import rank_batches
from raymm.models.model import MultimodalModel
from raymm.seeds import derive
from raymm.training.communicator import Communicator, sum_gradients

__all__ = ["EpochReport", "Trainer", "loader"]

CHECK_EVERY = 100
"""Steps between looks at the losses; looking makes the CPU wait for the device."""


@dataclass(frozen=True)
class EpochReport:
    """Mean cross-entropy over the rows of an epoch, in nats, and their number."""

    loss: float
    rows: int


@dataclass
class Trainer:
    """A model in training on one rank: the model, its optimizer and where they live."""

    model: MultimodalModel
    optimizer: Optimizer
    config: Config
    communicator: Communicator
    device: torch.device

    def __post_init__(self) -> None:
        precision = self.config.training.precision
        if precision == "float16" and self.device.type != "cuda":
            raise ConfigError("training.precision=float16 needs a GPU; use bfloat16 or float32 on a CPU")
        self.dtype = getattr(torch, precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self._feature_sum: Tensor | float = 0.0
        self._feature_count: Tensor | float = 0.0

    def train_epoch(self, view: View, plan: Plan, epoch: int) -> EpochReport:
        """Train every row of `plan` once, over all ranks together.

        Raises
        ------
        TrainingError
            When a loss is not finite; nothing of the epoch is kept.
        """
        torch.manual_seed(derive(self.config.training.seed, "dropout", epoch, self.communicator.rank))
        self.model.train()
        self._feature_sum = self._feature_count = 0.0
        losses: list[Tensor] = []
        for batch, rows in loader(view, plan, epoch, self.config, self.communicator, self.device):
            losses.append(self._step(batch, rows))
            if len(losses) % CHECK_EVERY == 0:
                _check_losses(losses, epoch)
        _check_losses(losses, epoch)
        if self.config.model.baseline == "mean":
            self._set_baseline()
        return EpochReport(loss=float(torch.stack(losses).double().sum()) / len(plan), rows=len(plan))

    def _step(self, batch: Batch, rows: int) -> Tensor:
        """One update from this rank's part of a global batch of `rows`; the loss summed over all its rows."""
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        if len(batch):
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                features = self.model.encode(batch)
                logits = self.model.fuse(features, batch.mask)
            total = nn.functional.cross_entropy(logits.float(), batch.labels, reduction="sum")
            self.scaler.scale(total / rows).backward()
            self._observe(features, batch.mask)
        total = sum_gradients(self.model.parameters(), self.communicator, total.detach())
        self.scaler.unscale_(self.optimizer)
        if self.config.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return total

    def _observe(self, features: Tensor, mask: Tensor) -> None:
        if self.config.model.baseline == "mean":
            kept = features.detach().double() * mask[..., None]
            self._feature_sum = self._feature_sum + kept.sum(dim=0)
            self._feature_count = self._feature_count + mask.double().sum(dim=0)

    def _set_baseline(self) -> None:
        """Take the mean feature of the epoch, over all ranks, as the baseline."""
        n, width = len(self.model.names), self.config.model.feature_size
        both = torch.zeros(n, width + 1, dtype=torch.float64, device=self.device)
        both[:, :width] += self._feature_sum
        both[:, width] += self._feature_count
        self.communicator.all_reduce_sum(both)
        self.model.set_baseline((both[:, :width] / both[:, width:].clamp(min=1)).float())


def loader(
    view: View, plan: Plan, epoch: int, config: Config, communicator: Communicator, device: torch.device
) -> Iterator[tuple[Batch, int]]:
    """The part of this rank in each global batch, with the number of rows of the whole batch."""
    order = epoch_order(len(plan), config.training.seed, epoch)
    n = len(view.dataset.schema.names)
    for rows, total in rank_batches(order, config.training.batch_size, communicator.rank, communicator.world):
        keys = view.augmentation_keys(epoch, rows)
        yield view.batch(plan.index[rows], plan.masks(rows, n), keys).to(device), total


def _check_losses(losses: list[Tensor], epoch: int) -> None:
    stacked = torch.stack(losses)
    bad = torch.nonzero(~torch.isfinite(stacked))[:, 0]
    if len(bad):
        step = int(bad[0])
        raise TrainingError(
            f"epoch {epoch}, step {step}: the loss is {float(stacked[step])}; lower optimizer.lr "
            "or set optimizer.clip_norm, or use training.precision=float32; the last committed epoch is kept"
        )
