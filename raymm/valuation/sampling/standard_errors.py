"""How far an estimate may be off: from the residuals of a sample's own values, or from the scatter of its orders."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

__all__ = ["OrderSpread", "ResidualSpread", "Spread", "variance_components"]

ROUNDS = 6
"""Rounds of the estimation of variances; from one of the last to the next they change by little."""

LEAST = 1e-4
"""No residual is expected to be smaller than this part of the mean one, or it alone would decide."""


@dataclass(frozen=True)
class ResidualSpread:
    """The error of a regression, by the variances of the smooth and of the rough part of each sample's own game.

    Attributes
    ----------
    effects
        float64 [m, g]: values @ effects are the residuals, uncorrelated.
    smooth
        float64 [g]: what a smooth part of variance 1 adds to the variance of each residual; a rough one adds the rest
        up to 1.
    errors
        float64 [2, n]: squared errors of the contributions for a smooth part and for a rough part of variance 1.
    freedom
        Degrees of freedom of the standard errors.
    """

    effects: Float64[Tensor, "m g"]
    smooth: Float64[Tensor, " g"]
    errors: Float64[Tensor, "2 n"]
    freedom: float

    def variance(self, worth: Float64[Tensor, "B m"]) -> Float64[Tensor, "B n"]:
        """Squared standard errors of the contributions."""
        squares = (worth @ self.effects.to(worth.device)).square()
        return variance_components(squares, self.smooth.to(worth.device)) @ self.errors.to(worth.device)


@dataclass(frozen=True)
class OrderSpread:
    """The error of a mean over orders of arrival, from their scatter.

    Attributes
    ----------
    contributions
        float64 [m, orders, n]: values @ contributions are what each order says.
    """

    contributions: Float64[Tensor, "m orders n"]

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the standard errors."""
        return float(self.contributions.shape[1] - 1)

    def variance(self, worth: Float64[Tensor, "B m"]) -> Float64[Tensor, "B n"]:
        """Squared standard errors of the contributions."""
        each = torch.einsum("bm,mkn->bkn", worth, self.contributions.to(worth.device))
        return each.var(dim=1) / each.shape[1]


Spread = ResidualSpread | OrderSpread
"""What a design says of the error of its estimates."""


def variance_components(squares: Float64[Tensor, "B g"], smooth: Float64[Tensor, " g"]) -> Float64[Tensor, "B 2"]:
    """Variances of the smooth and of the rough part of each sample's game, from its squared residuals.

    The variance of a residual is `smooth * first + (1 - smooth) * second`. Restricted maximum likelihood (Patterson
    and Thompson, 1971) by scoring: each round fits the squares by least squares, with weights from the round before
    (Rao, 1971, for one round). A variance that would be negative is 0. Samples do not influence each other.
    """
    shares = torch.stack([smooth, 1 - smooth])
    size = squares.mean(dim=1, keepdim=True)
    relative = squares / size.clamp(min=torch.finfo(squares.dtype).tiny)
    found = torch.ones(len(squares), 2, dtype=squares.dtype, device=squares.device)
    for _ in range(ROUNDS):
        expected = (found[:, :1] * shares[0] + found[:, 1:] * shares[1]).clamp(min=LEAST)
        found = _fitted(relative, shares, 1 / expected.square())
    return found * size


def _fitted(
    squares: Float64[Tensor, "B g"], shares: Float64[Tensor, "2 g"], weights: Float64[Tensor, "B g"]
) -> Float64[Tensor, "B 2"]:
    """Weighted least squares of two numbers that are not negative; equal ones where nothing tells them apart."""
    smooth, rough = shares
    both, all_smooth, all_rough = ((weights * part).sum(dim=1) for part in (smooth * rough, smooth**2, rough**2))
    of_smooth, of_rough = ((weights * squares * part).sum(dim=1) for part in (smooth, rough))
    apart = all_smooth * all_rough - both.square()
    told = apart > 1e-9 * all_smooth * all_rough
    first = (all_rough * of_smooth - both * of_rough) / torch.where(told, apart, 1.0)
    second = (all_smooth * of_rough - both * of_smooth) / torch.where(told, apart, 1.0)
    only_smooth, only_rough = of_smooth / all_smooth, of_rough / all_rough
    alike = (weights * squares).sum(dim=1) / weights.sum(dim=1)
    first, second = (
        torch.where(second < 0, only_smooth, first.clamp(min=0)),
        torch.where(first < 0, only_rough, second.clamp(min=0)),
    )
    return torch.stack([torch.where(told, first, alike), torch.where(told, second, alike)], dim=1)
