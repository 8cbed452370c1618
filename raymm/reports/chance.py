"""Chance: the accuracy of the best constant answer, which an answer that knows nothing of a sample can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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

    Examples
    --------
    >>> from raymm.tasks import get_task
    >>> best_constant(get_task("classification"), np.array([0, 2, 2, 1]))
    0.5
    """
    answers, counts = np.unique(labels, axis=0, return_counts=True)
    frequent = answers[np.argsort(-counts, kind="stable")[:ANSWERS]]
    return max(
        float(counts[task.is_right(np.repeat(answer[None], len(answers), axis=0), answers)].sum()) / len(labels)
        for answer in frequent
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
