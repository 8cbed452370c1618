"""Networks of timm (Wightman), for pictures and frames: `timm:NAME`, of the extra `raymm[timm]`.

They are made with random weights; those of a file come from disk and never from the network.
"""

from functools import partial
from typing import Any

from torch import nn

from raymm.config.registries import ENCODERS
from raymm.data.kinds.base import ModalitySpec
from raymm.errors import ConfigError, did_you_mean, missing_extra
from raymm.models.encoders.backbone import Backbone, PictureSettings, frames
from raymm.models.encoders.pictures import PICTURE_KINDS, Network, picture_encoder
from raymm.models.encoders.registry import EncoderPart

__all__ = ["timm_network"]


def timm_network(name: str, where: str) -> Network:
    """A network of timm by its name, also with the tag of weights, whose mean and deviation are then known.

    Raises
    ------
    ConfigError
        When timm is not installed, or has no such network.
    """
    timm = _library(name, where)
    if not timm.is_model(name):
        raise ConfigError(f"{where}: timm has no '{name}'; {did_you_mean(name, timm.list_models())}")
    known = timm.get_pretrained_cfg(name)
    classifier = known.classifier if known is not None else None
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
    return Network(
        what=f"timm's {name}",
        make=partial(_make, timm, name),
        reads=frames,
        size=224 if known is None else known.input_size[-1],
        mean=() if known is None else tuple(known.mean),
        std=() if known is None else tuple(known.std),
        left_out=tuple(f"{head}." for head in heads),
        classifies=False,
    )


def _make(timm: Any, name: str) -> nn.Module:
    made: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    return made


def _library(name: str, where: str) -> Any:
    try:
        import timm  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError as cause:
        raise ConfigError(f"{where}=timm:{name}: {missing_extra('timm', 'timm', cause)}") from cause
    return timm


def _build(name: str, spec: ModalitySpec, settings: PictureSettings, feature_size: int) -> Backbone:
    network = timm_network(name, f"model.encoders.{spec.name}.name")
    return picture_encoder(spec, settings, feature_size, network)


def _by_name(name: str, prefix: str) -> EncoderPart:
    """The encoder `timm:NAME`; whether there is such a network is said once it is built."""
    if not name or set(name) & {"/", "\\", ":"}:
        raise ConfigError(
            f"{prefix}'timm:{name}': write the name of a network, such as timm:vit_tiny_patch16_224; nothing is "
            "downloaded from a hub, and weights come from a file (`weights`)"
        )
    return EncoderPart(partial(_build, name), PICTURE_KINDS, PictureSettings)


ENCODERS.register_library("timm", _by_name)
