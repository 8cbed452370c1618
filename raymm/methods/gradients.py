"""The gradient of a loss by several parameters, as one vector, and the angle between two of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["cosines", "flat_gradient"]


def flat_gradient(loss: Tensor, parameters: Sequence[nn.Parameter], *, retain_graph: bool = False) -> Tensor:
    """Gradient of a loss, [P], in the order of the parameters; zeros where it does not depend on one.

    >>> weight, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(1))
    >>> flat_gradient((3 * weight).sum(), [weight, unused])
    tensor([3., 3., 0.])
    """
    found = torch.autograd.grad(loss, parameters, retain_graph=retain_graph, allow_unused=True)
    flat = [
        torch.zeros_like(one) if gradient is None else gradient
        for one, gradient in zip(parameters, found, strict=True)
    ]
    return torch.cat([gradient.reshape(-1) for gradient in flat])


def cosines(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of vectors [..., P], however short or long they are, [...]; NaN where one is 0.

    `torch.cosine_similarity` takes lengths below 1e-8 for 1e-8, which gradients of well-fitted rows are; squares of
    float32 leave its range above 1e19 and below 1e-19.

    >>> cosines(torch.tensor([[3e-20, 4e-20], [0.0, 0.0]]), torch.tensor([1e25, 0.0]))
    tensor([0.6000,    nan])
    """
    lengths = [torch.linalg.vector_norm(one, dim=-1, keepdim=True, dtype=torch.float64) for one in (first, second)]
    units = [one / length.to(one.dtype) for one, length in zip((first, second), lengths, strict=True)]
    known = (lengths[0] > 0) & (lengths[1] > 0)  # vectors without a number have the sum 0
    return torch.where(known[..., 0], (units[0] * units[1]).sum(dim=-1), torch.nan)
