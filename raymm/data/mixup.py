"""Mixup (Zhang et al., ICLR 2018) of rows of a batch: a row has one partner, for all of its modalities.

The partner is another row of the same global batch, and how much of it is mixed in is drawn of Beta(alpha, alpha);
both follow from keys of the rows, so they depend neither on ranks nor on loader workers. A rank that reads a row
whose partner is another rank's reads the partner too.

A modality is mixed where both rows keep it. The part of a row's own label is the mean, over the modalities that it
keeps, of the part of its own input: with everything mixed the drawn one, with nothing mixed 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import betaincinv
from torch import Tensor

from raymm.data.batch import Batch
from raymm.errors import DataError
from raymm.seeds import uniform
from raymm.tasks.mixed_labels import MixedLabels

__all__ = ["Mixing", "mixed", "partners_of", "parts_of"]

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Mixing:
    """How the first rows of those that are read become a batch.

    Attributes
    ----------
    partner
        Where the partner of each row stands among the rows that are read, int64 [B].
    part
        Part of the row's own input, float32 [B].
    read
        Modalities that the model reads, bool [n]; the others are left as they are and count nothing.
    """

    partner: npt.NDArray[np.int64]
    part: npt.NDArray[np.float32]
    read: npt.NDArray[np.bool_]


def partners_of(keys: Keys) -> npt.NDArray[np.int64]:
    """Position of the partner of each row of a global batch: the next one in the order of the keys [B], in a ring.

    >>> partners_of(np.array([7, 5, 9], np.uint64)).tolist()
    [2, 0, 1]
    """
    order = np.argsort(keys, kind="stable")
    partner = np.empty(len(keys), np.int64)
    partner[order] = np.roll(order, -1)
    return partner


def parts_of(keys: Keys, alpha: float) -> npt.NDArray[np.float32]:
    """A draw of Beta(alpha, alpha) for each key, float32 [B]."""
    return np.asarray(betaincinv(alpha, alpha, uniform(keys, 1)[:, 0].astype(np.float64)), np.float32)


def mixed(batch: Batch, mixing: Mixing) -> Batch:
    """The first rows of a batch, mixed with their partners in it.

    Raises
    ------
    DataError
        When a modality is no floating-point numbers.
    """
    device, count = batch.mask.device, len(mixing.part)
    partner, part, read = (torch.from_numpy(one).to(device) for one in (mixing.partner, mixing.part, mixing.read))
    kept = batch.mask[:count]
    shared = kept & batch.mask[partner] & read & (partner != torch.arange(count, device=device))[:, None]
    inputs = {
        name: _mixed(name, values, batch.mask[:, position], shared[:, position], partner, part)
        for position, (name, values) in enumerate(batch.inputs.items())
    }
    foreign = shared.sum(dim=1) / (kept & read).sum(dim=1).clamp(min=1)
    labels = MixedLabels(batch.labels[partner], 1 - (1 - part) * foreign)
    return replace(
        batch, inputs=inputs, mask=kept, labels=batch.labels[:count], index=batch.index[:count], mixed=labels
    )


def _mixed(name: str, values: Tensor, kept: Tensor, shared: Tensor, partner: Tensor, part: Tensor) -> Tensor:
    """Values of the first rows, from those of all rows that keep the modality."""
    own = values[: int(kept[: len(shared)].sum())]
    rows = torch.nonzero(shared)[:, 0]
    if not len(rows):
        return own
    if not values.is_floating_point():
        raise DataError(f"view.mixup: '{name}' is {values.dtype}, which cannot be mixed; use view.mixup.alpha=0")
    place = kept.cumsum(dim=0) - 1
    amount = part[rows].to(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
    made = own.clone()
    made[place[rows]] = amount * values[place[rows]] + (1 - amount) * values[place[partner[rows]]]
    return made
