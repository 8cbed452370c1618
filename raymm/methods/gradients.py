"""The gradient of a loss by several parameters, as one vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["flat_gradient"]


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
