"""A model as MLflow serves it: code by reference and weights by file, nothing pickled.

MLflow copies this file into the recorded model and runs the copy when the model is loaded ("models from code"), so it
imports nothing of raymm. The loader, which makes a predictor of the model's folder, is named in the model's
configuration and imported by that name.
"""

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
import numpy as np
import pandas as pd

__all__ = ["ServedModel"]


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Predicts, and values the modalities of each sample."""

    def load_context(self, context: Any) -> None:
        """Load the folder with the loader that the model's configuration names."""
        loader = EntryPoint("loader", context.model_config["loader"], "raymm").load()
        self._predictor = loader(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer a frame (or a mapping) with one column a modality; an empty cell is a missing modality."""
        del context, params
        columns = {str(name): [_cell(value) for value in model_input[name]] for name in model_input}
        answer = self._predictor.predict(columns)
        return pd.DataFrame({name: _column(values) for name, values in answer.items()})


def _cell(value: Any) -> Any:
    if value is None or (np.isscalar(value) and pd.isna(value)):
        return None
    return value


def _column(values: list[Any]) -> Any:
    """Keep None as it is: pandas would make it NaN, and NaN is no JSON."""
    return pd.Series(values, dtype=object if None in values else None)


mlflow.models.set_model(ServedModel())
