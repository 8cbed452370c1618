"""Record the operations of a model with `torch.export`, for any number of rows."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import torch

from raymm.errors import ExportError, RaymmError, in_one_line

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    from raymm.models.graph.module import WholeModel

__all__ = ["quietly", "reason_of", "traced"]

LONGEST = 400
"""Letters of torch's reason that are repeated."""


def traced(whole: WholeModel, inputs: dict[str, Tensor], mask: Tensor) -> ExportedProgram:
    """The operations of a model.

    Torch first runs the Python code on stand-ins of tensors; where that fixes the number of rows (`len(features)`
    does), or fails, it reads the code itself.

    Raises
    ------
    ExportError
        When neither can be done, such as where Python decides by the values of a tensor: with torch's reason.
    """
    rows = torch.export.Dim("batch", min=1)
    open_rows = {"inputs": {name: {0: rows} for name in inputs}, "mask": {0: rows}}

    def export(strict: bool) -> ExportedProgram:
        with torch.no_grad(), quietly():
            return torch.export.export(whole, (inputs, mask), dynamic_shapes=open_rows, strict=strict)

    with torch.no_grad():
        whole(inputs, mask)  # what kinds keep between batches, such as a bank of filters, is made of true tensors
    return _frozen(_either(lambda: export(strict=False), lambda: export(strict=True)))


def _frozen(program: ExportedProgram) -> ExportedProgram:
    """The program with weights that nobody trains, so that its answers need no `detach`; the model keeps its own."""
    for name, weight in program.state_dict.items():
        if weight.requires_grad:
            program.state_dict[name] = torch.nn.Parameter(weight.detach(), requires_grad=False)
    return program


@contextmanager
def quietly() -> Iterator[None]:
    """Keep back what the exporters of torch print of themselves; what they raise says enough."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _either(first: Callable[[], ExportedProgram], second: Callable[[], ExportedProgram]) -> ExportedProgram:
    try:
        return first()
    except Exception as cause:  # noqa: BLE001  (torch raises of many types here, also its own AssertionErrors)
        reason = cause
    try:
        return second()
    except Exception:  # noqa: BLE001
        raise ExportError(
            f"export: torch.export cannot record this model: {reason_of(reason)}; a model can be exported when no "
            "Python code in its encode and fuse depends on the values of tensors"
        ) from reason


def reason_of(cause: Exception) -> str:
    """What a library says, without its advice how to look further, and no more than `LONGEST` letters of it."""
    said = str(cause) if isinstance(cause, RaymmError) else in_one_line(cause)
    for end in ("Caused by:", "For more information", "The error above occurred", "Suggested fixes:", "; --debug"):
        said = said.split(end)[0].strip()
    return said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."
