"""Tensors as safetensors takes them."""

from collections.abc import Mapping

from torch import Tensor

__all__ = ["savable"]


def savable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the CPU, contiguous, without gradients."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
