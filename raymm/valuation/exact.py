"""Exact Shapley values, Banzhaf values and pairwise interactions of a batch of games, each by one matrix product."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Num
from torch import Tensor

from raymm.errors import DataError
from raymm.valuation.coalitions import banzhaf_weights, interaction_weights, shapley_weights
from raymm.valuation.given_arrays import as_tensor
from raymm.valuation.rounding import reach_of, settled

__all__ = ["banzhaf_values", "interactions", "players_of", "shapley_values"]


def shapley_values(values: Any) -> Float64[Tensor, "B n"]:
    """Shapley values of games given by the values of all their coalitions.

    Parameters
    ----------
    values
        [B, 2**n], a tensor, array or list; column c is the value of coalition c (bit i of c: player i is a member).
        Integers give correctly rounded results, whatever the order of summation, batch or device; of fractions, a
        result that is 0 but for rounding is 0.

    Returns
    -------
    float64 [B, n]; each row sums to v(grand coalition) - v(empty coalition).

    Examples
    --------
    Two players. Redundancy: either of them is enough for a value of 1. Dictator: only player 0 matters.

    >>> redundancy, dictator = [0, 1, 1, 1], [0, 1, 0, 1]  # of {}, {0}, {1}, {0, 1}
    >>> shapley_values(torch.tensor([redundancy, dictator]))
    tensor([[0.5000, 0.5000],
            [1.0000, 0.0000]], dtype=torch.float64)

    Raises
    ------
    DataError
        When values are no real numbers, or have another number of axes.
    ValueError
        When the number of columns is not a power of two, or belongs to more than 20 players.
    """
    games = _games(values)
    return _indices(games, *shapley_weights(players_of(games)))


def banzhaf_values(values: Any) -> Float64[Tensor, "B n"]:
    """Banzhaf values: the plain mean of a player's marginal contributions over all coalitions of the others.

    Every coalition has the same weight, whereas in the Shapley value every size has; rows do not add up to the value
    of the grand coalition. Arguments and errors are those of `shapley_values`.

    Examples
    --------
    Three players, any two of whom are enough:

    >>> majority = [0, 0, 0, 1, 0, 1, 1, 1]
    >>> banzhaf_values(torch.tensor([majority]))
    tensor([[0.5000, 0.5000, 0.5000]], dtype=torch.float64)
    """
    games = _games(values)
    return _indices(games, *banzhaf_weights(players_of(games)))


def interactions(values: Any) -> Float[Tensor, "B n n"]:
    """Pairwise Shapley interaction indices (Grabisch and Roubens, 1999).

    Positive where the value of two players together exceeds the sum of their single ones (synergy), negative where
    one can replace the other (redundancy). Values must not contain the factor |C|: with it a dictator and a null
    player would seem to interact.

    Returns
    -------
    float64 [B, n, n], symmetric, zero on the diagonal.

    Examples
    --------
    >>> synergy, redundancy = [0, 0, 0, 1], [0, 1, 1, 1]  # of {}, {0}, {1}, {0, 1}
    >>> interactions(torch.tensor([synergy, redundancy]))[:, 0, 1]
    tensor([ 1., -1.], dtype=torch.float64)
    """
    games = _games(values)
    n = players_of(games)
    pairs = _indices(games, *interaction_weights(n))
    first, second = torch.triu_indices(n, n, offset=1)
    full = torch.zeros(len(games), n, n, dtype=torch.float64, device=games.device)
    full[:, first, second] = pairs
    return full + full.transpose(1, 2)


def players_of(values: Num[Tensor, "B S"]) -> int:
    """Number of players of games with this many columns."""
    columns = values.shape[1]
    n = columns.bit_length() - 1
    if n < 1 or columns != 2**n:
        raise ValueError(f"values have {columns} columns; n players need 2**n")
    return n


def _indices(games: Num[Tensor, "B S"], weights: Float64[Tensor, "S p"], divisor: int) -> Float64[Tensor, "B p"]:
    return settled(games.to(torch.float64) @ weights.to(games.device) / divisor, reach_of(games))


def _games(values: Any) -> Num[Tensor, "B S"]:
    try:
        found = as_tensor(np.asarray(values) if isinstance(values, list | tuple) else values)
    except (TypeError, ValueError, RuntimeError) as cause:
        raise DataError(
            f"values are a {type(values).__name__} that is no array of numbers ({cause}); give the value of each "
            "coalition, [games, 2**players]"
        ) from cause
    if found.ndim != 2 or found.is_complex():
        raise DataError(
            f"values are {list(found.shape)} of {found.dtype}; give real numbers [games, 2**players], a row for each "
            "game (of one game values[None])"
        )
    return found
