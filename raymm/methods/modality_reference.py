"""Modality level as the released code of the method does it, where that differs from the paper.

Source: the authors' code for "Enhancing Multimodal Cooperation via Sample-level Modality Valuation" (CVPR 2024),
state of November 2024. It is written for two modalities and the utility `count`; with more modalities the same
rules are applied, for which there is no reference. Z and the rows are drawn with replacement, the number of rows is
int(p N), and d is scaled by 2/3 (alpha is `fm.scale`). Its sample level is `method=sample
method.settings.fs.family=reference`: the thresholds 0.4 and -0.1.

Not reproduced: it values the whole training split for the mean over Z, in the augmented view of training, and picks
the epoch on the test split. The first is only cost, the other two are mistakes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.config.registries import METHODS
from raymm.methods.base import ExtraRows
from raymm.methods.functions import get_function
from raymm.methods.gaps import gaps
from raymm.methods.modality import Modality, SubsetSettings
from raymm.seeds import derive

if TYPE_CHECKING:
    from raymm.methods.base import ResamplingInputs

__all__ = ["ModalityReference"]

NORM = 2 / 3


class ModalityReference(Modality):
    """int(p N) rows with replacement, p = fm(2/3 d), for every modality."""

    Settings = SubsetSettings
    source = "released code of Wei et al., CVPR 2024 (November 2024)"

    def plan(self, inputs: ResamplingInputs) -> ExtraRows:
        """Copies of modalities that lag behind, drawn with replacement."""
        generator = np.random.default_rng(derive(inputs.seed, "reference"))
        d = gaps(_mean_with_replacement(inputs.phi, generator)[None], inputs.utility)[0]
        probability = np.clip(get_function(self.settings.fm)(NORM * d), 0.0, 1.0)
        drawn = []
        for i, p in enumerate(probability):
            rows = np.flatnonzero(inputs.present[:, i])
            drawn.append(generator.choice(rows, size=int(p * len(rows))))
        modality = np.repeat(np.arange(len(drawn)), [len(rows) for rows in drawn])
        return ExtraRows(np.concatenate(drawn), np.int64(1) << modality)


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


METHODS.register("modality_reference", ModalityReference)
