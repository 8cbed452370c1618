"""What the switches of `valued` compute: capability, means over validation, what is being learned, interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from raymm.methods.extra_rows import mean_contributions

if TYPE_CHECKING:
    from raymm.methods.coalition_terms import Terms
    from raymm.methods.step import Step
    from raymm.valuation.table import ValuationTable
    from raymm.valuation.utilities import Utility

__all__ = ["capability", "least_worth", "mean_values", "progress"]


def capability(table: ValuationTable) -> Tensor:
    """Accuracy of each modality alone above the share of its most frequent label, over the largest; float32 [n].

    Counted are the samples that have the modality. All are 1 where no modality is above.
    """
    present = ~np.isnan(table.phi)
    count = np.maximum(present.sum(axis=0), 1)
    accuracy = (table.unimodal_correct & present).sum(axis=0) / count
    constant = [_most_frequent(table.label[has]) for has in present.T] / count
    above = np.maximum(accuracy - constant, 0.0)
    return torch.from_numpy(above / above.max() if above.any() else np.ones_like(above)).float()


def _most_frequent(labels: np.ndarray) -> int:
    """How often the most frequent label occurs."""
    return int(np.unique(labels, axis=0, return_counts=True)[1].max(initial=0))


def mean_values(table: ValuationTable, classes: int) -> Tensor:
    """Mean phi of each modality by class, and over all samples in the last row; float64 [K + 1, n].

    A class without samples that have the modality has the mean over all; NaN where there is no such sample at all.
    """
    overall = mean_contributions(table.phi)
    by_class = [mean_contributions(table.phi[of_class]) for of_class in table.membership(classes).T]
    means = np.stack([*by_class, overall])
    return torch.from_numpy(np.where(np.isnan(means), overall, means))


def progress(now: Tensor, start: Tensor) -> Tensor:
    """4 u (1 - u), u in [0, 1] the part of what was missing of a probability at the start that is there now.

    >>> progress(torch.tensor([0.2, 0.6, 1.0, 0.1]), torch.tensor([0.2, 0.2, 0.2, 0.2])).round(decimals=4).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    part = ((now - start) / (1 - start).clamp(min=1e-6)).clamp(0.0, 1.0)
    return 4 * part * (1 - part)


def least_worth(step: Step, terms: Terms, utility: Utility) -> Tensor:
    """Even shares of a row's coalitions with the lowest v(C) - sum of v({i}) over i in C, float32 [B, S].

    Rows in which no coalition is worth less than its single members have zeros.
    """
    with torch.no_grad():
        members = (terms.members & step.mask[:, None]).expand(-1, terms.share.shape[1], -1)
        together = utility.values(terms.logits.detach(), step.labels, members.sum(dim=-1)).double()
        alone = utility.values(step.unimodal_logits().detach(), step.labels, step.mask.long()).double()
        surplus = together - (members * alone[:, None]).sum(dim=-1)
        surplus = torch.where(terms.share > 0, surplus, 0.0)
        lowest = surplus.amin(dim=1, keepdim=True)
        chosen = ((surplus == lowest) & (lowest < 0)).float()
        return chosen / chosen.sum(dim=1, keepdim=True).clamp(min=1.0)
