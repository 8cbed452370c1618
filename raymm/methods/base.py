"""What a method is: how training acts on modality imbalance. Every part is optional, a method is one file.

| part | called | to |
|---|---|---|
| `before_epoch(start)` | on every rank, before the first step | change weights by what the state says |
| `mask(kept, keys)` | before a batch is read | drop modalities of rows |
| `loss(step)` | after encoding | replace the loss |
| `on_gradients(step)` | after the gradients are summed over the workers, before they are clipped | change gradients |
| `after_steps(reduce)` | on every rank, after the last step | sum over workers what steps gathered |
| `after_evaluation(end)` | on the first rank, once validation was valued | change the state by what it shows |
| `plan(inputs)` | after a valuation | add rows to the next epoch, or replace them: copies that keep some modalities |
| `figures()` | after an epoch | log numbers of the method's own |
| `state_dict()` | with every commit | keep what the method must remember |

Whatever is random is keyed (`raymm.seeds`), and what a method remembers is in its state, so that a resumed run equals
an uninterrupted one. Losses and gradients are sums over the rows of a global batch: a method that needs a quantity of
the whole batch sums it over the workers by `step.all_reduce`. The state is committed by the first rank, and all ranks
read it back from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.seeds import derive, keys_of, uniform

if TYPE_CHECKING:
    from raymm.methods.epochs import EpochEnd, EpochStart
    from raymm.methods.step import Step
    from raymm.valuation.utilities import Utility

__all__ = ["PIECE", "ExtraRows", "Method", "MethodContext", "Needs", "ResamplingInputs", "Rows", "Tuned"]

Rows = npt.NDArray[np.int64]

Needs = Literal["nothing", "state", "all", "subset"]
"""What a plan reads: nothing, so that there is none; the method's state, so that nothing is valued for it; or the
contributions of all training samples, or of a random subset Z of them."""


PIECE = 2**16
"""Samples, or rows, that are looked at together where what that takes is many times their own place."""

Tuned = tuple[tuple[str, tuple[Any, ...]], ...]
"""Names of settings, each with values."""


@dataclass(frozen=True)
class ResamplingInputs:
    """What a plan may look at.

    Attributes
    ----------
    rows
        Sample numbers of the training split, int64 [N].
    label, present
        Their labels (classes int64 [N], or label sets bool [N, K]; of the type that the task has) and the modalities
        they have, bool [N, n].
    phi
        Their contributions, float64 [N, n]; NaN for missing modalities and for samples that were not valued.
    utility
        The utility that phi was computed with, for the labels of the task.
    seed
        Seed of this epoch's draws.
    classes
        K, number of classes.
    """

    rows: Rows
    label: npt.NDArray[Any]
    present: npt.NDArray[np.bool_]
    phi: npt.NDArray[np.float64]
    utility: Utility
    seed: int
    classes: int

    @property
    def membership(self) -> npt.NDArray[np.bool_]:
        """Which classes each sample belongs to, as the task has it, bool [N, K]."""
        member: npt.NDArray[np.bool_] = self.utility.task.class_membership(self.label, self.classes)
        return member

    def draw(self, purpose: str, count: int) -> npt.NDArray[np.float32]:
        """Uniform numbers [N, count], keyed by sample and purpose."""
        return uniform(keys_of(derive(self.seed, purpose), self.rows), count)

    def pieces(self, size: int = PIECE) -> Iterator[ResamplingInputs]:
        """The inputs of `size` samples at a time, in order; what is drawn for a sample is the same in them."""
        for start in range(0, max(1, len(self.rows)), size):
            some = slice(start, start + size)
            columns = (self.rows[some], self.label[some], self.present[some], self.phi[some])
            yield ResamplingInputs(*columns, self.utility, self.seed, self.classes)


@dataclass(frozen=True)
class ExtraRows:
    """Rows that an epoch trains beside every sample once, or instead.

    Attributes
    ----------
    position
        Positions in `ResamplingInputs.rows`, int64 [R].
    keep
        Coalition code of the modalities that each row keeps, int64 [R]: bit i is modality i in schema order.
    weight
        Weight of each row's loss, float32 [R]; None weighs all rows alike (1).
    base
        Whether the epoch trains every sample once beside these rows; False: these rows alone.
    group
        Group of each row, int64 [R], where `base` is False: rows of one batch have one group, and batches come in
        ascending order of their groups. None mixes all rows.
    """

    position: Rows
    keep: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32] | None = None
    base: bool = True
    group: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True)
class MethodContext:
    """What a method is told once, when training begins.

    Attributes
    ----------
    modalities
        Names in schema order.
    outputs
        K: width of the model's output.
    feature_size
        D: features of one modality.
    task, fusion
        Names of the task and of the fusion.
    utility
        The utility that contributions are computed with.
    seed
        Seed of the run.
    epochs, warmup
        Epochs of the training, and those before the first plan.
    classes
        Number of classes; 0 where labels have none.
    schedule
        Name of the learning rate's schedule.
    reads
        Names of the modalities that the model reads (`model.modalities`); None for all.
    encoders
        Whether each modality has an encoder whose parameters can be told from the others.
    """

    modalities: tuple[str, ...]
    outputs: int
    feature_size: int
    task: str
    fusion: str
    utility: Utility
    seed: int
    epochs: int = 1
    warmup: int = 0
    classes: int = 0
    schedule: str = "constant"
    reads: tuple[str, ...] | None = None
    encoders: bool = True


class Method:
    """Base of all methods: joint training, which does nothing about imbalance.

    Parameters
    ----------
    settings
        The method's own settings, an instance of its `Settings`.
    context
        What the run is.

    Attributes
    ----------
    Settings
        Settings that only this method reads (`method.settings.NAME=...`).
    needs
        What `plan` reads; with "nothing" it is never called, with "state" the training split is not valued for it and
        `phi` is NaN.
    reads_encoders
        Whether it looks at the parameters or gradients of the encoder of each modality, or at those of the rest.
    reads_labels
        Whether it looks at labels or contributions of rows in training, beside the losses by `step.loss_of`; mixed
        rows (`view.mixup`) have two labels each.
    source, cost
        Where the method comes from, and what a step costs beside joint training, for `docs/methods.md`.
    tuned
        Settings that matter, each with values for a study to try beside the learning rate: `("fs.scale", (1, 2, 4))`.
    module
        Trainable parameters of the method's own (such as unimodal heads), optimised with the model's; or None.
    turns
        Updates of the weights a batch: features are encoded once, and for each turn `loss` is called with
        `step.turn`, gradients are computed, and the optimizer makes a step.
    """

    Settings: ClassVar[type[Settings]] = Settings
    needs: ClassVar[Needs] = "nothing"
    reads_encoders: ClassVar[bool] = False
    reads_labels: ClassVar[bool] = False
    source: ClassVar[str] = ""
    cost: ClassVar[str] = ""
    tuned: ClassVar[Tuned] = ()
    module: nn.Module | None = None
    turns: int = 1

    def __init__(self, settings: Any, context: MethodContext) -> None:
        self.settings = settings
        self.context = context

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """What keeps this method from being used in a run, in words; empty when nothing does."""
        del settings, context
        return []

    @classmethod
    def idle(cls, settings: Any) -> tuple[str, ...]:
        """Names of its settings that make no difference as the others stand: runs that differ in them are equal."""
        del settings
        return ()

    @classmethod
    def stage_epochs(cls, settings: Any, epochs: int) -> int:
        """First epochs, of so many, that train other models than the rest; `training.patience` counts none."""
        del settings, epochs
        return 0

    @classmethod
    def acts_by_plan_only(cls) -> bool:
        """Whether training is joint until the first plan, so that the epochs before it can be shared between runs."""
        return all(getattr(cls, name) is getattr(Method, name) for name in _DURING_TRAINING)

    def rows_to_value(self, rows: Rows, seed: int) -> Rows:
        """The training samples whose contributions the next plan reads, in ascending order; default: all."""
        del seed
        return rows

    def plan(self, inputs: ResamplingInputs) -> ExtraRows:
        """Rows that the next epoch trains beside every sample once; default: none."""
        del inputs
        return ExtraRows(np.empty(0, np.int64), np.empty(0, np.int64))

    def mask(self, kept: npt.NDArray[np.bool_], keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Modalities that rows keep, bool [B, n], from those that the plan keeps and the sample has.

        Parameters
        ----------
        keys
            Random keys [B] of the rows (seed, epoch, row of the plan); draw by `raymm.seeds.uniform`, so that a row's
            mask does not depend on its batch, rank or loader worker.
        """
        del keys
        return kept

    def loss(self, step: Step) -> Tensor:
        """The sum of the losses of this rank's rows, with its graph; default: the task's loss of the outputs."""
        return step.total(step.loss_of(step.logits))

    def on_gradients(self, step: Step) -> None:
        """Change the gradients of `step.model`, which are those of the whole global batch; on every rank alike."""

    def before_epoch(self, start: EpochStart) -> None:
        """Before the first step of an epoch, on every rank alike: weights may be changed, by what the state says."""
        del start

    def after_steps(self, reduce: Callable[[Tensor], Tensor]) -> None:
        """After the last step of an epoch, on every rank; `reduce` sums a tensor of equal shape over all ranks."""
        del reduce

    def after_evaluation(self, end: EpochEnd) -> None:
        """On the first rank, before the next plan: change the state, which all ranks then read from the commit."""
        del end

    def figures(self) -> dict[str, float]:
        """Numbers of the epoch that are logged as `method/NAME`, read on the first rank after `after_evaluation`."""
        return {}

    def state_dict(self) -> dict[str, Tensor]:
        """What the method must remember between epochs, as tensors by name; equal on every rank."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what an earlier process remembered."""
        del state


_DURING_TRAINING = (
    "mask",
    "loss",
    "on_gradients",
    "module",
    "turns",
    "before_epoch",
    "after_steps",
    "after_evaluation",
    "figures",
)
"""Parts of a method by which its training differs from joint training already before the first plan."""
