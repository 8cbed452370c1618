"""Chance: the accuracy of the best constant answer, which an answer that knows nothing of a sample can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.spacing import evenly
from raymm.tasks.regression import Regression

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from raymm.tasks.base import Task
    from raymm.tasks.labels import Labels

__all__ = ["best_constant", "chance_by_modality"]

ANSWERS = 100
"""Constant answers that are tried: the most frequent labels."""


def best_constant(task: Task, labels: Labels) -> float:
    """Accuracy of the best constant answer to labels, at least one, of a task that says which answers are right.

    Of a regression of several targets it is that of the best of many.

    Examples
    --------
    >>> from raymm.tasks import get_task
    >>> best_constant(get_task("classification"), np.array([0, 2, 2, 1]))
    0.5
    """
    answers, counts = np.unique(labels, axis=0, return_counts=True)
    tried = answers[np.argsort(-counts, kind="stable")[:ANSWERS]]
    if isinstance(task, Regression):
        tried = _numbers(task, labels)
    return max(
        float(counts[task.is_right(np.repeat(answer[None], len(answers), axis=0), answers)].sum()) / len(labels)
        for answer in tried
    )


def chance_by_modality(
    task: Task, labels: Labels, present: npt.NDArray[np.bool_], names: Sequence[str]
) -> dict[str, float]:
    """Chance on the samples that have each modality, by name; none where no sample has it or no answer is right.

    Parameters
    ----------
    present
        Whether a sample has each modality, bool [N, n].
    """
    if not task.hard:
        return {}
    return {
        name: best_constant(task, labels[present[:, position]])
        for position, name in enumerate(names)
        if present[:, position].any()
    }


def _numbers(task: Regression, labels: Labels) -> Labels:
    """Constant answers [A, K] to labels that are numbers, one of which is the best, or of several targets nearly so.

    By `sign` each pattern of signs that occurs. By `within` w the middle of the window [y, y + 2w] that holds most
    labels of each target, and labels of samples.
    """
    if task.settings.sign:
        signs, counts = np.unique(np.where(labels < 0, -1.0, 1.0), axis=0, return_counts=True)
        return np.asarray(signs[np.argsort(-counts, kind="stable")[:ANSWERS]])
    middles = [_middle(column, 2 * task.settings.within) for column in np.sort(labels, axis=0).T]
    order = np.argsort(labels[:, 0], kind="stable")
    return np.concatenate([np.array([middles]), labels[order[evenly(len(order), ANSWERS)]]])


def _middle(ordered: npt.NDArray[np.float64], width: float) -> float:
    """The middle of the fullest window of a width: halfway between its first and its last number."""
    last = np.searchsorted(ordered, ordered + width, side="right") - 1
    at = int(np.argmax(last - np.arange(len(ordered))))
    return float(ordered[at] + ordered[last[at]]) / 2
