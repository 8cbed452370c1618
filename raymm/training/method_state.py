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

from raymm.config.own_parts import own_part
from raymm.errors import Problems, TrainingError
from raymm.training.optimizer_state import load_optimizer_tensors, optimizer_tensors

if TYPE_CHECKING:
    from raymm.methods.base import Method

__all__ = ["load_method_state", "load_method_tensors", "method_tensors", "state_of"]

STATE, UNPLANNED, MODULE, OPTIMIZER = "state.", "unplanned.", "module.", "optimizer."


def method_tensors(method: Method, optimizer: Optimizer, unplanned: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All that a method keeps, and its state before the plan; empty for most methods."""
    tensors = _prefixed(STATE, state_of(method)) | _prefixed(UNPLANNED, unplanned)
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
    if not state and state_of(method):
        raise ValueError("no state of the method")
    if state:
        with own_part(type(method), "load_state_dict", ValueError):
            method.load_state_dict({name: tensor.clone() for name, tensor in state.items()})
        _check_taken_over(method, state)


def state_of(method: Method) -> dict[str, Tensor]:
    """Copies of what a method remembers; raises `TrainingError` where something of it is no tensor."""
    with own_part(type(method), "state_dict"):
        state: object = method.state_dict()
    problems = Problems(f"{type(method).__name__}.state_dict")
    if not isinstance(state, Mapping):
        problems.add(f"returns a {type(state).__name__}; expected a dictionary of tensors")
        problems.raise_if_any(TrainingError)
    assert isinstance(state, Mapping)
    for name, value in state.items():
        if not isinstance(name, str):
            problems.add(f"names something {name!r}; names must be texts")
        elif not isinstance(value, Tensor):
            problems.add(f"'{name}' is a {type(value).__name__}; expected a tensor, such as torch.as_tensor({name})")
    problems.raise_if_any(TrainingError)
    return {name: value.detach().clone() for name, value in state.items()}


def _check_taken_over(method: Method, state: Mapping[str, Tensor]) -> None:
    """Refuse a method that remembers other numbers after loading than were saved: a resumed run would differ."""
    now = state_of(method)
    differing = [
        name
        for name in sorted({**state, **now})
        if name not in state or name not in now or not _same(state[name], now[name].cpu())
    ]
    if differing:
        raise ValueError(
            f"{type(method).__name__}.load_state_dict does not take over {', '.join(differing)}: a resumed run would "
            "go on with other numbers"
        )


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers; NaN is the same as NaN."""
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())  # noqa: PLR0124  (only NaN differs from itself)


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def _without(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, under the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
