"""One epoch: every row of the plan once, in the order that (seed, epoch) decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymm.config.own_parts import own_part
from raymm.data.loading import BatchRequest
from raymm.errors import TrainingError
from raymm.methods.plan import epoch_batches, rank_batches
from raymm.seeds import derive, keys_of
from raymm.training.epoch_record import EpochRecord
from raymm.training.mixing import mixed_rows
from raymm.training.not_finite import advice, inputs_not_finite
from raymm.training.parameter_groups import set_learning_rate
from raymm.training.training_step import RankBatch

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.batch import Batch
    from raymm.data.loading import BatchLoader
    from raymm.data.mixup import Mixing
    from raymm.data.schema import Schema
    from raymm.methods.base import Method
    from raymm.methods.plan import Plan
    from raymm.training.step import Trainer
    from raymm.training.training_step import TrainingStep

__all__ = ["EpochReport", "check_losses", "kept_modalities", "rank_parts", "rank_rows", "train_epoch", "updates_of"]

CHECK_EVERY = 100
"""Steps between looks at the losses, after that at the first; looking makes the CPU wait for the device."""


@dataclass(frozen=True)
class EpochReport:
    """What an epoch measured, over all ranks.

    Attributes
    ----------
    loss, rows
        Mean loss over the rows of the epoch (of the task: cross-entropy in nats), and their number.
    metrics
        Further metrics by name, see `raymm.training.epoch_record`.
    phi
        Contributions of the training split from the training pass, float64 [N, n], where they were asked for.
    """

    loss: float
    rows: int
    metrics: dict[str, float] = field(default_factory=dict)
    phi: npt.NDArray[np.float64] | None = None


def train_epoch(
    trainer: Trainer,
    loader: BatchLoader,
    plan: Plan,
    epoch: int,
    rates: Sequence[float] | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> EpochReport:
    """Train every row of `plan` once, over all ranks together.

    Parameters
    ----------
    rates
        Learning rate of each update (`updates_of` them); None leaves the optimizer's.
    tell
        Told of the rows of each global batch once it is trained.

    Raises
    ------
    TrainingError
        When a loss is not finite, with what to do; nothing of the epoch is kept.
    """
    torch.manual_seed(derive(trainer.config.training.seed, "dropout", epoch, trainer.communicator.rank))
    trainer.begin_epoch(epoch)
    means, record = _FeatureMeans(trainer), EpochRecord(trainer, loader.reader.dataset, plan)
    losses: list[Tensor] = []
    updates = 0
    for part in rank_parts(trainer, loader, plan, epoch):
        if rates is not None:
            set_learning_rate(trainer.optimizer, rates[updates])
        step = trainer.step(part)
        means.add(step)
        record.add(step)
        tell(part.rows)
        if not part.ends_update:
            continue
        losses.extend(step.loss.reshape(-1))
        updates += 1
        if updates == 1 or updates % CHECK_EVERY == 0:
            check_losses(losses, trainer, loader, plan, epoch)
    check_losses(losses, trainer, loader, plan, epoch)
    means.set_baseline()
    with own_part(type(trainer.method), "after_steps"):
        trainer.method.after_steps(trainer.summed)
    loss = float(torch.stack(losses).double().sum()) / len(plan)
    return EpochReport(loss, len(plan), *record.close())


def rank_parts(trainer: Trainer, loader: BatchLoader, plan: Plan, epoch: int) -> Iterator[RankBatch]:
    """The part of this rank in each global batch; only modalities that the method's mask keeps are read."""
    dataset, batches = loader.reader.dataset, _batches(trainer.config, plan, epoch)
    parts = rank_batches(batches, trainer.communicator.rank, trainer.communicator.world)
    base = len(dataset.rows("train")) if plan.base is None else plan.base
    reads = _reads(trainer, dataset.schema, batches, epoch)
    requests = (_request(trainer, loader, plan, epoch, rows, mixing) for rows, mixing in reads)
    together = trainer.config.training.accumulate
    for number, ((rows, total), batch) in enumerate(zip(parts, loader.load(requests), strict=True)):
        weight = None if plan.weight is None else torch.from_numpy(plan.weight[rows]).to(trainer.device)
        first = number - number % together
        in_update = sum(count for _, count in parts[first : first + together])
        ends = number + 1 in {first + together, len(parts)}
        yield RankBatch(batch, weight, total, epoch, number, rows, rows < base, in_update, ends)


def updates_of(config: Config, plan: Plan, epoch: int) -> int:
    """Updates of the weights in an epoch: one every `training.accumulate` batches, and one for what is left."""
    return math.ceil(len(_batches(config, plan, epoch)) / config.training.accumulate)


def rank_rows(trainer: Trainer, schema: Schema, plan: Plan, epoch: int) -> npt.NDArray[np.int64]:
    """All rows of the plan that this rank reads in an epoch; a row that is mixed in may stand twice."""
    reads = _reads(trainer, schema, _batches(trainer.config, plan, epoch), epoch)
    return np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in reads)])


def _batches(config: Config, plan: Plan, epoch: int) -> list[npt.NDArray[np.int64]]:
    """Plan rows of each global batch of an epoch."""
    return epoch_batches(plan, config.training.batch_size, config.training.seed, epoch)


def _reads(
    trainer: Trainer, schema: Schema, batches: Iterable[npt.NDArray[np.int64]], epoch: int
) -> Iterator[tuple[npt.NDArray[np.int64], Mixing | None]]:
    """Plan rows that this rank reads for each global batch, and how they are mixed."""
    return (mixed_rows(trainer.config, schema, batch, epoch, trainer.communicator) for batch in batches)


def _request(
    trainer: Trainer,
    loader: BatchLoader,
    plan: Plan,
    epoch: int,
    rows: npt.NDArray[np.int64],
    mixing: Mixing | None = None,
) -> BatchRequest:
    dataset, method, seed = loader.reader.dataset, trainer.method, trainer.config.training.seed
    index = plan.index[rows]
    kept = kept_modalities(method, plan, rows, dataset.present[index], seed, epoch)
    return BatchRequest(index, kept, loader.reader.augmentation_keys(epoch, rows), mixing)


def kept_modalities(
    method: Method,
    plan: Plan,
    rows: npt.NDArray[np.int64],
    present: npt.NDArray[np.bool_],
    seed: int,
    epoch: int,
) -> npt.NDArray[np.bool_]:
    """What rows of a plan keep, bool [B, n]: of the modalities that their samples have those that the method leaves.

    Raises
    ------
    TrainingError
        When the method's mask is no mask.
    """
    kept = plan.masks(rows, present.shape[1]) & present
    with own_part(type(method), "mask"):
        masked: object = method.mask(kept, keys_of(derive(seed, "mask", epoch), rows))
    if not isinstance(masked, np.ndarray) or masked.dtype != bool or masked.shape != kept.shape:
        found = f"{masked.dtype} {list(masked.shape)}" if isinstance(masked, np.ndarray) else type(masked).__name__
        name = type(method).__name__
        raise TrainingError(f"method {name}: mask returns {found}; expected a numpy array, bool {list(kept.shape)}")
    return masked & kept


class _FeatureMeans:
    """Mean feature of each modality over the rows of an epoch that keep it, on all ranks, for `baseline: mean`."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._wanted = trainer.config.model.baseline == "mean"
        self._sum: Tensor | float = 0.0
        self._count: Tensor | float = 0.0

    def add(self, step: TrainingStep) -> None:
        """Take in the features of a step."""
        if self._wanted and len(step):
            kept = step.features.detach().double() * step.mask[..., None]
            self._sum = self._sum + kept.sum(dim=0)
            self._count = self._count + step.mask.double().sum(dim=0)

    def set_baseline(self) -> None:
        """Make the means the baseline of the model."""
        if not self._wanted:
            return
        model, width = self._trainer.model, self._trainer.model.size
        both = torch.zeros(len(model.names), width + 1, dtype=torch.float64, device=self._trainer.device)
        both[:, :width] += self._sum
        both[:, width] += self._count
        self._trainer.communicator.all_reduce_sum(both)
        model.set_baseline((both[:, :width] / both[:, width:].clamp(min=1)).float())


def check_losses(losses: list[Tensor], trainer: Trainer, loader: BatchLoader, plan: Plan, epoch: int) -> None:
    """Raise at the first loss of the epoch that is not finite; the batch of that step is then read again."""
    stacked = torch.stack(losses)
    bad = torch.nonzero(~torch.isfinite(stacked))[:, 0]
    if len(bad):
        step = int(bad[0])
        found = inputs_not_finite(_global_batch(trainer, loader, plan, epoch, step), loader.reader.dataset)
        said = advice(found, trainer.config, epoch, step)
        raise TrainingError(f"epoch {epoch}, step {step}: the loss is {float(stacked[step])}; {said}")


def _global_batch(trainer: Trainer, loader: BatchLoader, plan: Plan, epoch: int, step: int) -> Batch:
    """What all ranks together read for a step, on the CPU."""
    request = _request(trainer, loader, plan, epoch, _batches(trainer.config, plan, epoch)[step])
    return loader.reader.batch(request.index, request.mask, request.keys)
