"""What the games are worth by formula: no coalition is enumerated, and nothing of `raymm.valuation` is used.

With u = sum of m_T [T within C] (Harsanyi, 1959), phi_i(u) = sum of m_T / |T| over the T that hold i, and the factor
|C| gives phi_i(|C| u) = sum of m_T (1 + n [i in T]) / (|T| + 1). From these come, for t carriers among n players,

                 phi(u) in T, outside               phi(|C| u) outside               in T: more by n times
    unanimity    1/t, 0                             1/(t+1)                          1/(t+1)
    redundancy   1/t, 0                             t/(t+1)                          1/(t(t+1))
    parity       (1 - (-1)^t)/(2t), 0               1/2 - (1 + (-1)^t)/(4(t+1))      (1 - (-1)^t)/(2t) / 2
                                                                                     - (1 + (-1)^t)/(4(t+1))

A dummy is worth 0 under u and not under |C| u: an extra member makes a right coalition larger. A quota is shared by
all alike; a saboteur, who turns the carrier's right answers wrong, takes what the others give. Weighted votes are
counted by size and weight with generating functions (Mann and Shapley, RAND RM-3158, 1962; Brams and Affuso, 1976).
A product of factors is integrated along the diagonal of its multilinear extension (Owen, Management Science, 1972).

A missing modality is no player: formulas are those of the players that are there.
"""

from collections.abc import Callable
from fractions import Fraction
from math import exp, factorial, log

import numpy as np
import numpy.typing as npt

from raymm.errors import ConfigError
from tests.oracle.games import LABELS, GameSamples
from tests.oracle.models import EMPTY, HIGH

__all__ = ["HARD", "UTILITIES", "known", "true_phi"]

HARD = ("count", "correct")

KNOWN = {
    "count": ("linear", "step", "parity"),
    "correct": ("linear", "step", "parity"),
    "probability": ("step", "parity"),
    "log_probability": ("step", "parity"),
    "logit": ("linear", "step", "parity", "product"),
    "margin": ("linear", "step", "parity"),
}
"""The channels in which each utility has a closed form; hard ones have none for graded evidence."""

UTILITIES = tuple(KNOWN)
WEIGHTED = ("vote won", "vote lost")

Array = npt.NDArray[np.float64]
Shares = tuple[Fraction, Fraction]
"""What a carrier gets, and what any other player gets."""

AT_A_TIME = 500


def true_phi(game_samples: GameSamples, utility: str) -> Array:
    """Contributions by formula, float64 [N, n]; NaN where a modality is missing.

    Those of hard utilities are fractions rounded once.

    Raises
    ------
    ConfigError
        When the utility has no closed form in the channel of some sample, naming it.
    """
    for row in np.flatnonzero(~known(game_samples, utility)):
        raise ConfigError(
            f"sample {row}, game '{game_samples.game[row]}', channel '{game_samples.channel[row]}': no closed form "
            f"under '{utility}'"
        )
    graded = (game_samples.channel == "product") | ((game_samples.channel == "linear") & (utility not in HARD))
    phi = np.full(game_samples.present.shape, np.nan)
    vote = ~graded & np.isin(game_samples.game, WEIGHTED)
    phi[vote] = _votes(game_samples.some(np.flatnonzero(vote)), utility)
    for row in np.flatnonzero(graded):
        phi[row] = _graded(game_samples, int(row))
    for row in np.flatnonzero(~graded & ~vote):
        phi[row] = _by_carriers(game_samples, int(row), utility)
    return np.where(game_samples.present, phi, np.nan)


def known(game_samples: GameSamples, utility: str) -> npt.NDArray[np.bool_]:
    """bool [N]: of which samples the contributions to this utility have a closed form."""
    return np.isin(game_samples.channel, KNOWN.get(utility, ())) & ~(
        (game_samples.game == "additive") & (utility in HARD)
    )


def _graded(game_samples: GameSamples, row: int) -> Array:
    evidence = game_samples.evidence[row].astype(np.float64)
    if game_samples.channel[row] == "linear":
        return evidence
    return _product(np.where(game_samples.present[row], evidence, 0.0))


def _product(evidence: Array) -> Array:
    """(r_i - 1) times the integral of prod over j != i of (1 + t (r_j - 1)); Gauss' nodes make it exact."""
    gain = np.expm1(evidence)
    nodes, weights = np.polynomial.legendre.leggauss(len(evidence) // 2 + 1)
    factors = 1 + 0.5 * (nodes[:, None] + 1) * gain
    others = factors.prod(axis=1, keepdims=True) / factors
    return np.asarray(gain * (0.5 * weights @ others))


def _by_carriers(game_samples: GameSamples, row: int, utility: str) -> Array:
    """Games in which all carriers are alike, and the saboteur's."""
    present, weight = game_samples.present[row], game_samples.weight[row]
    n, counted = int(present.sum()), utility == "count"
    if game_samples.game[row] == "saboteur" and (weight[present] < 0).any() and (weight[present] > 0).any():
        share = _saboteur(n, counted)
    else:
        carriers = int((weight[present] > 0).sum())
        inside, outside = RULES[str(game_samples.game[row])](n, carriers, int(game_samples.quota[row]), counted)
        share = {1: inside, 0: outside, -1: outside}
    return _scale(utility) * np.array([float(share[w]) for w in weight.tolist()])


def _unanimity(n: int, t: int, quota: int, counted: bool) -> Shares:
    if t < quota:
        return Fraction(0), Fraction(0)
    return (Fraction(n + 1, t + 1), Fraction(1, t + 1)) if counted else (Fraction(1, t), Fraction(0))


def _redundancy(n: int, t: int, quota: int, counted: bool) -> Shares:
    del quota
    if t == 0:
        return Fraction(0), Fraction(0)
    if not counted:
        return Fraction(1, t), Fraction(0)
    return Fraction(t, t + 1) + Fraction(n, t * (t + 1)), Fraction(t, t + 1)


def _parity(n: int, t: int, quota: int, counted: bool) -> Shares:
    del quota
    if t == 0:
        return Fraction(0), Fraction(0)
    odd, even = t % 2, 1 - t % 2
    if not counted:
        return Fraction(odd, t), Fraction(0)
    outside = Fraction(1, 2) - Fraction(even, 2 * (t + 1))
    return outside + Fraction(n, 2) * (Fraction(odd, t) - Fraction(even, t + 1)), outside


def _all_alike(n: int, t: int, quota: int, counted: bool) -> Shares:
    share = Fraction(int(t >= quota), 1 if counted else n)
    return share, share


def _saboteur(n: int, counted: bool) -> dict[int, Fraction]:
    """By weight; everyone together is wrong, so the saboteur is worth minus what the others are worth."""
    carrier, bystander = (Fraction(n + 1, 6), Fraction(1, 6)) if counted else (Fraction(1, 2), Fraction(0))
    return {1: carrier, 0: bystander, -1: -carrier - (n - 2) * bystander}


RULES: dict[str, Callable[[int, int, int, bool], Shares]] = {
    "unanimity": _unanimity,
    "dummies": _unanimity,
    "redundancy": _redundancy,
    "always right": _all_alike,
    "quota": _all_alike,
    "saboteur": _unanimity,
    "parity": _parity,
}
"""Shares by players, carriers that are there, quota, and whether |C| counts. Of a saboteur and a carrier, one alone
leaves nobody or a dictator."""


def _votes(game_samples: GameSamples, utility: str) -> Array:
    """Weighted votes: coalitions of the others are counted by size and by weight."""
    parts = [
        _votes_of(
            game_samples.some(np.arange(start, min(start + AT_A_TIME, len(game_samples)))), counted=utility == "count"
        )
        for start in range(0, len(game_samples), AT_A_TIME)
    ]
    return _scale(utility) * np.concatenate([np.empty((0, game_samples.players)), *parts])


def _votes_of(game_samples: GameSamples, *, counted: bool) -> Array:
    weight = np.where(game_samples.present, game_samples.weight, 0)
    least, most = int(weight.clip(max=0).sum(axis=1).min()), int(weight.clip(min=0).sum(axis=1).max())
    everyone = _counts(weight, game_samples.present, least, most)
    total = np.arange(least, most + 1)
    players = game_samples.present.sum(axis=1)
    phi = np.zeros(weight.shape)
    for i in range(weight.shape[1]):
        others = _without(everyone, weight[:, i])
        joined = total >= (game_samples.quota - weight[:, i])[:, None]
        before = total >= game_samples.quota[:, None]
        right_with = (others * joined[:, None]).sum(axis=2)
        right_before = (others * before[:, None]).sum(axis=2)
        phi[:, i] = _weighed(right_with, right_before, players, counted=counted)
    return phi


def _counts(
    weight: npt.NDArray[np.int64], present: npt.NDArray[np.bool_], least: int, most: int
) -> npt.NDArray[np.int64]:
    """Number of coalitions by size and weight, int64 [N, n + 1, most - least + 1]."""
    count, n = weight.shape
    table = np.zeros((count, n + 1, most - least + 1), np.int64)
    table[:, 0, -least] = 1
    for j in range(n):
        moved = _shifted(table[:, :-1], weight[:, j])
        table[:, 1:] += moved * present[:, j, None, None]
    return table


def _without(table: npt.NDArray[np.int64], weight: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Coalitions that one player is not in: the generating function divided by 1 + (size) x^weight."""
    rest = table.copy()
    for size in range(1, table.shape[1]):
        rest[:, size] -= _shifted(rest[:, size - 1 : size], weight)[:, 0]
    return rest


def _shifted(table: npt.NDArray[np.int64], weight: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The table with a player of this weight added to every coalition."""
    width = table.shape[2]
    source = np.arange(width) - weight[:, None]
    inside = (source >= 0) & (source < width)
    taken = np.take_along_axis(table, source.clip(0, width - 1)[:, None], axis=2)
    return np.asarray(taken * inside[:, None])


def _weighed(
    right_with: npt.NDArray[np.int64],
    right_before: npt.NDArray[np.int64],
    players: npt.NDArray[np.int64],
    *,
    counted: bool,
) -> Array:
    """Shapley's weights over the sizes; whole numbers over n!, rounded once."""
    result = np.zeros(len(players))
    for n in np.unique(players).tolist():
        rows = players == n
        weights = np.array([factorial(s) * factorial(n - 1 - s) for s in range(n)])
        size = np.arange(n) if counted else np.zeros(n, np.int64)
        after = size + 1 if counted else 1
        gains = after * right_with[rows, :n] - (size if counted else 1) * right_before[rows, :n]
        result[rows] = (gains * weights).sum(axis=1) / factorial(n)
    return result


def _scale(utility: str) -> float:
    """What lies between a wrong and a right coalition where channels are on or off."""
    if utility in HARD:
        return 1.0
    if utility in {"logit", "margin"}:
        return HIGH
    rest = LABELS - 1 + exp(EMPTY)
    on, off = exp(HIGH) / (exp(HIGH) + rest), 1 / (1 + rest)
    return log(on) - log(off) if utility == "log_probability" else on - off
