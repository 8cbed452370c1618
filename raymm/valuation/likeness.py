"""Whether two tensors of numbers are the same but for rounding, and whether outputs are probabilities."""

import torch
from torch import Tensor

__all__ = ["are_probabilities", "close"]

TOLERANCE = 1e-4
"""Largest difference of two numbers that should be the same, in parts of the largest of them."""


def close(found: Tensor, true: Tensor) -> bool:
    """Whether two tensors of numbers are the same but for rounding; NaN is the same as NaN.

    >>> close(torch.tensor([1.0, torch.nan]), torch.tensor([1.00001, torch.nan]))
    True
    """
    if found.shape != true.shape:
        return False
    largest = true.double().abs().nan_to_num(0.0, 0.0).max().clamp(min=1.0) if true.numel() else 1.0
    return torch.allclose(found.double(), true.double(), rtol=0.0, atol=TOLERANCE * float(largest), equal_nan=True)


def are_probabilities(outputs: Tensor) -> bool:
    """Whether no number is negative, and those of each row [..., K] add up to 1.

    >>> are_probabilities(torch.tensor([[0.25, 0.75]])), are_probabilities(torch.tensor([[0.5, -0.5]]))
    (True, False)
    """
    return bool((outputs >= 0).all() and ((outputs.sum(dim=-1) - 1).abs() < TOLERANCE).all())
