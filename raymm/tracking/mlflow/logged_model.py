"""The model of a run as MLflow 3 lists models: a LoggedModel, beside the folder `model` of the run.

The folder of the run is what the registry points to, and what clients of MLflow 2 read. A run names its LoggedModel
as an output, by which MLflow's pages find it, and the model has the settings and final metrics of its run.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModelOutput, Metric
from mlflow.exceptions import MlflowException
from mlflow.models import Model

__all__ = ["NAME", "About", "log_logged_model"]

log = logging.getLogger(__name__)

NAME = "raymm-model"
"""Not that of the folder: MLflow would look for the folder of any run in the store that the process has set."""

MOST = 50
A_REQUEST = 500  # metrics
NOT_KNOWN = (400, 404, 501)
"""Answers of a server that knows no logged models."""


@dataclass(frozen=True)
class About:
    """What a model has of its run.

    Attributes
    ----------
    tags, params
        Description, author and settings.
    metrics
        Final metrics as they were sent: with the same time and step the run does not get them twice.
    data
        Name and digest of the data set that they were measured on; None where that is not known.
    """

    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Sequence[Metric]
    data: tuple[str, str] | None


def log_logged_model(client: Any, experiment_id: str, run_id: str, folder: Path, about: About) -> str | None:
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
        of_run = {"source_run_id": run_id, "tags": dict(about.tags), "params": dict(about.params)}
        model_id = str(client.create_logged_model(experiment_id, name=NAME, **of_run).model_id)
        saved = Model.load(str(folder))
        saved.model_id, saved.run_id = model_id, run_id
        saved.save(str(folder / "MLmodel"))
        client.log_model_artifacts(model_id, str(folder))
        client.finalize_logged_model(model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        _measure(client, run_id, model_id, about)
        for model in before:
            client.delete_logged_model(model.model_id)
    except MlflowException as cause:
        if cause.get_http_status_code() not in NOT_KNOWN:
            raise
        log.warning("the tracking server takes no logged models (%s); the model is in the run", cause.error_code)
        return None
    return model_id


def _measure(client: Any, run_id: str, model_id: str, about: About) -> None:
    """Give a model the metrics of its run."""
    name, digest = about.data or (None, None)
    of_model = {"model_id": model_id, "dataset_name": name, "dataset_digest": digest}
    found = [Metric(each.key, each.value, each.timestamp, each.step, **of_model) for each in about.metrics]
    for start in range(0, len(found), A_REQUEST):
        client.log_batch(run_id, metrics=found[start : start + A_REQUEST])
