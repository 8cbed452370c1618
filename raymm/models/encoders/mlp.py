"""A multilayer perceptron for feature vectors."""

from jaxtyping import Float
from torch import Tensor, nn

from raymm.data.kinds.base import ModalitySpec
from raymm.models.encoders.layers import EncoderSettings, head
from raymm.models.encoders.registry import register_encoder

__all__ = ["MLP"]


class MLP(nn.Module):
    """`[b, size]` to `[b, D]` through two hidden layers of 4 * width units."""

    def __init__(self, size: int, settings: EncoderSettings, feature_size: int) -> None:
        super().__init__()
        hidden = 4 * settings.width
        self.body = nn.Sequential(
            nn.Linear(size, hidden),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.head = head(settings.dropout, hidden, feature_size)

    def forward(self, x: Float[Tensor, "b size"]) -> Float[Tensor, "b D"]:
        """Encode a batch of vectors."""
        features: Tensor = self.head(self.body(x))
        return features


@register_encoder("mlp", kinds=("vector",), settings=EncoderSettings)
def build(spec: ModalitySpec, settings: EncoderSettings, feature_size: int) -> MLP:
    """A perceptron with the size of the modality."""
    return MLP(spec.input_shape[0], settings, feature_size)
