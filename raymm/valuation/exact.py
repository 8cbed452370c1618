"""Exact Shapley values and pairwise interactions of a batch of games, each by one matrix product."""

import torch
from jaxtyping import Float, Float64, Num
from torch import Tensor

from raymm.valuation.coalitions import banzhaf_weights, interaction_weights, shapley_weights

__all__ = ["banzhaf_values", "interactions", "players_of", "shapley_values"]


def shapley_values(values: Num[Tensor, "B S"]) -> Float64[Tensor, "B n"]:
    """Shapley values of games given by the values of all their coalitions.

    Parameters
    ----------
    values
        [B, 2**n]; column c is the value of coalition c (bit i of c: player i takes part). Whole numbers give
        correctly rounded results, whatever the order of summation, batch or device.

    Returns
    -------
    float64 [B, n]; each row sums to v(everyone) - v(nobody).

    Raises
    ------
    ValueError
        When the number of columns is no power of two, or stands for more than 20 players.
    """
    weights, divisor = shapley_weights(players_of(values))
    return values.to(torch.float64) @ weights.to(values.device) / divisor


def banzhaf_values(values: Num[Tensor, "B S"]) -> Float64[Tensor, "B n"]:
    """Banzhaf values: the plain mean of a player's marginal contributions over all coalitions of the others.

    Every coalition counts alike, where the Shapley value counts every size alike; the rows do not add up to
    v(everyone). Arguments and errors are those of `shapley_values`.
    """
    weights, divisor = banzhaf_weights(players_of(values))
    return values.to(torch.float64) @ weights.to(values.device) / divisor


def interactions(values: Num[Tensor, "B S"]) -> Float[Tensor, "B n n"]:
    """Pairwise Shapley interaction indices (Grabisch and Roubens, 1999).

    Positive where two players are worth more together than apart (synergy), negative where one can stand in
    for the other (redundancy). Give values without the factor |C|: with it a dictator and a player who does
    nothing would seem to interact.

    Returns
    -------
    float64 [B, n, n], symmetric, zero on the diagonal.
    """
    n = players_of(values)
    weights, divisor = interaction_weights(n)
    pairs = values.to(torch.float64) @ weights.to(values.device) / divisor
    first, second = torch.triu_indices(n, n, offset=1)
    full = torch.zeros(len(values), n, n, dtype=torch.float64, device=values.device)
    full[:, first, second] = pairs
    return full + full.transpose(1, 2)


def players_of(values: Num[Tensor, "B S"]) -> int:
    """Number of players of games with this many columns."""
    columns = values.shape[1]
    n = columns.bit_length() - 1
    if n < 1 or columns != 2**n:
        raise ValueError(f"values have {columns} columns; n players need 2**n")
    return n
