"""The search for good coalitions: exchanges, as long as the expected error of the contributions falls.

The covariance is that of `raymm.valuation.sampling.gls`, with a diffuse prior in the place of the improper
uniform one.
"""

import numpy as np

from raymm.valuation.sampling.covariance import (
    NUGGET,
    Floats,
    Members,
    differences,
    inverse_of,
    kernel_of,
    with_contributions,
    with_grand,
)

__all__ = ["exchange_search"]

CANDIDATES = 8
SWEEPS = 8
STEPS = 800
WORK = 1e8
"""Limits of the exchange search: candidates a step, sweeps over the coalitions, steps, and multiplications."""

REFRESHED = 100
"""Steps after which the inverse, updated step by step, is computed anew."""

DIFFUSE_VARIANCE = 1e3
"""Prior variance of the additive part during the search, in the place of the improper uniform prior."""


def exchange_search(coalitions: Members, fixed: int, generator: np.random.Generator) -> Members:
    """Exchange coalitions for others of the same size as long as the expected error of all contributions falls.

    One coalition after the other is compared with `CANDIDATES` random neighbours, which differ by one member.

    Parameters
    ----------
    coalitions
        bool [p, n]: one coalition of each pair.
    fixed
        Number of coalitions at the start of the list that are not exchanged.
    generator
        For the candidates.

    Returns
    -------
    bool [p, n]; no two are equal or complementary, if no two were.
    """
    pairs = len(coalitions)
    coalitions = coalitions.copy()
    taken = {row.tobytes() for row in coalitions} | {row.tobytes() for row in ~coalitions}
    steps = min(SWEEPS * (pairs - fixed), STEPS, int(WORK / pairs**2))
    inverse = _diffuse_inverse(coalitions) if steps else np.empty(0)
    for step in range(steps):
        if step % REFRESHED == REFRESHED - 1:
            inverse = _diffuse_inverse(coalitions)
        row = fixed + step % (pairs - fixed)
        options = _options(coalitions[row], taken, generator)
        inverse, best = _replace(inverse, coalitions, row, options)
        if best:
            taken -= {coalitions[row].tobytes(), (~coalitions[row]).tobytes()}
            coalitions[row] = options[best]
            taken |= {coalitions[row].tobytes(), (~coalitions[row]).tobytes()}
    return coalitions


def _replace(inverse: Floats, coalitions: Members, row: int, options: Members) -> tuple[Floats, int]:
    """The inverse covariance after the best of the options has taken a row, and its number; option 0 is the current
    one.

    The search maximises the variance of all contributions that the evaluated coalitions explain. Given the others
    (all rows but this one, covariance K_-), a candidate z with covariances k to them and variance k_zz adds

        sum over i of (cov(phi_i, z) - k' K_-^-1 cov(phi_i, others))^2 / (k_zz - k' K_-^-1 k).
    """
    members = with_grand(coalitions)
    # K_-^-1, with zeros in the row and column that are left out: the block inverse by one rank-one update
    without = inverse - np.outer(inverse[row], inverse[row]) / inverse[row, row]
    candidates = options.astype(np.float64)
    shared = _diffuse_covariance(members, candidates)  # k, one column a candidate
    shared[row] = 0
    explained = without @ shared  # K_-^-1 k
    left = DIFFUSE_VARIANCE + 1 + NUGGET - (shared * explained).sum(axis=0)  # conditional variance of z
    new = _diffuse_with_contributions(candidates) - explained.T @ _diffuse_with_contributions(members)
    gain = (new**2).sum(axis=1) / left
    best = int(gain.argmax())
    if gain[best] <= gain[0] * (1 + 1e-6):  # equally good designs must not be distinguished by rounding
        best = 0
    # the inverse with z in the row: K_-^-1 + u u' / left with u = (K_-^-1 k, -1)
    direction = explained[:, best].copy()
    direction[row] = -1.0
    return without + np.outer(direction, direction) / left[best], best


def _options(current: Members, taken: set[bytes], generator: np.random.Generator) -> Members:
    """A coalition, and others with one member exchanged that are not in the design."""
    inside, outside = np.flatnonzero(current), np.flatnonzero(~current)
    options = [current]
    for leaves, enters in zip(
        generator.choice(inside, CANDIDATES), generator.choice(outside, CANDIDATES), strict=True
    ):
        other = current.copy()
        other[[leaves, enters]] = other[[enters, leaves]]
        if other.tobytes() not in taken:
            options.append(other)
    return np.array(options)


def _diffuse_covariance(first: Floats, second: Floats) -> Floats:
    """Covariance of paired differences with a diffuse prior on phi: K + DIFFUSE_VARIANCE <x, y> / n."""
    n = first.shape[1]
    distance = differences(first, second)
    diffuse: Floats = kernel_of(n)[distance] + DIFFUSE_VARIANCE * (1 - 2 * distance / n)  # <x, y> = n - 2 distance
    return diffuse


def _diffuse_inverse(coalitions: Members) -> Floats:
    members = with_grand(coalitions)
    return inverse_of(_diffuse_covariance(members, members))


def _diffuse_with_contributions(members: Floats) -> Floats:
    """K_c with a diffuse prior on phi: cov(w(C), phi_i) = DIFFUSE_VARIANCE (2 / n) x_i for the additive part."""
    n = members.shape[1]
    return with_contributions(members, kernel_of(n)) + DIFFUSE_VARIANCE * (2 / n) * (2 * members - 1)
