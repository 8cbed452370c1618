"""Whether two tensors of numbers are the same but for rounding, and whether outputs are probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from raymm.tasks.base import Task

__all__ = [
    "ROUNDED",
    "TOLERANCE",
    "Probabilities",
    "are_probabilities",
    "changed_rows",
    "close",
    "no_logits",
    "tolerance_of",
]

ENOUGH = 8
"""Numbers of which none is negative or above 1 before they are taken for probabilities of labels."""

TOLERANCE = 1e-4
"""Largest difference of two numbers that should be the same, in parts of the largest of them."""


ROUNDED = 8
"""Roundings of the largest number by which right numbers may differ; sums in half precision do by up to 2."""


def close(found: Tensor, true: Tensor, tolerance: float = TOLERANCE) -> bool:
    """Whether two tensors of numbers are the same but for rounding; NaN is the same as NaN.

    >>> close(torch.tensor([1.0, torch.nan]), torch.tensor([1.00001, torch.nan]))
    True
    """
    if found.shape != true.shape:
        return False
    largest = true.double().abs().nan_to_num(0.0, 0.0).max().clamp(min=1.0) if true.numel() else 1.0
    return torch.allclose(found.double(), true.double(), rtol=0.0, atol=tolerance * float(largest), equal_nan=True)


def changed_rows(found: Tensor, true: Tensor, tolerance: float = TOLERANCE) -> list[int]:
    """The rows of two tensors [B, K] that are not the same but for rounding.

    >>> changed_rows(torch.tensor([[1.0], [2.0], [torch.nan]]), torch.tensor([[1.00001], [3.0], [torch.nan]]))
    [1]
    """
    largest = true.double().abs().nan_to_num(0.0, 0.0).amax(dim=1, keepdim=True).clamp(min=1.0)
    near = (found.double() - true.double()).abs() <= tolerance * largest
    changed = (near | (found == true) | (found.isnan() & true.isnan())).logical_not()
    rows: list[int] = changed.any(dim=1).nonzero()[:, 0].tolist()
    return rows


def tolerance_of(*numbers: Tensor) -> float:
    """Largest difference of logits that follow from these numbers, in parts of the largest logit: types round.

    >>> tolerance_of(torch.zeros(1)), tolerance_of(torch.zeros(1), torch.zeros(1, dtype=torch.bfloat16))
    (0.0001, 0.0625)
    """
    steps = [torch.finfo(one.dtype).eps for one in numbers if one.is_floating_point()]
    return max([TOLERANCE, *(ROUNDED * step for step in steps)])


def are_probabilities(outputs: Tensor) -> bool:
    """Whether no number is negative, and those of each row [..., K] add up to 1.

    >>> are_probabilities(torch.tensor([[0.25, 0.75]])), are_probabilities(torch.tensor([[0.5, -0.5]]))
    (True, False)
    """
    return bool((outputs >= 0).all() and ((outputs.sum(dim=-1) - 1).abs() < TOLERANCE).all())


class Probabilities(NamedTuple):
    """What outputs are that are no logits: in words, by which function of them, and torch's name of its inverse."""

    what: str
    made_by: str
    inverse: str

    @property
    def remedy(self) -> str:
        """What to do in the function that returns them."""
        return f"leave the {self.made_by} out, or return out.{self.inverse}()"


OF_LABELS = Probabilities("probabilities of labels (all of them are from 0 to 1)", "sigmoid", "logit")
OF_CLASSES = Probabilities("probabilities (none is negative, and those of each sample add up to 1)", "softmax", "log")


def no_logits(outputs: Tensor, task: Task) -> Probabilities | None:
    """What outputs [..., K] of a task look like that are no logits; None where they may be.

    >>> from raymm.tasks import get_task
    >>> no_logits(torch.tensor([[0.5, -0.5]]), get_task("classification")) is None
    True
    """
    if task.keeps_probabilities and _are_of_a_sigmoid(outputs):
        return OF_LABELS
    return OF_CLASSES if task.by_argmax and are_probabilities(outputs) else None


def _are_of_a_sigmoid(outputs: Tensor) -> bool:
    """Whether all of enough numbers are from 0 to 1, and some of them differ; logits would have either sign."""
    return (
        outputs.numel() >= ENOUGH
        and bool(((outputs >= 0) & (outputs <= 1)).all())
        and not close(outputs, outputs.flatten()[0].expand_as(outputs))
    )
