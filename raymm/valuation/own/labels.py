"""Labels of a batch as the task has them, and what is wrong with them."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from raymm.errors import DataError, Problems
from raymm.tasks.base import Task
from raymm.valuation.given_arrays import as_tensor

__all__ = ["check_labels", "read_labels", "say_if_no_scale"]

log = logging.getLogger(__name__)

NEAR_ONE = (0.2, 5.0)
"""Standard deviations of labels that may be taken for 1."""

SCALED = ("score", "soft_count")
"""Utilities of a regression that are near 0 for all errors of several standard deviations."""


def read_labels(found: Any, task: Task) -> Tensor:
    """Labels from tensors, arrays or lists of numbers, in the task's type and number of axes.

    Examples
    --------
    >>> from raymm.tasks import get_task
    >>> read_labels([2, 0], get_task("classification"))
    tensor([2, 0])
    >>> read_labels([0.5, 2.0], get_task("classification"))
    Traceback (most recent call last):
    raymm.errors.DataError: labels are torch.float32, and the task classification has torch.int64; ...

    Raises
    ------
    DataError
        When they are not numbers of that type, or have another number of axes.
    """
    try:
        labels = as_tensor(found).detach()
    except (TypeError, ValueError, RuntimeError) as cause:
        raise DataError(
            f"labels are a {type(found).__name__} and no numbers ({cause}); give the number of each class, "
            "by label=lambda batch: ... where it has to be looked up"
        ) from cause
    if not labels.numel():
        raise DataError("it has no samples")
    if labels.ndim == task.label_ndim + 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    elif labels.ndim == task.label_ndim - 1 and task.label_dtype.is_floating_point:
        labels = labels[..., None]
    if labels.ndim != task.label_ndim:
        raise DataError(f"labels are {list(labels.shape)}; {_wanted(task)}")
    return _of_type(labels, task)


def check_labels(labels: Tensor, task: Task, classes: int, names: Sequence[str]) -> None:
    """Raise `DataError` with every sample, by name, whose label is outside the classes."""
    problems = Problems("labels")
    for name, label in zip(names, labels.cpu().numpy(), strict=True):
        wrong = task.check(label, classes)
        if wrong is not None:
            problems.add(f"sample '{name}': {wrong}")
    problems.raise_if_any(DataError)


def say_if_no_scale(labels: npt.NDArray[Any], task: Task, utility: str) -> bool:
    """Whether errors of a regression are taken for standard deviations and are none; says so in the log.

    >>> import numpy as np
    >>> from raymm.tasks import get_task
    >>> say_if_no_scale(np.array([[0.5], [-1.0], [2.0]]), get_task("regression"), "score")
    False
    """
    if utility not in SCALED or getattr(task.settings, "sd", None) != ():
        return False
    mean, sd = labels.mean(axis=0), labels.std(axis=0)
    found = bool(((sd < NEAR_ONE[0]) | (sd > NEAR_ONE[1])).any()) and bool((sd > 0).all())
    if found:
        scale = {"mean": [float(f"{one:.6g}") for one in mean], "sd": [float(f"{one:.6g}") for one in sd]}
        log.warning(
            "the utility %s measures errors in standard deviations of the labels; the task was told none, so errors "
            "are taken as they are, and the labels' standard deviation is %s: give task=get_task('regression', %s), "
            "of raymm.tasks, and outputs= that answers in these units, (answer - mean) / sd; or utility='error', in "
            "the units of the labels",
            utility,
            ", ".join(f"{one:.6g}" for one in sd),
            scale,
        )
    return found


def _of_type(labels: Tensor, task: Task) -> Tensor:
    wanted = task.label_dtype
    if wanted.is_floating_point and labels.is_complex():
        raise DataError(f"labels are {labels.dtype}, and the task {task.name} has {wanted}; give real numbers")
    if wanted == torch.bool:
        if labels.dtype != torch.bool and not ((labels == 0) | (labels == 1)).all():
            raise DataError(f"labels of the task {task.name} must be 0 or 1; there are other numbers")
    elif not wanted.is_floating_point and (labels.is_floating_point() or labels.is_complex()):
        raise DataError(
            f"labels are {labels.dtype}, and the task {task.name} has {wanted}; give the number of each class, "
            "or task='regression' for numbers that the model estimates"
        )
    return labels.to(wanted)


def _wanted(task: Task) -> str:
    if task.label_ndim == 1:
        return (
            f"the task {task.name} has one a sample, [samples]; of one-hot labels give "
            "label=lambda batch: batch[...].argmax(1); several labels a sample are task='multilabel'"
        )
    return f"the task {task.name} has [samples, classes]"
