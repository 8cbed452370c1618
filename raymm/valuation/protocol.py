"""What raymm asks of a model: `encode` and `fuse`, and where logits are sums, `partials` and `finish`.

`raymm.models.model.MultimodalModel` is one such model. Any other object with these methods is as good: the worked
examples are in docs/valuation.md. A model that cannot be split is valued by `raymm.valuation.contributions` or
`CallableSource`, which run it whole on every coalition.
"""

import hashlib
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.types import Features, Mask
from raymm.valuation.logit_sources import FusionSource, Source, SumSource

__all__ = ["AdditiveModel", "FusionModel", "SplitModel", "fingerprint", "logit_source", "source_for"]


@runtime_checkable
class FusionModel(Protocol):
    """The part of a model that follows its encoders; must not mix rows."""

    def fuse(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits of the modalities where mask is True."""


@runtime_checkable
class SplitModel(FusionModel, Protocol):
    """A model in two parts: encoders that look at one modality each, and a fusion of their features.

    Neither may mix rows (use normalisation layers in evaluation mode).
    """

    def encode(self, batch: Any) -> Features:
        """Features [B, n, D] of a batch; what stands at an absent modality is never read."""


@runtime_checkable
class AdditiveModel(Protocol):
    """A split model whose head begins with a sum over modalities.

    `fuse(features, mask)` must equal `finish(base + sum of deltas[:, i] over i in mask)`; a model without `finish`
    (or with None there) has the sum itself as its logits. `raymm.valuation.check_model` tells whether that holds.
    """

    def partials(self, features: Features) -> tuple[Float[Tensor, "B n H"], Float[Tensor, " H"]]:
        """`(deltas, base)`."""


def logit_source(model: FusionModel, features: Features, present: Mask, block_bytes: int | None = None) -> Source:
    """The cheapest way to the logits of coalitions that a model offers: the one way from a model to its values.

    Training, valuation and serving all ask here, so that `finish` is never forgotten where there are `partials`.
    A model with a false attribute `additive` has `partials` in name only.
    """
    if isinstance(model, AdditiveModel) and getattr(model, "additive", True):
        return SumSource(*model.partials(features), present, getattr(model, "finish", None))
    return FusionSource(model.fuse, features, present, block_bytes)


source_for = logit_source
"""The name of `logit_source` before 0.2."""


def fingerprint(model: nn.Module) -> str:
    """Sixteen hex digits over the names, shapes and bytes of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
