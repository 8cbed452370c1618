"""Check that a model's shortcuts tell the same as the whole model, on every coalition of a few samples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from raymm.errors import RaymmError
from raymm.types import Mask
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.logit_sources import CallableSource, FusionSource, Source
from raymm.valuation.protocol import SplitModel, logit_source

__all__ = ["Conformance", "ModelError", "check_model"]


class ModelError(RaymmError):
    """A model does not keep to what it promised."""


@dataclass(frozen=True)
class Conformance:
    """How two ways to the logits compare.

    Attributes
    ----------
    compared
        Logits of how many (sample, coalition) pairs.
    largest
        Largest difference of two logits.
    near_ties
        Pairs whose classes differ although their logits agree: ties that rounding decides.
    """

    compared: int
    largest: float
    near_ties: int


def check_model(
    model: SplitModel,
    batch: Any,
    present: Mask,
    *,
    whole: Callable[[Any, Mask], Float[Tensor, "B K"]] | None = None,
    names: tuple[str, ...] = (),
    tolerance: float = 1e-4,
) -> Conformance:
    """Compare what `logit_source` would use with the whole model, on all coalitions of a small batch.

    Parameters
    ----------
    model
        A split model, with `partials` or without.
    batch
        What `encode` takes; a few samples are enough.
    present
        Modalities that each sample has, bool [B, n].
    whole
        `(batch, mask) -> logits`, the model from its inputs; default: `fuse` on the features, once a coalition.
    names
        Modalities, for the message.
    tolerance
        Largest difference allowed, in parts of the largest logit.

    Raises
    ------
    ModelError
        At the first difference, naming sample, coalition, class and both logits; or when the features have the
        wrong shape.
    """
    with torch.inference_mode():
        features = model.encode(batch)
        _check_shape(features, present)
        quick = logit_source(model, features, present)
        slow = CallableSource(whole, batch, present) if whole else FusionSource(model.fuse, features, present)
        return _compare(quick, slow, names, tolerance)


def _check_shape(features: Tensor, present: Mask) -> None:
    if features.ndim != 3 or features.shape[:2] != present.shape:
        raise ModelError(
            f"encode returned features of shape {list(features.shape)}; expected [samples, modalities, size] = "
            f"[{present.shape[0]}, {present.shape[1]}, ...]"
        )


def _compare(quick: Source, slow: Source, names: tuple[str, ...], tolerance: float) -> Conformance:
    n = quick.present.shape[1]
    masks = coalition_masks(n).to(quick.present.device)
    largest, ties = 0.0, 0
    for mask in masks:
        fast, true = quick.logits(mask[None])[:, 0], slow.logits(mask[None])[:, 0]
        if fast.shape != true.shape:
            raise ModelError(f"the shortcut gives logits {list(fast.shape)}, the whole model {list(true.shape)}")
        difference = (fast - true).abs()
        bad = difference > tolerance * true.abs().max().clamp(min=1.0)
        if bad.any():
            raise ModelError(_first(bad, fast, true, mask, names))
        largest = max(largest, float(difference.max()))
        ties += int((fast.argmax(dim=1) != true.argmax(dim=1)).sum())
    return Conformance(len(masks) * len(quick.present), largest, ties)


def _first(
    bad: Bool[Tensor, "B K"],
    fast: Float[Tensor, "B K"],
    true: Float[Tensor, "B K"],
    mask: Bool[Tensor, " n"],
    names: tuple[str, ...],
) -> str:
    sample, label = torch.nonzero(bad)[0].tolist()
    members = [names[i] if names else f"modality {i}" for i in mask.nonzero()[:, 0].tolist()]
    return (
        f"sample {sample}, coalition {{{', '.join(members)}}}, class {label}: the shortcut gives "
        f"{fast[sample, label]:.6g}, the whole model {true[sample, label]:.6g}; partials, finish and fuse must "
        "describe one function (is the model in evaluation mode? does a layer mix rows?)"
    )
