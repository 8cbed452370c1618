"""Logits out of what a model returns, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from raymm.tasks.base import Task
from raymm.types import Mask
from raymm.valuation.conformance import ModelError
from raymm.valuation.own.errors import own_code

__all__ = ["Outputs"]


@dataclass
class Outputs:
    """How logits are found in what a model returns.

    Attributes
    ----------
    names, task
        The modalities, and what the labels are.
    function
        From what the model returns to logits; None: a tensor, or its `logits`.
    width
        Number of logits a sample, known from the first batch on.
    """

    names: tuple[str, ...]
    task: Task
    function: Callable[[Any], Tensor] | None = None
    width: int | None = None

    def logits(self, returned: Any, rows: int) -> Float[Tensor, "B K"]:
        """Logits of a batch of so many samples; they need not be finite.

        Raises
        ------
        ModelError
            When there are none, or they have another shape than [samples, K] or than those before.
        """
        found = self._found(returned)
        if not isinstance(found, Tensor) or not found.is_floating_point():
            kind = str(found.dtype) if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise ModelError(f"the model returns {kind}; say how logits are found in it by outputs=")
        if found.ndim == 1:
            found = found[:, None]
        if found.ndim != 2 or len(found) != rows:
            raise ModelError(f"the logits are {list(found.shape)}; expected [samples, classes] = [{rows}, ...]")
        if self.width is None:
            self._check_width(found.shape[1])
            self.width = found.shape[1]
        if found.shape[1] != self.width:
            raise ModelError(f"the model gives {found.shape[1]} logits a sample, and gave {self.width} before")
        return found.detach()

    def finite(self, logits: Float[Tensor, "B K"], mask: Mask) -> Float[Tensor, "B K"]:
        """The logits of coalitions, mask [B, n]; raises `ModelError` where one is NaN or infinite."""
        bad = (~torch.isfinite(logits)).any(dim=1)
        if bad.any():
            row = int(torch.nonzero(bad)[0, 0])
            members = [name for name, on in zip(self.names, mask[row].tolist(), strict=True) if on]
            raise ModelError(
                f"the logits of {int(bad.sum())} samples are NaN or infinite, first those of sample {row} of the "
                f"batch for the coalition {{{', '.join(members)}}}"
            )
        return logits

    def _found(self, returned: Any) -> Any:
        if self.function is not None:
            with own_code("outputs="):
                return self.function(returned)
        if isinstance(returned, Mapping) and "logits" in returned:
            return returned["logits"]
        return getattr(returned, "logits", returned)

    def _check_width(self, width: int) -> None:
        if width < self.task.fewest_classes:
            raise ModelError(
                f"the model gives {width} logit a sample, and the task {self.task.name} needs at least "
                f"{self.task.fewest_classes}; of one logit for two classes give outputs=lambda out: "
                "torch.stack([torch.zeros_like(out), out], dim=1), out being [samples]"
            )
