"""Sampled Shapley values with standard errors, for more modalities than can be enumerated.

All samples that have the same modalities share one design (`raymm.valuation.sampling.designs`). The players of a
sample's game are the modalities that it has, so its design has as many players. Where these are so few that the
budget covers all coalitions, all are evaluated and phi is exact.

The standard error of an estimate comes from the design and the residuals of the sample's own values, or from the
variance between its permutations (`raymm.valuation.sampling.standard_errors`); confidence intervals use Student's t.
The assumptions on the residuals are stated in `raymm.valuation.sampling.gls`. Where all evaluated values are those of
an additive game, the residuals are 0. For a hard utility the standard error is then that of coalitions which were not
evaluated (`error_of_unseen`); for a soft one it is reported as 0, although the error need not be 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import torch
from jaxtyping import Bool, Float64, Int64, Num
from scipy.special import stdtrit
from torch import Tensor

from raymm.tasks.base import Task
from raymm.types import Mask
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.enumeration import grand_prediction, value_source
from raymm.valuation.exact import shapley_values
from raymm.valuation.logit_sources import LogitSource, SumSource
from raymm.valuation.rounding import reach_of, settled
from raymm.valuation.sample_values import Labels, SampleValues
from raymm.valuation.sampling.budget import Sampling
from raymm.valuation.sampling.designs import Design, design
from raymm.valuation.utilities import CLASSIFICATION, Utility, is_correct

__all__ = [
    "Estimates",
    "error_of_unseen",
    "estimate",
    "margin_of_error",
    "value_closed_form",
    "value_sampled",
]

BySize = Callable[[Int64[Tensor, " s"]], Int64[Tensor, " s"]]

SourceOf = Callable[[Int64[Tensor, " b"]], LogitSource]
"""The logit source of some samples of a batch, by position."""

ROUNDING = 1e-9
"""Part of the largest difference from the value of the empty coalition by which rounding may move an estimate."""

UNDECIDED = 3.0
"""Standard errors from the fair share within which a contribution may lie on either side of it."""


@dataclass(frozen=True)
class Estimates:
    """Estimated contributions [B, n], their standard errors [B, n], and the degrees of freedom of these."""

    phi: Float64[Tensor, "B n"]
    stderr: Float64[Tensor, "B n"]
    dof: float


def estimate(values: Num[Tensor, "B m"], plan: Design) -> Estimates:
    """Contributions from the values of the coalitions of a design, in the order of its masks.

    Examples
    --------
    An additive game is estimated without error:

    >>> plan = design(8, 64, seed=0)
    >>> additive = torch.arange(8.0, dtype=torch.float64)
    >>> found = estimate((plan.masks.double() @ additive)[None], plan)
    >>> bool(torch.allclose(found.phi[0], additive)), bool((found.stderr < 1e-9).all())
    (True, True)
    """
    wide = values.double()
    return Estimates(wide @ plan.weights.to(wide.device), plan.errors.variance(wide).sqrt(), plan.errors.dof)


def margin_of_error(dof: float, level: float = 0.95) -> float:
    """Standard errors on each side of a confidence interval of this level, by Student's t.

    Examples
    --------
    >>> round(margin_of_error(10.0), 3), round(margin_of_error(1e9), 3)
    (2.228, 1.96)
    """
    return float(stdtrit(dof, 0.5 + level / 2))


def value_sampled(
    source_of: SourceOf, labels: Labels, present: Mask, utility: Utility, sampling: Sampling
) -> SampleValues:
    """Estimated values of a batch; samples with the same modalities are valued together.

    Parameters
    ----------
    source_of
        The logit source of some samples of the batch, by position.
    labels, present
        Labels of the utility's task [B, ...], and the modalities that each sample has, bool [B, n].
    utility, sampling
        The utility v(C), and the settings of the sampling.

    Examples
    --------
    Eight modalities whose logits add up; 64 of the 256 coalitions give the contributions to the logit of the label.

    >>> from raymm.valuation import get_utility
    >>> partial_logits = torch.zeros(1, 8, 2)
    >>> partial_logits[0, :, 1] = torch.arange(8.0)
    >>> present = torch.ones(1, 8, dtype=torch.bool)
    >>> def source_of(rows):
    ...     return SumSource(partial_logits[rows], torch.zeros(2), present[rows])
    >>> values = value_sampled(source_of, torch.tensor([1]), present, get_utility("logit"), Sampling(64, seed=0))
    >>> values.phi.round(decimals=6).abs()
    tensor([[0., 1., 2., 3., 4., 5., 6., 7.]], dtype=torch.float64)

    Raises
    ------
    ConfigError
        When the budget is too small for the number of modalities, with the smallest that works.
    TrainingError
        When logits are not finite.
    """
    utility.task.check_targets(labels)
    patterns, group = present.unique(dim=0, return_inverse=True)
    if not len(labels):
        patterns = present.new_ones(1, present.shape[1])
    answer: dict[str, Tensor] = {}
    for number, players in enumerate(patterns):
        rows = torch.nonzero(group == number)[:, 0]
        source = source_of(rows)
        part = _value_group(source, labels[rows], players.nonzero()[:, 0], utility, sampling)
        for name, values in part.items():
            whole = answer.setdefault(name, values.new_zeros(len(labels), *values.shape[1:]))
            whole[rows] = values
    if sampling.refine and utility.fair_share is not None:
        _refine_undecided(answer, source_of, labels, utility, utility.fair_share)
    return SampleValues(**answer, outcomes=torch.empty(len(labels), 0, dtype=torch.uint8, device=labels.device))


def value_closed_form(source: SumSource, labels: Labels, task: Task = CLASSIFICATION) -> SampleValues:
    """Contributions to the logit of the label where logits are sums: phi_i is the task's `logit` of what i adds.

    No coalition is evaluated.
    """
    task.check_targets(labels)
    phi = task.logit(source.partial_logits, labels)
    absent = ~source.present
    return SampleValues(
        phi=phi.masked_fill(absent, torch.nan),
        stderr=torch.zeros_like(phi).masked_fill(absent, torch.nan),
        outcomes=torch.empty(len(labels), 0, dtype=torch.uint8, device=labels.device),
        unimodal_correct=_unimodal_correct(source, labels, task),
        **vars(grand_prediction(source, labels, task)),
    )


def _value_group(
    source: LogitSource,
    labels: Labels,
    players: Int64[Tensor, " p"],
    utility: Utility,
    sampling: Sampling,
) -> dict[str, Tensor]:
    """Values of samples that have exactly `players`."""
    n, count = source.present.shape[1], len(players)
    unsampled = {
        "unimodal_correct": _unimodal_correct(source, labels, utility.task),
        **vars(grand_prediction(source, labels, utility.task)),
    }
    if 2**count <= max(sampling.budget, 8):
        phi, stderr = _exact_among(source, labels, players, utility), None
    else:
        plan = design(count, sampling.budget, sampling.seed)
        masks = torch.zeros(len(plan.masks), n, dtype=torch.bool, device=labels.device)
        masks[:, players] = plan.masks.to(labels.device)
        values = _values(source, labels, masks, utility)
        estimates = estimate(values, plan)
        phi, stderr = _unrounded(estimates.phi, values, utility.fair_share), estimates.stderr
        if utility.by_size is not None:
            stderr = stderr.maximum(error_of_unseen(plan, utility.by_size).to(stderr.device))
    everywhere = phi.new_full((len(labels), n), torch.nan)
    return {
        "phi": everywhere.index_copy(1, players, phi),
        "stderr": everywhere.index_copy(1, players, torch.zeros_like(phi) if stderr is None else stderr),
        **unsampled,
    }


def _unrounded(
    phi: Float64[Tensor, "B p"], values: Num[Tensor, "B s"], fair_share: float | None
) -> Float64[Tensor, "B p"]:
    """Estimates with those that are by rounding alone beside 0 or the fair share set to it: none is below by that.

    A number that all values of a sample have in common adds the rounding of float64 to the reach, and no more.
    """
    spread = (values - values[:, :1]).double().abs().amax(dim=1, keepdim=True)  # the first is the empty coalition
    return settled(phi, ROUNDING * spread + reach_of(values), fair_share)


def error_of_unseen(plan: Design, by_size: BySize) -> Float64[Tensor, " n"]:
    """A lower bound of the standard error for hard utilities, from the coalitions that were not evaluated.

    Where all evaluated coalitions are wrong (or all are correct) the residuals are 0, although other coalitions may
    differ. By Jeffreys' prior the probability that one of them does is 1 in 2 m + 2, for m evaluated ones. The result
    is the standard error of the estimate if each coalition differed from the rest with that probability,
    independently.
    """
    masks, n = plan.masks, plan.masks.shape[1]
    sizes = torch.arange(n + 1)
    squares = by_size(sizes).double().square()  # v(C)**2 of a correct coalition, by its size
    # Shapley weight by size s: 1 / (n binom(n-1, s-1)) with the player, 1 / (n binom(n-1, s)) without
    inside = torch.tensor([0.0, *(1 / (n * comb(n - 1, s - 1)) for s in range(1, n + 1))], dtype=torch.float64)
    outside = torch.tensor([*(1 / (n * comb(n - 1, s)) for s in range(n)), 0.0], dtype=torch.float64)
    # sum over all coalitions of v(C)**2 times the squared weight: of one size, there are 1 / (n inside) coalitions
    # with the player, each with inside**2, together inside / n; outside likewise
    all_coalitions = (squares * (inside + outside)).sum() / n
    size = masks.sum(dim=1)
    exact = torch.where(masks, inside[size][:, None], -outside[size][:, None])
    # an evaluated coalition has an error of (its weight in the estimate) - (its Shapley weight) instead
    change = (plan.weights - exact).square() - exact.square()
    rate = 1 / (2 * len(masks) + 2)
    variance = rate * (1 - rate) * (all_coalitions + (squares[size][:, None] * change).sum(dim=0))
    return variance.clamp(min=0).sqrt()


def _exact_among(
    source: LogitSource, labels: Labels, players: Int64[Tensor, " p"], utility: Utility
) -> Float64[Tensor, "B p"]:
    """Exact contributions of the players, from all coalitions of them."""
    if not len(players):  # a sample that has nothing that the model reads
        return torch.zeros(len(labels), 0, dtype=torch.float64, device=labels.device)
    among = coalition_masks(len(players)).to(labels.device)
    masks = torch.zeros(len(among), source.present.shape[1], dtype=torch.bool, device=labels.device)
    masks[:, players] = among
    values = _values(source, labels, masks, utility)
    return settled(shapley_values(values), reach_of(values), utility.fair_share)


def _values(source: LogitSource, labels: Labels, masks: Bool[Tensor, "s n"], utility: Utility) -> Num[Tensor, "B s"]:
    """Utilities of some coalitions, `source.step` at a time."""
    blocks = masks.split(source.step)
    return torch.cat([utility.values(source.logits(some), labels, source.sizes(some)) for some in blocks], dim=1)


def _unimodal_correct(source: LogitSource, labels: Labels, task: Task) -> Bool[Tensor, "B n"]:
    if not task.hard:
        return torch.zeros_like(source.present)
    masks = torch.eye(source.present.shape[1], dtype=torch.bool, device=labels.device)
    return is_correct(source.logits(masks), labels, source.sizes(masks), task)


def _refine_undecided(
    answer: dict[str, Tensor], source_of: SourceOf, labels: Labels, utility: Utility, fair_share: float
) -> None:
    """Replace the estimates of samples with a contribution that may lie on either side of the fair share."""
    near = (answer["phi"] - fair_share).abs() <= UNDECIDED * answer["stderr"]
    rows = torch.nonzero((near & (answer["stderr"] > 0)).any(dim=1))[:, 0]
    if len(rows):
        exact = value_source(source_of(rows), labels[rows], utility)
        answer["phi"][rows], answer["stderr"][rows] = exact.phi, exact.stderr
