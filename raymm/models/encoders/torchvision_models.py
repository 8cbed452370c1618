"""Networks of torchvision, for pictures (a frame at a time, averaged) and for clips.

Some have names of their own; any other is `torchvision:NAME`. Weights come from a file and never from the network:
torchvision is always asked for random ones.
"""

import warnings
from functools import cache, partial
from itertools import chain
from typing import Any

from torch import nn

from raymm.config.registries import ENCODERS
from raymm.data.kinds.base import ModalitySpec
from raymm.errors import ConfigError, did_you_mean
from raymm.models.encoders.backbone import Backbone, PictureSettings, clips, frames
from raymm.models.encoders.pictures import FRAME_KINDS, PICTURE_KINDS, Network, picture_encoder
from raymm.models.encoders.registry import EncoderPart, register_encoder

__all__ = ["CLIPS", "PICTURES", "torchvision_network"]

PICTURES = ("resnet34", "resnet50", "convnext_tiny", "swin_t", "vit_b_16")
"""Networks for pictures that have a name of their own, beside `resnet18`."""

CLIPS = ("r3d_18", "mc3_18", "r2plus1d_18", "mvit_v2_s", "s3d", "swin3d_t")
"""Networks for clips that have a name of their own."""

MORE_OUTPUTS = ("googlenet", "inception_v3")
"""Networks with further outputs in training, which are left out."""


def torchvision_network(name: str) -> Network:
    """A network of torchvision, by the name that `torchvision.models.get_model` knows."""
    from torchvision.models import get_model_weights  # noqa: PLC0415  (slow, it imports torch's compiler)

    known = get_model_weights(name).DEFAULT
    preset = known.transforms()
    size = preset.crop_size[-1]
    return Network(
        what=f"torchvision's {name}",
        make=partial(_make, name),
        reads=clips if name in _names()["clips"] else frames,
        size=size,
        length=known.meta.get("min_temporal_size", 16),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        left_out=("aux1.", "aux2.", "AuxLogits."),
    )


def _make(name: str) -> nn.Module:
    from torchvision.models import get_model  # noqa: PLC0415

    more: dict[str, Any] = {"aux_logits": False, "init_weights": False} if name in MORE_OUTPUTS else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of networks whose first weights are drawn another way
        made: nn.Module = get_model(name, weights=None, **more)
    return made


@cache
def _names() -> dict[str, list[str]]:
    """Names of the networks for pictures and for clips; those for detection and the like are no encoders."""
    from torchvision import models  # noqa: PLC0415

    return {"pictures": models.list_models(module=models), "clips": models.list_models(module=models.video)}


def _build(name: str, spec: ModalitySpec, settings: PictureSettings, feature_size: int) -> Backbone:
    return picture_encoder(spec, settings, feature_size, torchvision_network(name))


def _by_name(name: str, prefix: str) -> EncoderPart:
    """The encoder `torchvision:NAME`."""
    for form, kinds in {"pictures": PICTURE_KINDS, "clips": FRAME_KINDS}.items():
        if name in _names()[form]:
            return EncoderPart(partial(_build, name), kinds, PictureSettings)
    raise ConfigError(f"{prefix}torchvision has no '{name}'; {did_you_mean(name, chain(*_names().values()))}")


for _name in PICTURES:
    register_encoder(_name, kinds=PICTURE_KINDS, settings=PictureSettings)(partial(_build, _name))
for _name in CLIPS:
    register_encoder(_name, kinds=FRAME_KINDS, settings=PictureSettings)(partial(_build, _name))
ENCODERS.register_library("torchvision", _by_name)
