"""A check that a model's logit source gives the logits of the whole model, for all coalitions of a few samples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from raymm.errors import RaymmError
from raymm.types import Features, Mask
from raymm.valuation.apart import mixed_in_words, mixed_sample
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.likeness import ROUNDED, close
from raymm.valuation.logit_sources import CallableSource, FusionSource, LogitSource, SumSource
from raymm.valuation.protocol import FusionModel, SplitModel, logit_source, players
from raymm.valuation.structure import copied

__all__ = ["Conformance", "ModelError", "check_model", "check_repeated", "compare_sources", "few_coalitions"]

ALL_COALITIONS_TO = 12
"""Most modalities of which all coalitions are compared unless others are asked for."""


class ModelError(RaymmError):
    """A model whose methods contradict each other."""


@dataclass(frozen=True)
class Conformance:
    """Comparison of two ways to the logits.

    Attributes
    ----------
    compared
        Number of (sample, coalition) pairs whose logits were compared.
    largest
        Largest difference of two logits.
    near_ties
        Number of pairs whose predicted classes differ although their logits agree: ties that rounding decides.
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
    coalitions: Mask | None = None,
) -> Conformance:
    """Compare the logit source of a model with the whole model, on all coalitions of a small batch.

    Parameters
    ----------
    model
        A split model, with `partials` or without.
    batch
        The argument of `encode`; a few samples are enough.
    present
        Modalities that each sample has, bool [B, n].
    whole
        `(batch, mask) -> logits`, the model from its inputs on; default: `fuse` on the features, once a coalition.
    names
        Modalities, for the message.
    tolerance
        Largest difference allowed, in parts of the largest logit; more where the logits' type rounds by more.
    coalitions
        Coalitions that are compared, bool [S, n]; default: all up to 12 modalities; beyond, the empty one, each
        modality alone, all but each, and all.

    Examples
    --------
    >>> class Sum:
    ...     def encode(self, batch):
    ...         return batch
    ...     def fuse(self, features, mask):
    ...         return (features * mask[..., None]).sum(dim=1)
    ...     def partials(self, features):
    ...         return features, torch.zeros(features.shape[2])
    >>> samples, present = torch.tensor([[[1.0, 0.0], [2.0, 5.0]]]), torch.tensor([[True, True]])
    >>> check_model(Sum(), samples, present)
    Conformance(compared=4, largest=0.0, near_ties=0)

    Raises
    ------
    ModelError
        At the first difference, naming sample, coalition, class and both logits; at the first logit of the whole
        model that is not finite; or when the features have the wrong shape, differ when they are computed again, or
        lead to logits of a sample that change with the others of its batch.
    """
    with torch.inference_mode():
        features, again = (model.encode(copied(batch)) for _ in range(2))
        _check_shape(features, present)
        check_repeated(again, features, players(model, present))
        _check_apart(model, batch, present, features)
        whole_model = CallableSource(whole, batch, present) if whole else None
        return compare_sources(model, features, present, whole_model, names, tolerance, coalitions)


def compare_sources(
    model: FusionModel,
    features: Features,
    present: Mask,
    whole: LogitSource | None = None,
    names: tuple[str, ...] = (),
    tolerance: float = 1e-4,
    coalitions: Mask | None = None,
) -> Conformance:
    """As `check_model`, from features [B, n, D] that are at hand; `whole` is by default `fuse` once a coalition."""
    fast = logit_source(model, features, present)
    n = present.shape[1]
    masks = coalitions
    if masks is None:
        masks = coalition_masks(n) if n <= ALL_COALITIONS_TO else few_coalitions(n)
    true = FusionSource(model.fuse, features, present) if whole is None else whole
    return _compare(fast, true, masks.to(fast.present.device), names, tolerance)


def check_repeated(again: Features, features: Features, present: Mask) -> None:
    """Raise `ModelError` where `encode` gives other features of modalities that are there when it is called again."""
    if not close(again[present], features[present]):
        raise ModelError(
            "encode gives other features when it is called again with the same batch: it draws at random (is a "
            "module that it calls in training mode?), or changes the batch in place"
        )


def few_coalitions(n: int) -> Mask:
    """The empty coalition, each modality alone, all but each, and all, bool [2 n + 2, n]."""
    alone = torch.eye(n, dtype=torch.bool)
    none = torch.zeros(1, n, dtype=torch.bool)
    return torch.cat([none, alone, ~alone, ~none])


def _check_shape(features: object, present: Mask) -> None:
    if not isinstance(features, Tensor):
        raise ModelError(
            f"encode returned a {type(features).__name__}; expected one tensor [samples, modalities, size] "
            "(features by modality are for models that raymm trains, and for raymm.value on batches of your own)"
        )
    if features.ndim != 3 or features.shape[:2] != present.shape:
        raise ModelError(
            f"encode returned features of shape {list(features.shape)}; expected [samples, modalities, size] = "
            f"[{present.shape[0]}, {present.shape[1]}, ...]"
        )


def _check_apart(model: SplitModel, batch: Any, present: Mask, features: Features) -> None:
    """Refuse a model that mixes samples."""
    own = model.fuse(features.clone(), present)

    def run(other: Any, there: Mask) -> Tensor:
        return model.fuse(model.encode(other), there)

    mixed = mixed_sample(run, copied(batch), present, own, [features])
    if mixed is not None:
        raise ModelError(f"encode and fuse: {mixed_in_words(mixed)}")


def _compare(
    fast: LogitSource, whole_model: LogitSource, masks: Mask, names: tuple[str, ...], tolerance: float
) -> Conformance:
    largest, ties = 0.0, 0
    for mask in masks:
        found, true = fast.logits(mask[None])[:, 0], whole_model.logits(mask[None])[:, 0]
        if found.shape != true.shape:
            raise ModelError(f"the shortcut gives logits {list(found.shape)}, the whole model {list(true.shape)}")
        if not torch.isfinite(true).all():
            where, sample, label = _first(~torch.isfinite(true), mask, names)
            raise ModelError(f"{where}: the logit is {true[sample, label]:.6g}; logits must be finite")
        difference = (found - true).abs()
        bad = ~(difference <= _allowed(fast, found, true, tolerance))  # also where it is NaN
        if bad.any():
            where, sample, label = _first(bad, mask, names)
            raise ModelError(
                f"{where}: the shortcut gives {found[sample, label]:.6g}, the whole model "
                f"{true[sample, label]:.6g}; partials, finish and fuse must describe one function (is the model in "
                "evaluation mode? does a layer mix rows?)"
            )
        largest = max(largest, float(difference.max()))
        ties += int((found.argmax(dim=1) != true.argmax(dim=1)).sum())
    return Conformance(len(masks) * len(fast.present), largest, ties)


def _allowed(fast: LogitSource, found: Tensor, true: Tensor, tolerance: float) -> float:
    """Largest difference of two logits that agree: the tolerance, or what the type rounds off the terms of a sum."""
    largest = max(1.0, float(true.abs().max()))
    terms = float(fast.partial_logits.abs().max()) if isinstance(fast, SumSource) and fast.head is None else 0.0
    step = max(torch.finfo(logits.dtype).eps for logits in (found, true))
    return max(tolerance * largest, ROUNDED * step * max(largest, terms))


def _first(bad: Bool[Tensor, "B K"], mask: Bool[Tensor, " n"], names: tuple[str, ...]) -> tuple[str, int, int]:
    """The first bad logit in words, and its sample and class."""
    sample, label = torch.nonzero(bad)[0].tolist()
    members = [names[i] if names else f"modality {i}" for i in mask.nonzero()[:, 0].tolist()]
    return f"sample {sample}, coalition {{{', '.join(members)}}}, class {label}", sample, label
