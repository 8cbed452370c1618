"""Chance: the accuracy of the best constant answer, which an answer that knows nothing of a sample can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.spacing import evenly
from raymm.tasks.multilabel import MultiLabel
from raymm.tasks.regression import Regression, reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from raymm.tasks.base import Task
    from raymm.tasks.labels import Labels

__all__ = ["best_constant", "chance_by_modality"]

ANSWERS = 100
"""Constant answers that are tried: the most frequent labels."""

WINDOWS = 10
"""Fullest windows of a regression that are tried: of several targets no one of them need be the best."""


def best_constant(task: Task, labels: Labels) -> float:
    """Accuracy of the best constant answer to labels, at least one, of a task that says which answers are right.

    Of a regression of several targets, and of label sets of which similar ones are right too (`match` below 1), it is
    that of the best of many: nearly the best.

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
    elif isinstance(task, MultiLabel) and task.settings.match < 1:
        tried = np.concatenate([tried, _sets(labels)])
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


def _sets(labels: Labels) -> Labels:
    """The most frequent labels together, bool [A, K]: none, the first, the first two and so on, at most `ANSWERS`.

    And those that most samples have, which a model answers that has learned only how frequent labels are.
    """
    share = labels.mean(axis=0)
    sizes = np.array([*evenly(len(share) + 1, ANSWERS), int((share > 0.5).sum())])
    rank = np.argsort(np.argsort(-share, kind="stable"))
    return np.asarray(rank < sizes[:, None])


def _numbers(task: Regression, labels: Labels) -> Labels:
    """Constant answers [A, K] to labels that are numbers, one of which is the best, or of several targets nearly so.

    By `sign` each pattern of signs that occurs. By `within` w middles of the windows [y, y + 2w] that hold most
    labels of each target, and labels of samples.
    """
    if task.settings.sign:
        signs, counts = np.unique(np.where(labels < 0, -1.0, 1.0), axis=0, return_counts=True)
        return np.asarray(signs[np.argsort(-counts, kind="stable")[:ANSWERS]])
    middles = [_middles(column, task.settings.within) for column in np.sort(labels, axis=0).T]
    fewest = min(map(len, middles))
    order = np.argsort(labels[:, 0], kind="stable")
    tried = labels[order[evenly(len(order), ANSWERS)]]
    return np.concatenate([np.stack([each[:fewest] for each in middles], axis=1), tried])


def _middles(ordered: npt.NDArray[np.float64], within: float) -> npt.NDArray[np.float64]:
    """Middles of the fullest windows of twice `within`, each halfway between its first and its last number.

    The fullest come first. A window is as wide as its middle reaches, rounding included (`reach`).
    """
    starts = np.unique(ordered)
    last = np.searchsorted(ordered, starts + 2 * reach(within, np.abs(starts)), side="right") - 1
    held = last - np.searchsorted(ordered, starts)
    fullest = np.argsort(-held, kind="stable")[:WINDOWS]
    middles: npt.NDArray[np.float64] = starts[fullest] + (ordered[last[fullest]] - starts[fullest]) / 2
    return middles
