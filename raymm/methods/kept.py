"""What a copy keeps: the modality that it was made for alone, or a random coalition with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.config.base import Settings
from raymm.methods.base import ExtraRows
from raymm.seeds import derive, keys_of, uniform

if TYPE_CHECKING:
    from raymm.methods.base import ResamplingInputs

__all__ = ["KeepSettings", "with_kept"]


class KeepSettings(Settings):
    """What the copies of a method keep."""

    keep: Literal["single", "coalition"] = Field(
        default="single", description="a copy keeps its modality alone, or a random coalition that has it"
    )


def with_kept(extra: ExtraRows, inputs: ResamplingInputs, settings: KeepSettings) -> ExtraRows:
    """The copies with what they keep by the settings.

    With `coalition`, a copy of modality i of a sample with p modalities keeps i and s - 1 others, s uniform in 1 to
    p - 1, the others uniform among those of the sample; the draw is keyed by seed, sample, modality and number of the
    copy. With two modalities that is i alone, with one it is all there is.

    Parameters
    ----------
    extra
        Copies that keep one modality each.
    """
    if settings.keep == "single" or not len(extra):
        return extra
    n = inputs.present.shape[1]
    drawn = _uniform(extra, inputs, n + 1)
    modality = np.log2(extra.keep).astype(np.int64)
    present = inputs.present[extra.position]
    others = np.maximum(present.sum(axis=1) - 2, 0)  # at most so many beside the copy's own
    count = np.minimum((drawn[:, 0] * (others + 1)).astype(np.int64), others)
    order = np.where(present, drawn[:, 1:], 2.0)
    order[np.arange(len(extra)), modality] = -1.0  # its own stands first
    rank = order.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    kept = rank <= count[:, None]
    return ExtraRows(extra.position, kept @ (np.int64(1) << np.arange(n, dtype=np.int64)), extra.weight)


def _uniform(extra: ExtraRows, inputs: ResamplingInputs, count: int) -> npt.NDArray[np.float32]:
    """Uniform numbers of each copy [R, count]."""
    pairs = np.stack([extra.position, extra.keep], axis=1)
    _, pair, sizes = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(pair.ravel(), kind="stable")
    number = np.empty(len(extra), np.int64)  # 0, 1, ... among the copies of one sample and modality
    number[order] = np.arange(len(extra)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn = np.empty((len(extra), count), np.float32)
    for keep, copy in np.unique(np.stack([extra.keep, number], axis=1), axis=0):
        same = (extra.keep == keep) & (number == copy)
        keys = keys_of(derive(inputs.seed, "keep", int(keep), int(copy)), inputs.rows[extra.position[same]])
        drawn[same] = uniform(keys, count)
    return drawn
