"""Exact Shapley values of the modalities of a batch of samples, by evaluating all coalitions of each sample.

The encoders have run before. A logit source (`raymm.valuation.logit_sources`) gives the logits of coalitions: by
running the fusion, by adding partial logits, or by calling the whole model.

A missing modality is not a player: coalition C of a sample stands for C without its missing modalities. These are
then null players, and a null player does not change the Shapley value of any other player. Their phi is NaN.

Integers stay exact: lcm(1..n) times the weights of a hard utility is a matrix of integers. Its products with the
outcomes are exact in float32 where no sum of weights exceeds 2**24, as of `count` up to n = 16, and in float64 up to
2**53, as of `count` up to n = 20. Where values are fractions, contributions that rounding alone moved from 0 or the
fair share are set to it (`raymm.valuation.rounding`).
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Float64, Int64, Shaped
from torch import Tensor

from raymm.errors import TrainingError
from raymm.tasks.base import Task
from raymm.types import Mask, Predict
from raymm.valuation.batch_checks import check_labels_fit, checked_batch
from raymm.valuation.bits import bits_at, pack_bits
from raymm.valuation.coalitions import coalition_sizes, shapley_weights
from raymm.valuation.logit_sources import CallableSource, Finish, LogitSource, Partials, SumSource
from raymm.valuation.partial_sums import correct_by_sums
from raymm.valuation.protocol import FusionModel, logit_source
from raymm.valuation.rounding import reach_of, settled
from raymm.valuation.sample_values import CoalitionSums, GrandPrediction, Labels, SampleValues
from raymm.valuation.utilities import CLASSIFICATION, Utility, get_utility, is_correct

__all__ = [
    "combine",
    "contributions",
    "evaluate_coalitions",
    "grand_prediction",
    "phi_of_source",
    "value_samples",
    "value_source",
]

FLOAT32_WHOLE = 2**24
"""Up to which float32 holds all whole numbers; for n = 16 the weights of `count` add up to 6,126,120."""

COMPARED = 8
"""Coalitions on which the two ways to the values of a utility of one's own are compared."""

_COMPARED: deque[tuple[Any, Any]] = deque(maxlen=64)
"""Functions that agreed."""


_Sums = tuple[Float64[Tensor, "B n"], Bool[Tensor, "B s"], Float64[Tensor, "B 1"]]
"""Weighted sums of some coalitions, their outcomes, and by how much rounding may move contributions made of them."""


@dataclass(frozen=True)
class _Head:
    """A model without encoders, made of single functions."""

    fuse: Any
    partials: Partials | None
    finish: Finish | None

    @property
    def additive(self) -> bool:
        """Whether `partials` were given."""
        return self.partials is not None


def value_samples(
    predict: Predict | FusionModel | None,
    features: Any,
    labels: Any,
    *,
    present: Any = None,
    utility_name: str = "count",
    task: Task = CLASSIFICATION,
    partials: Partials | None = None,
    finish: Finish | None = None,
    block_bytes: int | None = None,
) -> SampleValues:
    """Exact Shapley values of every modality of every sample.

    Parameters
    ----------
    predict
        A model with `fuse`, whose own `partials` and `finish` are used where it has them; or a function
        `(features, mask) -> logits`. Neither may mix rows.
    features
        Encoder outputs [B, n, D], a tensor or array; those of a missing modality are never read, NaN or not.
    labels
        Classes [B]; of several labels a sample, bool [B, K].
    present
        Modalities that each sample has, [B, n], bool or 0 and 1; default: all.
    utility_name
        Name of the utility v(C); see `raymm.valuation.utilities`.
    task
        The task that the labels are of.
    partials, finish
        For a function: where logits begin with a sum over modalities, `partials` takes the place of `predict` (which
        may be None), and `finish` is the rest of the head after the sum (default: the sum is the logits).
    block_bytes
        Memory for the features of one block of coalitions; default: chosen by the device.

    Examples
    --------
    Two samples of two modalities with one feature each; the logit of class 1 is the sum of the present features, that
    of class 0 is 0. In the first sample only modality 0 votes for the label, and it prevails; in the second both do.

    >>> features = torch.tensor([[[2.0], [-1.0]], [[1.0], [1.0]]])
    >>> def predict(features, mask):
    ...     total = (features[..., 0] * mask).sum(dim=1)
    ...     return torch.stack([torch.zeros_like(total), total], dim=1)
    >>> values = value_samples(predict, features, torch.tensor([1, 1]))
    >>> values.phi
    tensor([[1.5000, 0.5000],
            [1.0000, 1.0000]], dtype=torch.float64)
    >>> values.correct  # the empty coalition, {0}, {1}, {0, 1}
    tensor([[False,  True, False,  True],
            [False,  True,  True,  True]])

    Raises
    ------
    DataError
        When arguments are no numbers or have another shape (all of them at once), or labels are none of the classes,
        naming the samples.
    TypeError
        When labels are of another task, or `partials` or `finish` are given beside a model that has its own, or
        there is none.
    TrainingError
        When logits are not finite, naming the first samples (positions in the batch).
    """
    features, labels, present = checked_batch(features, labels, present, task)
    model: FusionModel
    if isinstance(predict, FusionModel):
        if partials is not None or finish is not None:
            raise TypeError("give a model, whose own partials and finish are used, or functions, not both")
        model = predict
    else:
        if predict is None and partials is None:
            raise TypeError("give predict, a model or a function, or partials")
        model = _Head(predict, partials, finish)
    utility = get_utility(utility_name, task)
    task.check_targets(labels)
    source = logit_source(model, features, present, block_bytes)
    check_labels_fit(labels, source.grand_logits().shape[-1], task)
    return value_source(source, labels, utility)


def value_source(source: LogitSource, labels: Labels, utility: Utility) -> SampleValues:
    """Exact values of one batch; errors as `value_samples`."""
    sums = evaluate_coalitions(source, labels, range(2 ** source.present.shape[1]), utility)
    return combine([sums], source.present, grand_prediction(source, labels, utility.task), utility.fair_share)


def phi_of_source(source: LogitSource, labels: Labels, utility: Utility) -> Float64[Tensor, "B n"]:
    """The `phi` of `value_source` alone, bit for bit; errors as `value_samples`."""
    utility.task.check_targets(labels)
    n = source.present.shape[1]
    parts = _chunks(range(2**n), source.chunk)
    sums, _, reaches = zip(*(_weighted_sum(utility)(source, labels, part, utility) for part in parts), strict=True)
    return _phi_of_sums(torch.stack(sums), reaches, source.present, utility.fair_share)


def contributions(
    predict: Callable[[Any, Mask], Float[Tensor, "B K"]],
    inputs: Any,
    targets: Shaped[Tensor, "B ..."],
    present: Mask,
    utility: Utility,
) -> Float64[Tensor, "B n"]:
    """Exact Shapley values for any model, any targets and any utility, for example of a regression.

    Parameters
    ----------
    predict
        `(inputs, mask) -> outputs [B, K]`; called once a coalition on the whole batch, mask bool [B, n].
    inputs
        The argument of `predict`, of any type.
    targets
        The values that the utility compares the outputs with, one row a sample.
    present
        Modalities that each sample has, [B, n].
    utility
        The utility v(C).

    Returns
    -------
    float64 [B, n]; NaN for a missing modality.

    Examples
    --------
    The output of a linear model as its own utility: phi is weight times input, and the second sample lacks input 1.

    >>> weight = torch.tensor([1.0, -2.0])
    >>> def predict(inputs, mask):
    ...     return ((inputs * mask) @ weight)[:, None]
    >>> output = Utility("output", lambda outputs, targets, sizes: outputs[..., 0])
    >>> inputs, targets = torch.tensor([[3.0, 1.0], [3.0, 0.0]]), torch.zeros(2)
    >>> contributions(predict, inputs, targets, torch.tensor([[True, True], [True, False]]), output)
    tensor([[ 3., -2.],
            [ 3., nan]], dtype=torch.float64)
    """
    source = CallableSource(predict, inputs, present)
    n = present.shape[1]
    parts = _chunks(range(2**n), source.chunk)
    found = [_soft_sum(source, targets, part, utility, outcomes=False) for part in parts]
    sums, _, reaches = zip(*found, strict=True)
    return _phi_of_sums(torch.stack(sums), reaches, present, utility.fair_share)


def evaluate_coalitions(source: LogitSource, labels: Labels, codes: range, utility: Utility) -> CoalitionSums:
    """Evaluate consecutive coalitions; `codes` begins and ends at multiples of `source.chunk`."""
    utility.task.check_targets(labels)
    sums, outcomes, reaches = [], [], []
    for part in _chunks(codes, source.chunk):
        total, correct, reach = _weighted_sum(utility)(source, labels, part, utility)
        sums.append(total)
        outcomes.append(pack_bits(correct))
        reaches.append(reach)
    return CoalitionSums(torch.stack(sums), torch.cat(outcomes, dim=1), _largest(reaches))


def combine(
    parts: Sequence[CoalitionSums], present: Mask, grand: GrandPrediction, fair_share: float | None = None
) -> SampleValues:
    """Contributions from all coalitions of a batch, evaluated in consecutive parts; `fair_share` is the utility's."""
    n = present.shape[1]
    sums = torch.cat([part.sums for part in parts])
    phi = _phi_of_sums(sums, [part.reach for part in parts], present, fair_share)
    outcomes = torch.cat([part.outcomes for part in parts], dim=1)
    return SampleValues(
        phi=phi,
        stderr=torch.zeros_like(phi).masked_fill_(~present, torch.nan),
        outcomes=outcomes,
        unimodal_correct=bits_at(outcomes, [1 << i for i in range(n)]),
        **vars(grand),
    )


def grand_prediction(source: LogitSource, labels: Labels, task: Task = CLASSIFICATION) -> GrandPrediction:
    """Prediction and loss of all present modalities together."""
    task.check_targets(labels)
    logits = source.grand_logits()
    _check_finite(logits[:, None])
    wide = logits.double()
    probabilities = task.probabilities(logits) if task.shows_probabilities(wide.shape[1]) else wide[:, :0]
    return GrandPrediction(task.predict(logits), task.losses(wide, labels), probabilities)


def _phi_of_sums(
    sums: Float64[Tensor, "c B n"],
    reaches: Sequence[Float64[Tensor, "B 1"]],
    present: Mask,
    fair_share: float | None,
) -> Float64[Tensor, "B n"]:
    """Contributions from the sums of chunks; NaN for a missing modality."""
    phi = sums.sum(dim=0) / shapley_weights(present.shape[1])[1]
    return settled(phi, _largest(reaches), fair_share).masked_fill(~present, torch.nan)


def _largest(reaches: Sequence[Float64[Tensor, "B 1"]]) -> Float64[Tensor, "B 1"]:
    return torch.cat(list(reaches), dim=1).amax(dim=1, keepdim=True)


def _weighted_sum(utility: Utility) -> Callable[..., _Sums]:
    return _hard_sum if utility.by_size else _soft_sum


def _chunks(codes: range, size: int) -> list[range]:
    return [range(start, min(start + size, codes.stop)) for start in range(codes.start, codes.stop, size)]


def _hard_sum(source: LogitSource, labels: Labels, codes: range, utility: Utility) -> _Sums:
    """Weighted sums of a hard utility, exact where it is whole, and the outcomes.

    v(C) = by_size(|C|) * correct(C). Where nothing is missing, |C| is the same for all samples, so by_size(|C|) is
    part of the weights and the sum is one product of outcomes and weights.
    """
    assert utility.by_size is not None
    n = source.present.shape[1]
    correct = _correct(source, labels, codes, utility.task)
    _compare_sizes(source, labels, codes, utility)
    reach = _sized_reach(utility.by_size, n, correct.device).expand(len(correct), 1)
    if source.nothing_missing:
        weights = _sized_weights(utility.by_size, n, correct.device)[codes.start : codes.stop]
        correct[:, 0] &= codes.start > 0  # code 0, the empty coalition, never counts as correct
        return (weights.T @ correct.T.to(weights.dtype)).T.double(), correct, reach
    weights = shapley_weights(n)[0][codes.start : codes.stop]
    sizes = source.sizes(source.masks(codes))
    correct &= sizes > 0
    return (correct * utility.by_size(sizes)).double() @ weights.to(correct.device), correct, reach


def _compare_sizes(source: LogitSource, labels: Labels, codes: range, utility: Utility) -> None:
    """Compare `fn` and `by_size` of a utility of one's own, on a few coalitions of the first batch that can tell."""
    two = (utility.fn, utility.by_size)
    if utility.for_task is not None or two in _COMPARED:
        return
    few = sorted({codes[round(at * (len(codes) - 1) / (COMPARED - 1))] for at in range(COMPARED)})
    masks = torch.cat([source.masks(range(code, code + 1)) for code in few])
    logits, sizes = source.logits(masks).detach(), source.sizes(masks)
    right = is_correct(logits, labels, sizes, utility.task)
    utility.check_by_size(logits, labels, sizes, right)
    if right.any():
        _COMPARED.append(two)


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)
def _sized_weights(
    by_size: Callable[[Int64[Tensor, " s"]], Int64[Tensor, " s"]], n: int, device: torch.device
) -> Float[Tensor, "S n"]:
    """Weights of all outcomes, by_size(|C|) * W[C, i]: in float32 where every sum of them is exact, and faster."""
    weights = by_size(coalition_sizes(n))[:, None] * shapley_weights(n)[0]
    sums = torch.stack([weights.clamp(min=0).sum(dim=0), -weights.clamp(max=0).sum(dim=0)])
    exact = bool((weights == weights.round()).all()) and float(sums.max()) <= FLOAT32_WHOLE
    return weights.to(device, torch.float32 if exact and device.type == "cpu" else torch.float64)


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)
def _sized_reach(
    by_size: Callable[[Int64[Tensor, " s"]], Int64[Tensor, " s"]], n: int, device: torch.device
) -> Float64[Tensor, "1 1"]:
    """`reach_of` a hard utility: 0 where its values are whole numbers, so that nothing is rounded."""
    worth = by_size(torch.arange(n + 1)).double()[None]
    return (reach_of(worth) * bool((worth != worth.round()).any())).to(device)


def _correct(source: LogitSource, labels: Labels, codes: range, task: Task) -> Bool[Tensor, "B s"]:
    """Whether each coalition predicts the label; the caller rules out the empty coalition."""
    if task.by_argmax and isinstance(source, SumSource) and source.head is None:
        _check_finite(source.partial_logits)
        return correct_by_sums(source.partial_logits, source.bias, labels, codes)
    correct = []
    for logits in source.blocks(codes):
        _check_finite(logits)
        correct.append(task.correct(logits, labels))
    return torch.cat(correct, dim=1)


def _soft_sum(
    source: LogitSource,
    targets: Shaped[Tensor, "B ..."],
    codes: range,
    utility: Utility,
    *,
    outcomes: bool = True,
) -> _Sums:
    """Weighted sums of a soft utility, which reads the logits, and the outcomes where asked for and defined."""
    n = source.present.shape[1]
    sizes = source.sizes(source.masks(codes))
    values, correct, at = [], [], 0
    for logits in source.blocks(codes):
        _check_finite(logits)
        part = sizes[:, at : at + logits.shape[1]]
        at += logits.shape[1]
        values.append(utility.values(logits, targets, part))
        if outcomes and utility.task.hard:
            correct.append(is_correct(logits, targets, part, utility.task))
    weights = shapley_weights(n)[0][codes.start : codes.stop].to(sizes.device)
    known = torch.cat(correct, dim=1) if correct else sizes.new_zeros(sizes.shape, dtype=torch.bool)
    worth = torch.cat(values, dim=1).double()
    return worth @ weights, known, reach_of(worth)


def _check_finite(logits: Float[Tensor, "B s K"]) -> None:
    if math.isfinite(logits.sum().item()):  # one pass; single numbers are checked only where their sum is not finite
        return
    bad = (~torch.isfinite(logits)).flatten(1).any(dim=1)
    if bad.any():
        rows = torch.nonzero(bad)[:5, 0].tolist()
        raise TrainingError(
            f"the model gives logits that are NaN or infinite for {int(bad.sum())} samples of a batch "
            f"(first positions: {rows}); lower the learning rate or check these inputs"
        )
