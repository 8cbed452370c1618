"""A multilayer perceptron for feature vectors."""

from jaxtyping import Float
from torch import Tensor, nn

from raymm.config import EncoderConfig
from raymm.data.schema import ModalitySpec
from raymm.models.encoders.layers import head
from raymm.models.encoders.registry import register_encoder

__all__ = ["MLP"]


class MLP(nn.Module):
    """`[b, size]` to `[b, D]` through two hidden layers of 4 * width units."""

    def __init__(self, size: int, config: EncoderConfig, feature_size: int) -> None:
        super().__init__()
        hidden = 4 * config.width
        self.body = nn.Sequential(
            nn.Linear(size, hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.head = head(config, hidden, feature_size)

    def forward(self, x: Float[Tensor, "b size"]) -> Float[Tensor, "b D"]:
        """Encode a batch of vectors."""
        features: Tensor = self.head(self.body(x))
        return features


@register_encoder("mlp", "vector")
def build(spec: ModalitySpec, config: EncoderConfig, feature_size: int) -> MLP:
    """A perceptron with the size of the modality."""
    return MLP(spec.input_shape[0], config, feature_size)
