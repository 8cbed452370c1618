"""Strategies: which copies an epoch adds to the samples themselves.

A strategy is a function `Situation -> Copies`, registered with what it needs to know: nothing, the
contributions of every training sample, or those of a random subset Z (drawn before the valuation, without
replacement, so that it really costs less); and with the settings that it reads, so that runs which differ only
in what nobody reads are known to be equal (`raymm.methods.canonical`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from raymm.config import ResamplingConfig
from raymm.errors import ConfigError, did_you_mean
from raymm.methods.functions import function
from raymm.seeds import derive, keys_of, uniform

__all__ = ["READS", "STRATEGIES", "Copies", "Needs", "Situation", "gaps", "register_strategy", "strategy", "subset"]

Needs = Literal["nothing", "all", "subset"]
OWN_SETTINGS = ("fs", "fm", "subset", "random_rows")
"""Settings of `ResamplingConfig` that some strategies read and others do not."""


@dataclass(frozen=True)
class Situation:
    """What a strategy may look at.

    Attributes
    ----------
    rows
        Sample numbers of the training split, int64 [N].
    label, present
        Their classes [N] and the modalities they have, bool [N, n].
    phi
        Their contributions, float64 [N, n]; NaN for missing modalities and for samples that were not valued.
    config, utility
        Settings, and the name of the utility that phi was computed with.
    seed
        Seed of this epoch's draws.
    """

    rows: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]
    phi: npt.NDArray[np.float64]
    config: ResamplingConfig
    utility: str
    seed: int

    def draw(self, purpose: str, count: int) -> npt.NDArray[np.float32]:
        """Uniform numbers [N, count], keyed by sample and purpose."""
        return uniform(keys_of(derive(self.seed, purpose), self.rows), count)


@dataclass(frozen=True)
class Copies:
    """Extra rows: positions in `Situation.rows`, and the one modality that each keeps; both int64 [copies]."""

    position: npt.NDArray[np.int64]
    modality: npt.NDArray[np.int64]


Strategy = Callable[[Situation], Copies]
STRATEGIES: dict[str, tuple[Strategy, Needs]] = {}
READS: dict[str, tuple[str, ...]] = {}
"""Which of `OWN_SETTINGS` each strategy reads."""


def register_strategy(
    name: str, needs: Needs, reads: tuple[str, ...] = OWN_SETTINGS
) -> Callable[[Strategy], Strategy]:
    """Register a strategy, what it needs to know, and which of `OWN_SETTINGS` it reads (all, if it does not say)."""

    def add(made: Strategy) -> Strategy:
        STRATEGIES[name] = (made, needs)
        READS[name] = reads
        return made

    return add


def strategy(name: str) -> tuple[Strategy, Needs]:
    """The strategy of a name and what it needs; raises `ConfigError` with the nearest match."""
    if name not in STRATEGIES:
        raise ConfigError(f"resampling.strategy: no strategy '{name}'; {did_you_mean(name, STRATEGIES)}")
    return STRATEGIES[name]


def subset(rows: npt.NDArray[np.int64], part: float, seed: int) -> npt.NDArray[np.int64]:
    """Z: a random part of `rows`, without replacement, at least one, in ascending order."""
    count = max(1, round(part * len(rows)))
    order = np.argsort(uniform(keys_of(derive(seed, "subset"), rows), 1)[:, 0], kind="stable")
    return np.sort(rows[order[:count]])


@register_strategy("joint", needs="nothing", reads=())
def joint(situation: Situation) -> Copies:
    """No copies: plain joint training."""
    return _one_each(np.zeros(situation.present.shape, np.int64))


@register_strategy("sample", needs="all", reads=("fs",))
def sample(situation: Situation) -> Copies:
    """Sample level: modality i of a sample gets fs(1 - phi_i) copies where phi_i < 1 (CVPR 2024, sec. 3.3).

    A fractional count is its floor plus a Bernoulli draw of the fraction.
    """
    low = np.nan_to_num(situation.phi, nan=1.0) < 1.0
    expected = function(situation.config.fs)(np.where(low, 1.0 - situation.phi, 0.0))
    expected = np.where(low, expected, 0.0)
    whole = np.floor(expected)
    extra = situation.draw("sample", expected.shape[1]) < expected - whole
    return _one_each((whole + extra).astype(np.int64))


@register_strategy("modality", needs="subset", reads=("fm", "subset"))
def modality(situation: Situation) -> Copies:
    """Modality level: every sample gets a copy that keeps modality i with probability fm(d_i)."""
    mean = _mean(situation.phi)
    d = gaps(mean[None], situation.utility)
    return _bernoulli(situation, np.broadcast_to(d, situation.phi.shape))


@register_strategy("class", needs="subset", reads=("fm", "subset"))
def per_class(situation: Situation) -> Copies:
    """Class level: as modality level, with the mean contribution taken over the samples of each class."""
    classes = int(situation.label.max()) + 1
    mean = np.stack([_mean(situation.phi[situation.label == c]) for c in range(classes)])
    overall = np.broadcast_to(_mean(situation.phi), mean.shape)
    d = gaps(np.where(np.isnan(mean), overall, mean), situation.utility)
    return _bernoulli(situation, d[situation.label])


@register_strategy("random", needs="all", reads=("fs", "random_rows"))
def random(situation: Situation) -> Copies:
    """Control: as many copies as `sample` would add, of random samples and random modalities they have."""
    amount = situation.config.random_rows
    count = len(sample(situation).position) if amount is None else round(amount * len(situation.rows))
    where, which = np.nonzero(situation.present)
    generator = np.random.default_rng(derive(situation.seed, "random"))
    chosen = np.sort(generator.integers(len(where), size=count))
    return Copies(where[chosen], which[chosen])


def gaps(mean_phi: npt.NDArray[np.float64], utility: str) -> npt.NDArray[np.float64]:
    """d_i = max(0, mean over j != i of (mean phi_j - mean phi_i)), normalised to [0, 1], row by row.

    The divisor is the largest gap that the utility allows: n / 2 for `count` (one modality always right alone
    and the other breaking it; 1 at n = 2), 1 for `correct` and `probability`. The other utilities have no
    bound; they are divided by the spread of the means. Modalities that were never seen (NaN) get 0.

    Parameters
    ----------
    mean_phi
        float64 [rows, n].
    """
    n = mean_phi.shape[1]
    if n == 1:
        return np.zeros_like(mean_phi)
    seen = ~np.isnan(mean_phi)
    known = np.where(seen, mean_phi, 0.0)
    others = np.maximum(seen.sum(axis=1, keepdims=True) - 1, 1)
    gap = (known.sum(axis=1, keepdims=True) - known) / others - known
    spread = np.nanmax(mean_phi, axis=1, keepdims=True) - np.nanmin(mean_phi, axis=1, keepdims=True)
    largest = {"count": n / 2, "correct": 1.0, "probability": 1.0}.get(utility, np.maximum(spread, 1e-12))
    return np.where(seen, np.clip(gap / largest, 0.0, 1.0), 0.0)


def _bernoulli(situation: Situation, d: npt.NDArray[np.float64]) -> Copies:
    chance = np.clip(function(situation.config.fm)(d), 0.0, 1.0)
    drawn = situation.draw("modality", chance.shape[1]) < chance
    return _one_each((drawn & situation.present).astype(np.int64))


def _mean(phi: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over valued samples, NaN where there is none, [n]."""
    known = ~np.isnan(phi)
    total = np.where(known, phi, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _one_each(counts: npt.NDArray[np.int64]) -> Copies:
    """Copies from a table of counts [N, n]."""
    position, modality_number = np.nonzero(counts)
    repeats = counts[position, modality_number]
    return Copies(np.repeat(position, repeats), np.repeat(modality_number, repeats))
