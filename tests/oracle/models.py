"""Models of which every output is known: they read the evidence of `tests.oracle.games` and nothing else.

One function, reached in the three ways that a valuation knows:

    fused     no shortcut: the fusion is run once a coalition
    summed    `partials` and `finish`: sums are added, a head follows
    linear    `partials` alone: the sum is the logits; only the channel linear is read

Each is named as "tests.oracle.models:NAME", so that actors on any machine find it.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.data import Batch, Schema
from raymm.types import Features, Mask
from tests.oracle.games import CHANNELS, FULL, LABELS, UNIT

__all__ = ["EMPTY", "HIGH", "Fused", "Linear", "Summed", "fused", "linear", "summed"]

HIGH = 2.0
"""Logit of the label where the channels step and parity are on; 0 where they are off."""

EMPTY = (FULL - 0.5) / UNIT
"""Logit of the class `none`: half a part below what evidence must reach."""


class Fused(nn.Module):
    """The model as a whole; features are the vectors themselves."""

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.names = schema.names
        self.levels = nn.Buffer(torch.tensor([HIGH, EMPTY, FULL / UNIT]))

    def encode(self, batch: Batch) -> Features:
        """Evidence, float32 [B, n, channels * labels]."""
        columns = []
        for position, name in enumerate(self.names):
            rows = batch.mask[:, position].nonzero()[:, 0]
            values = batch.inputs[name]
            columns.append(values.new_zeros(len(batch), values.shape[1]).index_copy(0, rows, values))
        return torch.stack(columns, dim=1)

    def fuse(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits of the labels and of `none`."""
        return self._head((features * mask[..., None]).sum(dim=1))

    def _head(self, sums: Float[Tensor, "R H"]) -> Float[Tensor, "R K"]:
        high, nobody, full = self.levels
        channels = sums.unflatten(-1, (len(CHANNELS), LABELS))
        line, step, parity, product = channels.unbind(dim=-2)
        on = (step >= full).to(sums) + torch.remainder(parity, 2.0)
        logits = line + high * on + torch.expm1(product)
        return torch.cat([logits, nobody.expand(len(sums), 1)], dim=1)


class Summed(Fused):
    """The same with its sums laid open."""

    def partials(self, features: Features) -> tuple[Float[Tensor, "B n H"], Float[Tensor, " H"]]:
        """What each modality adds is its evidence; there is nothing without any."""
        return features, features.new_zeros(features.shape[-1])

    def finish(self, sums: Float[Tensor, "R H"]) -> Float[Tensor, "R K"]:
        """Logits of sums."""
        return self._head(sums)


class Linear(Fused):
    """The channel linear alone, whose sums are logits."""

    def fuse(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits of the labels and of `none`."""
        deltas, base = self.partials(features)
        return base + (deltas * mask[..., None]).sum(dim=1)

    def partials(self, features: Features) -> tuple[Float[Tensor, "B n K"], Float[Tensor, " K"]]:
        """Partial logits; `none` has its own without any modality."""
        evidence = features[..., CHANNELS.index("linear") * LABELS :][..., :LABELS]
        base = nn.functional.pad(self.levels[1:2], (LABELS, 0))
        return nn.functional.pad(evidence, (0, 1)), base


def fused(schema: Schema) -> Fused:
    """The model without shortcuts."""
    return Fused(schema)


def summed(schema: Schema) -> Summed:
    """The model whose head begins with a sum."""
    return Summed(schema)


def linear(schema: Schema) -> Linear:
    """The model whose logits are sums."""
    return Linear(schema)
