"""Joint training: nothing is done about imbalance; what every other method is compared with."""

from raymm.config.registries import METHODS
from raymm.methods.base import Method

__all__ = ["Joint"]


class Joint(Method):
    """Every sample once, with all its modalities, and the task's loss of the fused output."""

    source = "the usual way to train a multimodal model"
    cost = "1 encoder pass, 1 fusion, 1 backward pass a row"


METHODS.register("joint", Joint)
