"""The model of a run as MLflow 3 lists models: a LoggedModel, beside the folder `model` of the run.

The folder of the run is what the registry points to, and what clients of MLflow 2 read.
"""

import logging
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import Model

__all__ = ["NAME", "log_logged_model"]

log = logging.getLogger(__name__)

NAME = "raymm-model"
"""Not that of the folder: MLflow would look for the folder of any run in the store that the process has set."""

MOST = 50
NOT_KNOWN = (400, 404, 501)
"""Answers of a server that knows no logged models."""


def log_logged_model(client: Any, experiment_id: str, run_id: str, folder: Path) -> str | None:
    """Record a saved model as the LoggedModel of a run, in the place of an earlier one.

    Returns
    -------
    Its id; None where the server knows no logged models, which is said.

    Raises
    ------
    MlflowException
        When the store does not answer.
    """
    try:
        query = f"source_run_id = '{run_id}'"
        before = client.search_logged_models([experiment_id], filter_string=query, max_results=MOST)
        model_id = str(client.create_logged_model(experiment_id, name=NAME, source_run_id=run_id).model_id)
        about = Model.load(str(folder))
        about.model_id, about.run_id = model_id, run_id
        about.save(str(folder / "MLmodel"))
        client.log_model_artifacts(model_id, str(folder))
        client.finalize_logged_model(model_id, "READY")
        for model in before:
            client.delete_logged_model(model.model_id)
    except MlflowException as cause:
        if cause.get_http_status_code() not in NOT_KNOWN:
            raise
        log.warning("the tracking server takes no logged models (%s); the model is in the run", cause.error_code)
        return None
    return model_id
