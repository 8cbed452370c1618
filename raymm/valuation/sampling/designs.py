"""Sampling designs: the coalitions to evaluate, and the constant matrices that map their values to estimates.

Least squares. The Shapley value is the solution of a weighted regression of v(C) on membership (Charnes et al., 1988;
Lundberg and Lee, NeurIPS 2017). Coalitions come in pairs (C, complement of C), which cancels the even part of v
(Covert and Lee, AISTATS 2021). All pairs of the sizes (1, n-1) are in the design; the other sizes get equal shares of
the rest of the budget, as leverage scores ask for (Musco and Witter, ICLR 2025). Two things differ from these papers,
both in `raymm.valuation.sampling.gls`: the residuals of coalitions that share members are correlated, so that the
regression is a generalised one; and coalitions are not only drawn but also exchanged for others that reduce the
expected error. The search is done once for each number of players and of coalitions; the seed decides which modality
takes which column of the design. From 6 n coalitions on, estimates are unbiased over the seeds for every game; with
fewer, a bias is part of the error.

Permutations. With a smaller budget, the design consists of permutations and their reverses (Castro et al., 2009;
Mitchell et al., JMLR 2022).

All samples of a block share a design, so an estimate is one matrix product: phi = V @ weights.
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
from raymm.valuation.bits import masks_of
from raymm.valuation.sampling.exchange import exchange_search
from raymm.valuation.sampling.gls import Fit, fit
from raymm.valuation.sampling.standard_errors import ErrorModel, PermutationErrors, ResidualErrors

__all__ = ["Design", "check_budget", "design", "refuse_impossible", "smallest_budget"]

FEWEST = 2
"""Coalitions without which there is no contribution."""

Codes = npt.NDArray[np.int64]
MOST_PLAYERS = 62
LISTED_BITS = 20
ENUMERATED = 200_000
"""Coalitions of one size up to which all are listed to draw from; above, codes are drawn until enough differ."""

DF_DEFLATION = 2
"""Divisor of the degrees of freedom. The paired differences of hard games take few values and their squares vary more
than those of normal variables, so that a standard error has fewer degrees of freedom than residuals."""


@dataclass(frozen=True)
class Design:
    """Coalitions to evaluate, and the matrices that map their values to estimates.

    Attributes
    ----------
    kind
        "least_squares" or "permutations".
    masks
        bool [m, n]; the first is the empty coalition, the last the grand coalition.
    weights
        float64 [m, n]: estimates are values @ weights; they sum to v(grand coalition) - v(empty coalition).
    errors
        The estimator of their standard errors.
    """

    kind: str
    masks: Bool[Tensor, "m n"]
    weights: Float64[Tensor, "m n"]
    errors: ErrorModel


def smallest_budget(n: int) -> int:
    """Smallest number of coalitions from which contributions of n players can be estimated."""
    return 2 * n


def least_squares_budget(n: int) -> int:
    """Smallest number of coalitions whose regression leaves residuals for standard errors; below, permutations."""
    return 2 * (n + 3)


def balanced_budget(n: int) -> int:
    """Smallest number of coalitions for which unbiasedness costs little accuracy, and is imposed."""
    return 6 * n


def check_budget(n: int, budget: int, asked: int | str | None = None) -> None:
    """Refuse a budget that leaves the estimates undetermined.

    Parameters
    ----------
    n, budget
        Players and coalitions.
    asked
        The setting that the budget was made of, for the message; default: the budget itself.

    Raises
    ------
    ConfigError
        With the smallest budget that works.
    """
    if budget < smallest_budget(n):
        raise ConfigError(
            f"valuation.budget={budget if asked is None else asked}: too few coalitions ({budget}) to tell {n} "
            f"modalities apart; the smallest budget that works is {smallest_budget(n)}"
        )


def refuse_impossible(budget: int | str | None) -> None:
    """Refuse a budget that is too small whatever is valued, also where all coalitions are evaluated.

    Raises
    ------
    ConfigError
        When it is below 2 coalitions, or 0 times the cost of a forward pass.
    """
    number = float(budget.removesuffix("x")) if isinstance(budget, str) else budget
    fewest = 0 if isinstance(budget, str) else FEWEST - 1
    if number is not None and number <= fewest:
        raise ConfigError(
            f"valuation.budget={budget}: a contribution takes {FEWEST} coalitions or more, one with the modality and "
            "one without; raise it, or leave it out"
        )


@lru_cache(maxsize=256)
@torch.inference_mode(mode=False)
def design(n: int, budget: int, seed: int) -> Design:
    """The design for n players with at most `budget` coalitions.

    Examples
    --------
    >>> plan = design(10, 100, seed=0)
    >>> plan.kind, tuple(plan.masks.shape)
    ('least_squares', (100, 10))
    >>> plan.masks[1:-1].sum(dim=1).bincount()  # coalitions of each size: sizes 1 and 9 are complete
    tensor([ 0, 10, 11, 11, 11, 12, 11, 11, 11, 10])

    Raises
    ------
    ConfigError
        When the budget leaves the estimates undetermined, with the smallest that works, or n is not in 3..62.
    """
    if not 3 <= n <= MOST_PLAYERS:
        raise ConfigError(f"valuation.method=sampled: {n} modalities; sampling is for 3 to {MOST_PLAYERS}")
    check_budget(n, budget)
    generator = np.random.default_rng(derive(seed, "design", n, budget))
    if budget < least_squares_budget(n):
        return _permutations(n, budget, generator)
    return _least_squares(n, budget, generator)


def _least_squares(n: int, budget: int, generator: np.random.Generator) -> Design:
    """The best design for this many players and coalitions, its columns assigned to the players at random."""
    coalitions, found, effects = _best(n, budget // 2 - 1)
    column = generator.permutation(n)
    coalitions = coalitions[:, torch.from_numpy(column)]
    # values -> paired differences [m, p + 1] -> contributions [p + 1, n]
    weights = _paired_differences(len(coalitions)) @ torch.from_numpy(found.weights[:, column])
    empty, grand = torch.zeros(1, n, dtype=torch.bool), torch.ones(1, n, dtype=torch.bool)
    masks = torch.cat([empty, coalitions, ~coalitions, grand])
    smooth, errors = torch.from_numpy(found.smooth), torch.from_numpy(found.errors[:, column])
    dof = max(1.0, len(smooth) / DF_DEFLATION)
    return Design("least_squares", masks, weights, ResidualErrors(effects, smooth, errors, dof))


@lru_cache(maxsize=64)
def _best(n: int, pairs: int) -> tuple[Bool[Tensor, "p n"], Fit, Float64[Tensor, "m g"]]:
    """One coalition of each pair after the exchange search, the fit to them, and values -> residual contrasts."""
    generator = np.random.default_rng(derive(0, "best design", n, pairs))
    shares = _shares(n, pairs)
    codes = np.concatenate([_draw(n, s, count, generator) for s, count in enumerate(shares, start=1)])
    with threadpool_limits(1, "blas"):  # so that the bits do not depend on the number of threads of a process
        coalitions = exchange_search(masks_of(codes, n), shares[0], generator)
        found = fit(coalitions, balanced=2 * pairs + 2 >= balanced_budget(n))
    effects = _paired_differences(len(coalitions)) @ torch.from_numpy(found.contrasts)
    return torch.from_numpy(coalitions), found, effects


def _paired_differences(pairs: int) -> Float64[Tensor, "m p"]:
    """The matrix from values to w(C) = (v(C) - v(complement of C)) / 2 of each pair, the grand coalition's last.

    Its rows are in the order of `Design.masks`: the empty coalition, the coalitions, their complements, the grand
    one.
    """
    matrix = torch.zeros(2 * pairs + 2, pairs + 1, dtype=torch.float64)
    matrix[1 : pairs + 1, :pairs] = 0.5 * torch.eye(pairs)
    matrix[pairs + 1 : -1, :pairs] = -0.5 * torch.eye(pairs)
    matrix[-1, -1], matrix[0, -1] = 0.5, -0.5
    return matrix


def _permutations(n: int, budget: int, generator: np.random.Generator) -> Design:
    """Permutations of the players and their reverses; each has n - 1 proper prefixes, which are its coalitions."""
    orders = []
    for _ in range((budget - 2) // (2 * (n - 1))):
        order = generator.permutation(n)
        orders += [order, order[::-1]]
    # position[k, i] is the position of player i in permutation k; the prefix of size s holds the positions below s
    position = np.argsort(np.stack(orders), axis=1)
    count = len(orders)
    size = np.arange(1, n)
    prefixes = torch.from_numpy(position[:, None, :] < size[:, None]).flatten(0, 1)
    # values @ weights[:, k, i] = v(prefix of k up to and with i) - v(prefix of k before i)
    weights = torch.zeros(count * (n - 1) + 2, count, n, dtype=torch.float64)
    for number, order in enumerate(orders):
        # rows of the prefixes of this permutation, from the empty coalition (row 0) to the grand coalition (last row)
        places = [0, *(1 + number * (n - 1) + np.arange(n - 1)), count * (n - 1) + 1]
        for step, player in enumerate(order):
            weights[places[step + 1], number, player] += 1.0
            weights[places[step], number, player] -= 1.0
    masks = torch.cat([torch.zeros(1, n, dtype=torch.bool), prefixes, torch.ones(1, n, dtype=torch.bool)])
    return Design("permutations", masks, weights.mean(dim=1), _between_permutations(weights))


def _between_permutations(weights: Float64[Tensor, "m permutations n"]) -> PermutationErrors:
    """Errors from the variance between pairs of a permutation and its reverse, or within the pair if there is one.

    A permutation and its reverse err in opposite directions, so for one pair the error is overestimated.
    """
    return PermutationErrors(weights.unflatten(1, (-1, 2)).mean(dim=2) if weights.shape[1] > 2 else weights)


def _population(n: int, size: int) -> int:
    """Number of pairs of a coalition of a size and its complement."""
    return comb(n, size) // (2 if 2 * size == n else 1)


def _shares(n: int, pairs: int) -> list[int]:
    """Number of pairs of each size: all of the first, equal numbers of the others as far as there are so many.

    A pair of halves counts twice, since both are of the size.
    """
    population = [_population(n, s) for s in range(1, n // 2 + 1)]
    part = [0.5 if 2 * s == n else 1.0 for s, _ in enumerate(population, start=1)]
    shares = [n, *(0 for _ in population[1:])]
    for _ in range(min(pairs, sum(population)) - n):
        unfinished = [i for i, most in enumerate(population) if shares[i] < most]
        shares[min(unfinished, key=lambda i: shares[i] / part[i])] += 1
    return shares


def _draw(n: int, size: int, count: int, generator: np.random.Generator) -> Codes:
    """`count` different coalitions of a size, one of each pair with its complement."""
    if _population(n, size) <= ENUMERATED:
        listed = _of_size(n, size)
        return np.sort(listed[generator.permutation(len(listed))[:count]])
    chosen: Codes = np.empty(0, np.int64)
    powers = np.int64(1) << np.arange(n, dtype=np.int64)
    while len(chosen) < count:
        # the `size` smallest of n random numbers are a uniformly drawn coalition
        ranks = np.argsort(generator.random((2 * count, n)), axis=1)
        codes = np.where(ranks < size, powers, 0).sum(axis=1)
        if 2 * size == n:  # of a pair of the same size, the coalition with the smaller code
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
