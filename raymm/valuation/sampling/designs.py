"""Sampling designs: which coalitions to play, and the constant matrices that turn their values into estimates.

Least squares. The Shapley value is the solution of a weighted regression of v(C) on membership (Charnes et al., 1988;
Lundberg and Lee, NeurIPS 2017). Coalitions come in pairs (C, complement of C), which cancels the even part of v
(Covert and Lee, AISTATS 2021). The pairs of sizes (1, n-1) are taken whole; each of the other sizes gets an equal
share of what is left, as leverage scores ask for (Musco and Witter, ICLR 2025). Two things are different here, both
in `raymm.valuation.sampling.gls`: residuals are correlated, the more so the more members two coalitions share, so
that the regression is a generalised one; and coalitions are not just drawn but exchanged until their values tell
most. That is done once for a number of players and coalitions; a seed decides which modality plays which part. From 6
n coalitions on, estimates are right on average over the seeds for every game; below, a bias is part of their error.

Permutations. Below that budget, orders of arrival and their reverses (Castro et al., 2009; Mitchell et al.,
JMLR 2022).

A design is shared by all samples of a shard, so an estimate is one matrix product: phi = V @ weights.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float64
from threadpoolctl import threadpool_limits
from torch import Tensor

from raymm.errors import ConfigError
from raymm.seeds import derive
from raymm.valuation.sampling.gls import Fit, fit, spread_out
from raymm.valuation.sampling.standard_errors import OrderSpread, ResidualSpread, Spread

__all__ = ["Design", "design", "smallest_budget"]

Codes = npt.NDArray[np.int64]
MOST_PLAYERS = 62
LISTED_BITS = 20
ENUMERATED = 200_000
"""Coalitions of one size that may be listed to draw from them; beyond, they are drawn at random until they differ."""

CROWDED = 2
"""Degrees of freedom are divided by this: odd parts of hard games take few values, and their squares scatter more
than those of normal ones, so that a standard error is worth fewer of them."""


@dataclass(frozen=True)
class Design:
    """Coalitions to play and what to make of their values.

    Attributes
    ----------
    kind
        "least_squares" or "permutations".
    masks
        bool [m, n]; the first is empty, the last is everyone.
    weights
        float64 [m, n]: estimates are values @ weights; they add up to v(everyone) - v(nobody).
    spread
        For the standard errors.
    """

    kind: str
    masks: Bool[Tensor, "m n"]
    weights: Float64[Tensor, "m n"]
    spread: Spread


def smallest_budget(n: int) -> int:
    """Coalitions that an estimate for n players needs at least."""
    return 2 * n


def least_squares_budget(n: int) -> int:
    """Coalitions from which on the errors of a regression can be told too: below, permutations are used."""
    return 2 * (n + 3)


def balanced_budget(n: int) -> int:
    """Coalitions from which on being right on average costs little accuracy, and is asked for."""
    return 6 * n


@lru_cache(maxsize=256)
@torch.inference_mode(mode=False)
def design(n: int, budget: int, seed: int) -> Design:
    """The design for n players that plays at most `budget` coalitions.

    Raises
    ------
    ConfigError
        When the budget leaves the estimates undetermined, with the smallest that works, or n is not in 3..62.
    """
    if not 3 <= n <= MOST_PLAYERS:
        raise ConfigError(f"valuation.method=sampled: {n} modalities; sampling is for 3 to {MOST_PLAYERS}")
    if budget < smallest_budget(n):
        raise ConfigError(
            f"valuation.budget={budget}: too few coalitions to tell {n} modalities apart; the smallest budget that "
            f"works is {smallest_budget(n)}"
        )
    generator = np.random.default_rng(derive(seed, "design", n, budget))
    if budget < least_squares_budget(n):
        return _permutations(n, budget, generator)
    return _least_squares(n, budget, generator)


def _least_squares(n: int, budget: int, generator: np.random.Generator) -> Design:
    """The one design for this many players and coalitions, its parts dealt to the players at random."""
    half, found, effects = _best(n, budget // 2 - 1)
    part = generator.permutation(n)
    half = half[:, torch.from_numpy(part)]
    weights = _odd_parts(len(half)) @ torch.from_numpy(found.weights[:, part])
    masks = torch.cat([torch.zeros(1, n, dtype=torch.bool), half, ~half, torch.ones(1, n, dtype=torch.bool)])
    smooth, errors = torch.from_numpy(found.smooth), torch.from_numpy(found.errors[:, part])
    freedom = max(1.0, len(smooth) / CROWDED)
    return Design("least_squares", masks, weights, ResidualSpread(effects, smooth, errors, freedom))


@lru_cache(maxsize=64)
@torch.inference_mode(mode=False)
def _best(n: int, pairs: int) -> tuple[Bool[Tensor, "p n"], Fit, Float64[Tensor, "m g"]]:
    """One coalition of each pair, what their odd parts tell, and the effects that go with it."""
    generator = np.random.default_rng(derive(0, "best design", n, pairs))
    shares = _shares(n, pairs)
    codes = np.concatenate([_draw(n, s, count, generator) for s, count in enumerate(shares, start=1)])
    with threadpool_limits(1, "blas"):  # so that an actor with one thread gets the bits of a driver with more
        half = spread_out(_masks(codes, n), shares[0], generator)
        found = fit(half, balanced=2 * pairs + 2 >= balanced_budget(n))
    return torch.from_numpy(half), found, _odd_parts(len(half)) @ torch.from_numpy(found.roots)


def _odd_parts(pairs: int) -> Float64[Tensor, "m p"]:
    """What turns values into (v(C) - v(complement)) / 2 of each pair, that of nobody and everyone last."""
    odd = torch.zeros(2 * pairs + 2, pairs + 1, dtype=torch.float64)
    odd[1 : pairs + 1, :pairs] = 0.5 * torch.eye(pairs)
    odd[pairs + 1 : -1, :pairs] = -0.5 * torch.eye(pairs)
    odd[-1, -1], odd[0, -1] = 0.5, -0.5
    return odd


def _permutations(n: int, budget: int, generator: np.random.Generator) -> Design:
    orders = []
    for _ in range((budget - 2) // (2 * (n - 1))):
        order = generator.permutation(n)
        orders += [order, order[::-1]]
    arrived = np.argsort(np.stack(orders), axis=1)
    count = len(orders)
    size = np.arange(1, n)
    prefixes = torch.from_numpy(arrived[:, None, :] < size[:, None]).flatten(0, 1)
    weights = torch.zeros(count * (n - 1) + 2, count, n, dtype=torch.float64)
    for number, order in enumerate(orders):
        places = [0, *(1 + number * (n - 1) + np.arange(n - 1)), count * (n - 1) + 1]
        for step, player in enumerate(order):
            weights[places[step + 1], number, player] += 1.0
            weights[places[step], number, player] -= 1.0
    masks = torch.cat([torch.zeros(1, n, dtype=torch.bool), prefixes, torch.ones(1, n, dtype=torch.bool)])
    return Design("permutations", masks, weights.mean(dim=1), _between_orders(weights))


def _between_orders(weights: Float64[Tensor, "m orders n"]) -> OrderSpread:
    """Scatter of the means of an order and its reverse; where there is but one such pair, of its two orders.

    An order and its reverse err in opposite directions, so for one pair the error comes out too large, not too small.
    """
    return OrderSpread(weights.unflatten(1, (-1, 2)).mean(dim=2) if weights.shape[1] > 2 else weights)


def _shares(n: int, pairs: int) -> list[int]:
    """Pairs of each size: the first whole, the rest in equal parts, at most all there are."""
    population = [comb(n, s) // (2 if 2 * s == n else 1) for s in range(1, n // 2 + 1)]
    shares = [population[0], *(0 for _ in population[1:])]
    part = [0.5 if 2 * s == n else 1.0 for s in range(1, len(population) + 1)]
    while sum(shares) < pairs:
        unfinished = [i for i, size in enumerate(population) if shares[i] < size]
        if not unfinished:
            break
        shares[min(unfinished, key=lambda i: (shares[i] + 0.5) / part[i])] += 1
    return shares


def _draw(n: int, size: int, count: int, generator: np.random.Generator) -> Codes:
    """`count` different coalitions of a size, one of each pair with its complement."""
    chosen: Codes = np.empty(0, np.int64)
    powers = np.int64(1) << np.arange(n, dtype=np.int64)
    whole = comb(n, size) // (2 if 2 * size == n else 1)
    if whole <= ENUMERATED:
        listed = _of_size(n, size)
        return np.sort(listed[generator.permutation(len(listed))[:count]])
    while len(chosen) < count:
        ranks = np.argsort(generator.random((2 * count, n)), axis=1)
        codes = (powers[None] * (ranks < size)).sum(axis=1)
        if 2 * size == n:
            codes = np.minimum(codes, (np.int64(1) << n) - 1 - codes)
        merged = np.concatenate([chosen, codes])
        _, first = np.unique(merged, return_index=True)
        chosen = merged[np.sort(first)][:count]
    return np.sort(chosen)


def _of_size(n: int, size: int) -> Codes:
    """All coalitions of a size in ascending order; of two halves of the players, the one without the last."""
    bits = n - 1 if 2 * size == n else n
    if bits <= LISTED_BITS:
        codes = np.arange(2**bits, dtype=np.int64)
        return codes[np.bitwise_count(codes) == size]
    return np.sort(np.array([sum(1 << i for i in members) for members in combinations(range(bits), size)], np.int64))


def _masks(codes: Codes, n: int) -> npt.NDArray[np.bool_]:
    return (codes[:, None] >> np.arange(n)) % 2 == 1
