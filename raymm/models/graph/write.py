"""Write a trained model as ONNX and as a program of torch, each compared with raymm before it is there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from raymm.errors import ConfigError, Problems
from raymm.models.graph.checks import check_alike
from raymm.models.graph.files import onnx_file, require_onnx, run_onnx, run_torch, torch_file
from raymm.models.graph.module import WholeModel
from raymm.models.graph.samples import questions
from raymm.models.graph.tracing import traced
from raymm.storage.atomic import require_writable, write_bytes

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.data.kinds.base import Rows
    from raymm.models.export import Exported
    from raymm.models.graph.form import GraphForm

__all__ = ["WrittenGraph", "check_paths", "write_graphs"]

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}


@dataclass(frozen=True)
class WrittenGraph:
    """A file.

    Attributes
    ----------
    path, size
        Where it is, and its bytes.
    difference
        The largest between its answers and raymm's.
    """

    path: Path
    size: int
    difference: float


def check_paths(onnx: Path | None, torch_path: Path | None) -> Path:
    """The first file of those that are asked for; their folders are there afterwards.

    Raises
    ------
    ConfigError
        When none is asked for, or one has a name that others would not know.
    OSError
        When a folder cannot be written.
    """
    problems = Problems("export")
    if onnx is None and torch_path is None:
        problems.add("name a file: --onnx FILE.onnx, --torch FILE.pt2, or both")
    for kind, path in {"onnx": onnx, "torch": torch_path}.items():
        if path is not None and path.suffix != SUFFIXES[kind]:
            problems.add(f"--{kind} {path}: give it a name that ends in {SUFFIXES[kind]}")
        elif path is not None and path.is_dir():
            problems.add(f"--{kind} {path}: is a folder")
    problems.raise_if_any(ConfigError)
    if onnx is not None:
        require_onnx()
    for path in filter(None, (onnx, torch_path)):
        require_writable(path.parent)
    first = onnx or torch_path
    assert first is not None
    return first


def write_graphs(
    exported: Exported, dataset: Dataset, rows: Rows, sha256: str, onnx: Path | None, torch_path: Path | None
) -> tuple[GraphForm, list[WrittenGraph]]:
    """Write the files that are asked for.

    Parameters
    ----------
    dataset, rows
        What the files are compared on, see `raymm.models.graph.samples`.
    sha256
        Of the weights, for the description.

    Raises
    ------
    ExportError
        When the model cannot be recorded, or a file would answer otherwise than raymm; no file is written then.
    """
    whole = WholeModel(exported)
    example = next(islice(questions(dataset, exported, whole.form, _three(rows)), 2, None))
    program = traced(whole, example.inputs, torch.ones_like(example.mask))
    about = whole.form.about(exported, sha256)
    made: dict[Path, tuple[bytes, float]] = {}
    for path, kind in ((onnx, "onnx"), (torch_path, "torch")):
        if path is None:
            continue
        content = onnx_file(program, whole.form, about) if kind == "onnx" else torch_file(program, about)
        run = run_onnx(content, whole.form) if kind == "onnx" else run_torch(content)
        made[path] = content, check_alike(run, whole, questions(dataset, exported, whole.form, rows), str(path))
    return whole.form, [_written(path, *one) for path, one in made.items()]


def _three(rows: Rows) -> Rows:
    """Three of the rows or, of fewer, some of them twice: torch takes one row for a size that is fixed."""
    return np.resize(rows, 3)


def _written(path: Path, content: bytes, difference: float) -> WrittenGraph:
    write_bytes(path, content)
    return WrittenGraph(path, len(content), difference)
