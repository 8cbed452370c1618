"""Where the logits of coalitions come from: a fusion that is run, partial logits that are added, or a callable.

A source belongs to one batch. It is asked for coalitions by their masks (`logits`), and for consecutive codes
in blocks that keep within a memory budget (`blocks`). Coalition C of a sample stands for C without the
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
from raymm.valuation.coalitions import masks_of
from raymm.valuation.partial_sums import sum_of_all, sums_of_halves

__all__ = ["CallableSource", "Finish", "FusionSource", "Partials", "Source", "SumSource"]

Partials = Callable[[Features], tuple[Float[Tensor, "B n H"], Float[Tensor, " H"]]]
"""`(deltas, base)`: what each modality adds to the logits (or to the first layer of a head), and what is there
without any: base + sum of deltas[:, i] over i in C."""

Finish = Callable[[Float[Tensor, "R H"]], Float[Tensor, "R K"]]
"""The rest of a head, from sums of partials to logits; must not mix rows."""

BLOCK_BYTES, BLOCK_BYTES_CPU = 64 * 2**20, 512 * 2**10
"""Features of one block of coalitions. On a CPU it is small: memory of large blocks is handed back to the system
after each and fetched again page by page, which takes up to a third of the time (see `raymm.allocator`)."""


class Source(ABC):
    """Logits of the coalitions of one batch.

    Attributes
    ----------
    present
        Modalities that each sample has, bool [B, n].
    chunk
        Coalitions whose values are summed together; always the same for one kind of source and n, so that sums
        of soft values do not depend on how the work was split.
    step
        Coalitions whose logits are held at one time.
    """

    present: Mask
    chunk: int
    step: int = 1

    @cached_property
    def nothing_missing(self) -> bool:
        """Whether every sample has all modalities."""
        return bool(self.present.all())

    def full_logits(self) -> Float[Tensor, "B K"]:
        """Logits of everyone together."""
        return self.logits(torch.ones_like(self.present[:1]))[:, 0]

    @abstractmethod
    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "B s K"]:
        """Logits of coalitions."""

    def blocks(self, codes: range) -> Iterator[Float[Tensor, "B s K"]]:
        """Logits of consecutive coalitions, some at a time."""
        for start in range(codes.start, codes.stop, self.step):
            yield self.logits(self.masks(range(start, min(start + self.step, codes.stop))))

    def masks(self, codes: range) -> Bool[Tensor, "s n"]:
        """Masks of consecutive coalitions, on the device of the batch."""
        numbers = torch.arange(codes.start, codes.stop, device=self.present.device)
        return masks_of(numbers, self.present.shape[1])

    def sizes(self, masks: Bool[Tensor, "s n"]) -> Int64[Tensor, "B s"]:
        """Present members of each coalition."""
        return (self.present.float() @ masks.float().T).long()


class FusionSource(Source):
    """Encode once, fuse once a coalition: `predict(features, mask)` on features that are already there."""

    def __init__(self, predict: Predict, features: Features, present: Mask, block_bytes: int | None = None) -> None:
        self.predict, self.features, self.present = predict, features, present
        self.chunk = _small_chunk(features.shape[1])
        batch, n, width = features.shape
        if block_bytes is None:
            block_bytes = BLOCK_BYTES_CPU if features.device.type == "cpu" else BLOCK_BYTES
        self.step = max(1, block_bytes // max(1, features.element_size() * batch * n * width))

    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "B s K"]:
        """One run of the fusion on every sample and coalition."""
        batch, n, width = self.features.shape
        kept = masks[None] & self.present[:, None]
        repeated = self.features[:, None].expand(-1, len(masks), -1, -1)
        logits = self.predict(repeated.reshape(-1, n, width), kept.reshape(-1, n))
        return logits.reshape(batch, len(masks), -1)


class CallableSource(Source):
    """A whole model that nobody can look into: `predict(inputs, mask)`, once a coalition on the whole batch."""

    def __init__(self, predict: Callable[[Any, Mask], Float[Tensor, "B K"]], inputs: Any, present: Mask) -> None:
        self.predict, self.inputs, self.present = predict, inputs, present
        self.chunk = _small_chunk(present.shape[1])

    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "B s K"]:
        """One run of the model a coalition."""
        return torch.stack([self.predict(self.inputs, mask & self.present) for mask in masks], dim=1)


class SumSource(Source):
    """Partial logits (or partial sums of a head's first layer) that are added, never computed again.

    Parameters
    ----------
    deltas, base
        As `Partials` gives them; base [H].
    finish
        What follows the sum; None where the sum is the logits.
    """

    def __init__(
        self,
        deltas: Float[Tensor, "B n H"],
        base: Float[Tensor, " H"],
        present: Mask,
        finish: Finish | None = None,
    ) -> None:
        self.base, self.present, self.finish = base, present, finish
        self.deltas = deltas if self.nothing_missing else deltas * present[..., None]
        n = deltas.shape[1]
        self.chunk = min(2**n, 4096) if finish is None else _small_chunk(n)
        self.step = 256

    def logits(self, masks: Bool[Tensor, "s n"]) -> Float[Tensor, "B s K"]:
        """Sums over the members of any coalitions."""
        return self._finished(self.base + masks.to(self.deltas.dtype) @ self.deltas)

    def blocks(self, codes: range) -> Iterator[Float[Tensor, "B s K"]]:
        """Sums of consecutive coalitions: one addition each, from tables over the halves of their bits."""
        for sums in sums_of_halves(self.deltas, self.base, codes):
            yield self._finished(sums)

    def full_logits(self) -> Float[Tensor, "B K"]:
        """The sum over everyone, formed as that of the last coalition, so that both predict the same."""
        return self._finished(sum_of_all(self.deltas, self.base)[:, None])[:, 0]

    def _finished(self, sums: Float[Tensor, "B s H"]) -> Float[Tensor, "B s K"]:
        if self.finish is None:
            return sums
        return self.finish(sums.flatten(0, 1)).unflatten(0, sums.shape[:2])


def _small_chunk(n: int) -> int:
    """Coalitions that are summed together where the fusion is dear: few enough to be dealt to several actors."""
    return min(2**n, max(8, 2**n // 16))
