"""A batch that somebody gives: tensors, arrays or lists become tensors of the right type, or are refused in words."""

from typing import Any

import torch
from torch import Tensor

from raymm.errors import DataError, Problems
from raymm.tasks.base import Task
from raymm.types import Features, Mask
from raymm.valuation.given_arrays import as_tensor
from raymm.valuation.sample_values import Labels

__all__ = ["check_labels_fit", "checked_batch"]

SHOWN = 20
"""Samples that a message names."""


def checked_batch(features: Any, labels: Any, present: Any, task: Task) -> tuple[Features, Labels, Mask]:
    """Features [B, n, D], labels of the task and presence [B, n], on the device of the features.

    Features of a missing modality are 0 where one of them is NaN or infinite: they are never read, and 0 times NaN is
    NaN. Labels of another type stay for the task to refuse.

    Raises
    ------
    DataError
        With everything that is no numbers, or has another shape, at once.
    """
    problems = Problems("value_samples")
    found = _tensor(features, "features", problems)
    if found is not None and (found.ndim != 3 or 0 in found.shape[1:] or found.is_complex()):
        problems.add(
            f"features are {list(found.shape)} of {found.dtype}; give real numbers [samples, modalities, width]"
        )
        found = None
    targets = _tensor(labels, "labels", problems)
    there = None if present is None else _tensor(present, "present", problems)
    if there is not None and there.dtype != torch.bool and not ((there == 0) | (there == 1)).all():
        problems.add("present has other numbers than 0 and 1; give whether each sample has each modality")
    if found is not None and targets is not None and (not targets.ndim or len(targets) != len(found)):
        problems.add(
            f"labels are {list(targets.shape)} and features of {len(found)} samples; give one label a sample"
        )
    if found is not None and there is not None and there.shape != found.shape[:2]:
        problems.add(f"present is {list(there.shape)}; give [samples, modalities] = {list(found.shape[:2])}")
    problems.raise_if_any(DataError)
    assert found is not None
    assert targets is not None
    found = found if found.is_floating_point() else found.float()
    if targets.dtype != task.label_dtype and _may_become(targets, task.label_dtype):
        targets = targets.to(task.label_dtype)
    mask = torch.ones(found.shape[:2], dtype=torch.bool) if there is None else there.bool()
    mask = mask.to(found.device)
    return _without_absent(found, mask), targets.to(found.device), mask


def check_labels_fit(labels: Labels, width: int, task: Task) -> None:
    """Raise `DataError` with every sample, by its position, whose label is none of the model's `width` outputs."""
    if task.width(width) != width:
        return  # how many classes such outputs are of is not known
    problems = Problems("labels")
    wrong = [(row, words) for row, label in enumerate(labels.cpu().numpy()) if (words := task.check(label, width))]
    for row, words in wrong[:SHOWN]:
        problems.add(f"sample {row} of the batch: {words}; the model has {width} outputs")
    if len(wrong) > SHOWN:
        problems.add(f"... and {len(wrong) - SHOWN} more samples")
    problems.raise_if_any(DataError)


def _tensor(found: Any, name: str, problems: Problems) -> Tensor | None:
    try:
        return as_tensor(found)
    except (TypeError, ValueError, RuntimeError) as cause:
        problems.add(f"{name}: a {type(found).__name__} that is no array of numbers ({cause}); give a tensor")
        return None


def _may_become(labels: Tensor, wanted: torch.dtype) -> bool:
    """Whether labels are of another type only: whole numbers of other sizes, 0 and 1, floats of other precision."""
    if wanted == torch.bool:
        return bool(((labels == 0) | (labels == 1)).all())
    if wanted.is_floating_point:
        return labels.is_floating_point()
    return not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)


def _without_absent(features: Features, present: Mask) -> Features:
    strange = ~present & ~torch.isfinite(features).all(dim=2)
    return features.masked_fill(strange[..., None], 0) if strange.any() else features
