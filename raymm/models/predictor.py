"""Predict with a trained model and say what each modality contributed: what a served model answers.

Without a label, a modality's contribution is its Shapley value for the probability of the predicted class; of a
regression, for the answer itself, in the label's units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.data.dataset import Dataset
from raymm.data.in_memory import MemoryRows
from raymm.data.reader import BatchReader
from raymm.errors import DataError, Problems, did_you_mean
from raymm.models.answers import Answers, answers_to, prediction_method
from raymm.models.export import load_model
from raymm.storage.local_path import local_path

if TYPE_CHECKING:
    from raymm.data.batch import Batch
    from raymm.models.export import Exported
    from raymm.valuation.method import ValuationMethod

__all__ = ["Predictor", "load"]


def load(folder: Path | str) -> Predictor:
    """The predictor of a folder that holds an exported model (`RUN/result/model`)."""
    return Predictor(load_model(local_path(folder)))


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
        `prediction_<target>` and `phi_<modality>_<target>`. Where contributions are sampled, `stderr_...` beside each
        `phi_...`.

        Raises
        ------
        DataError
            Naming every row and modality that does not fit the schema.
        """
        return self.answers(columns).columns()

    def answers(self, columns: Mapping[str, Sequence[Any]]) -> Answers:
        """What `predict` returns, as arrays; errors as `predict`."""
        one = self.exported
        return answers_to(one.model, one.schema, self.batch(columns), self.method)

    def batch(self, columns: Mapping[str, Sequence[Any]]) -> Batch:
        """The batch that the model is given, without noise; errors as `predict`."""
        rows = self._rows(columns)
        dataset = Dataset(Path(), self.exported.schema, rows, self.exported.statistics, "")
        view = self.exported.config.view.without_noise
        return BatchReader(dataset.as_read(self.exported.model.read), view).batch(np.arange(len(rows)))

    @cached_property
    def method(self) -> ValuationMethod:
        """How answers are valued: once chosen, for all that is asked."""
        return prediction_method(self.exported.model, self.exported.schema, self.exported.config)

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
