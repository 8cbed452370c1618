"""Fusions: features and a mask in, logits out; one file each, chosen by name."""

from raymm.models.fusion import attention, concat, cosine, ensemble, entropy, film, gated, mlp, sum  # noqa: A004
from raymm.models.fusion.base import AdditiveFusion, Fusion
from raymm.models.fusion.registry import FUSIONS, build_fusion, register_fusion

__all__ = [
    "FUSIONS",
    "AdditiveFusion",
    "Fusion",
    "attention",
    "build_fusion",
    "concat",
    "cosine",
    "ensemble",
    "entropy",
    "film",
    "gated",
    "mlp",
    "register_fusion",
    "sum",
]
