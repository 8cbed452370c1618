"""ResNet-18 (torchvision) with the input channels of a modality; frames are encoded alone and averaged.

Weights come from a file on disk and never from the network. A first convolution for another number of
channels takes the mean of the file's filters over their input channels, rescaled so that the response to
equal channels stays the same.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from raymm.config import EncoderConfig
from raymm.data.schema import AudioSpec, ModalitySpec
from raymm.errors import ConfigError
from raymm.models.encoders.layers import groups_of, head
from raymm.models.encoders.registry import register_encoder

__all__ = ["ResNet18"]


class ResNet18(nn.Module):
    """`[b, C, H, W]` or `[b, T, C, H, W]` to `[b, D]`."""

    def __init__(self, channels: int, config: EncoderConfig, feature_size: int) -> None:
        from torchvision.models import resnet18  # noqa: PLC0415  (slow, it imports torch's compiler)

        super().__init__()
        norm = nn.BatchNorm2d if config.norm == "batch" else _group_norm
        self.body = resnet18(weights=None, norm_layer=norm)
        self.body.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.body.fc = nn.Identity()
        self.head = head(config, 512, feature_size)
        if config.weights is not None:
            self._load(Path(config.weights), channels)

    def forward(self, x: Float[Tensor, "b ..."]) -> Float[Tensor, "b D"]:
        """Encode a batch of images or clips."""
        if x.ndim == 4:
            return self.head(self.body(x))
        each = self.body(x.flatten(0, 1))
        return self.head(each.unflatten(0, x.shape[:2]).mean(dim=1))

    def _load(self, path: Path, channels: int) -> None:
        weights = {name: tensor for name, tensor in _read(path).items() if not name.startswith("fc.")}
        first = weights.get("conv1.weight")
        if first is not None and first.shape[1] != channels:
            scale = first.shape[1] / channels
            weights["conv1.weight"] = first.mean(dim=1, keepdim=True).repeat(1, channels, 1, 1) * scale
        try:
            self.body.load_state_dict(weights)
        except RuntimeError as cause:
            raise ConfigError(
                f"{path}: not the weights of a ResNet-18 with this normalisation (weights of torchvision need "
                f"norm=batch): {' '.join(str(cause).split())[:300]}"
            ) from cause


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file of weights; nothing is downloaded, so put it there") from None
    except Exception as cause:  # the unpickler raises whatever it meets in a file that is none
        raise ConfigError(f"{path}: weights cannot be read ({cause})") from cause
    return loaded


def _group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups_of(channels), channels)


@register_encoder("resnet18", "audio", "rgb", "flow")
def build(spec: ModalitySpec, config: EncoderConfig, feature_size: int) -> ResNet18:
    """A ResNet-18 with the channels of one frame, or of a log-mel."""
    return ResNet18(1 if isinstance(spec, AudioSpec) else spec.shape[1], config, feature_size)
