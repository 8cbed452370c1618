"""Coalitions as bit masks, and the constant matrices that map the values of all coalitions to indices.

The Shapley value is linear in v, phi = v @ W, with (Shapley, 1953)

    W[C, i] = (s-1)! (n-s)! / n!    if i in C            s = |C|
    W[C, i] = - s! (n-s-1)! / n!    otherwise.

(s-1)! (n-s)! / n! = 1 / (n binom(n-1, s-1)), and n binom(n-1, k) divides lcm(1..n) for every k, so
lcm(1..n) * W is a matrix of integers. Its products with integer utilities are exact in float64 while they
stay below 2**53, which holds for n <= 20: whether phi is below the fair share is then decided without rounding.

The cached tensors are created outside of inference mode, even when the first caller is inside it: a tensor created in
inference mode could not take part in a later computation that records gradients.
"""

from functools import cache
from math import comb, lcm

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from raymm.valuation.bits import masks_of

__all__ = [
    "MAX_PLAYERS",
    "banzhaf_rows",
    "banzhaf_weights",
    "coalition_masks",
    "coalition_sizes",
    "interaction_rows",
    "interaction_weights",
    "shapley_weights",
]

MAX_PLAYERS = 20


@cache
@torch.inference_mode(mode=False)
def coalition_masks(n: int) -> Bool[Tensor, "S n"]:
    """Bool [2**n, n]: row c holds the members of coalition c."""
    return masks_of(torch.arange(2**n), n)


@cache
@torch.inference_mode(mode=False)
def coalition_sizes(n: int) -> Int64[Tensor, " S"]:
    """int64 [2**n]: number of members of each coalition."""
    return coalition_masks(n).sum(dim=1)


@cache
@torch.inference_mode(mode=False)
def shapley_weights(n: int) -> tuple[Float64[Tensor, "S n"], int]:
    """`(weights, divisor)` with phi = values @ weights / divisor; weights are whole numbers in float64.

    Examples
    --------
    The Shapley value of two players, phi_0 = (v({0}) - v({}) + v({0,1}) - v({1})) / 2:

    >>> shapley_weights(2)
    (tensor([[-1., -1.],
            [ 1., -1.],
            [-1.,  1.],
            [ 1.,  1.]], dtype=torch.float64), 2)

    Raises
    ------
    ValueError
        When n is not in 1..20.
    """
    _check_players(n)
    divisor = lcm(*range(1, n + 1))
    # by size s: the weight for members (column 1 of the table) and for the others (column 0), times lcm(1..n)
    inside = [0, *(divisor // (n * comb(n - 1, s - 1)) for s in range(1, n + 1))]
    outside = [*(-divisor // (n * comb(n - 1, s)) for s in range(n)), 0]
    table = torch.tensor([outside, inside], dtype=torch.float64)
    member = coalition_masks(n).long()
    return table[member, coalition_sizes(n)[:, None]], divisor


@cache
@torch.inference_mode(mode=False)
def banzhaf_weights(n: int) -> tuple[Float64[Tensor, "S n"], int]:
    """Weights of the Banzhaf value, the plain mean of the 2**(n-1) marginal contributions (Banzhaf, 1965).

    Returned as `shapley_weights` returns its own.
    """
    _check_players(n)
    return banzhaf_rows(torch.arange(2**n), n)


def banzhaf_rows(codes: Int64[Tensor, " s"], n: int) -> tuple[Float64[Tensor, "s n"], int]:
    """The rows of `banzhaf_weights` of some coalitions, and the divisor."""
    return 2.0 * masks_of(codes, n).double() - 1.0, 2 ** (n - 1)


@cache
@torch.inference_mode(mode=False)
def interaction_weights(n: int) -> tuple[Float64[Tensor, "S pairs"], int]:
    """Weights of the pairwise Shapley interaction index, columns in the order of `torch.triu_indices`.

    I_ij = sum over S without i, j of s! (n-s-2)! / (n-1)! [v(S+i+j) - v(S+i) - v(S+j) + v(S)]
    (Grabisch and Roubens, 1999); s counts S without i and j.
    """
    _check_players(n)
    return interaction_rows(torch.arange(2**n), n)


def interaction_rows(codes: Int64[Tensor, " s"], n: int) -> tuple[Float64[Tensor, "s pairs"], int]:
    """The rows of `interaction_weights` of some coalitions, and the divisor."""
    divisor = lcm(*range(1, n))
    by_size = torch.tensor([divisor // ((n - 1) * comb(n - 2, s)) for s in range(n - 1)], dtype=torch.float64)
    first, second = torch.triu_indices(n, n, offset=1)
    masks = masks_of(codes, n)
    both = masks[:, first].long() + masks[:, second].long()
    others = masks.sum(dim=1)[:, None] - both
    sign = 1.0 - 2.0 * (both == 1)  # + for coalitions with both or neither of the pair, - with one of them
    return sign * by_size[others], divisor


def _check_players(n: int) -> None:
    if not 1 <= n <= MAX_PLAYERS:
        raise ValueError(f"{n} players: exact values are computed for 1 to {MAX_PLAYERS}")
