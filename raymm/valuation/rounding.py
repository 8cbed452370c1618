"""What rounding leaves of a contribution that is exactly 0, or exactly the fair share, and how it is taken away.

Whether a modality's contribution is below a level decides what is counted, drawn and trained again. A sum of weighted
values of float64 leaves about 1e-16 of either sign where all marginal contributions are 0.
"""

import math

import torch
from jaxtyping import Float64, Num
from torch import Tensor

__all__ = ["ROUNDED", "reach_of", "settled"]

ROUNDED = 64 * torch.finfo(torch.float64).eps
"""Rounding of a contribution at most, as a part of the largest |v(C)|; measured for 2 to 16 players: up to 14 eps."""


def reach_of(values: Num[Tensor, "B S"]) -> Float64[Tensor, "B 1"]:
    """By how much rounding may move contributions computed from these values of coalitions; 0 of whole numbers.

    >>> (reach_of(torch.tensor([[0.0, -2.0]]).double()) / ROUNDED).tolist(), reach_of(torch.tensor([[0, 3]])).tolist()
    ([[2.0]], [[0.0]])
    """
    if not values.is_floating_point():
        return torch.zeros(len(values), 1, dtype=torch.float64, device=values.device)
    return ROUNDED * torch.linalg.vector_norm(values.detach(), math.inf, dim=1, keepdim=True).double()


def settled(
    found: Float64[Tensor, "*B p"], reach: Float64[Tensor, "*B 1"], fair_share: float | None = None
) -> Float64[Tensor, "*B p"]:
    """Contributions with those that are less than `reach` from 0 or the fair share set to it; gradients stay.

    >>> found, reach = torch.tensor([[1e-17, -1e-16, 0.1, 1 - 2**-53]], dtype=torch.float64), torch.tensor([[1e-14]])
    >>> settled(found, reach.double(), 1.0)
    tensor([[0.0000, 0.0000, 0.1000, 1.0000]], dtype=torch.float64)
    """
    for level in (0.0,) if fair_share is None else (0.0, fair_share):
        away = (found - level).detach()
        found = found - torch.where(away.abs() < reach, away, 0.0)
    return found
