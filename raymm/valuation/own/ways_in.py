"""Which way leads to the logits of a model, from the arguments of `value_batches`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from raymm.errors import ConfigError, Problems
from raymm.tasks.base import Task
from raymm.valuation.given_arrays import is_integer
from raymm.valuation.own.baselines import baseline_of
from raymm.valuation.own.branch_way import BranchWay
from raymm.valuation.own.branches import find_branches, unwrapped
from raymm.valuation.own.outputs import Outputs
from raymm.valuation.own.ways import FunctionWay, SplitWay, Way
from raymm.valuation.protocol import SplitModel

__all__ = ["Model", "way_of"]

HOW = (
    "say how modalities are masked: modalities={'audio': model.audio, ...}, the module of each; or methods encode "
    "and fuse; or a function predict=lambda batch, mask: ... (docs/valuation.md)"
)


@dataclass(frozen=True)
class Model:
    """The arguments of `value_batches` that say what is valued, as they were given."""

    model: Any
    modalities: Mapping[str, Any] | Sequence[str] | None
    predict: Callable[..., Any] | None
    forward: Callable[..., Any] | None
    outputs: Callable[..., Any] | None
    mask: Any
    reference: Any
    chunk: int | None

    @property
    def split(self) -> bool:
        """Whether the model itself says how it masks."""
        by_branches = isinstance(self.modalities, Mapping)
        is_split = isinstance(self.model, SplitModel) and not isinstance(self.model, type)
        return is_split and not by_branches and self.predict is None

    @property
    def function(self) -> Callable[..., Any] | None:
        """The function (batch, mask) -> logits, where one is given."""
        if self.predict is not None:
            return self.predict
        plain = callable(self.model) and not isinstance(self.model, nn.Module | type)
        return self.model if plain and not self.split and not isinstance(self.modalities, Mapping) else None

    @property
    def device(self) -> torch.device | None:
        """Of the model's first parameter or buffer; None where there is none."""
        if not isinstance(self.model, nn.Module):
            return None
        first = next(self.model.parameters(), next(self.model.buffers(), None))
        return None if first is None else first.device

    def names(self) -> tuple[str, ...]:
        """The modalities; raises `ConfigError` when they are not said, or cannot be told apart."""
        found: Any = self.modalities
        if found is None:
            found = getattr(self.model, "names", getattr(getattr(self.model, "schema", None), "names", None))
        if isinstance(found, str) or not isinstance(found, Mapping | Sequence) or not found:
            raise ConfigError("modalities= is missing: name the modalities, in the order of the mask's columns")
        names = tuple(found)
        problems = Problems("modalities=")
        for name in dict.fromkeys(names):
            if not isinstance(name, str) or not name:
                problems.add(f"{name!r} is no name")
            elif names.count(name) > 1:
                problems.add(f"'{name}' stands there {names.count(name)} times")
        problems.raise_if_any(ConfigError)
        return names


def way_of(given: Model, task: Task) -> Way:
    """The way to the logits of coalitions.

    Raises
    ------
    ConfigError
        With all arguments that do not fit it, or when there is none.
    """
    if isinstance(given.model, nn.Module):
        given.model.apply(_refuse_lazy)
        if given.device is not None and given.device.type == "meta":
            raise ConfigError(
                "the model is on the device 'meta', where weights have no numbers; make it on another "
                "(model.to_empty(device='cpu')), and load its weights"
            )
    function = given.function
    if function is None and not given.split and not isinstance(given.modalities, Mapping):
        raise ConfigError(f"{_kind(given.model)}: {HOW}")
    outputs = Outputs(given.names(), task, given.outputs)
    _check_arguments(given, function)
    if function is not None:
        return FunctionWay(function, outputs)
    if given.split:
        return SplitWay(given.model, outputs, given.chunk)
    if not isinstance(given.model, nn.Module):
        raise ConfigError(
            f"modalities= names branch modules, which {_kind(given.model)} cannot have: it is no module"
        )
    assert isinstance(given.modalities, Mapping)
    model = unwrapped(given.model)
    return BranchWay(model, find_branches(model, given.modalities), outputs, baseline_of(given.mask), given.forward)


def _check_arguments(given: Model, function: Callable[..., Any] | None) -> None:
    """Refuse what the chosen way would not use."""
    problems = Problems("")
    if given.split or function is not None:
        who = "the model's fuse" if given.split else "the function"
        unused = {"forward": given.forward, "mask": given.mask, "reference": given.reference}
        problems.extend(
            f"{name}= is for modalities={{name: module}}; here {who} decides it"
            for name, argument in unused.items()
            if argument is not None
        )
    elif given.reference is not None and given.mask != "mean":
        problems.add("reference= are the batches of mask='mean'")
    if given.split and given.outputs is not None:
        problems.add("outputs= is for what forward or a function returns; fuse must return logits")
    if isinstance(given.modalities, Mapping) and given.predict is not None:
        problems.add("modalities= names modules, and predict= masks by itself: give names, or no predict")
    if given.chunk is not None and not (is_integer(given.chunk) and given.chunk >= 1):
        problems.add(f"chunk={given.chunk!r}: at least 1 coalition at a time, a whole number")
    problems.raise_if_any(ConfigError)


def _refuse_lazy(module: nn.Module) -> None:
    if any(is_lazy(parameter) for parameter in module.parameters(recurse=False)):
        raise ConfigError(
            f"the model has a {type(module).__name__} whose sizes are not known yet; run it once, or load its weights"
        )


def _kind(model: Any) -> str:
    return f"a {type(model).__name__}"
