"""What a fusion is: a module from features and a mask to logits, in which rows do not meet.

The model has already put the baseline in the place of masked features. A fusion may use the mask as well (the
attention fusion does not attend to masked modalities).
"""

from abc import abstractmethod

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from raymm.config.base import Settings

__all__ = ["AdditiveFusion", "Fusion", "HiddenSettings"]


class HiddenSettings(Settings):
    """Settings of fusions with a hidden layer."""

    size: int = Field(default=128, ge=2, description="hidden size")


class Fusion(nn.Module):
    """Base of all fusions."""

    @abstractmethod
    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Logits of each row."""


class AdditiveFusion(Fusion):
    """A fusion that begins with a sum of one term a modality, so that coalitions need no run of what is before it.

    Attributes
    ----------
    bias
        What is there without any modality, [H].
    linear
        Whether the sum is the logits.
    """

    bias: Tensor
    linear = True

    @abstractmethod
    def partials(self, features: Float[Tensor, "B n D"]) -> Float[Tensor, "B n H"]:
        """The term of each modality."""

    def finish(self, sums: Float[Tensor, "B H"]) -> Float[Tensor, "B K"]:
        """Logits from the bias and the sum of the terms."""
        return sums

    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Logits; masked features are baselines already."""
        del mask
        return self.finish(self.partials(features).sum(dim=1) + self.bias)
