"""The covariance of the residuals of coalitions, and their covariance with contributions.

Functions of the size of a coalition and of the Hamming distance of two; the model that they belong to is told in
`raymm.valuation.sampling.gls`.
"""

from functools import cache
from math import comb

import numpy as np
import numpy.typing as npt

__all__ = [
    "NUGGET",
    "Floats",
    "Members",
    "covariance",
    "differences",
    "inverse_of",
    "kernel_of",
    "of_contributions",
    "third_order_of",
    "with_contributions",
    "with_grand",
]

Members = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

NUGGET = 0.3
"""Variance of the independent part of a residual, in units of the variance of the correlated part."""


def with_grand(coalitions: Members) -> Floats:
    """Members as 0 and 1, [p + 1, n]: the coalitions, then the grand coalition."""
    return np.concatenate([coalitions, np.ones((1, coalitions.shape[1]), bool)]).astype(np.float64)


def differences(first: Floats, second: Floats) -> npt.NDArray[np.int64]:
    """Hamming distance of coalitions: the number of members of exactly one of the two, [p, q]."""
    count = first.sum(axis=1)[:, None] + second.sum(axis=1) - 2 * first @ second.T
    return np.rint(count).astype(np.int64)


def covariance(first: Floats, second: Floats, kernel: Floats) -> Floats:
    """Covariance of the residuals of coalitions, [p, q]: a function of their Hamming distance."""
    return kernel[differences(first, second)]


def with_contributions(members: Floats, kernel: Floats) -> Floats:
    """K_c: covariance of the residuals of coalitions with their part in the contributions, [p, n].

    It depends on the size of the coalition, and on whether the player is a member (then the coalition has size - 1
    other members) or not (then the sign changes).
    """
    table = of_contributions(kernel)
    size = np.rint(members.sum(axis=1)).astype(np.int64)[:, None]
    return np.where(members > 0, table[size - 1], -table[np.minimum(size, len(table) - 1)])


@cache
def kernel_of(n: int) -> Floats:
    """Covariance of the residuals of two coalitions by their Hamming distance h, [n + 1].

    2/pi asin(<x, y> / n) with <x, y> = n - 2 h; and the nugget, which is added at distance 0 and subtracted at
    distance n, because w(complement of C) = -w(C).
    """
    kernel: Floats = 2 / np.pi * np.arcsin(1 - 2 * np.arange(n + 1) / n)
    kernel[0] += NUGGET
    kernel[-1] -= NUGGET
    return kernel


@cache
def third_order_of(n: int) -> Floats:
    """The part of the kernel that interactions of three members make, [n + 1].

    A kernel on the hypercube is a sum over orders j of c_j Q_j(h), with the Krawtchouk polynomials

        Q_3(h) = sum over j of (-1)^j binom(h, j) binom(n - h, 3 - j)

    for order 3, and c_3 = sum over h of binom(n, h) / 2^n k(h) Q_3(h) / binom(n, 3). The result is c_3 Q_3(h).
    """
    distance = np.arange(n + 1)
    ways = np.array([comb(n, int(h)) for h in distance], dtype=np.float64)
    third = sum((-1) ** j * np.array([comb(int(h), j) * comb(n - int(h), 3 - j) for h in distance]) for j in range(4))
    part: Floats = third * (ways / ways.sum() * kernel_of(n) * third).sum() / comb(n, 3)
    return part


def of_contributions(kernel: Floats) -> Floats:
    """Covariance of a player's contribution with w(C) of a coalition of the player and t others, by t, [n].

    For a coalition without the player it is the negative. The contribution is the mean over s of the mean over
    coalitions S of s others of w(S and the player) - w(S); if k of these s are among the t, the distances of C to the
    two are s + t - 2 k and one more, so the covariance is kernel(s + t - 2 k) - kernel(s + t - 2 k + 1).
    """
    return _table_of_contributions(tuple(kernel.tolist()))


@cache
def _table_of_contributions(kernel: tuple[float, ...]) -> Floats:
    n = len(kernel) - 1
    step = -np.diff(kernel)
    table = np.zeros(n)
    for t in range(n):
        for s in range(n):
            common = range(max(0, s + t - (n - 1)), min(s, t) + 1)
            # hypergeometric probability that k of the s members are among the t
            counts = [comb(t, k) * comb(n - 1 - t, s - k) / comb(n - 1, s) for k in common]
            table[t] += np.dot(counts, step[[s + t - 2 * k for k in common]]) / n
    return table


def inverse_of(matrix: Floats) -> Floats:
    """The inverse of a square matrix, in float64."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
