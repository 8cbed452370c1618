"""Contributions to answers, drawn: sample by sample, or how they are spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.plots import COLOURS, new_figure, phi_distribution, plain_text, style_axis

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

__all__ = ["MOST", "contributions_by_sample", "phi_distribution"]

MOST = 20
"""Samples that are drawn one by one."""


def contributions_by_sample(
    samples: Sequence[str],
    answers: Sequence[str],
    names: Sequence[str],
    phi: npt.NDArray[np.float64],
    stderr: npt.NDArray[np.float64],
) -> Figure:
    """A group of bars a sample, one a modality, in order from above; phi and its standard errors are [N, n].

    NaN is a modality that is missing, and has no bar.
    """
    count, thick = len(samples), 0.8 / len(names)
    figure = new_figure(7.2, 0.9 + 0.2 * max(3, count * len(names)))
    axis = figure.add_subplot()
    place, errors = np.arange(count), np.nan_to_num(stderr)
    for position, name in enumerate(names):
        shift = (position - (len(names) - 1) / 2) * thick
        axis.barh(
            place + shift,
            np.nan_to_num(phi[:, position]),
            thick,
            xerr=errors[:, position] if errors[:, position].any() else None,
            color=COLOURS[position % len(COLOURS)],
            label=plain_text(name),
        )
    labels = [plain_text(f"{sample[-40:]}: {answer}") for sample, answer in zip(samples, answers, strict=True)]
    axis.set_yticks(place, labels)
    axis.set(xlabel="contribution phi to the answer")
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.invert_yaxis()
    axis.legend(frameon=False, fontsize=8)
    style_axis(axis, "x")
    return figure
