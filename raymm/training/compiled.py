"""Encoders and fusion by torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from raymm.errors import ConfigError
from raymm.models.multimodal import MultimodalModel, PartsModel

__all__ = ["compile_parts"]

GRAPHS = 4
"""Graphs that torch may make of a part before it gives up: with and without gradients, of one row and of several."""


def compile_parts(model: MultimodalModel, device: torch.device) -> None:
    """Compile each encoder and the fusion, in place: names of weights, and what is saved, stay as they are.

    Raises
    ------
    ConfigError
        When torch cannot compile for this device, such as where there is no compiler; or for a model whose encoders
        and fusion raymm does not know.
    """
    if not isinstance(model, PartsModel):
        raise ConfigError(
            f"training.compile: compiles encoders and fusion, and a {type(model).__name__} has none that raymm "
            "knows; call compile() on its parts where it is built, or return a raymm.Model"
        )
    _check_compiler(device)
    parts = (*model.encoders.values(), model.fusion)
    dynamo = torch._dynamo.config  # noqa: SLF001  (torch's documented place of its settings)
    dynamo.recompile_limit = max(dynamo.recompile_limit, GRAPHS * len(parts))
    for part in parts:
        part.compile(dynamic=False)
        part._compiled_call_impl = _with_varying_rows(part._compiled_call_impl)  # noqa: SLF001  (copies lack it, too)


def _with_varying_rows(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call of a compiled part, to which the first axis of each tensor, and no other, has no fixed length.

    The rows that have a modality differ from batch to batch. With `dynamic=True` no axis would have a fixed length,
    and kernels of convolutions over pictures and spectra cannot be made.
    """
    from torch._dynamo import maybe_mark_dynamic  # noqa: PLC0415  (takes seconds to import)

    @wraps(call)
    def marked(*given: Any, **named: Any) -> Any:
        for tensor in (*given, *named.values()):
            if isinstance(tensor, Tensor) and tensor.ndim:
                maybe_mark_dynamic(tensor, 0)
        return call(*given, **named)

    return marked


def _check_compiler(device: torch.device) -> None:
    """Compile a function of three numbers."""
    try:
        with torch.no_grad():
            torch.compile(lambda numbers: numbers.sin() + 1)(torch.ones(3, device=device))
    except Exception as cause:
        first = next((line for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
        needs = "a C++ compiler, such as g++" if device.type == "cpu" else "Triton and a C compiler"
        raise ConfigError(
            f"training.compile: torch cannot compile for {device.type} here ({first.strip()}); install {needs}, or "
            "use training.compile=false"
        ) from cause
