"""Models of one's own in raymm's loop: the builder, its parts, and features of any form."""

from raymm.config.registries import MODELS
from raymm.models.own.builder import build_own
from raymm.models.own.parts import Model

__all__ = ["MODELS", "Model", "build_own"]
