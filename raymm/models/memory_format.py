"""The order in which numbers of convolutions lie in memory: channels last (`training.channels_last`).

Some kernels of tensor cores read it faster than torch's own order; others put it back first. Names, shapes and files
stay the same: what is saved is in torch's order, and what is loaded is copied into tensors as they lie.
"""

import torch
from torch import Tensor, nn

__all__ = ["channels_last", "laid_out_as"]

ORDERS = {4: torch.channels_last, 5: torch.channels_last_3d}
"""By the axes of a weight: convolutions over pictures, and over clips."""


@torch.no_grad()
def channels_last(module: nn.Module) -> None:
    """Lay out the weights of convolutions over pictures and clips channels last, in place."""
    for parameter in module.parameters():
        if parameter.ndim in ORDERS:
            parameter.data = parameter.data.contiguous(memory_format=ORDERS[parameter.ndim])


def laid_out_as(tensor: Tensor, like: Tensor) -> Tensor:
    """The numbers of a tensor in the order in memory of another of its shape; itself where it has that order."""
    if tensor.shape != like.shape or tensor.stride() == like.stride():
        return tensor
    return torch.empty_like(like, dtype=tensor.dtype, device=tensor.device).copy_(tensor)
