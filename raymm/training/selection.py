"""Which epoch validation picks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.tracking import metrics as names

if TYPE_CHECKING:
    from raymm.tasks.base import Task

__all__ = ["best_epoch"]


def best_epoch(history: Sequence[Mapping[str, Any]], selection: str, task: Task) -> int:
    """Folder number of the epoch that validation picks: of equals the one with the lower loss, then the earliest.

    An epoch without the metric, which was not finite, is worse than any other.
    """
    losses = [entry["metrics"].get(names.split_metric("val", "loss"), np.inf) for entry in history]
    scores = np.array([entry["metrics"].get(names.split_metric("val", selection), np.nan) for entry in history])
    badness = np.nan_to_num(
        -scores if task.selection[selection] else scores, nan=np.inf, posinf=np.inf, neginf=-np.inf
    )
    return int(np.lexsort((losses, badness))[0]) + 1
