"""What a fusion is: a module from features and a mask to logits, in which rows do not meet.

The model has already put the baseline in the place of masked features. A fusion may use the mask as well (the
attention fusion does not attend to masked modalities).
"""

from abc import abstractmethod

from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["AdditiveFusion", "Fusion"]


class Fusion(nn.Module):
    """Base of all fusions."""

    @abstractmethod
    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Logits of each row."""


class AdditiveFusion(Fusion):
    """A fusion whose logits are a bias plus one term a modality, so that coalitions need no run of it."""

    bias: nn.Parameter

    @abstractmethod
    def partials(self, features: Float[Tensor, "B n D"]) -> Float[Tensor, "B n K"]:
        """The term of each modality."""

    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Logits: the bias and the sum of all terms; masked features are baselines already."""
        del mask
        return self.partials(features).sum(dim=1) + self.bias
