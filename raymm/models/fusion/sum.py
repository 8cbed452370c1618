"""The sum of the features and one linear layer, shared by all modalities; additive."""

from jaxtyping import Float
from torch import Tensor, nn

from raymm.config import ModelConfig
from raymm.models.fusion.base import AdditiveFusion
from raymm.models.fusion.registry import register_fusion

__all__ = ["SumFusion"]


@register_fusion("sum")
class SumFusion(AdditiveFusion):
    """Linear classifier over the sum of the features."""

    def __init__(self, modalities: int, classes: int, config: ModelConfig) -> None:
        super().__init__()
        del modalities
        linear = nn.Linear(config.feature_size, classes)
        self.weight, self.bias = linear.weight, linear.bias

    def partials(self, features: Float[Tensor, "B n D"]) -> Float[Tensor, "B n K"]:
        """W z_i of each modality."""
        return nn.functional.linear(features, self.weight)
