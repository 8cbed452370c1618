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
    """A function `(features, mask) -> outputs`, and the module that it belongs to, where that is known."""

    call: Callable[[Any, Tensor], Tensor]
    module: nn.Module | None

    def fuse(self, features: Any, mask: Tensor) -> Tensor:
        """Outputs [B, K] of the modalities where mask is True; raises `ModelError` for anything else."""
        outputs: object = self.call(features, mask)
        if isinstance(outputs, Tensor) and outputs.is_floating_point() and outputs.shape[:-1] == mask.shape[:1]:
            return outputs
        found = f"{outputs.dtype} {list(outputs.shape)}" if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ModelError(f"fuse returns {found} for a mask {list(mask.shape)}; expected numbers [{len(mask)}, K]")


def as_fusion(given: Any) -> tuple[FusionModel, nn.Module | None]:
    """What fuses features, and the module that has to be in evaluation mode while it values.

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
        module = given if isinstance(given, nn.Module) else None
        sums = isinstance(given, AdditiveModel) and getattr(given, "additive", True)
        return (given if sums else OwnFusion(given.fuse, module)), module
    if not callable(given):
        raise ConfigError(
            f"fuse is a {type(given).__name__}; give a function (features, mask) -> outputs [B, K], or a model that "
            "has it as `fuse`"
        )
    found = next((one for one in (given, owner) if isinstance(one, nn.Module)), None)
    return OwnFusion(given, found), found
