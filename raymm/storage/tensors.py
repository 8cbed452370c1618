"""Take the tensors out of a nested state and put them back, so that no pickle is ever written.

An optimizer's state becomes JSON with references and a flat dictionary of tensors for safetensors.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

__all__ = ["merge_tensors", "savable", "split_tensors"]

REFERENCE = "__tensor__"


def split_tensors(tree: Any) -> tuple[Any, dict[str, Tensor]]:
    """`(json, tensors)`: every tensor of a tree of dicts and lists replaced by a reference to its name."""
    tensors: dict[str, Tensor] = {}
    return _take(tree, "", tensors), tensors


def merge_tensors(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `split_tensors`; whole-number keys come back as integers."""
    if isinstance(tree, dict):
        if REFERENCE in tree:
            return tensors[tree[REFERENCE]]
        return {_key(key): merge_tensors(value, tensors) for key, value in tree.items()}
    if isinstance(tree, list):
        return [merge_tensors(value, tensors) for value in tree]
    return tree


def savable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors takes them: on the CPU, contiguous, without gradients."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _take(tree: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(tree, Tensor):
        tensors[name] = tree
        return {REFERENCE: name}
    if isinstance(tree, dict):
        return {str(key): _take(value, f"{name}.{key}".lstrip("."), tensors) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_take(value, f"{name}.{position}".lstrip("."), tensors) for position, value in enumerate(tree)]
    return tree


def _key(key: str) -> str | int:
    return int(key) if key.isdigit() else key
