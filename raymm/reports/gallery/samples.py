"""What is in the data set of the samples of a gallery: where they lie, and what their modalities show.

What cannot be read is a sentence in the place of the media, and never the end of a page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.errors import RaymmError, in_one_line

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.data.display import Display
    from raymm.valuation.table import ValuationTable

__all__ = ["displays_of", "rows_in_data", "unusable"]


def unusable(dataset: Dataset) -> str:
    """Why the samples of a data set cannot be read here at all; empty where they can."""
    opening = getattr(dataset.shards, "open", None)  # of samples that stay where they are
    try:
        if opening is not None:
            opening()
    except Exception as cause:  # noqa: BLE001  (it may be anything: the code is a user's)
        return _why(cause)
    return ""


def rows_in_data(table: ValuationTable, chosen: Sequence[int], dataset: Dataset) -> dict[int, int]:
    """The number in the data set of some rows of a table, by id and split; those that it lacks are left out."""
    wanted = {str(table.sample_id[row]): row for row in chosen}
    shards = dataset.shards
    found = {}
    for split in set(table.split[list(chosen)].tolist()):
        numbers = shards.in_split(split)
        for number, name in zip(numbers.tolist(), shards.sample_id[numbers].tolist(), strict=True):
            if name in wanted and table.split[wanted[name]] == split:
                found[wanted[name]] = number
    return found


def displays_of(
    dataset: Dataset, number: int, names: Collection[str] | None = None
) -> Mapping[str, Sequence[Display] | str | None]:
    """What each modality of a sample shows; None where it is missing, and why where it cannot be read.

    Parameters
    ----------
    number
        Of the sample in the data set.
    names
        Modalities that are read; default: all.
    """
    rows = np.array([number], np.int64)
    asked = np.array([names is None or spec.name in names for spec in dataset.schema.modalities])
    present = dataset.present[number] & asked
    with suppress(Exception):  # it is met again, and said, at the modality that it is of
        dataset.shards.prefetch(rows, present[None])  # so that each file is read once
    return {
        spec.name: _displays(dataset, spec, rows) if there else None
        for spec, there, wanted in zip(dataset.schema.modalities, present.tolist(), asked.tolist(), strict=True)
        if wanted
    }


def _displays(dataset: Dataset, spec: Any, rows: Any) -> Sequence[Display] | str:
    try:
        stored = dataset.shards.read_text(spec.name, rows) if spec.is_text else dataset.shards.read(spec.name, rows)
        return list(spec.display(stored[0]))
    except Exception as cause:  # noqa: BLE001  (of a file, a kind or a data set of the user's)
        return _why(cause)


def _why(cause: Exception) -> str:
    return str(cause) if isinstance(cause, RaymmError) else in_one_line(cause)
