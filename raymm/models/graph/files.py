"""The files of a graph, as bytes: ONNX and torch's own .pt2; and how either is run."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from raymm.errors import ConfigError, ExportError, missing_extra
from raymm.models.graph.form import ABOUT
from raymm.models.graph.tracing import quietly, reason_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    from raymm.models.graph.form import GraphForm

__all__ = ["Arrays", "Run", "onnx_file", "require_onnx", "run_onnx", "run_torch", "torch_file"]

Arrays = list[npt.NDArray[Any]]
"""The outputs of a graph, in the order of its form."""

Run = Callable[["dict[str, Tensor]", "Tensor"], Arrays]
"""From inputs by modality, and a mask, to outputs."""

LARGEST = 2**31 - 2**20
"""Bytes of weights that one ONNX file holds: it is a message of Protocol Buffers."""


LACKING = re.compile(r"No ONNX function found for <\w+\(op='([^']+)'")
"""How torch names an operation that it cannot write as ONNX, at the end of a chain of exceptions."""


def require_onnx() -> None:
    """Raise `ConfigError` where the libraries for ONNX are not installed."""
    try:
        import onnx  # noqa: F401, PLC0415
        import onnxruntime  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as cause:
        raise ConfigError(f"export: {missing_extra('onnx', 'onnx', cause)}") from cause


def onnx_file(program: ExportedProgram, form: GraphForm, about: str) -> bytes:
    """The graph as one ONNX file, with its description in the property "raymm".

    Raises
    ------
    ExportError
        When ONNX lacks one of its operations, or cannot hold its weights: with torch's reason.
    """
    size = sum(value.numel() * value.element_size() for value in program.state_dict.values())
    if size > LARGEST:
        raise ExportError(
            f"export: an ONNX file holds at most 2 GiB, and the weights are {size / 2**30:.1f} GiB; write --torch"
        )
    try:
        with torch.no_grad(), quietly():
            made: Any = torch.onnx.export(
                program,
                input_names=list(form.names),
                output_names=list(form.outputs),
                dynamo=True,
                verbose=False,
                external_data=False,
            )
    except Exception as cause:
        raise ExportError(f"export: torch cannot write this model as ONNX: {_why(cause)}") from cause
    model = made.model_proto
    _name_rows(model)
    model.metadata_props.add(key=ABOUT, value=about)
    content: bytes = model.SerializeToString()
    return content


def torch_file(program: ExportedProgram, about: str) -> bytes:
    """The graph as torch saves it, with its description as the file "raymm.json" in it."""
    sink = io.BytesIO()
    with quietly():
        torch.export.save(program, sink, extra_files={f"{ABOUT}.json": about})
    return sink.getvalue()


def run_onnx(content: bytes, form: GraphForm) -> Run:
    """Run an ONNX file with onnxruntime on the CPU."""
    import onnxruntime  # noqa: PLC0415  (of the extra `onnx`)

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(inputs: dict[str, Tensor], mask: Tensor) -> Arrays:
        given = {**{name: values.numpy() for name, values in inputs.items()}, form.mask: mask.numpy()}
        return [np.asarray(one) for one in session.run(list(form.outputs), given)]

    return run


def run_torch(content: bytes) -> Run:
    """Run a file of `torch.export`."""
    with quietly():
        module = torch.export.load(io.BytesIO(content)).module()

    def run(inputs: dict[str, Tensor], mask: Tensor) -> Arrays:
        with torch.no_grad():
            return [one.numpy() for one in module(inputs, mask)]

    return run


def _why(cause: Exception) -> str:
    """The operation that ONNX lacks, or what torch says of the innermost mistake instead of how to report it."""
    inner: BaseException = cause
    while inner.__cause__ is not None:
        inner = inner.__cause__
    if lacking := LACKING.search(str(inner)):
        return f"ONNX has no operation for {lacking[1]}; write --torch, or compute it in another way"
    return reason_of(inner if isinstance(inner, Exception) else cause)


def _name_rows(model: Any) -> None:
    """Call the open number of rows "batch", in all shapes; torch gives it the name of a symbol."""
    symbol = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param == symbol:
                size.dim_param = "batch"
            elif size.dim_param:
                size.ClearField("dim_param")  # an expression of it, such as 2*s0
