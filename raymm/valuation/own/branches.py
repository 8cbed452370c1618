"""Branch modules of a model: found by name, run once a batch, and replaced by their outputs with some rows masked.

A branch is recorded by a forward hook. To replay, its `forward` gives the recorded output with the baseline in the
place of masked rows, always a new tensor, so that a model that changes it in place changes nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from raymm.errors import ConfigError, Problems, did_you_mean
from raymm.types import Mask
from raymm.valuation.conformance import ModelError
from raymm.valuation.structure import copied, leaves_of, map_leaves, tensors_of

__all__ = [
    "Branch",
    "compiled_around",
    "find_branches",
    "masked_rows",
    "recording",
    "replaced",
    "uncompiled",
    "unwrapped",
    "zeroed_rows",
]

PLAIN = (Tensor, bool, int, float, str, type(None))
"""What a branch may give, in any containers."""

COMPILED = "_compiled_call_impl"
"""Attribute of a module that was compiled in place, by `module.compile()`; None where it was not."""

HOOKS = ("_forward_hooks", "_forward_pre_hooks")
"""Attributes of a module that hold the hooks around its `forward`."""


@dataclass
class Branch:
    """A module that sees one modality alone.

    Attributes
    ----------
    fits
        Of each tensor of its output, the axes among the first two that were as long as every batch so far; of two,
        the one that was found to be the samples (`raymm.valuation.own.axes`).
    """

    name: str
    module: nn.Module
    fits: tuple[frozenset[int], ...] | None = None

    @property
    def axes(self) -> tuple[int, ...]:
        """Axis of the samples of each tensor of its output (the second of states of recurrent layers)."""
        assert self.fits is not None
        return tuple(map(min, self.fits))

    def check(self, output: Any, rows: int) -> None:
        """Find the axis of the samples of each tensor, the same as in the batches before.

        Raises
        ------
        ModelError
            When a tensor has none, or the output holds something that cannot be masked.
        """
        strange = sorted({type(leaf).__name__ for leaf in leaves_of(output) if not isinstance(leaf, PLAIN)})
        if strange:
            raise ModelError(
                f"branch '{self.name}' gives a {', a '.join(strange)}, which cannot be masked; name a module whose "
                "output is tensors (in tuples, lists or mappings), or wrap this one"
            )
        tensors = tensors_of(output)
        if not tensors:
            raise ModelError(f"branch '{self.name}' gives a {type(output).__name__} without any tensor")
        if any(tensor.is_nested or tensor.layout != torch.strided for tensor in tensors):
            raise ModelError(f"branch '{self.name}' gives a nested or sparse tensor; name a module with plain ones")
        before = self.fits or (frozenset({0, 1}),) * len(tensors)
        if len(before) != len(tensors):
            raise ModelError(f"branch '{self.name}' gives {len(tensors)} tensors, and gave {len(before)} before")
        fits = [
            frozenset(axis for axis in old if axis < tensor.ndim and tensor.shape[axis] == rows)
            for old, tensor in zip(before, tensors, strict=True)
        ]
        if not all(fits):
            shape = list(tensors[fits.index(frozenset())].shape)
            raise ModelError(
                f"branch '{self.name}' gives a tensor {shape} of which no axis (of the first two, the same in all "
                f"batches) is the {rows} samples of the batch; name a module whose outputs have one row a sample, or "
                "wrap this one"
            )
        self.fits = tuple(fits)

    def settle(self, position: int, axis: int) -> None:
        """From now on the samples are this axis of a tensor of the output."""
        assert self.fits is not None
        self.fits = (*self.fits[:position], frozenset({axis}), *self.fits[position + 1 :])


def unwrapped(model: nn.Module) -> nn.Module:
    """The module inside of `torch.compile`, whose branches would not be seen, and of data parallel wrappers."""
    inner = getattr(model, "_orig_mod", None)
    if isinstance(inner, nn.Module):
        return unwrapped(inner)
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return unwrapped(model.module)
    return model


def compiled_around(model: nn.Module, branches: Sequence[Branch]) -> list[tuple[nn.Module, dict[str, Any]]]:
    """Modules around branches that were compiled in place, and the attributes with which they run as written.

    Undone are `module.compile()` and `module.forward = torch.compile(module.forward)`: compiled code would not call
    the hooks of a branch.
    """
    found = []
    for module in model.modules():
        own = vars(module)
        written = getattr(own.get("forward"), "_torchdynamo_orig_callable", None)
        instead = {} if own.get(COMPILED) is None else {COMPILED: None}
        instead |= {} if written is None else {"forward": written}
        if instead and _is_around(module, branches):
            found.append((module, instead))
    return found


@contextmanager
def uncompiled(found: Sequence[tuple[nn.Module, dict[str, Any]]]) -> Iterator[None]:
    """Inside, the modules of `compiled_around` run as they were written."""
    with ExitStack() as stack:
        for module, instead in found:
            stack.enter_context(_with_attributes(module, instead))
        yield


def find_branches(model: nn.Module, modalities: Mapping[str, nn.Module | str]) -> list[Branch]:
    """The branch module of each modality, given itself or by its dotted name.

    Raises
    ------
    ConfigError
        With all mistakes: names of no module, modules of another model, one module for two modalities.
    """
    parts = {name: part for name, part in model.named_modules(remove_duplicate=False) if name}
    problems = Problems("modalities=")
    branches = []
    for name, module in modalities.items():
        found = parts.get(module) if isinstance(module, str) else module
        if found is None:
            problems.add(
                f"'{name}': {type(model).__name__} has no module '{module}'; {did_you_mean(str(module), parts)}"
            )
        elif not isinstance(found, nn.Module):
            problems.add(f"'{name}' is a {type(found).__name__}; give a module of the model, or its dotted name")
        elif isinstance(found, torch.jit.ScriptModule):
            problems.add(f"'{name}' is scripted code, which cannot be replaced; call it from a module, and name that")
        elif all(found is not part for part in parts.values()):
            problems.add(f"'{name}': this {type(found).__name__} is no part of the {type(model).__name__}")
        else:
            branches.append(Branch(name, found))
    problems.extend(_overlaps(branches))
    problems.raise_if_any(ConfigError)
    return branches


@contextmanager
def recording(
    branches: Sequence[Branch], stand_in: Callable[[Branch, Any], Any] | None = None
) -> Iterator[dict[str, list[Any]]]:
    """Copies of what each branch gives inside, a list by name in the order of the first calls.

    `stand_in(branch, output)` gives what the model gets in the place of an output.
    """
    calls: dict[str, list[Any]] = {}

    def hook_of(branch: Branch) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
            calls.setdefault(branch.name, []).append(copied(output))
            return None if stand_in is None else stand_in(branch, output)

        return hook

    with ExitStack() as stack:
        for branch in branches:
            stack.callback(branch.module.register_forward_hook(hook_of(branch)).remove)
        yield calls


@contextmanager
def replaced(gives: Mapping[str, Callable[[], Any]], branches: Sequence[Branch]) -> Iterator[None]:
    """Inside, branches do not run; each call of one gives what `gives[name]()` makes."""
    with ExitStack() as stack:
        for branch in branches:
            if branch.name in gives:
                stack.enter_context(_replaced(branch.module, gives[branch.name]))
        yield


def masked_rows(branch: Branch, output: Any, keep: Mask, baselines: Sequence[Tensor]) -> Any:
    """A new output with the baseline at the rows where `keep`, bool [B], is False."""
    left = list(zip(branch.axes, baselines, strict=True))

    def masked(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        axis, baseline = left.pop(0)
        return torch.where(_along(axis, keep, leaf), leaf, baseline)

    return map_leaves(masked, output)


def zeroed_rows(output: Any, position: int, axis: int, keep: Mask) -> Any:
    """An output with zeros in one tensor (by position) where `keep` is False along an axis; the rest is shared."""
    left = iter(range(len(tensors_of(output))))

    def zeroed(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or next(left) != position:
            return leaf
        return torch.where(_along(axis, keep, leaf), leaf, leaf.new_zeros(()))

    return map_leaves(zeroed, output)


@contextmanager
def _replaced(module: nn.Module, give: Callable[[], Any]) -> Iterator[None]:
    """A module that gives something else where it is called; hooks, which have acted on the recorded output, rest."""
    instead = {"forward": lambda *_args, **_kwargs: give(), **{name: OrderedDict() for name in HOOKS}}
    with _with_attributes(module, instead):
        yield


@contextmanager
def _with_attributes(module: nn.Module, instead: Mapping[str, Any]) -> Iterator[None]:
    """A module whose own attributes are others inside."""
    own = vars(module)
    before = {name: own[name] for name in instead if name in own}
    own.update(instead)
    try:
        yield
    finally:
        for name in instead:
            del own[name]
        own.update(before)


def _is_around(module: nn.Module, branches: Sequence[Branch]) -> bool:
    """Whether a branch is a part of a module, and none is the module itself."""
    modules = [branch.module for branch in branches]
    return all(module is not one for one in modules) and any(
        part is one for part in module.modules() for one in modules
    )


def _along(axis: int, keep: Mask, leaf: Tensor) -> Mask:
    """A mask [B] that broadcasts to a tensor whose samples are an axis."""
    shape = [1] * leaf.ndim
    shape[axis] = len(keep)
    return keep.view(shape)


def _overlaps(branches: Sequence[Branch]) -> list[str]:
    """Branches that are the same module, or parts of each other."""
    found = []
    for first, second in combinations(branches, 2):
        if first.module is second.module:
            found.append(
                f"'{first.name}' and '{second.name}' are the same module; a module of two modalities cannot tell "
                "them apart: wrap it in one module for each"
            )
        elif any(part is second.module for part in first.module.modules()):
            found.append(f"'{second.name}' is a part of '{first.name}'")
        elif any(part is first.module for part in second.module.modules()):
            found.append(f"'{first.name}' is a part of '{second.name}'")
    return found
