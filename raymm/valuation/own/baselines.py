"""What stands in for the output of a masked branch: zeros, the mean over samples, or what a function gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from raymm.errors import ConfigError
from raymm.types import Mask
from raymm.valuation.conformance import ModelError
from raymm.valuation.own.branches import Branch
from raymm.valuation.own.errors import own_code
from raymm.valuation.structure import name_of, tensors_of

__all__ = ["Baseline", "Means", "OwnBaseline", "Zeros", "baseline_of"]

OwnMask = Callable[[str, Any], Any]
"""`(name of the modality, output of its branch) -> what stands in for it`, of the same structure; its tensors have
the shapes of the output's, or ones that broadcast to them."""


class Baseline(ABC):
    """What stands in for masked outputs.

    Attributes
    ----------
    name
        In tables.
    """

    name: str

    @abstractmethod
    def of(self, branch: Branch, output: Any) -> list[Tensor]:
        """A tensor for each tensor of an output, which broadcasts to it."""


class Zeros(Baseline):
    """Zeros."""

    name = "zeros"

    def of(self, branch: Branch, output: Any) -> list[Tensor]:
        """One 0 for each tensor."""
        del branch
        return [tensor.new_zeros(()) for tensor in tensors_of(output)]


@dataclass
class OwnBaseline(Baseline):
    """What a function gives for the output of a batch."""

    function: OwnMask

    def __post_init__(self) -> None:
        self.name = name_of(self.function)

    def of(self, branch: Branch, output: Any) -> list[Tensor]:
        """The tensors that the function gives, checked."""
        with own_code("the function of mask=", output):
            made = tensors_of(self.function(branch.name, output))
        wanted = tensors_of(output)
        if len(made) != len(wanted) or not all(map(_broadcasts, made, wanted)):
            raise ModelError(
                f"the function of mask= gives {_shapes(made)} for branch '{branch.name}', whose output is "
                f"{_shapes(wanted)}; it must give as many tensors, of shapes that broadcast to these"
            )
        return [tensor.to(like.device, like.dtype) for tensor, like in zip(made, wanted, strict=True)]


@dataclass
class Means(Baseline):
    """The mean of each branch's output over the samples that have its modality, summed in float64."""

    name = "mean"
    sums: dict[str, list[Tensor]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, branch: Branch, output: Any, present: Mask) -> None:
        """Count the rows of an output that have the modality, bool [B]."""
        tensors = tensors_of(output)
        if not all(tensor.is_floating_point() for tensor in tensors):
            kinds = ", ".join(sorted({str(tensor.dtype) for tensor in tensors if not tensor.is_floating_point()}))
            raise ModelError(f"mask='mean': branch '{branch.name}' gives {kinds}, which has no mean; use a function")
        sums = [
            tensor.movedim(axis, 0)[present].double().sum(dim=0)
            for axis, tensor in zip(branch.axes, tensors, strict=True)
        ]
        before = self.sums.get(branch.name, [torch.zeros_like(total) for total in sums])
        if _shapes(before) != _shapes(sums):
            raise ModelError(
                f"mask='mean': the outputs of branch '{branch.name}' are {_shapes(before)} a sample in one batch and "
                f"{_shapes(sums)} in another; name a module after their lengths are pooled, or use 'zeros'"
            )
        self.sums[branch.name] = [old + new for old, new in zip(before, sums, strict=True)]
        self.counts[branch.name] = self.counts.get(branch.name, 0) + int(present.sum())

    def check(self, branches: Sequence[Branch]) -> None:
        """Raise `ConfigError` when no sample has some modality."""
        without = [f"'{branch.name}'" for branch in branches if not self.counts.get(branch.name)]
        if without:
            raise ConfigError(f"mask='mean': no sample has {', '.join(without)}, so there is no mean of it")

    def of(self, branch: Branch, output: Any) -> list[Tensor]:
        """The means, with one row at the axis of the samples."""
        means = [total / self.counts[branch.name] for total in self.sums[branch.name]]
        rows = zip(means, branch.axes, tensors_of(output), strict=True)
        made = [mean.unsqueeze(axis).to(like.device, like.dtype) for mean, axis, like in rows]
        if not all(map(_broadcasts, made, tensors_of(output))):
            raise ModelError(
                f"mask='mean': branch '{branch.name}' gives {_shapes(tensors_of(output))}, and the mean is of "
                f"outputs of {_shapes(made)}; name a module after their lengths are pooled, or use 'zeros'"
            )
        return made


def baseline_of(mask: str | OwnMask | None) -> Baseline:
    """The baseline that `mask=` asks for; none is zeros.

    >>> baseline_of("mean").name
    'mean'
    """
    if callable(mask):
        return OwnBaseline(mask)
    if mask is None or mask == "zeros":
        return Zeros()
    if mask == "mean":
        return Means()
    raise ConfigError(f"mask={mask!r}: give 'zeros', 'mean', or a function (name, output) -> what stands in for it")


def _broadcasts(tensor: Tensor, like: Tensor) -> bool:
    try:
        return torch.broadcast_shapes(tensor.shape, like.shape) == like.shape
    except RuntimeError:
        return False


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ", ".join(str(list(tensor.shape)) for tensor in tensors) or "no tensor"
