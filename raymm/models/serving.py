"""What MLflow loads of a recorded model: a predictor that takes files as well, and the form of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.data.asked.forms import FILE, columns_as_samples
from raymm.data.asked.reading import Question, read_question
from raymm.data.asked.records import records_of
from raymm.data.quarantine import bad_line, by_file
from raymm.data.schema import Schema
from raymm.errors import DataError, Problems
from raymm.models.answers import Answers
from raymm.models.export import load_model, load_settings
from raymm.models.predictor import Predictor
from raymm.storage.local_path import local_path
from raymm.valuation.method import largest_exact

if TYPE_CHECKING:
    from raymm.data.kinds.base import ModalitySpec
    from raymm.models.export import Exported

__all__ = ["ServedPredictor", "load", "served_form"]

EXAMPLES = ("clip.mp4", "sound.wav", "picture.png")
"""Names of files that stand in an example for what is too large for it."""

LARGEST_EXAMPLE = 1_000
"""Numbers of a value that an example shows."""


def load(folder: Path | str) -> ServedPredictor:
    """The predictor of a folder that holds an exported model."""
    return ServedPredictor(load_model(local_path(folder)))


def served_form(folder: Path | str) -> dict[str, Any]:
    """The columns of an exported model, as MLflow shows them.

    Returns
    -------
    `inputs`, names of columns of which none is required; `outputs`, the type of each column of an answer; and
    `example`, one sample: texts, small arrays, and names of files.
    """
    config, about = load_settings(local_path(folder))
    schema = Schema.from_saved(about.content)
    is_exact = config.valuation.method == "auto" and len(schema.names) <= largest_exact(sums=False)
    has_errors = not is_exact and load(folder).predictor.method.name == "sampled"
    example = {spec.name: _example(spec) for spec in schema.modalities}
    return {
        "inputs": _inputs(schema),
        "outputs": _outputs(schema, has_errors),
        "example": {name: value for name, value in example.items() if value is not None},
    }


@dataclass(frozen=True)
class ServedPredictor:
    """Answers columns of which a cell may be the path of a file on the machine that serves."""

    exported: Exported

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """What `Predictor.predict` returns.

        Parameters
        ----------
        columns
            As `Predictor.predict` takes them; in the place of values a path, decoded as `raymm prepare` does, or a
            column `file` of paths from which the modalities are taken that a row does not give itself.

        Raises
        ------
        DataError
            Naming every file, row and modality that cannot be used.
        """
        predictor, schema = self.predictor, self.exported.schema
        media = [name for name in columns if name in schema.names and not schema[name].from_text]
        if FILE not in columns and not any(isinstance(cell, str) for name in media for cell in columns[name]):
            return predictor.predict(columns)
        records, bad = records_of(columns_as_samples(columns, schema), schema, text_files=False)
        parts = []
        for read in read_question(Question(records, Path()), schema, {}):
            bad += read.bad
            parts += [predictor.answers(read.columns)] if read.names else []
        Problems("input", map(bad_line, by_file(bad))).raise_if_any(DataError)
        return Answers.joined(parts).columns()

    @cached_property
    def predictor(self) -> Predictor:
        """What answers columns of values."""
        return Predictor(self.exported)


def _inputs(schema: Schema) -> list[str]:
    media = any(spec.is_media for spec in schema.modalities)
    return [*schema.names, *([FILE] if media and FILE not in schema.names else [])]


def _outputs(schema: Schema, has_errors: bool) -> dict[str, str]:
    """Names and types of the columns of an answer, from one to nothing, with or without standard errors."""
    size, classes = len(schema.names), schema.outputs
    task = schema.task
    of_targets = 1 if task.categorical else len(schema.classes)
    empty, phi = np.zeros((1, classes)), np.zeros((1, size, of_targets))
    answers = Answers(
        schema,
        empty.astype(np.float32),
        task.array([_zero(schema)], len(schema.classes)),
        np.zeros(1) if task.categorical else None,
        empty if task.categorical else None,
        phi,
        phi if has_errors else None,
    )
    return {name: "string" if isinstance(one[0], str) else "double" for name, one in answers.columns().items()}


def _zero(schema: Schema) -> Any:
    """Some label of a task: of several labels or numbers a sample, one for each class."""
    return [0] * len(schema.classes) if schema.task.label_ndim == 2 else 0


def _example(spec: ModalitySpec) -> Any:
    if spec.is_text:
        return "some words"
    file = next((name for name in EXAMPLES if spec.reads(name)), None)
    small = int(np.prod(spec.shape)) <= LARGEST_EXAMPLE
    return file if file is not None or not small else np.zeros(spec.shape, spec.dtype).tolist()
