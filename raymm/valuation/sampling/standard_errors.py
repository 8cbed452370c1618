"""Standard errors of sampled contributions: from the residuals of a sample's own values, or between its permutations.

A regression leaves residuals. Their variance is a mixture of two components, that of a smooth and that of a rough
part of the game, and each component has a known effect on the error of the contributions
(`raymm.valuation.sampling.gls`). The two variances are estimated for each sample from its squared residuals, by
restricted maximum likelihood.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

__all__ = ["ErrorModel", "PermutationErrors", "ResidualErrors", "variance_components"]

ROUNDS = 6
"""Rounds of Fisher scoring; the variances change little in the last ones."""

LEAST = 1e-4
"""Smallest expected square of a residual, in units of the mean square: a smaller one would get all the weight."""


@dataclass(frozen=True)
class ResidualErrors:
    """Errors of a regression, from the variance components of each sample's own game.

    Attributes
    ----------
    effects
        float64 [m, g]: values @ effects are the g residual contrasts, uncorrelated.
    smooth
        float64 [g]: share of the smooth component in the variance of each contrast; the rest is the rough one's.
    errors
        float64 [2, n]: squared errors of the contributions per unit of variance of the smooth and the rough
        component.
    dof
        Degrees of freedom of the standard errors.
    """

    effects: Float64[Tensor, "m g"]
    smooth: Float64[Tensor, " g"]
    errors: Float64[Tensor, "2 n"]
    dof: float

    def variance(self, values: Float64[Tensor, "B m"]) -> Float64[Tensor, "B n"]:
        """Squared standard errors of the contributions."""
        squares = (values @ self.effects.to(values.device)).square()
        return variance_components(squares, self.smooth.to(values.device)) @ self.errors.to(values.device)


@dataclass(frozen=True)
class PermutationErrors:
    """Errors of a mean over permutations, from the variance between them.

    Attributes
    ----------
    contributions
        float64 [m, permutations, n]: values @ contributions are the marginal contributions in each permutation.
    """

    contributions: Float64[Tensor, "m permutations n"]

    @property
    def dof(self) -> float:
        """Degrees of freedom of the standard errors."""
        return float(self.contributions.shape[1] - 1)

    def variance(self, values: Float64[Tensor, "B m"]) -> Float64[Tensor, "B n"]:
        """Squared standard errors of the contributions: the variance between k permutations, divided by k."""
        each = torch.einsum("bm,mkn->bkn", values, self.contributions.to(values.device))
        return each.var(dim=1) / each.shape[1]


ErrorModel = ResidualErrors | PermutationErrors
"""The part of a design that estimates the errors of its estimates."""


def variance_components(squares: Float64[Tensor, "B g"], smooth: Float64[Tensor, " g"]) -> Float64[Tensor, "B 2"]:
    """Variances of the smooth and of the rough component of each sample's game, from its squared residuals.

    The variance of residual contrast k is s_k * a + (1 - s_k) * b, with s = `smooth` and the unknown variances (a,
    b). Restricted maximum likelihood (Patterson and Thompson, 1971) by Fisher scoring: each round fits the squares by
    least squares, with weights 1 / variance**2 from the round before (Rao, 1971, for one round). A variance is at
    least 0. Each sample is fitted by itself.

    Examples
    --------
    Two contrasts, one of the smooth and one of the rough component: each square is the variance of its component.

    >>> squares = torch.tensor([[4.0, 1.0]], dtype=torch.float64)
    >>> variance_components(squares, torch.tensor([1.0, 0.0], dtype=torch.float64)).round(decimals=6)
    tensor([[4., 1.]], dtype=torch.float64)
    """
    shares = torch.stack([smooth, 1 - smooth])
    # squares are divided by their mean, so that LEAST is relative and tiny games do not underflow
    size = squares.mean(dim=1, keepdim=True)
    relative = squares / size.clamp(min=torch.finfo(squares.dtype).tiny)
    found = torch.ones(len(squares), 2, dtype=squares.dtype, device=squares.device)
    for _ in range(ROUNDS):
        # expected squares e_k = s_k a + (1 - s_k) b; the variance of a square is 2 e_k**2, so weights are 1 / e_k**2
        expected = (found[:, :1] * shares[0] + found[:, 1:] * shares[1]).clamp(min=LEAST)
        found = _least_squares(relative, shares, 1 / expected.square())
    return found * size


def _least_squares(
    squares: Float64[Tensor, "B g"], shares: Float64[Tensor, "2 g"], weights: Float64[Tensor, "B g"]
) -> Float64[Tensor, "B 2"]:
    """Weighted least squares of two variances that are at least 0; equal ones where they are not identifiable.

    The normal equations of q_k ~ s_k a + r_k b (r = 1 - s, weights w) are

        [sum w s s   sum w s r] [a]   [sum w s q]
        [sum w s r   sum w r r] [b] = [sum w r q]

    and are solved by Cramer's rule.
    """
    smooth, rough = shares
    cross, smooth_square, rough_square = (
        (weights * part).sum(dim=1) for part in (smooth * rough, smooth**2, rough**2)
    )
    smooth_moment, rough_moment = ((weights * squares * part).sum(dim=1) for part in (smooth, rough))
    determinant = smooth_square * rough_square - cross.square()
    identifiable = determinant > 1e-9 * smooth_square * rough_square
    first = (rough_square * smooth_moment - cross * rough_moment) / determinant
    second = (smooth_square * rough_moment - cross * smooth_moment) / determinant
    # where one variance would be negative it is 0, and the other is fitted by itself
    only_smooth, only_rough = smooth_moment / smooth_square, rough_moment / rough_square
    first, second = (
        torch.where(second < 0, only_smooth, first.clamp(min=0)),
        torch.where(first < 0, only_rough, second.clamp(min=0)),
    )
    # where all contrasts have the same shares only the sum a s + b r is identifiable: both are the mean square
    pooled = (weights * squares).sum(dim=1) / weights.sum(dim=1)
    return torch.stack([torch.where(identifiable, first, pooled), torch.where(identifiable, second, pooled)], dim=1)
