"""The protocol of a model that can be valued: `encode` and `fuse`, and for additive heads `partials` and `finish`.

`raymm.models.model.MultimodalModel` implements it; any other object with these methods can be valued as well (worked
examples: docs/valuation.md). A model that cannot be split is valued by `raymm.valuation.contributions`, which runs
the whole model once a coalition.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from raymm.types import Features, Mask
from raymm.valuation.fingerprints import fingerprint
from raymm.valuation.logit_sources import FusionSource, LogitSource, SumSource
from raymm.valuation.modes import evaluating

__all__ = [
    "AdditiveModel",
    "FusionModel",
    "SplitModel",
    "evaluating",
    "fingerprint",
    "logit_source",
    "players",
    "source_for",
]


@runtime_checkable
class FusionModel(Protocol):
    """The part of a model that follows its encoders; must not mix rows."""

    def fuse(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits of the modalities where mask is True."""


@runtime_checkable
class SplitModel(FusionModel, Protocol):
    """A model in two parts: one encoder a modality, and a fusion of their features.

    Neither may mix rows (use normalisation layers in evaluation mode).
    """

    def encode(self, batch: Any) -> Features:
        """Features [B, n, D] of a batch; the values at an absent modality are never read."""


@runtime_checkable
class AdditiveModel(Protocol):
    """A split model whose head begins with a sum over modalities.

    `fuse(features, mask)` must equal `finish(bias + sum of partial_logits[:, i] over i in mask)`; without `finish`
    (or where it is None) the sum itself is the logits. `raymm.valuation.check_model` checks this equality.
    """

    def partials(self, features: Features) -> tuple[Float[Tensor, "B n H"], Float[Tensor, " H"]]:
        """`(partial_logits, bias)`."""


def logit_source(
    model: FusionModel, features: Features, present: Mask, block_bytes: int | None = None
) -> LogitSource:
    """The cheapest way to the logits of coalitions that a model offers.

    Training, valuation and serving all use this function, so that no caller can pass `partials` and forget `finish`.
    The `partials` of a model whose attribute `additive` is false are ignored.

    Parameters
    ----------
    features, present
        Encoder outputs [B, n, D], and the modalities that each sample has, bool [B, n]; see `players`.
    block_bytes
        Memory for the features of one block of coalitions, where the fusion has to be run.

    Examples
    --------
    >>> class Sum:
    ...     def fuse(self, features, mask):
    ...         return (features * mask[..., None]).sum(dim=1)
    ...     def partials(self, features):
    ...         return features, torch.zeros(features.shape[2])
    >>> features, present = torch.tensor([[[1.0, 0.0], [2.0, 5.0]]]), torch.tensor([[True, True]])
    >>> source = logit_source(Sum(), features, present)
    >>> type(source).__name__
    'SumSource'
    >>> source.logits(torch.tensor([[True, False], [True, True]]))
    tensor([[[1., 0.],
             [3., 5.]]])
    """
    present = players(model, present)
    if isinstance(model, AdditiveModel) and getattr(model, "additive", True):
        return SumSource(*model.partials(features), present, getattr(model, "finish", None))
    return FusionSource(model.fuse, features, present, block_bytes)


def players(model: object, present: Mask) -> Mask:
    """The modalities of each sample that take part in its game: those that it has and the model reads.

    A model that reads some modalities only says so by an attribute `reads`, bool [n], as raymm's do
    (`model.modalities`). The others are to it as if every sample lacked them.

    Parameters
    ----------
    present
        Modalities that each sample has, bool [B, n].

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(reads=torch.tensor([True, False]))
    >>> players(model, torch.tensor([[True, True], [False, True]])).tolist()
    [[True, False], [False, False]]
    """
    reads = getattr(model, "reads", None)
    if isinstance(reads, Tensor) and reads.dtype == torch.bool and reads.shape == present.shape[-1:]:
        return present & reads.to(present.device)
    return present


source_for = logit_source
"""The former name of `logit_source`."""
