"""What a tracking store shows first of runs, trials and arms, and the data set that they read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raymm.data.identity import short_digest
from raymm.data.schema import SPLITS
from raymm.tracking.about import DataInput, View
from raymm.tracking.metrics import ROWS, ROWS_TOTAL, SCORE, TRAIN_LOSS, low_metric, phi_metric, split_metric

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset

__all__ = ["data_of", "run_view", "trial_view"]

PHI_CURVES = "phi of each modality (validation)"
PHI_BARS = "phi of each modality (test)"
LOW = "Share of samples below the fair share, by modality"
LOSSES = "Loss: training and validation"
ROWS_OF_EPOCH = "Rows trained in the epoch"


def run_view(selection: str, names: Sequence[str], params: Sequence[str] = (), *, accuracy: bool = True) -> View:
    """Of a run: `params` and the method, scores, the contribution of each modality on test, and rows.

    Parameters
    ----------
    selection
        The metric that picks the epoch.
    names
        Modalities.
    params
        Parameters before the method.
    accuracy
        Whether answers are right or wrong (`Task.hard`), so that there are curves of accuracy.
    """
    best, test = split_metric("best", selection), split_metric("test", selection)
    phi = [phi_metric("test", name) for name in names]
    columns = [*_params([*params, "method.name"]), *_metrics([best, test, *phi, ROWS_TOTAL])]
    bars = {f"Best validation {selection}": (best,), f"Test {selection}": (test,), PHI_BARS: tuple(phi)}
    return View(tuple(columns), _curves(selection, names, accuracy), bars)


def trial_view(selection: str, names: Sequence[str], params: Sequence[str], *, accuracy: bool = True) -> View:
    """Of a trial, whose test metrics nobody looks at: what was drawn, the score, contributions on validation."""
    phi = [phi_metric("val", name) for name in names]
    columns = [*_params(params), *_metrics([SCORE, *phi, ROWS_TOTAL])]
    return View(
        tuple(columns), _curves(selection, names, accuracy), {"Score: best validation, mean over seeds": (SCORE,)}
    )


def data_of(dataset: Dataset, name: str) -> DataInput:
    """The data set of a run: a column a modality, and the label."""
    columns = {
        spec.name: "text" if spec.is_text else f"{spec.dtype}[{', '.join(map(str, spec.shape))}]"
        for spec in dataset.schema.modalities
    }
    columns["label"] = "text" if dataset.schema.task.categorical else f"float64[{len(dataset.schema.classes)}]"
    rows = {split: len(dataset.rows(split)) for split in SPLITS}
    return DataInput(name, short_digest(dataset.digest), str(dataset.path), columns, rows)


def _curves(selection: str, names: Sequence[str], accuracy: bool) -> dict[str, tuple[str, ...]]:
    alone = (split_metric("val", "accuracy", name) for name in names)
    right = {"Validation accuracy: all modalities, and each alone": (split_metric("val", "accuracy"), *alone)}
    return {
        PHI_CURVES: tuple(phi_metric("val", name) for name in names),
        **(right if accuracy else {}),
        **({} if selection == "accuracy" else {f"Validation {selection}": (split_metric("val", selection),)}),
        LOSSES: (TRAIN_LOSS, split_metric("val", "loss")),
        LOW: tuple(low_metric(name) for name in names),
        ROWS_OF_EPOCH: (ROWS,),
    }


def _metrics(names: Sequence[str]) -> list[str]:
    return [f"metrics.{name}" for name in names]


def _params(names: Sequence[str]) -> list[str]:
    return [f"params.{name}" for name in names]
