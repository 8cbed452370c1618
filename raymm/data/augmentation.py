"""Augmentation that is keyed by the row: the same row is augmented alike in any batch, on any rank and worker."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymm.data import transforms
from raymm.seeds import uniform

__all__ = ["crop_and_flip_at_random", "shift_at_random"]

Keys = npt.NDArray[np.uint64]


def shift_at_random(values: Tensor, keys: Keys | None, part: float) -> Tensor:
    """Move each sample along its last axis by up to `part` of its length; without keys nothing is moved.

    Parameters
    ----------
    values
        Float32 [b, ..., length].
    keys
        Random keys [b], or None.
    part
        Largest shift, as a part of the length.
    """
    if keys is None or not len(keys) or not part:
        return values
    reach = part * values.shape[-1]
    offsets = np.rint((2 * uniform(keys, 1)[:, 0] - 1) * reach).astype(np.int64)
    return transforms.shift_in_time(values, torch.from_numpy(offsets))


def crop_and_flip_at_random(values: Tensor, keys: Keys | None, part: float, flip: bool, signed: bool) -> Tensor:
    """Move frames by up to `part` of their size and mirror half of them; without keys nothing is done.

    Parameters
    ----------
    values
        Float32 [b, T, C, H, W].
    keys
        Random keys [b], or None.
    part
        Largest shift, as a part of height and width.
    flip
        Whether frames are mirrored left to right.
    signed
        Whether mirroring changes the sign of the first channel, as that of horizontal flow.
    """
    if keys is None or not len(keys):
        return values
    draws = torch.from_numpy(uniform(keys, 3))
    if part:
        values = transforms.shift_in_space(values, part, draws[:, :2])
    if flip:
        values = transforms.mirror(values, draws[:, 2] < 0.5, flow=signed)
    return values
