"""What benches of additive heads hand over in the place of a model."""

from torch import Tensor

__all__ = ["never_called"]


def never_called(features: Tensor, mask: Tensor) -> Tensor:
    """Never called: the partial logits stand for the model."""
    return features[:, 0] * mask[:, :1]
