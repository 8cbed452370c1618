"""The input of a model: the values of the modalities that take part, and a mask of which these are.

A batch is ragged by modality: `inputs[name]` holds the rows whose mask is True, in order, and nothing for
the others. A row that keeps one modality of three costs one encoder, and nothing is read for the rest.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from raymm.errors import DataError
from raymm.tasks.mixed_labels import MixedLabels

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """Rows of a plan, or of a split, ready for the encoders.

    Attributes
    ----------
    inputs
        By modality name, in schema order: `[mask[:, i].sum(), ...]`; audio log-mel float32 [b, 1, F, T], rgb
        float32 [b, T, 3, H, W], flow float32 [b, T, 2, H, W], text int64 [b, L] (0 pads),
        vector float32 [b, size], sequence float32 [b, channels, length].
    mask
        Bool [B, n]: the modalities that take part.
    labels
        Of the task's type: int64 [B], bool [B, K], or float64 [B, K].
    index
        int64 [B]: sample numbers in the data set.
    mixed
        Of rows whose inputs are mixed with those of others (`view.mixup`): what these add to the labels; else None.

    Raises
    ------
    DataError
        When a modality has another number of rows than its mask; looked at where the mask is on the CPU.
    """

    inputs: dict[str, Tensor]
    mask: Bool[Tensor, "B n"]
    labels: Shaped[Tensor, "B ..."]
    index: Int64[Tensor, " B"]
    mixed: MixedLabels | None = None

    def __post_init__(self) -> None:
        if self.mask.device.type != "cpu":  # it was looked at before, and a GPU would be waited for
            return
        for (name, values), rows in zip(self.inputs.items(), self.mask.sum(dim=0).tolist(), strict=True):
            if len(values) != rows:
                raise DataError(f"a batch has {len(values)} rows of '{name}'; by its mask they are {rows}")

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device`."""
        if self.mask.device == device:
            return self
        return Batch(
            inputs={name: value.to(device, non_blocking=True) for name, value in self.inputs.items()},
            mask=self.mask.to(device, non_blocking=True),
            labels=self.labels.to(device, non_blocking=True),
            index=self.index,
            mixed=None if self.mixed is None else self.mixed.to(device),
        )

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory, from which copies to a GPU run beside the computation."""
        return Batch(
            inputs={name: value.pin_memory() for name, value in self.inputs.items()},
            mask=self.mask.pin_memory(),
            labels=self.labels.pin_memory(),
            index=self.index,
            mixed=None if self.mixed is None else self.mixed.pin_memory(),
        )
