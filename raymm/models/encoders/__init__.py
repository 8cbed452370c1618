"""Encoders: one file a kind, chosen by name, each `[b, ...] -> [b, D]` and independent of the other rows."""

from raymm.models.encoders import cnn, cnn1d, mlp, pool, resnet, text, torchvision_models
from raymm.models.encoders.registry import ENCODERS, build_encoder, register_encoder, share_settings

__all__ = [
    "ENCODERS",
    "build_encoder",
    "cnn",
    "cnn1d",
    "mlp",
    "pool",
    "register_encoder",
    "resnet",
    "share_settings",
    "text",
    "torchvision_models",
]
