"""The second half of somebody's model, from features to outputs, in whatever form it is handed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from raymm.errors import ConfigError
from raymm.valuation.conformance import ModelError
from raymm.valuation.protocol import AdditiveModel, FusionModel

__all__ = ["OwnFusion", "as_fusion"]


@dataclass(frozen=True)
class OwnFusion:
    """A function `(features, mask) -> outputs`, and the model that it belongs to, where that is known."""

    call: Callable[[Any, Tensor], Tensor]
    module: object

    def fuse(self, features: Any, mask: Tensor) -> Tensor:
        """Outputs [B, K] of the modalities where mask is True; raises `ModelError` for anything else."""
        outputs: object = self.call(features, mask)
        if isinstance(outputs, Tensor) and outputs.is_floating_point() and outputs.shape[:-1] == mask.shape[:1]:
            return outputs
        found = f"{outputs.dtype} {list(outputs.shape)}" if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ModelError(f"fuse returns {found} for a mask {list(mask.shape)}; expected numbers [{len(mask)}, K]")


def as_fusion(given: Any) -> tuple[FusionModel, object]:
    """What fuses features, and the model that has to be in evaluation mode while it values, or None.

    Parameters
    ----------
    given
        A model with `fuse`, or its bound method (whose `partials` and `finish` are used where it has them); a module
        that is called; or a function.
    """
    owner = getattr(given, "__self__", None)
    if isinstance(owner, FusionModel) and given == owner.fuse:
        given = owner
    if isinstance(given, FusionModel):
        sums = isinstance(given, AdditiveModel) and getattr(given, "additive", True)
        return (given if sums else OwnFusion(given.fuse, given)), given
    if not callable(given):
        raise ConfigError(
            f"fuse is a {type(given).__name__}; give a function (features, mask) -> outputs [B, K], or a model that "
            "has it as `fuse`"
        )
    found = given if isinstance(given, nn.Module) else owner
    return OwnFusion(given, found), found
