"""What a method keeps between epochs, as tensors by name: its state, its module and the module's optimizer state.

`state.<name>` are the tensors of `Method.state_dict`, `module.<name>` the weights of `Method.module`, and
`optimizer.state.<parameter>.<entry>` what the optimizer remembers of them. `unplanned.<name>` is the state before the
plan of the next epoch was made: a run that branches off makes a plan of its own from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor
from torch.optim import Optimizer

from raymm.training.optimizer_state import load_optimizer_tensors, optimizer_tensors

if TYPE_CHECKING:
    from raymm.methods.base import Method

__all__ = ["load_method_state", "load_method_tensors", "method_tensors"]

STATE, UNPLANNED, MODULE, OPTIMIZER = "state.", "unplanned.", "module.", "optimizer."


def method_tensors(method: Method, optimizer: Optimizer, unplanned: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All that a method keeps, and its state before the plan; empty for most methods."""
    tensors = _prefixed(STATE, method.state_dict()) | _prefixed(UNPLANNED, unplanned)
    if method.module is not None:
        tensors |= _prefixed(MODULE, method.module.state_dict())
        tensors |= _prefixed(OPTIMIZER, optimizer_tensors(method.module, optimizer))
    return tensors


def load_method_tensors(
    method: Method, optimizer: Optimizer, tensors: Mapping[str, Tensor], *, unplanned: bool = False
) -> None:
    """The inverse of `method_tensors`, with the state before the plan where that is asked for.

    Raises
    ------
    ValueError, RuntimeError
        When the tensors are those of another method.
    """
    load_method_state(method, tensors, unplanned=unplanned)
    module, weights = _without(MODULE, tensors), method.module
    if (weights is None) != (not module):
        raise ValueError("weights of another method" if module else "no weights of the method's own module")
    if weights is not None:
        weights.load_state_dict(module)
        load_optimizer_tensors(weights, optimizer, _without(OPTIMIZER, tensors))


def load_method_state(method: Method, tensors: Mapping[str, Tensor], *, unplanned: bool = False) -> None:
    """Load the state alone; errors as `load_method_tensors`."""
    state = _without(UNPLANNED if unplanned else STATE, tensors)
    if not state and method.state_dict():
        raise ValueError("no state of the method")
    if state:
        method.load_state_dict(state)


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def _without(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, under the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
