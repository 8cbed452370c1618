"""The fingerprint of a model: what tells whether two tables are of the same weights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["fingerprint"]

ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
"""Of an object in memory: another one in each process."""


def fingerprint(model: nn.Module) -> str:
    """Sixteen hex digits over the names, shapes and bytes of all weights.

    Quantized and sparse weights count by their numbers, and whatever else a state holds by its parts or its text. It
    is never an error: what cannot be read counts by its type.

    >>> fingerprint(nn.Identity())
    'e3b0c44298fc1c14'
    """
    digest = hashlib.sha256()
    try:
        state = model.state_dict()
    except Exception:  # noqa: BLE001  (hooks of anybody)
        state = dict(model.named_parameters())
    for name, value in sorted(state.items()):
        for content in _contents(name, value):
            digest.update(content)
    return digest.hexdigest()[:16]


def _contents(name: str, value: Any) -> Iterator[bytes]:
    """What tells an entry of a state from others."""
    if isinstance(value, dict | list | tuple):
        yield f"{name}{type(value).__qualname__}{len(value)}".encode()
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _contents(f"{name}.{key}", item)
        return
    try:
        found = _of_tensor(name, value) if isinstance(value, Tensor) else (_of_text(name, value),)
    except Exception:  # noqa: BLE001  (weights without numbers, objects without a text)
        found = (f"{name}{type(value).__qualname__}".encode(),)
    yield from found


def _of_tensor(name: str, tensor: Tensor) -> tuple[bytes, bytes]:
    """Shape and type, and bytes; of weights that are on no device, none."""
    what = f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode()
    if tensor.is_meta:
        return what, b""
    plain = tensor.detach().cpu()
    plain = plain.dequantize() if plain.is_quantized else plain.to_dense().resolve_conj().resolve_neg()
    return what, plain.contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _of_text(name: str, value: object) -> bytes:
    return f"{name}{ADDRESS.sub('', f'{type(value).__qualname__} {value!r}')}".encode()
