"""ResNet-18 (torchvision) with the input channels of a modality; frames are encoded alone and averaged.

Weights come from a file on disk and never from the network. A first convolution for another number of
channels takes the mean of the file's filters over their input channels, rescaled so that the response to
equal channels stays the same.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from safetensors.torch import load_file
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.data.kinds.base import ModalitySpec
from raymm.errors import ConfigError, in_one_line
from raymm.models.encoders.layers import groups_of, head
from raymm.models.encoders.registry import register_encoder

__all__ = ["ResNet18"]

Weights = dict[str, Tensor]

NO_WEIGHTS = (
    "holds no weights that can be read; give a state dict of tensors alone, saved by torch.save or as .safetensors"
)


class ResNetSettings(Settings):
    """Settings of `resnet18`."""

    dropout: float = Field(default=0.0, ge=0, lt=1, description="before the last linear layer")
    norm: Literal["group", "batch"] = Field(
        default="group", description="group: does not depend on the other rows; batch: what files of weights need"
    )
    weights: str | None = Field(default=None, description="file with weights; nothing is ever downloaded")


class ResNet18(nn.Module):
    """`[b, C, H, W]` or `[b, T, C, H, W]` to `[b, D]`; `where` are its settings, for messages."""

    def __init__(
        self, channels: int, settings: ResNetSettings, feature_size: int, where: str = "model.encoder"
    ) -> None:
        from torchvision.models import resnet18  # noqa: PLC0415  (slow, it imports torch's compiler)

        super().__init__()
        norm = nn.BatchNorm2d if settings.norm == "batch" else _group_norm
        self.body = resnet18(weights=None, norm_layer=norm)
        self.body.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.body.fc = nn.Identity()
        self.head = head(settings.dropout, 512, feature_size)
        if settings.weights is not None:
            self._load(Path(settings.weights), channels, where)

    def forward(self, x: Float[Tensor, "b ..."]) -> Float[Tensor, "b D"]:
        """Encode a batch of images or clips."""
        if x.ndim == 4:
            return self.head(self.body(x))
        each = self.body(x.flatten(0, 1))
        return self.head(each.unflatten(0, x.shape[:2]).mean(dim=1))

    def _load(self, path: Path, channels: int, where: str) -> None:
        weights = {name: tensor for name, tensor in _read(path).items() if not name.startswith("fc.")}
        first = weights.get("conv1.weight")
        if first is not None and first.shape[1] != channels:
            scale = first.shape[1] / channels
            weights["conv1.weight"] = first.mean(dim=1, keepdim=True).repeat(1, channels, 1, 1) * scale
        _refuse_other_weights(path, weights, self.body.state_dict(), where)
        self.body.load_state_dict(weights)


def _refuse_other_weights(path: Path, weights: Weights, wanted: Weights, where: str) -> None:
    """Say in words how a file of weights differs from what is wanted."""
    missing = [name for name in wanted if name not in weights]
    unknown = [name for name in weights if name not in wanted]
    others = [name for name in wanted if name in weights and wanted[name].shape != weights[name].shape]
    if unknown and not missing and not others and all(_is_of_batch_norm(name) for name in unknown):
        raise ConfigError(
            f"{where}.weights: {path} was trained with batch normalisation, as torchvision's weights are; it needs "
            f"{where}.norm=batch"
        )
    if missing and not unknown and not others and all(_is_of_batch_norm(name) for name in missing):
        raise ConfigError(
            f"{where}.weights: {path} was trained with group normalisation; it needs {where}.norm=group"
        )
    parts = [("missing", missing), ("not known", unknown), ("of another shape", others)]
    wrong = [f"{len(names)} keys are {what} ({_first(names)})" for what, names in parts if names]
    if wrong:
        raise ConfigError(f"{where}.weights: {path} does not hold the weights of a ResNet-18: {'; '.join(wrong)}")


def _is_of_batch_norm(name: str) -> bool:
    return name.endswith((".running_mean", ".running_var", ".num_batches_tracked"))


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _read(path: Path) -> Weights:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file of weights; nothing is downloaded, so put it there") from None
    except Exception as cause:  # the unpickler raises whatever it meets in a file that is none
        first, *_ = in_one_line(cause).split(". ")  # a page about unsafe files follows, where it holds a whole module
        raise ConfigError(f"{path}: {NO_WEIGHTS} ({first})") from cause
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise ConfigError(f"{path}: {NO_WEIGHTS} (it holds a {type(loaded).__name__})")
    return loaded


def _group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups_of(channels), channels)


@register_encoder("resnet18", kinds=("audio", "rgb", "flow", "image"), settings=ResNetSettings)
def build(spec: ModalitySpec, settings: ResNetSettings, feature_size: int) -> ResNet18:
    """A ResNet-18 with the channels of one frame, or of a log-mel."""
    channels = spec.input_shape[-3]
    return ResNet18(channels, settings, feature_size, f"model.encoders.{spec.name}")
