"""Which of two axes of a branch's output are the samples, where both are as long as the batch: found by masking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from raymm.types import Mask
from raymm.valuation.conformance import ModelError
from raymm.valuation.likeness import close
from raymm.valuation.own.branches import Branch, zeroed_rows
from raymm.valuation.structure import tensors_of

__all__ = ["settle_axes"]

Replay = Callable[[Mapping[str, Any]], Float[Tensor, "B K"]]
"""Logits with other outputs of some branches, by name."""


def settle_axes(
    branches: Sequence[Branch], outputs: Mapping[str, Any], own: Float[Tensor, "B K"], replay: Replay
) -> None:
    """Settle the axis of the samples of each tensor of which two fit.

    Of the right axis, zeros in some rows leave the logits of the other samples as they are. A tensor that nothing
    reads in this batch, and one of a model that gives other logits when it is called again, is left open.

    Parameters
    ----------
    outputs
        What the branches gave, by name.
    own
        The logits of the model.

    Raises
    ------
    ModelError
        When zeros along either axis change other samples.
    """
    unclear = [
        (branch, position)
        for branch in branches
        if branch.name in outputs
        for position, fits in enumerate(branch.fits or ())
        if len(fits) > 1
    ]
    if len(own) < 2 or not unclear or not close(replay({}), own):
        return
    for branch, position in unclear:
        _settle(branch, position, outputs[branch.name], own, replay)


def _settle(branch: Branch, position: int, output: Any, own: Float[Tensor, "B K"], replay: Replay) -> None:
    def apart(axis: int, keep: Mask) -> bool:
        """Whether zeros where `keep` is False leave the samples as they are where it is True."""
        found = replay({branch.name: zeroed_rows(output, position, axis, keep)})
        return close(found[keep], own[keep])

    rows = torch.arange(len(own), device=own.device)
    if close(replay({branch.name: zeroed_rows(output, position, 0, rows < 0)}), own):
        return
    parts = [rows < len(own) // 2, rows % 2 == 0]
    found = [axis for axis in (0, 1) if all(apart(axis, keep) for part in parts for keep in (part, ~part))]
    if not found:
        raise ModelError(
            f"branch '{branch.name}' gives a tensor {list(tensors_of(output)[position].shape)}, of which two axes "
            "are as long as the batch, and masking samples along either changes others: samples of a batch must not "
            "mix (if they do not, batches of another size show which axis they are)"
        )
    if len(found) == 1:
        branch.settle(position, found[0])
