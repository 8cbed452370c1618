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

STAND_IN = (
    "; where it is so without some modalities only, the model cannot take what stands in for them (it may divide by "
    "the length of zeros, as models of similarities do): of branches give mask='mean'"
)
"""What to do about logits that are NaN for a part of the modalities."""

MOST = 6
"""Parts of what a model returns that a message names."""


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
            raise ModelError(f"the model returns {_told(found, rows)}")
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
                f"batch for the coalition {{{', '.join(members)}}}{'' if mask[row].all() else STAND_IN}"
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


def _told(found: Any, rows: int) -> str:
    """What was returned in the place of logits, and how those may be found in it.

    >>> _told((torch.zeros(4, 3), None), rows=4)
    'a tuple (0: [4, 3], 1: NoneType); say how logits are found in it by outputs=, such as outputs=lambda out: out[0]'
    """
    if isinstance(found, Tensor):
        return f"{found.dtype}; say how logits are found in it by outputs=, or let it return logits and no classes"
    parts = _parts_of(found)
    inside = ", ".join(f"{key!r}: {_form_of(part)}" for key, part in list(parts.items())[:MOST])
    fits = [key for key, part in parts.items() if _may_be_logits(part, rows)]
    such = f", such as outputs=lambda out: out[{fits[0]!r}]" if fits else ""
    kind = f"a {type(found).__name__}" + (f" ({inside})" if parts else "")
    return f"{kind}; say how logits are found in it by outputs={such}"


def _parts_of(found: Any) -> dict[Any, Any]:
    if isinstance(found, Mapping):
        return dict(found.items())
    return dict(enumerate(found)) if isinstance(found, list | tuple) else {}


def _form_of(part: Any) -> str:
    return str(list(part.shape)) if isinstance(part, Tensor) else type(part).__name__


def _may_be_logits(part: Any, rows: int) -> bool:
    return isinstance(part, Tensor) and part.is_floating_point() and part.ndim in {1, 2} and len(part) == rows
