"""Samples on which a graph is compared with raymm: of a data set, or made up, with modalities taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from raymm.data.dataset import Dataset
from raymm.data.in_memory import StoredRows
from raymm.data.reader import BatchReader
from raymm.models.graph.form import takes_stored

if TYPE_CHECKING:
    import numpy.typing as npt

    from raymm.config.view import ViewConfig
    from raymm.data.batch import Batch
    from raymm.data.kinds.base import ModalitySpec, Rows
    from raymm.models.export import Exported
    from raymm.models.graph.form import GraphForm

__all__ = ["Question", "fitting", "made_up", "questions"]

SIZES = (1, 2, 7)
"""Rows of the first batches; the others have `MOST`."""

MOST = 32
WORDS = ("red", "green", "a", "loud", "voice", "dog", "of", "seven")


@dataclass(frozen=True)
class Question:
    """Some rows, as a graph is given them and as raymm reads them.

    Attributes
    ----------
    names
        Of the samples.
    inputs, mask
        Of the graph; where the mask is False the numbers mean nothing.
    batch
        The same rows with the same modalities.
    """

    names: list[str]
    inputs: dict[str, Tensor]
    mask: Tensor
    batch: Batch


def fitting(dataset: Dataset, exported: Exported) -> Dataset:
    """A data set with the statistics of the model's."""
    return replace(dataset, statistics=exported.statistics, schema=exported.schema)


def made_up(exported: Exported, count: int) -> Dataset:
    """Samples of random numbers and words of the form of the schema, drawn by a fixed seed."""
    draw = np.random.default_rng(0)
    columns = {spec.name: [_drawn(spec, draw) for _ in range(count)] for spec in exported.schema.modalities}
    rows = StoredRows(exported.schema, columns, [f"made up {row}" for row in range(count)])
    return Dataset(Path(), exported.schema, rows, exported.statistics, "")


def questions(dataset: Dataset, exported: Exported, form: GraphForm, rows: Rows) -> Iterator[Question]:
    """The rows in batches of different size: as they are, and with modalities taken away at random."""
    view = exported.config.view.without_noise
    reader, draw = BatchReader(dataset, view), np.random.default_rng(0)
    places = [dataset.schema.names.index(one.name) for one in form.inputs]
    for some in _batches(rows):
        for kept in (np.ones((len(some), len(dataset.schema.names)), bool), _some_kept(draw, len(some), dataset)):
            batch = reader.batch(some, kept)
            mask = batch.mask.numpy()
            inputs = {
                one.name: _values(dataset, view, one.spec, some, mask[:, place])
                for one, place in zip(form.inputs, places, strict=True)
            }
            yield Question([str(name) for name in dataset.shards.ids(some)], inputs, batch.mask[:, places], batch)


def _batches(rows: Rows) -> Iterator[Rows]:
    """The rows in batches of different size."""
    start = 0
    for size in chain(SIZES, repeat(MOST)):
        if start >= len(rows):
            return
        yield rows[start : start + size]
        start += size


def _some_kept(draw: np.random.Generator, rows: int, dataset: Dataset) -> npt.NDArray[np.bool_]:
    return draw.random((rows, len(dataset.schema.names))) < 0.5


def _values(
    dataset: Dataset, view: ViewConfig, spec: ModalitySpec, rows: Rows, there: npt.NDArray[np.bool_]
) -> Tensor:
    """Numbers of rows as the graph takes them; zeros of those that are not there."""
    shards = dataset.shards
    stored: Any = (shards.read_text if spec.is_text else shards.read)(spec.name, rows[there])
    if takes_stored(spec):
        values = torch.from_numpy(stored)
    else:
        values = spec.transform(spec.to_tensor(stored, dataset.statistics.get(spec.name)), None, view)
    whole = torch.zeros((len(rows), *values.shape[1:]), dtype=values.dtype)
    whole[torch.from_numpy(there)] = values
    return whole


def _drawn(spec: ModalitySpec, draw: np.random.Generator) -> Any:
    if spec.is_text:
        return " ".join(draw.choice(WORDS, size=int(draw.integers(0, 6))))
    if spec.dtype.kind in "iu":
        return draw.integers(0, 128, spec.shape).astype(spec.dtype)
    return draw.normal(size=spec.shape).astype(spec.dtype)
