"""What a graph is given and what it gives: names, types and shapes, and what they mean."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from raymm import __version__
from raymm.data.kinds.base import ModalitySpec
from raymm.tasks.registry import task_fields

if TYPE_CHECKING:
    from raymm.data.schema import Schema
    from raymm.models.export import Exported

__all__ = ["ABOUT", "GraphForm", "GraphInput", "form_of_graph", "takes_stored"]

ABOUT = "raymm"
"""The key of the description in the properties of an ONNX file; with `.json` the name of the file in a .pt2."""

STORED = "values as the data set stores them"
ENCODED = "what the encoder is given"
TOKENS = "ids of tokens; 0 pads"


@dataclass(frozen=True)
class GraphInput:
    """One modality of a graph.

    Attributes
    ----------
    spec
        The modality.
    dtype
        Type of the numbers, as numpy names it.
    shape
        Of one row.
    takes
        What the numbers are, in words.
    """

    spec: ModalitySpec
    dtype: str
    shape: tuple[int, ...]
    takes: str

    @property
    def name(self) -> str:
        """The name of the modality, and of the input."""
        return self.spec.name


@dataclass(frozen=True)
class GraphForm:
    """The inputs of a graph, one a modality that the model reads, its mask, and its outputs.

    Attributes
    ----------
    inputs
        In the order of the columns of the mask.
    mask
        Name of the mask, bool [B, n]: False where a row lacks the modality, whose values are then not looked at.
    outputs
        `outputs` (of the head, float32 [B, K]), `prediction` (of the task: number of the class, int64 [B]; which
        labels, bool [B, K]; numbers in the label's units, float32 [B, K]) and, where the task has them,
        `probabilities` (float32 [B, K]).
    """

    inputs: tuple[GraphInput, ...]
    mask: str
    outputs: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all inputs, the mask at the end."""
        return (*(one.name for one in self.inputs), self.mask)

    def about(self, exported: Exported, sha256: str) -> str:
        """The description that is written into a file, as JSON."""
        schema = exported.schema
        modalities = [
            {**one.spec.model_dump(mode="json"), "input": one.dtype, "row": list(one.shape), "takes": one.takes}
            for one in self.inputs
        ]
        content = {
            "format": 1,
            "raymm": __version__,
            "task": task_fields(schema.task),
            "classes": list(schema.classes),
            "modalities": modalities,
            "mask": self.mask,
            "outputs": list(self.outputs),
            "method": exported.config.method.name,
            "model_sha256": sha256,
        }
        return json.dumps(content, ensure_ascii=False)


def form_of_graph(schema: Schema, read: Collection[str], outputs: Sequence[str]) -> GraphForm:
    """The form of the graph of a model that reads some modalities of a schema."""
    inputs = tuple(_input_of(spec) for spec in schema.modalities if spec.name in read)
    taken = {one.name for one in inputs}
    named = {name: _free(name, taken) for name in ("mask", *outputs)}
    return GraphForm(inputs, named["mask"], tuple(named[name] for name in outputs))


def takes_stored(spec: ModalitySpec) -> bool:
    """Whether the graph itself standardises a modality: not text, nor a kind with a `to_tensor` of its own."""
    return type(spec).to_tensor is ModalitySpec.to_tensor


def _input_of(spec: ModalitySpec) -> GraphInput:
    if takes_stored(spec):
        return GraphInput(spec, str(spec.dtype), spec.shape, STORED)
    if spec.is_text:
        return GraphInput(spec, "int64", spec.input_shape, TOKENS)
    return GraphInput(spec, str(np.dtype(np.float32)), spec.input_shape, ENCODED)


def _free(name: str, taken: set[str]) -> str:
    """A name that no modality has."""
    while name in taken:
        name += "_"
    return name
