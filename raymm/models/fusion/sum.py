"""The sum of the features and one linear layer, shared by all modalities; additive."""

from jaxtyping import Float
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.models.fusion.base import AdditiveFusion
from raymm.models.fusion.registry import register_fusion

__all__ = ["SumFusion"]


@register_fusion("sum")
class SumFusion(AdditiveFusion):
    """Linear classifier over the sum of the features."""

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: Settings) -> None:
        super().__init__()
        del modalities, settings
        linear = nn.Linear(feature_size, outputs)
        self.weight, self.bias = linear.weight, linear.bias

    def partials(self, features: Float[Tensor, "B n D"]) -> Float[Tensor, "B n K"]:
        """W z_i of each modality."""
        return nn.functional.linear(features, self.weight)
