"""Sampled Shapley values with standard errors, for more modalities than can be enumerated.

All samples that have the same modalities share one design (`raymm.valuation.sampling.designs`); the game of a sample
is played by the modalities that it has, so its design has as many players. Where that few are left that all
coalitions fit in the budget, they are played and phi is exact.

The error of an estimate comes from its design and from the residuals of the sample's own values, or from the scatter
of its orders (`raymm.valuation.sampling.standard_errors`). Intervals take Student's t. What is assumed of the
residuals stands in `raymm.valuation.sampling.gls`. Where all values that were played are those of an additive game,
nothing scatters: of right-or-wrong outcomes the error is then what unseen ones may hide, of others it is said to be
0, which it need not be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import torch
from jaxtyping import Bool, Float64, Int64, Num
from scipy.special import stdtrit
from torch import Tensor

from raymm.types import Mask
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.enumeration import SampleValues, full_prediction, value_source
from raymm.valuation.exact import shapley_values
from raymm.valuation.logit_sources import Source, SumSource
from raymm.valuation.sampling.designs import Design, design
from raymm.valuation.utilities import Utility, is_right

__all__ = ["Estimates", "Sampling", "error_of_unseen", "estimate", "half_width", "value_closed_form", "value_sampled"]

BySize = Callable[[Int64[Tensor, " s"]], Int64[Tensor, " s"]]

SourceOf = Callable[[Int64[Tensor, " b"]], Source]
"""The source of some samples of a batch, by position."""

UNDECIDED = 3.0
"""Standard errors within which a contribution may lie on either side of the fair share."""


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes
    ----------
    budget
        Coalitions of one sample, at most.
    seed
        Decides which; one a shard, so that the mean over a data set averages over designs.
    refine
        Play all coalitions of samples where phi below the fair share is undecided.
    """

    budget: int
    seed: int
    refine: bool = False


@dataclass(frozen=True)
class Estimates:
    """Estimated contributions [B, n], their standard errors [B, n], and the degrees of freedom of these."""

    phi: Float64[Tensor, "B n"]
    stderr: Float64[Tensor, "B n"]
    freedom: float


def estimate(values: Num[Tensor, "B m"], plan: Design) -> Estimates:
    """Contributions from the values of the coalitions of a design, in the order of its masks."""
    worth = values.double()
    return Estimates(worth @ plan.weights.to(worth.device), plan.spread.variance(worth).sqrt(), plan.spread.freedom)


def half_width(freedom: float, level: float = 0.95) -> float:
    """Standard errors on each side of an interval that covers the truth in `level` of all cases."""
    return float(stdtrit(freedom, 0.5 + level / 2))


def value_sampled(
    source_of: SourceOf, labels: Int64[Tensor, " B"], present: Mask, worth: Utility, sampling: Sampling
) -> SampleValues:
    """Estimated values of a batch, group by group of samples with the same modalities.

    Raises
    ------
    ConfigError
        When the budget is too small for the number of modalities, with the smallest that works.
    TrainingError
        When logits are not finite.
    """
    patterns, group = present.unique(dim=0, return_inverse=True)
    answer = _nothing_yet(present)
    for number, players in enumerate(patterns):
        rows = torch.nonzero(group == number)[:, 0]
        source = source_of(rows)
        part = _value_group(source, labels[rows], players.nonzero()[:, 0], worth, sampling)
        for name, values in part.items():
            answer[name][rows] = values.to(answer[name].dtype)
    if sampling.refine and worth.fair_share is not None:
        _refine(answer, source_of, labels, worth, worth.fair_share)
    return SampleValues(**answer, outcomes=torch.empty(len(labels), 0, dtype=torch.uint8, device=labels.device))


def value_closed_form(source: SumSource, labels: Int64[Tensor, " B"]) -> SampleValues:
    """Contributions to the logit of the label where logits are sums: what each modality adds, no coalition played."""
    columns = labels[:, None, None].expand(-1, source.deltas.shape[1], 1)
    phi = source.deltas.double().gather(-1, columns)[..., 0]
    absent = ~source.present
    return SampleValues(
        phi=phi.masked_fill(absent, torch.nan),
        stderr=torch.zeros_like(phi).masked_fill(absent, torch.nan),
        outcomes=torch.empty(len(labels), 0, dtype=torch.uint8, device=labels.device),
        alone=_alone(source, labels),
        **vars(full_prediction(source, labels)),
    )


def _value_group(
    source: Source, labels: Int64[Tensor, " B"], players: Int64[Tensor, " p"], worth: Utility, sampling: Sampling
) -> dict[str, Tensor]:
    """Values of samples that have exactly `players`."""
    n, count = source.present.shape[1], len(players)
    known = {"alone": _alone(source, labels), **vars(full_prediction(source, labels))}
    if 2**count <= max(sampling.budget, 8):
        phi, stderr = _exact_among(source, labels, players, worth), None
    else:
        plan = design(count, sampling.budget, sampling.seed)
        masks = torch.zeros(len(plan.masks), n, dtype=torch.bool, device=labels.device)
        masks[:, players] = plan.masks.to(labels.device)
        estimates = estimate(_values(source, labels, masks, worth), plan)
        phi, stderr = estimates.phi, estimates.stderr
        if worth.by_size is not None:
            stderr = stderr.maximum(error_of_unseen(plan, worth.by_size).to(stderr.device))
    full = phi.new_full((len(labels), n), torch.nan)
    return {
        "phi": full.index_copy(1, players, phi),
        "stderr": full.index_copy(1, players, torch.zeros_like(phi) if stderr is None else stderr),
        **known,
    }


def error_of_unseen(plan: Design, by_size: BySize) -> Float64[Tensor, " n"]:
    """The least standard error of right-or-wrong outcomes: what outcomes that nobody saw may hide.

    Where all coalitions that were played are wrong (or all are right), their scatter is 0, and yet a few others may
    differ: by Jeffreys' prior, one in 2 m + 2 of them. This is the error of the estimate if each coalition differed
    from the rest with that probability, on its own.
    """
    masks, n = plan.masks, plan.masks.shape[1]
    sizes = torch.arange(n + 1)
    worth = by_size(sizes).double().square()
    inside = torch.tensor([0.0, *(1 / (n * comb(n - 1, s - 1)) for s in range(1, n + 1))], dtype=torch.float64)
    outside = torch.tensor([*(1 / (n * comb(n - 1, s)) for s in range(n)), 0.0], dtype=torch.float64)
    # of one size there are 1 / (n inside) coalitions with a player, each counts inside**2: together inside / n
    all_of_them = (worth * (inside + outside)).sum() / n
    played = masks.sum(dim=1)
    exact = torch.where(masks, inside[played][:, None], -outside[played][:, None])
    change = (plan.weights - exact).square() - exact.square()
    rate = 1 / (2 * len(masks) + 2)
    variance = rate * (1 - rate) * (all_of_them + (worth[played][:, None] * change).sum(dim=0))
    return variance.clamp(min=0).sqrt()


def _exact_among(
    source: Source, labels: Int64[Tensor, " B"], players: Int64[Tensor, " p"], worth: Utility
) -> Float64[Tensor, "B p"]:
    among = coalition_masks(len(players)).to(labels.device)
    masks = torch.zeros(len(among), source.present.shape[1], dtype=torch.bool, device=labels.device)
    masks[:, players] = among
    return shapley_values(_values(source, labels, masks, worth))


def _values(
    source: Source, labels: Int64[Tensor, " B"], masks: Bool[Tensor, "s n"], worth: Utility
) -> Num[Tensor, "B s"]:
    """What some coalitions are worth, some at a time."""
    blocks = masks.split(source.step)
    return torch.cat([worth.worth(source.logits(some), labels, source.sizes(some)) for some in blocks], dim=1)


def _alone(source: Source, labels: Int64[Tensor, " B"]) -> Bool[Tensor, "B n"]:
    masks = torch.eye(source.present.shape[1], dtype=torch.bool, device=labels.device)
    return is_right(source.logits(masks), labels, source.sizes(masks))


def _refine(
    answer: dict[str, Tensor], source_of: SourceOf, labels: Int64[Tensor, " B"], worth: Utility, fair_share: float
) -> None:
    """Replace the estimates of samples of which it is not decided whether phi is below the fair share."""
    near = (answer["phi"] - fair_share).abs() <= UNDECIDED * answer["stderr"]
    rows = torch.nonzero((near & (answer["stderr"] > 0)).any(dim=1))[:, 0]
    if len(rows):
        exact = value_source(source_of(rows), labels[rows], worth)
        answer["phi"][rows], answer["stderr"][rows] = exact.phi, exact.stderr


def _nothing_yet(present: Mask) -> dict[str, Tensor]:
    batch, device = len(present), present.device
    return {
        "phi": torch.full(present.shape, torch.nan, dtype=torch.float64, device=device),
        "stderr": torch.full(present.shape, torch.nan, dtype=torch.float64, device=device),
        "alone": torch.zeros(present.shape, dtype=torch.bool, device=device),
        "prediction": torch.zeros(batch, dtype=torch.int64, device=device),
        "loss": torch.zeros(batch, dtype=torch.float64, device=device),
    }
