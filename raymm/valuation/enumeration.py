"""Value the modalities of a batch of samples by playing all coalitions of each.

The encoders have run before this is called. A source (`raymm.valuation.logit_sources`) gives the logits of
coalitions: by running the fusion, by adding partial logits, or by calling a model that nobody can look into.

A missing modality is no player: coalition C of a sample stands for C without its missing modalities, which
makes them null players, and null players change nobody else's Shapley value. Their phi is NaN.

Whole numbers stay whole: lcm(1..n) times the weights of a hard utility is a matrix of integers, whose products
with outcomes are exact in float32 up to n = 16 and in float64 up to n = 20.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, Shaped, UInt8
from torch import Tensor

from raymm.errors import TrainingError
from raymm.types import Features, Mask, Predict
from raymm.valuation.coalitions import coalition_sizes, shapley_weights
from raymm.valuation.logit_sources import CallableSource, Finish, Partials, Source, SumSource
from raymm.valuation.partial_sums import right_by_sums
from raymm.valuation.protocol import FusionModel, logit_source
from raymm.valuation.utilities import Utility, is_right, utility

__all__ = ["Full", "Played", "SampleValues", "contributions", "play", "settle", "value_samples", "value_source"]

FLOAT32_PLAYERS = 16
"""Largest n whose integer sums stay below 2**24: lcm(1..16) * 17 / 2 = 6,126,120."""


@dataclass(frozen=True)
class SampleValues:
    """What is known of each sample of a batch after its valuation.

    Attributes
    ----------
    phi
        Contributions, float64 [B, n]; NaN for a missing modality.
    stderr
        Standard errors of phi, float64 [B, n]; 0 where phi is exact, NaN for a missing modality.
    outcomes
        uint8 [B, ceil(2**n / 8)]: bit c of the little-endian bytes is 1 when coalition c predicts the label (the
        empty one never does); no columns when not all coalitions were played.
    alone
        bool [B, n]: whether each modality predicts the label alone.
    prediction
        int64 [B]: class predicted from all present modalities.
    loss
        float64 [B]: cross-entropy of that prediction, in nats.
    """

    phi: Float64[Tensor, "B n"]
    stderr: Float64[Tensor, "B n"]
    outcomes: UInt8[Tensor, "B bytes"]
    alone: Bool[Tensor, "B n"]
    prediction: Int64[Tensor, " B"]
    loss: Float64[Tensor, " B"]

    @property
    def right(self) -> Bool[Tensor, "B S"]:
        """bool [B, 2**n]: whether each coalition predicts the label."""
        return unpack_bits(self.outcomes, 2 ** self.phi.shape[1])


@dataclass(frozen=True)
class Played:
    """Some coalitions of a batch, played.

    Attributes
    ----------
    sums
        Weighted sums of what the coalitions are worth, one a chunk, float64 [chunks, B, n].
    outcomes
        Whether they predict the label, packed, uint8 [B, bytes].
    """

    sums: Float64[Tensor, "c B n"]
    outcomes: UInt8[Tensor, "B bytes"]


@dataclass(frozen=True)
class Full:
    """What everyone together predicts, int64 [B], and its cross-entropy in nats, float64 [B]."""

    prediction: Int64[Tensor, " B"]
    loss: Float64[Tensor, " B"]


@dataclass(frozen=True)
class _Head:
    """A model without encoders, from functions that are given one by one."""

    fuse: Predict
    partials: Partials | None
    finish: Finish | None

    @property
    def additive(self) -> bool:
        """Whether `partials` were given."""
        return self.partials is not None


def value_samples(
    predict: Predict | FusionModel,
    features: Features,
    labels: Int64[Tensor, " B"],
    *,
    present: Mask | None = None,
    utility_name: str = "count",
    partials: Partials | None = None,
    finish: Finish | None = None,
    block_bytes: int | None = None,
) -> SampleValues:
    """Exact Shapley values of every modality of every sample.

    Parameters
    ----------
    predict
        A model with `fuse`, whose own `partials` and `finish` are used where it has them; or the function
        `(features, mask) -> logits`. Must not mix rows.
    features
        Encoder outputs [B, n, D].
    labels
        Classes [B].
    present
        Modalities that each sample has, [B, n]; default: all.
    utility_name
        What a coalition is worth; see `raymm.valuation.utilities`.
    partials, finish
        For a function: `partials` takes its place where logits begin with a sum over modalities, and `finish` is what
        follows the sum (default: the sum is the logits).
    block_bytes
        Memory for the features of one block of coalitions; default: what suits the device.

    Raises
    ------
    TypeError
        When `partials` or `finish` are given beside a model that has its own.
    TrainingError
        When logits are not finite, naming the first samples (positions in the batch).
    """
    if present is None:
        present = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
    model: FusionModel
    if isinstance(predict, FusionModel):
        if partials is not None or finish is not None:
            raise TypeError("give a model, whose own partials and finish are used, or functions, not both")
        model = predict
    else:
        model = _Head(predict, partials, finish)
    return value_source(logit_source(model, features, present, block_bytes), labels, utility(utility_name))


def value_source(source: Source, labels: Int64[Tensor, " B"], worth: Utility) -> SampleValues:
    """Exact values of one batch; errors as `value_samples`."""
    played = play(source, labels, range(2 ** source.present.shape[1]), worth)
    return settle([played], source.present, full_prediction(source, labels))


def contributions(
    predict: Callable[[Any, Mask], Float[Tensor, "B K"]],
    inputs: Any,
    targets: Shaped[Tensor, "B ..."],
    present: Mask,
    worth: Utility,
) -> Float64[Tensor, "B n"]:
    """Exact Shapley values for any model, any targets and any utility, such as those of a regression.

    Parameters
    ----------
    predict
        `(inputs, mask) -> outputs [B, K]`; called once a coalition on the whole batch, mask bool [B, n].
    inputs
        Whatever `predict` takes.
    targets
        Whatever the utility compares the outputs with, one row a sample.
    present
        Modalities that each sample has, [B, n].
    worth
        What a coalition is worth.

    Returns
    -------
    float64 [B, n]; NaN for a missing modality.
    """
    source = CallableSource(predict, inputs, present)
    n = present.shape[1]
    sums = [_soft_sum(source, targets, part, worth)[0] for part in _chunks(range(2**n), source.chunk)]
    return (torch.stack(sums).sum(dim=0) / shapley_weights(n)[1]).masked_fill(~present, torch.nan)


def play(source: Source, labels: Int64[Tensor, " B"], codes: range, worth: Utility) -> Played:
    """Play consecutive coalitions; `codes` begins and ends at multiples of `source.chunk`."""
    sums, outcomes = [], []
    for part in _chunks(codes, source.chunk):
        total, right = (_hard_sum if worth.by_size else _soft_sum)(source, labels, part, worth)
        sums.append(total)
        outcomes.append(pack_bits(right))
    return Played(torch.stack(sums), torch.cat(outcomes, dim=1))


def settle(played: Sequence[Played], present: Mask, full: Full) -> SampleValues:
    """Contributions from all coalitions of a batch, played in consecutive parts."""
    n = present.shape[1]
    phi = torch.cat([part.sums for part in played]).sum(dim=0) / shapley_weights(n)[1]
    outcomes = torch.cat([part.outcomes for part in played], dim=1)
    places, bits = _places_of_singles(n, outcomes.device)
    absent = ~present
    return SampleValues(
        phi=phi.masked_fill_(absent, torch.nan),
        stderr=torch.zeros_like(phi).masked_fill_(absent, torch.nan),
        outcomes=outcomes,
        alone=(outcomes.index_select(1, places) >> bits & 1).bool(),
        prediction=full.prediction,
        loss=full.loss,
    )


def full_prediction(source: Source, labels: Int64[Tensor, " B"]) -> Full:
    """What all present modalities predict together."""
    logits = source.full_logits()
    _check_finite(logits[:, None])
    by_class = logits.T.contiguous().double()
    loss = -by_class.log_softmax(dim=0).gather(0, labels[None])[0]
    return Full(logits.argmax(dim=-1), loss)


def pack_bits(right: Bool[Tensor, "B s"]) -> UInt8[Tensor, "B bytes"]:
    """Bit c of the little-endian bytes is column c; on the device of `right`."""
    if right.device.type == "cpu":
        return torch.from_numpy(np.packbits(right.contiguous().numpy(), axis=1, bitorder="little"))
    padded = torch.nn.functional.pad(right.to(torch.uint8), (0, -right.shape[1] % 8)).unflatten(1, (-1, 8))
    powers = 1 << torch.arange(8, dtype=torch.uint8, device=right.device)
    return (padded * powers).sum(dim=-1, dtype=torch.uint8)


def unpack_bits(outcomes: UInt8[Tensor, "B bytes"], count: int) -> Bool[Tensor, "B count"]:
    """The inverse of `pack_bits` for `count` columns."""
    bits = (outcomes[..., None] >> torch.arange(8, dtype=torch.uint8, device=outcomes.device)) & 1
    return bits.flatten(1)[:, :count].bool()


@lru_cache(maxsize=64)
@torch.inference_mode(mode=False)
def _places_of_singles(n: int, device: torch.device) -> tuple[Int64[Tensor, " n"], UInt8[Tensor, " n"]]:
    """In which byte, and at which bit of it, stands the coalition of each player alone."""
    codes = 1 << torch.arange(n)
    return (codes // 8).to(device), (codes % 8).to(device, torch.uint8)


def _chunks(codes: range, size: int) -> list[range]:
    return [range(start, min(start + size, codes.stop)) for start in range(codes.start, codes.stop, size)]


def _hard_sum(
    source: Source, labels: Int64[Tensor, " B"], codes: range, worth: Utility
) -> tuple[Float64[Tensor, "B n"], Bool[Tensor, "B s"]]:
    """Weighted sums of hard values, exact: only the outcomes are needed, the sizes go into the weights."""
    assert worth.by_size is not None
    n = source.present.shape[1]
    right = _right(source, labels, codes)
    if source.nothing_missing:
        weights = _sized_weights(worth.by_size, n, codes, right.device)
        right[:, 0] &= codes.start > 0
        return (weights.T @ right.T.to(weights.dtype)).T.double(), right
    weights = shapley_weights(n)[0][codes.start : codes.stop]
    sizes = source.sizes(source.masks(codes))
    right &= sizes > 0
    return (right * worth.by_size(sizes)).double() @ weights.to(right.device), right


@lru_cache(maxsize=32)
@torch.inference_mode(mode=False)
def _sized_weights(
    by_size: Callable[[Int64[Tensor, " s"]], Int64[Tensor, " s"]], n: int, codes: range, device: torch.device
) -> Float[Tensor, "s n"]:
    """Weights of outcomes: whole numbers, in float32 where that is exact and quick."""
    weights = shapley_weights(n)[0][codes.start : codes.stop]
    weights = by_size(coalition_sizes(n)[codes.start : codes.stop])[:, None] * weights
    return weights.to(device, torch.float32 if n <= FLOAT32_PLAYERS and device.type == "cpu" else torch.float64)


def _right(source: Source, labels: Int64[Tensor, " B"], codes: range) -> Bool[Tensor, "B s"]:
    """Whether the largest logit of each coalition is the label's; the empty one is still to be ruled out."""
    if isinstance(source, SumSource) and source.finish is None:
        _check_finite(source.deltas)
        return right_by_sums(source.deltas, source.base, labels, codes)
    right = []
    for logits in source.blocks(codes):
        _check_finite(logits)
        right.append(logits.argmax(dim=-1) == labels[:, None])
    return torch.cat(right, dim=1)


def _soft_sum(
    source: Source, targets: Shaped[Tensor, "B ..."], codes: range, worth: Utility
) -> tuple[Float64[Tensor, "B n"], Bool[Tensor, "B s"]]:
    """Weighted sums of values that read the logits; outcomes only where targets are classes."""
    n = source.present.shape[1]
    sizes = source.sizes(source.masks(codes))
    values, right, at = [], [], 0
    for logits in source.blocks(codes):
        _check_finite(logits)
        part = sizes[:, at : at + logits.shape[1]]
        at += logits.shape[1]
        values.append(worth.worth(logits, targets, part))
        if targets.dtype == torch.int64 and targets.ndim == 1:
            right.append(is_right(logits, targets, part))
    weights = shapley_weights(n)[0][codes.start : codes.stop].to(sizes.device)
    outcomes = torch.cat(right, dim=1) if right else sizes.new_zeros(sizes.shape, dtype=torch.bool)
    return torch.cat(values, dim=1).double() @ weights, outcomes


def _check_finite(logits: Float[Tensor, "B s K"]) -> None:
    if math.isfinite(logits.sum().item()):  # one pass; a sum that overflows is looked at number by number
        return
    bad = (~torch.isfinite(logits)).flatten(1).any(dim=1)
    if bad.any():
        rows = torch.nonzero(bad)[:5, 0].tolist()
        raise TrainingError(
            f"the model gives logits that are NaN or infinite for {int(bad.sum())} samples of a batch "
            f"(first positions: {rows}); lower the learning rate or check these inputs"
        )
