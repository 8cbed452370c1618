"""The state of an optimizer as tensors by name, for safetensors.

Names are those of torch's `get_optimizer_state_dict(..., StateDictOptions(flatten_optimizer_state_dict=True))`:
`state.<parameter>.<entry>`, such as `state.encoders.audio.0.weight.exp_avg`. Torch's function is not called, since it
takes a step of an optimizer that has no state yet, and importing it takes a second. Learning rates and the like are
settings of the run and are not saved.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from raymm.models.memory_format import laid_out_as

__all__ = ["load_optimizer_tensors", "names_of_positions", "optimizer_tensors"]

PREFIX = "state."

SHAPED = (SGD, Adam, AdamW)
"""Optimizers whose memory of a parameter has its shape, beside the count of steps; others may keep any tensors."""


def optimizer_tensors(module: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """What `optimizer` remembers of the parameters of `module`; empty for an optimizer without a memory."""
    return {
        f"{PREFIX}{name}.{entry}": value
        for name, parameter in module.named_parameters()
        for entry, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_tensors(module: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`; of a parameter that was never updated nothing is remembered.

    Raises
    ------
    ValueError
        When there are tensors of other parameters.
    """
    parameters = dict(module.named_parameters())
    states: dict[str, dict[str, Tensor]] = {}
    for flat, tensor in tensors.items():
        name, _, entry = flat.removeprefix(PREFIX).rpartition(".")
        states.setdefault(name, {})[entry] = tensor
    if others := sorted(states.keys() - parameters.keys()):
        raise ValueError(f"optimizer state of other parameters, first {others[0]}")
    for name, parameter in parameters.items():
        optimizer.state.pop(parameter, None)
        if name in states:
            optimizer.state[parameter] = {
                entry: _placed(entry, tensor, parameter, optimizer, name) for entry, tensor in states[name].items()
            }


def names_of_positions(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of version 0.1.0, named by the position of a parameter (`state.0.exp_avg`), under today's names."""
    names = [name for name, _ in module.named_parameters()]
    renamed = {}
    for flat, tensor in tensors.items():
        position, _, entry = flat.removeprefix(PREFIX).partition(".")
        renamed[f"{PREFIX}{names[int(position)]}.{entry}"] = tensor
    return renamed


def _placed(entry: str, tensor: Tensor, parameter: nn.Parameter, optimizer: Optimizer, name: str) -> Tensor:
    """A tensor where the optimizer keeps it: counts of steps on the CPU if not fused, all else by its parameter."""
    if entry == "step" and not optimizer.defaults.get("fused"):
        return tensor.cpu()
    if entry != "step" and type(optimizer) in SHAPED and tensor.shape != parameter.shape:
        raise ValueError(f"optimizer state of {name} has shape {tuple(tensor.shape)}, not {tuple(parameter.shape)}")
    return laid_out_as(tensor.to(parameter.device), parameter)
