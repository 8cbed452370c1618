"""Shapley values by their definition, in exact fractions: slow, short, and independent of the product."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations
from math import factorial

Game = Sequence[int | Fraction]
"""Values of all coalitions, by bit mask."""


def shapley_by_permutations(values: Game) -> list[Fraction]:
    """Mean marginal contribution over all orders of arrival."""
    n = len(values).bit_length() - 1
    total = [Fraction(0)] * n
    for order in permutations(range(n)):
        here = 0
        for player in order:
            there = here | 1 << player
            total[player] += Fraction(values[there]) - Fraction(values[here])
            here = there
    return [value / factorial(n) for value in total]


def interaction_by_definition(values: Game, i: int, j: int) -> Fraction:
    """Pairwise Shapley interaction index of players i and j."""
    n = len(values).bit_length() - 1
    total = Fraction(0)
    for code in range(2**n):
        if code >> i & 1 or code >> j & 1:
            continue
        s = code.bit_count()
        weight = Fraction(factorial(s) * factorial(n - s - 2), factorial(n - 1))
        both = values[code | 1 << i | 1 << j]
        total += weight * (both - values[code | 1 << i] - values[code | 1 << j] + values[code])
    return total
