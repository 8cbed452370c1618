"""Logit sources: the logits of coalitions from a fusion that is run, from partial logits that are added, or from a
whole model.

A source belongs to one batch. Its method `logits` takes coalitions as masks; `blocks` takes consecutive codes and
yields their logits in blocks that keep within a memory budget. Coalition C of a sample stands for C without the
modalities that the sample lacks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from raymm.types import Features, Mask, Predict
from raymm.valuation.bits import masks_of
from raymm.valuation.partial_sums import grand_sum, sums_of_halves
from raymm.valuation.structure import copied

__all__ = ["CallableSource", "Finish", "FusionSource", "LogitSource", "Partials", "SumSource"]

Partials = Callable[[Features], tuple[Float[Tensor, "B n H"], Float[Tensor, " H"]]]
"""`(partial_logits, bias)`: what each modality adds to the logits (or to the first layer of a head), and the sum over
the empty coalition. The sum over coalition C is bias + sum of partial_logits[:, i] over i in C."""

Finish = Callable[[Float[Tensor, "R H"]], Float[Tensor, "R K"]]
"""The rest of a head, from sums of partial logits to logits; must not mix rows."""

BLOCK_BYTES, BLOCK_BYTES_CPU = 64 * 2**20, 512 * 2**10
"""Memory for the features of one block of coalitions. It is small on a CPU: large blocks are returned to the system
after each use and mapped again page by page, which takes up to a third of the time (see `raymm.allocator`)."""


class LogitSource(ABC):
    """Logits of the coalitions of one batch.

    Attributes
    ----------
    present
        Modalities that each sample has, bool [B, n].
    chunk
        Number of coalitions whose values are summed together. It depends on the kind of source and on n alone, so
        that sums of soft utilities do not depend on how the work was split.
    step
        Number of coalitions whose logits are in memory at one time.
    """

    present: Mask
    chunk: int
    step: int = 1

    @cached_property
    def nothing_missing(self) -> bool:
        """Whether every sample has all modalities."""
        return bool(self.present.all())

    def grand_logits(self) -> Float[Tensor, "B K"]:
        """Logits of the grand coalition."""
        return self.logits(self.present.new_ones(1, self.present.shape[1]))[:, 0]

    @abstractmethod
    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "B s K"]:
        """Logits of coalitions."""

    def blocks(self, codes: range) -> Iterator[Float[Tensor, "B s K"]]:
        """Logits of consecutive coalitions, `step` at a time."""
        for start in range(codes.start, codes.stop, self.step):
            yield self.logits(self.masks(range(start, min(start + self.step, codes.stop))))

    def masks(self, codes: range) -> Bool[Tensor, "s n"]:
        """Masks of consecutive coalitions, on the device of the batch."""
        numbers = torch.arange(codes.start, codes.stop, device=self.present.device)
        return masks_of(numbers, self.present.shape[1])

    def sizes(self, masks: Bool[Tensor, "s n"]) -> Int64[Tensor, "B s"]:
        """Number of present members of each coalition."""
        return (self.present.float() @ masks.float().T).long()


class FusionSource(LogitSource):
    """One run of the fusion a coalition: `predict(features, mask)` on features that the encoders gave before."""

    def __init__(self, predict: Predict, features: Features, present: Mask, block_bytes: int | None = None) -> None:
        self.predict, self.features, self.present = predict, features, present
        self.chunk = _small_chunk(features.shape[1])
        batch, n, width = features.shape
        if block_bytes is None:
            block_bytes = BLOCK_BYTES_CPU if features.device.type == "cpu" else BLOCK_BYTES
        self.step = max(1, block_bytes // max(1, features.element_size() * batch * n * width))

    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "B s K"]:
        """One run of the fusion on every pair of sample and coalition."""
        batch, n, _ = self.features.shape
        kept = masks[None] & self.present[:, None]
        repeated = self.features[:, None].expand(-1, len(masks), -1, -1)
        own = repeated.clone(memory_format=torch.contiguous_format)  # never a view: a fusion may mask in place
        logits = self.predict(own.flatten(0, 1), kept.reshape(-1, n))
        return logits.reshape(batch, len(masks), *logits.shape[1:] or [1])


class CallableSource(LogitSource):
    """A whole model that cannot be split: `predict(inputs, mask)`, called once a coalition on the whole batch."""

    def __init__(self, predict: Callable[[Any, Mask], Float[Tensor, "B K"]], inputs: Any, present: Mask) -> None:
        self.predict, self.inputs, self.present = predict, inputs, present
        self.chunk = _small_chunk(present.shape[1])

    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "B s K"]:
        """One run of the model a coalition, each on inputs of its own: the model may change them in place."""
        return torch.stack([self.predict(copied(self.inputs), mask & self.present) for mask in masks], dim=1)


class SumSource(LogitSource):
    """Sums of partial logits (or of the partial sums of a head's first layer), which are computed once a sample.

    Parameters
    ----------
    partial_logits, bias
        As `Partials` returns them; bias [H].
    head
        The rest of the head after the sum; None where the sum is the logits.
    """

    def __init__(
        self,
        partial_logits: Float[Tensor, "B n H"],
        bias: Float[Tensor, " H"],
        present: Mask,
        head: Finish | None = None,
    ) -> None:
        self.bias, self.present, self.head = bias, present, head
        whole = present.device.type == "cpu" and self.nothing_missing  # a GPU would be waited for to see it
        self.partial_logits = partial_logits
        if not whole:  # no product: 0 times NaN is NaN, and what stands at an absent modality is never read
            self.partial_logits = torch.where(present[..., None], partial_logits, partial_logits.new_zeros(()))
        n = partial_logits.shape[1]
        self.chunk = min(2**n, 4096) if head is None else _small_chunk(n)
        self.step = 256

    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "B s K"]:
        """Sums over the members of any coalitions."""
        return self._apply_head(self.bias + masks.to(self.partial_logits.dtype) @ self.partial_logits)

    def blocks(self, codes: range) -> Iterator[Float[Tensor, "B s K"]]:
        """Sums of consecutive coalitions: one addition each, from tables over the halves of their bits."""
        for sums in sums_of_halves(self.partial_logits, self.bias, codes):
            yield self._apply_head(sums)

    def grand_logits(self) -> Float[Tensor, "B K"]:
        """The sum over all modalities, added in the order of `blocks`, so that both give the same bits."""
        return self._apply_head(grand_sum(self.partial_logits, self.bias)[:, None])[:, 0]

    def _apply_head(self, sums: Float[Tensor, "B s H"]) -> Float[Tensor, "B s K"]:
        if self.head is None:
            return sums
        return self.head(sums.flatten(0, 1)).unflatten(0, sums.shape[:2])


def _small_chunk(n: int) -> int:
    """Chunk of a source that is expensive: small enough to distribute the coalitions of a batch over actors."""
    return min(2**n, max(8, 2**n // 16))
