"""Whether a valuation table of a finished run is of its model, of the split of its name, and of what it reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, Field

from raymm.errors import CheckpointError, DataError, Problems
from raymm.storage import layout
from raymm.storage.records import JsonRecord
from raymm.tracking.metrics import phi_metric, split_metric
from raymm.valuation.bits import bits_at
from raymm.valuation.table_checks import repeated

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.valuation.table import ValuationTable

__all__ = ["check_of_run"]

CLOSE = 1e-6
"""How far the mean of a column may be from the one that the run reports, as a part of its numbers."""

CONTRADICTIONS = 0.1
"""Part of the samples whose outcomes may contradict their predictions: rounding decides between equal outputs."""


class _Named(BaseModel):
    name: str


class _Schema(BaseModel):
    modalities: list[_Named]
    classes: list[str]


class _Model(JsonRecord):
    """What the model.json of a result says of its tables."""

    error = CheckpointError

    content: _Schema = Field(alias="schema")


class _Result(JsonRecord):
    """What the result.json of a run says of its tables."""

    error = CheckpointError

    metrics: dict[str, int | float]


def check_of_run(
    run: Path,
    file: Path,
    table: ValuationTable,
    split: str,
    measured: str,
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Refuse a table that a finished run has in `file` where it is not of its model, of a split and of its metrics.

    What has no file to be compared with is passed over: `raymm.training.result.read_result` names files that lack.

    Parameters
    ----------
    split
        Of the samples.
    measured
        What metrics of the table are named after.
    metrics
        What the run reports; default: those of its result.

    Raises
    ------
    CheckpointError
        When the result of the run cannot be read.
    DataError
        With everything that differs.
    """
    result = layout.result_folder(run)
    about, reported = result / layout.MODEL / layout.MODEL_JSON, result / layout.RESULT_JSON
    if metrics is None and reported.exists():
        metrics = _Result.read(reported).metrics
    problems = Problems(f"{file}: is not the table of this run")
    if about.exists():
        problems.extend(_of_other_model(table, _Model.read(about).content))
    if not problems.items:
        problems.extend(_of_other_rows(table, split))
    if not problems.items and metrics is not None:
        problems.extend(_of_other_means(table, measured, metrics))
    problems.raise_if_any(DataError, note="bring back a good copy of the run")


def _of_other_model(table: ValuationTable, model: _Schema) -> Iterator[str]:
    names, known = list(table.info.modalities), [one.name for one in model.modalities]
    if names != known:
        yield f"it is of the modalities {', '.join(names)}, the model has {', '.join(known)}"
    if table.info.classes not in {0, len(model.classes)}:
        yield f"it is of {table.info.classes} classes, the model has {len(model.classes)}"
    elif not table.info.classes and table.label.max(initial=0) >= len(model.classes):
        yield f"it has the label {table.label.max()}, the model has {len(model.classes)} classes"


def _of_other_rows(table: ValuationTable, split: str) -> Iterator[str]:
    if not len(table):
        yield "it has no rows"
    elif (other := table.split != split).any():
        yield f"sample '{table.sample_id[other.argmax()]}' is of the split {table.split[other.argmax()]}, not {split}"
    if (found := repeated(table.sample_id)) is not None:
        yield f"sample '{found[0]}' stands in {found[1]} rows"


def _of_other_means(table: ValuationTable, split: str, metrics: Mapping[str, float]) -> Iterator[str]:
    """Columns whose means are not those of the metrics, and outcomes that are not of the predictions."""
    has = ~np.isnan(table.phi)
    for position, name in enumerate(table.info.modalities):
        rows = has[:, position]
        columns = {phi_metric(split, name): table.phi[rows, position]}
        if table.task.hard:
            columns[split_metric(split, "accuracy", name)] = table.unimodal_correct[rows, position].astype(np.float64)
        for metric, column in columns.items():
            mean, said = float(column.mean()) if len(column) else float("nan"), metrics.get(metric)
            if said is None and len(column) and metric.startswith(phi_metric(split, "")):
                yield f"the run reports no {metric}"
            elif said is not None and not abs(mean - said) <= CLOSE * max(float(np.abs(column).mean()), abs(said)):
                yield f"{metric} is {mean:.6g} by it, and the run reports {said:.6g}"
    if table.shows_outcomes:
        whole = bits_at(table.outcomes, [2 ** len(table.info.modalities) - 1])[:, 0]
        wrong = int(((whole != table.grand_correct) & has.any(axis=1)).sum())
        if wrong > CONTRADICTIONS * len(table):
            yield f"outcomes of {wrong:,} samples contradict their predictions"
