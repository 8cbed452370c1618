"""What `raymm.export` returns, and how it is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from raymm.api.shown import Shown, place_of
from raymm.counts import counted
from raymm.data.opening import open_data
from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.models.data_fit import check_fit
from raymm.models.export import model_folder
from raymm.models.graph.samples import fitting, made_up
from raymm.models.graph.write import check_paths, write_graphs
from raymm.storage.data_layout import index_folder
from raymm.storage.directory import sha256_of
from raymm.storage.layout import WEIGHTS
from raymm.training.run import open_run

if TYPE_CHECKING:
    import pandas as pd

    from raymm.data.dataset import Dataset
    from raymm.data.kinds.base import Rows
    from raymm.data.opening import Data
    from raymm.models.export import Exported
    from raymm.models.graph.form import GraphForm
    from raymm.models.graph.write import WrittenGraph

__all__ = ["ExportedGraphs", "export_graphs"]


@dataclass(frozen=True, repr=False)
class ExportedGraphs(Shown):
    """Files of a trained model that run without raymm.

    Attributes
    ----------
    files
        Those that were written, with the largest difference of their answers from raymm's.
    form
        Names, types and shapes of their inputs and outputs.
    samples
        On how many samples they were compared.
    where
        What these samples are.
    """

    files: tuple[WrittenGraph, ...]
    form: GraphForm
    samples: int
    where: str

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [one.path for one in self.files]

    def to_pandas(self) -> pd.DataFrame:
        """A row an input: `input`, `kind`, `type`, `shape` of one row, and what it `takes`."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"input": one.name, "kind": one.spec.kind, "type": one.dtype, "shape": one.shape, "takes": one.takes}
                for one in self.form.inputs
            ]
        )

    def summary(self) -> str:
        """Inputs, outputs, and the files."""
        inputs = [
            f"input   {one.name:<16} {one.dtype:<8} [{', '.join(map(str, ('B', *one.shape)))}]  {one.takes}"
            for one in self.form.inputs
        ]
        mask = f"input   {self.form.mask:<16} bool     [B, {len(self.form.inputs)}]  False where it is missing"
        files = [
            f"wrote {one.path} ({one.size / 1e6:.1f} MB); largest difference from raymm {one.difference:.1g} on "
            f"{counted(self.samples, 'sample')} {self.where}"
            for one in self.files
        ]
        return "\n".join([*inputs, mask, f"outputs {', '.join(self.form.outputs)}", *files])

    def to_json(self) -> str:
        """`{"inputs": [...], "mask": ..., "outputs": [...], "files": [...], "samples": ..., "of": ...}`."""
        inputs = [
            {"name": one.name, "type": one.dtype, "row": list(one.shape), "takes": one.takes}
            for one in self.form.inputs
        ]
        files = [
            {"path": str(one.path), "bytes": one.size, "largest_difference": one.difference} for one in self.files
        ]
        return json.dumps(
            {
                "inputs": inputs,
                "mask": self.form.mask,
                "outputs": list(self.form.outputs),
                "files": files,
                "samples": self.samples,
                "of": self.where,
            }
        )

    def __repr__(self) -> str:
        return (
            f"ExportedGraphs({', '.join(path.name for path in self.paths)}, compared on "
            f"{counted(self.samples, 'sample')})"
        )


def export_graphs(
    folder: Path,
    exported: Exported,
    files: tuple[str | Path | None, str | Path | None],
    data: Data | None,
    samples: int,
    say: Callable[[str], None],
) -> ExportedGraphs:
    """Write the model of a folder as the files for ONNX and torch; errors as `raymm.export`."""
    onnx, torch = (None if file is None else Path(file) for file in files)
    first = check_paths(onnx, torch)
    if samples < 1:
        raise ConfigError(f"export: samples={samples}: answers are compared on one sample at least")
    if data is None:
        dataset, where = _of_run(folder, exported, samples, say)
    else:
        dataset, where = _given(folder, exported, open_data(place_of(data), index_folder(first), None, say))
    rows = _spread(dataset, samples)
    say(f"recording the model, and comparing it on {counted(len(rows), 'sample')} {where}")
    sha256 = sha256_of(model_folder(folder) / WEIGHTS)
    form, written = write_graphs(exported, dataset, rows, sha256, onnx, torch)
    return ExportedGraphs(tuple(written), form, len(rows), where)


def _given(folder: Path, exported: Exported, dataset: Dataset) -> tuple[Dataset, str]:
    """A data set that was named, and what it is in words."""
    check_fit(folder, exported, dataset)
    return fitting(dataset, exported), f"of {dataset.path}"


def _of_run(folder: Path, exported: Exported, samples: int, say: Callable[[str], None]) -> tuple[Dataset, str]:
    """The data set of a run, or samples that are made up where it is not there."""
    try:
        return _given(folder, exported, open_run(folder).dataset())
    except (CheckpointError, DataError) as cause:
        say(f"samples are made up, since the data of the run cannot be used ({str(cause).splitlines()[0]})")
        return made_up(exported, samples), "that were made up"


def _spread(dataset: Dataset, count: int) -> Rows:
    """So many rows of the test split, or of all where there is none, from its start to its end."""
    test = dataset.shards.in_split("test")
    rows = test if len(test) else np.arange(len(dataset))
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(np.int64))]
