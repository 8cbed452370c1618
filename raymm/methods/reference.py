"""Parity: what the released code of the method does where it differs from the paper, to compare with its figures.

Source: the authors' code for "Enhancing Multimodal Cooperation via Sample-level Modality Valuation" (CVPR 2024),
state of November 2024. It is written for two modalities and the utility `count`; with more modalities the same
rules are applied, for which there is no reference.

- Sample level, `resampling.strategy=sample resampling.fs.family=reference`: the thresholds 0.4 and -0.1.
- Modality level, `resampling.strategy=modality_reference` with the default fm (alpha is `fm.scale`): Z and the rows
  are drawn with replacement, the number of rows is int(p N), and d is scaled by 2/3.

Not reproduced: it values the whole training split for the mean over Z, in the augmented view of training, and picks
the epoch on the test split. The first is only cost, the other two are mistakes.
"""

import numpy as np
import numpy.typing as npt

from raymm.config import FunctionConfig
from raymm.methods.functions import Numbers, function, register_family
from raymm.methods.strategies import Copies, Situation, gaps, register_strategy
from raymm.seeds import derive

__all__ = ["modality_reference", "reference"]

STEPS = ((0.0, 0.6, 1.0), (0.6, 1.1, 2.0), (1.1, np.inf, 3.0))
"""Copies in the open intervals of x = 1 - phi: phi in (0.4, 1), (-0.1, 0.4) and below -0.1."""
NORM = 2 / 3


@register_family("reference")
def reference(config: FunctionConfig, x: Numbers) -> Numbers:
    """1, 2 or 3 copies by the thresholds of the released code; at n = 2 the same as 2 x.

    The intervals are open: phi of exactly 0.4 or -0.1 gets no copy, which can happen from five modalities on.
    """
    del config
    return np.sum([copies * ((low < x) & (x < high)) for low, high, copies in STEPS], axis=0)


@register_strategy("modality_reference", needs="subset", reads=("fm", "subset"))
def modality_reference(situation: Situation) -> Copies:
    """Modality level of the released code: int(p N) rows with replacement, p = fm(2/3 d), for every modality."""
    generator = np.random.default_rng(derive(situation.seed, "reference"))
    d = gaps(_mean_with_replacement(situation.phi, generator)[None], situation.utility)[0]
    chance = np.clip(function(situation.config.fm)(NORM * d), 0.0, 1.0)
    drawn = []
    for i, p in enumerate(chance):
        rows = np.flatnonzero(situation.present[:, i])
        drawn.append(generator.choice(rows, size=int(p * len(rows))))
    counts = [len(rows) for rows in drawn]
    return Copies(np.concatenate(drawn), np.repeat(np.arange(len(drawn)), counts))


def _mean_with_replacement(phi: npt.NDArray[np.float64], generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Mean contribution [n] of m draws with replacement among all N samples, of which m, drawn without, were valued.

    Which draws hit the same sample is decided first, among N; the distinct ones are then a uniform choice of the
    valued samples. So the mean is distributed as if all N had been valued. NaN for modalities never seen.
    """
    valued = np.flatnonzero(~np.isnan(phi).all(axis=1))
    times = np.unique(generator.integers(len(phi), size=len(valued)), return_counts=True)[1]
    chosen = phi[generator.permutation(valued)[: len(times)]]
    weight = np.where(np.isnan(chosen), 0, times[:, None])
    total = (weight * np.nan_to_num(chosen)).sum(axis=0)
    return np.divide(total, weight.sum(axis=0), out=np.full(phi.shape[1], np.nan), where=weight.any(axis=0))
