"""A plug-in that is one file: a family of fs and a utility."""

from pydantic import Field

from raymm.config import Settings
from raymm.config.registries import FAMILIES
from raymm.methods import Family
from raymm.valuation.utilities import Utility, register_utility


class SmoothSettings(Settings):
    """Settings of `smooth`."""

    height: float = Field(default=2.0, gt=0)


def smooth(settings, x):
    """height * x**2 * (3 - 2 x): rises from 0 to the height, slowly at both ends."""
    x = x.clip(0.0, 1.0)
    return settings.height * x**2 * (3 - 2 * x)


SMOOTH = FAMILIES.register("smooth", Family(smooth, SmoothSettings))


def weighed(logits, labels, sizes):
    """Three times the size of a coalition that is right."""
    return 3 * sizes * ((logits.argmax(dim=-1) == labels[:, None]) & (sizes > 0))


TRIPLE = register_utility(
    Utility("triple", weighed, by_size=lambda sizes: 3 * sizes, fair_share=3.0, largest_gap=lambda n: 1.5 * n)
)
