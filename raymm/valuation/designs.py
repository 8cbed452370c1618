"""Sampling designs: which coalitions to play, and the constant matrices that turn their values into estimates.

Least squares. The Shapley value is the solution of a weighted regression of v(C) on membership with weights
(n-1) / (binom(n, s) s (n-s)) (Charnes et al., 1988; Lundberg and Lee, NeurIPS 2017). Coalitions come in pairs
(C, complement of C), which cancels the even part of v (Covert and Lee, AISTATS 2021). The pairs of sizes
(1, n-1) are taken whole; each of the other sizes gets an equal share of what is left, as leverage scores ask for
(Musco and Witter, ICLR 2025), drawn without replacement, at least two pairs of each, so that the error can be
estimated size by size.

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
from torch import Tensor

from raymm.errors import ConfigError
from raymm.seeds import derive

__all__ = ["Design", "Groups", "design", "smallest_budget"]

Codes = npt.NDArray[np.int64]
MOST_PLAYERS = 62
LISTED_BITS = 20
ENUMERATED = 200_000
"""Coalitions of one size that may be listed to draw from them; beyond, they are drawn at random until they differ."""


@dataclass(frozen=True)
class Groups:
    """How an estimate varies: independent draws within groups, each group from a finite population.

    Attributes
    ----------
    effects
        float64 [m, g]: what each draw says beside the estimate is values @ effects.
    influence
        float64 [g, n]: what each draw does to each contribution.
    member
        float64 [groups, g]: 1 where a draw belongs to a group.
    draws, scale
        float64 [groups]: how many there are, and (1 - part drawn) * draws / (draws - 1), which is 0 for a group
        that was taken whole.
    freedom
        Degrees of freedom of the standard errors.
    """

    effects: Float64[Tensor, "m g"]
    influence: Float64[Tensor, "g n"]
    member: Float64[Tensor, "groups g"]
    draws: Float64[Tensor, "groups"]
    scale: Float64[Tensor, "groups"]
    freedom: int


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
    groups
        For the standard errors.
    """

    kind: str
    masks: Bool[Tensor, "m n"]
    weights: Float64[Tensor, "m n"]
    groups: Groups


def smallest_budget(n: int) -> int:
    """Coalitions that an estimate for n players needs at least."""
    return 2 * n


def least_squares_budget(n: int) -> int:
    """Coalitions from which on every size can be drawn from: below, permutations are used."""
    return 2 * (1 + n + 2 * max(0, n // 2 - 1))


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
    population = [comb(n, s) // (2 if 2 * s == n else 1) for s in range(1, n // 2 + 1)]
    shares = _shares(n, population, budget // 2 - 1)
    codes = np.concatenate([_draw(n, s, count, generator) for s, count in enumerate(shares, start=1)])
    stratum = np.repeat(np.arange(len(shares)), shares)
    half = _masks(codes, n)
    total = torch.tensor([size * (n - 1) / (comb(n, s) * s * (n - s)) for s, size in enumerate(population, start=1)])
    weight = (total.double() / torch.tensor(shares))[torch.from_numpy(stratum)]
    centred = half.double() - half.double().mean(dim=1, keepdim=True)
    solve = torch.linalg.pinv(centred * weight.sqrt()[:, None]) * weight.sqrt()
    odd = _odd_part(half)
    weights = odd @ solve.T
    weights[0] -= 1 / n
    weights[-1] += 1 / n
    member = torch.from_numpy(stratum == np.arange(len(shares))[:, None]).double()
    draws = torch.tensor(shares).double()
    scale = (1 - draws / torch.tensor(population)) * draws / (draws - 1).clamp(min=1)
    freedom = sum(drawn - 1 for drawn, size in zip(shares, population, strict=True) if drawn < size)
    leverage = (centred * solve.T).sum(dim=1)
    residual = (odd - odd @ solve.T @ centred.T) / (1 - leverage).clamp(min=1e-3)
    masks = torch.cat([torch.zeros(1, n, dtype=torch.bool), half, ~half, torch.ones(1, n, dtype=torch.bool)])
    groups = Groups(residual, solve.T.contiguous(), member, draws, scale, max(1, freedom))
    return Design("least_squares", masks, weights, groups)


def _odd_part(half: Bool[Tensor, "p n"]) -> Float64[Tensor, "m p"]:
    """What turns values into (v(C) - v(complement)) / 2 of each pair, less what its size alone would gain."""
    pairs = len(half)
    odd = torch.zeros(2 * pairs + 2, pairs, dtype=torch.float64)
    odd[1 : pairs + 1] = 0.5 * torch.eye(pairs)
    odd[pairs + 1 : -1] = -0.5 * torch.eye(pairs)
    odd[0] = half.double().mean(dim=1) - 0.5
    odd[-1] = -odd[0]
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


def _between_orders(weights: Float64[Tensor, "m orders n"]) -> Groups:
    """Scatter of the means of an order and its reverse; where there is but one such pair, of its two orders.

    An order and its reverse err in opposite directions, so for one pair the error comes out too large, not too small.
    """
    if weights.shape[1] > 2:
        weights = weights.unflatten(1, (-1, 2)).mean(dim=2)
    _, count, n = weights.shape
    influence = torch.eye(n, dtype=torch.float64).repeat(count, 1) / count
    member = torch.ones(1, count * n, dtype=torch.float64)
    draws = torch.tensor([count], dtype=torch.float64)
    return Groups(weights.flatten(1), influence, member, draws, draws / (draws - 1), count - 1)


def _shares(n: int, population: list[int], pairs: int) -> list[int]:
    """Pairs of each size: the first whole, the rest in equal parts, at least two and at most all there are."""
    shares = [population[0], *(min(2, size) for size in population[1:])]
    part = [0.5 if 2 * s == n else 1.0 for s in range(1, len(population) + 1)]
    while sum(shares) < pairs:
        unfinished = [i for i, size in enumerate(population) if shares[i] < size]
        if not unfinished:
            break
        shares[min(unfinished, key=lambda i: shares[i] / part[i])] += 1
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


def _masks(codes: Codes, n: int) -> Bool[Tensor, "m n"]:
    return torch.from_numpy((codes[:, None] >> np.arange(n)) % 2 == 1)
