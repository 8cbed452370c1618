"""Predict with a trained model and say what each modality contributed: what a served model answers.

Without a label, a modality's contribution is its Shapley value for the probability of the predicted class; of a
regression, for the answer itself, in the label's units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from raymm.data.dataset import Dataset
from raymm.data.in_memory import MemoryRows
from raymm.data.reader import BatchReader
from raymm.errors import DataError, Problems, did_you_mean
from raymm.models.export import load_model
from raymm.valuation.enumeration import value_source
from raymm.valuation.protocol import logit_source
from raymm.valuation.utilities import Utility, get_utility

if TYPE_CHECKING:
    from raymm.data.batch import Batch
    from raymm.models.export import Exported
    from raymm.tasks.base import Task

__all__ = ["Predictor", "load"]


def load(folder: Path | str) -> Predictor:
    """The predictor of a folder that holds an exported model (`RUN/result/model`)."""
    return Predictor(load_model(Path(folder)))


@dataclass(frozen=True)
class Predictor:
    """A model and the meaning of its inputs."""

    exported: Exported

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Answers, probabilities and contributions.

        Parameters
        ----------
        columns
            By modality name, one value a sample: nested lists or arrays of the schema's shape (stored form:
            waveform, uint8 frames, ...), a string for text, None where the modality is missing. A column that
            is left out is missing everywhere.

        Returns
        -------
        `prediction` (class name; of several labels a sample, the predicted labels with "|" between them),
        `probability` (which the model gives to it), and one `phi_<modality>` each: its Shapley value for that
        probability, None where it is missing. Of several labels a sample also `probability_<label>`. Of a regression
        `prediction`, a number, and `phi_<modality>`, the contributions to it; of several targets one column a target,
        `prediction_<target>` and `phi_<modality>_<target>`.

        Raises
        ------
        DataError
            Naming every row and modality that does not fit the schema.
        """
        rows = self._rows(columns)
        dataset = Dataset(Path(), self.exported.schema, rows, self.exported.statistics, "")
        batch = BatchReader(dataset, self.exported.config.view.model_copy(update={"noise_db": {}})).batch(
            np.arange(len(rows))
        )
        if not self.exported.schema.task.categorical:
            return self._numbers(batch)
        model, task, classes = self.exported.model, self.exported.schema.task, self.exported.schema.classes
        with torch.inference_mode():
            features = model.encode(batch)
            outputs = model.fuse(features, batch.mask)
            prediction = task.predict(outputs)
            utility = get_utility("probability", task)
            values = value_source(logit_source(model, features, batch.mask), prediction, utility)
        answer: dict[str, list[Any]] = {
            "prediction": [task.text(one, classes) for one in prediction.numpy()],
            "probability": task.confidence(outputs).tolist(),
        }
        if task.keeps_probabilities:
            columns_of_classes = task.probabilities(outputs).T.tolist()
            answer |= {
                f"probability_{name}": column for name, column in zip(classes, columns_of_classes, strict=True)
            }
        for position, name in enumerate(self.exported.schema.names):
            answer[f"phi_{name}"] = _with_none(values.phi[:, position].numpy())
        return answer

    def _numbers(self, batch: Batch) -> dict[str, list[Any]]:
        """Answers that are numbers, and contributions to them, target by target."""
        model, schema = self.exported.model, self.exported.schema
        answer: dict[str, list[Any]] = {}
        with torch.inference_mode():
            features = model.encode(batch)
            answers = schema.task.predict(model.fuse(features, batch.mask))
            for target, name in enumerate(schema.classes):
                suffix = "" if len(schema.classes) == 1 else f"_{name}"
                utility = _answer_to(target, schema.task)
                phi = value_source(logit_source(model, features, batch.mask), answers, utility).phi
                answer[f"prediction{suffix}"] = answers[:, target].tolist()
                for position, modality in enumerate(schema.names):
                    answer[f"phi_{modality}{suffix}"] = _with_none(phi[:, position].numpy())
        return answer

    def _rows(self, columns: Mapping[str, Sequence[Any]]) -> MemoryRows:
        schema = self.exported.schema
        problems = Problems("input")
        for name in columns:
            if name not in schema.names:
                problems.add(f"no modality '{name}'; {did_you_mean(name, schema.names)}")
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            problems.add(f"columns must be of one length, not {sorted(lengths)}")
        problems.raise_if_any(DataError)
        return MemoryRows(schema, columns)


def _answer_to(target: int, task: Task) -> Utility:
    """The answer to one target as a utility, in the label's units."""
    return Utility("answer", lambda outputs, *_: task.predict(outputs)[..., target], task=task)


def _with_none(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
